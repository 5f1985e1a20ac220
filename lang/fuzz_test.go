package lang

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mbuild.dev/mbuild/lang/value"
)

// fuzzLoad loads one file; whatever is in it, there is a Spec or a diagnostic with a place and a code, and no panic. A Spec
// without errors has a canonical form, comes out of the cache as it went in, and formatting its file does not change it.
func fuzzLoad(t *testing.T, name string, src []byte) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), src, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx := context.WithValue(context.Background(), limitsKey{}, limits{time: 20 * time.Second, memory: 4 << 30})
	req := Request{Dir: dir, Kinds: catalog{}, Std: shelf{}}
	s, diags := Load(ctx, req)
	for _, d := range diags {
		if code := ExtraOf(d).Code; code == "internal" {
			t.Fatalf("%s", d.Detail)
		} else if code == "endless" {
			t.Skip("given up in time, as it should be; what else is wrong with it cannot be said")
		} else if Explain(code) == "" || d.Subject == nil || d.Summary == "" || d.Detail == "" {
			t.Errorf("a poor diagnostic: %q %v %q %q", code, d.Subject, d.Summary, d.Detail)
		}
		if d.Subject != nil && (d.Subject.Start.Line < 1 || d.Subject.End.Byte < d.Subject.Start.Byte) {
			t.Errorf("no place: %v (%s)", d.Subject, d.Summary)
		}
	}
	if diags.HasErrors() {
		return
	}
	want := meaningOnly(t, s)
	out, fdiags := Format(name, src)
	if fdiags.HasErrors() {
		t.Fatalf("a good file is not formatted: %s", render(fdiags))
	}
	again, _ := Format(name, out)
	if string(again) != string(out) {
		t.Errorf("formatted twice is another text:\n%s\n--\n%s", out, again)
	}
	if err := os.WriteFile(filepath.Join(dir, name), out, 0o644); err != nil {
		t.Fatal(err)
	}
	s, diags = Load(ctx, req)
	if diags.HasErrors() || meaningOnly(t, s) != want {
		t.Errorf("formatting changed the meaning:\n%s\n--\n%s\n%s", want, meaningOnly(t, s), render(diags))
	}
}

// meaningOnly is meaning without places.
func meaningOnly(t testing.TB, s *Spec) string {
	var b strings.Builder
	for _, x := range s.Blocks {
		enc, err := value.Canonical(x.Attrs())
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(x.Addr.String() + " " + string(enc) + "\n")
	}
	for _, o := range s.Outputs {
		enc, err := value.Canonical(o.Value)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(o.Name + " " + string(enc) + "\n")
	}
	return b.String()
}

func FuzzHCL(f *testing.F) {
	for _, src := range project {
		f.Add([]byte(src))
	}
	f.Add([]byte(tenThousand()[:200]))
	f.Add([]byte("dataset \"csv\" \"d\" {\n  files = [\"${upper(\"a\")}\"]\n  enabled = true\n}\ncheck \"c\" {\n  condition = 1 < 2\n  error_message = \"no\"\n}\n"))
	f.Fuzz(func(t *testing.T, src []byte) { fuzzLoad(t, "a.mbuild.hcl", src) })
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"dataset": {"csv": {"d": {"files": ["a"], "split": {"train": 0.5, "test": 0.5}}}}, "variable": {"x": {"type": "number", "default": 3}}}`))
	f.Add([]byte(`{"model": {"layers": {"m": {"layer": [{"dense": {"a": {"units": "${1 + 2}"}}}]}}}, "locals": {"a": "${local.b}", "b": 1}}`))
	f.Fuzz(func(t *testing.T, src []byte) { fuzzLoad(t, "a.mbuild.hcl.json", src) })
}

func FuzzCUE(f *testing.F) {
	f.Add([]byte(strings.Replace(tenThousandCUE, "5000", "3", 1)))
	f.Add([]byte("var: n: int & >0 | *3\ndataset: csv: d: {files: [\"a\"], seed: var.n}\noutput: x: value: dataset.csv.d.seed\n"))
	f.Add([]byte("module: m: {source: \"std/tiny\", inputs: units: 3}\ntrain: supervised: t: {graph: module.m.outputs.graph, data: dataset.csv.d.data, epochs: 1, optimizer: sgd: lr: 0.1}\ndataset: csv: d: files: [\"a\"]\n"))
	f.Add([]byte("#A: {a: int, b?: string}\n_x: #A & {a: 1}\nlet L = [for i in [1, 2, 3] if i > 1 {i}]\nmodel: layers: m: layer: [for u in L {dense: \"h\\(u)\": units: u}]\n"))
	f.Fuzz(func(t *testing.T, src []byte) { fuzzLoad(t, "a.mbuild.cue", src) })
}
