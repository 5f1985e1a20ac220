package lang

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"mbuild.dev/mbuild/lang/value"
)

const pairsFile = "../testdata/spec/pairs.txtar"

// TestPairs: a case of testdata/spec/pairs.txtar is one spec in several syntaxes: files CASE/hcl/…, CASE/cue/…, CASE/json/…. All
// of them mean CASE/want: blocks, outputs, variables and warnings. MBUILD_UPDATE=1 rewrites the wants from the first syntax.
// A line `# var: name=value` in CASE/args gives a variable.
func TestPairs(t *testing.T) {
	ar, err := txtar.ParseFile(pairsFile)
	if err != nil {
		t.Fatal(err)
	}
	cases, order := map[string]map[string]map[string]string{}, []string{}
	want, args := map[string]string{}, map[string][]VarArg{}
	for _, f := range ar.Files {
		name, rest, _ := strings.Cut(f.Name, "/")
		switch rest {
		case "want":
			want[name] = string(f.Data)
			continue
		case "args":
			for _, line := range strings.Fields(string(f.Data)) {
				k, v, _ := strings.Cut(line, "=")
				args[name] = append(args[name], VarArg{k, v})
			}
			continue
		}
		syntax, file, _ := strings.Cut(rest, "/")
		if cases[name] == nil {
			cases[name] = map[string]map[string]string{}
			order = append(order, name)
		}
		if cases[name][syntax] == nil {
			cases[name][syntax] = map[string]string{}
		}
		cases[name][syntax][file] = string(f.Data)
	}
	got := map[string]string{}
	for _, name := range order {
		t.Run(name, func(t *testing.T) {
			for _, syntax := range []string{"hcl", "cue", "json"} {
				if cases[name][syntax] == nil {
					continue
				}
				s, diags := Load(context.Background(), Request{Dir: files(t, cases[name][syntax]), Kinds: catalog{}, Std: shelf{}, Vars: args[name]})
				if diags.HasErrors() {
					t.Errorf("%s: %s", syntax, render(diags))
					continue
				}
				text := full(t, s)
				if got[name] == "" {
					got[name] = text
				}
				if os.Getenv("MBUILD_UPDATE") != "" && text == got[name] {
					continue
				}
				if text != want[name] {
					t.Errorf("%s means\n%s\nwant\n%s", syntax, text, want[name])
				}
			}
		})
	}
	if os.Getenv("MBUILD_UPDATE") != "" {
		rewrite(t, ar, order, got)
	}
}

// full is everything a Spec says but places.
func full(t *testing.T, s *Spec) string {
	t.Helper()
	var b strings.Builder
	for _, x := range s.Blocks {
		enc, err := value.Canonical(x.Attrs())
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(x.Addr.String() + " " + string(enc))
		if len(x.Tags) > 0 {
			b.WriteString(" tags " + strings.Join(x.Tags, ","))
		}
		if x.Timeout > 0 {
			b.WriteString(" timeout " + x.Timeout.String())
		}
		if x.Retries > 0 {
			fmt.Fprintf(&b, " retries %d", x.Retries)
		}
		if x.Backend != "" {
			b.WriteString(" backend " + x.Backend)
		}
		for _, d := range x.DependsOn {
			b.WriteString(" after " + d.String())
		}
		b.WriteString("\n")
	}
	for _, o := range s.Outputs {
		enc, err := value.Canonical(o.Value)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("output " + o.Name + " = " + string(enc) + " " + o.Description + "\n")
	}
	enc, err := value.Canonical(s.Variables)
	if err != nil {
		t.Fatal(err)
	}
	b.WriteString("variables " + string(enc) + "\n")
	if s.Settings.RequiredVersion+s.Settings.Backend != "" {
		b.WriteString("settings " + s.Settings.RequiredVersion + " " + s.Settings.Backend + "\n")
	}
	return b.String()
}

func rewrite(t *testing.T, ar *txtar.Archive, order []string, got map[string]string) {
	out := &txtar.Archive{Comment: ar.Comment}
	for _, name := range order {
		for _, f := range ar.Files {
			if strings.HasPrefix(f.Name, name+"/") && f.Name != name+"/want" {
				out.Files = append(out.Files, f)
			}
		}
		out.Files = append(out.Files, txtar.File{Name: name + "/want", Data: []byte(got[name])})
	}
	if text := txtar.Format(out); !bytes.Equal(text, txtar.Format(ar)) {
		if err := os.WriteFile(pairsFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestExtract: blocks that are moved into a module keep their attributes; only addresses change.
func TestExtract(t *testing.T) {
	flat := mustLoad(t, `
dataset "csv" "d" { files = ["d.csv"] }
train "supervised" "t" {
  data   = dataset.csv.d.data
  epochs = 3
  optimizer "sgd" {}
}
`)
	dir := files(t, map[string]string{
		"a.mbuild.hcl":   "dataset \"csv\" \"d\" { files = [\"d.csv\"] }\nmodule \"m\" {\n  source = \"./m\"\n  data = dataset.csv.d.data\n}\n",
		"m/m.mbuild.hcl": "variable \"data\" {}\ntrain \"supervised\" \"t\" {\n  data = var.data\n  epochs = 3\n  optimizer \"sgd\" {}\n}\n",
	})
	moved, diags := Load(context.Background(), Request{Dir: dir, Kinds: catalog{}})
	if diags.HasErrors() {
		t.Fatal(render(diags))
	}
	for i, b := range flat.Blocks {
		a, _ := value.Canonical(b.Attrs())
		c, _ := value.Canonical(moved.Blocks[i].Attrs())
		if string(a) != string(c) || b.Addr.local() != moved.Blocks[i].Addr.local() {
			t.Errorf("%s %s became %s %s", b.Addr, a, moved.Blocks[i].Addr, c)
		}
	}
}

// TestSchemaImport: blocks unified with the definitions of mbuild.dev/std/schema mean the same.
func TestSchemaImport(t *testing.T) {
	load := func(src string) string {
		s, diags := Load(context.Background(), Request{Dir: files(t, map[string]string{"a.mbuild.cue": src}), Kinds: catalog{}})
		if diags.HasErrors() {
			t.Fatal(render(diags))
		}
		return full(t, s)
	}
	const body = `
dataset: csv: d: {files: ["d.csv"], split: train: 0.5}
model: layers: m: layer: [{type: "dense", name: "h", units: 3}, {type: "dropout", name: "o", rate: 0.5}]
train: supervised: t: {data: dataset.csv.d.data, graph: model.layers.m.graph, epochs: 2, optimizer: {type: "adam", betas: [0.5, 0.6]}}
`
	plain := load(body)
	with := load("import \"mbuild.dev/std/schema\"\n\ndataset: csv: [string]: schema.#DatasetCsv\nmodel: layers: [string]: schema.#ModelLayers\ntrain: supervised: [string]: schema.#TrainSupervised\n" + body)
	if plain != with {
		t.Errorf("plain\n%s\nwith the schema\n%s", plain, with)
	}
	_, diags := Load(context.Background(), Request{Dir: files(t, map[string]string{"a.mbuild.cue": "import \"mbuild.dev/std/schema\"\n\ndataset: csv: d: schema.#DatasetCsv & {files: [\"d\"], labl: \"x\"}\n"}), Kinds: catalog{}})
	if text := render(diags); !strings.Contains(text, `There is no attribute "labl"`) || !strings.Contains(text, "a.mbuild.cue:3,") {
		t.Errorf("a misspelled field of a closed struct: %s", text)
	}
}

// TestConsole: expressions in both syntaxes, and what they may not do.
func TestConsole(t *testing.T) {
	for name, c := range map[string]struct {
		file, src string
		good      map[string]string
		bad       map[string]string
	}{
		"hcl": {"a.mbuild.hcl", "variable \"n\" { default = 3 }\nvariable \"s\" {\n  default = \"x\"\n  sensitive = true\n}\ndataset \"csv\" \"d\" { files = [\"f\"] }\nlocals { twice = var.n * 2 }\n",
			map[string]string{"local.twice": "6", "var.s": `"(sensitive)"`, "dataset.csv.d.data": `"dataset.csv.d.data"`, "[for i in sequence(2): i + 1]": "[1,2]", "{a = \"x${var.n}\"}": `{"a":"x3"}`, "dataset.csv.d.label": `"label"`},
			map[string]string{"local.once": "unknown-local", "1 +": "syntax", "upper(": "syntax", "nope(1)": "unknown-function", "\"x${dataset.csv.d.data}\"": "expression"}},
		"cue": {"a.mbuild.cue", "var: n: int | *3\nvar: s: string | *\"x\" @sensitive()\n_twice: var.n * 2\ndataset: csv: d: files: [\"f\"]\n",
			map[string]string{"_twice": "6", "var.s": `"(sensitive)"`, "dataset.csv.d.data": `"dataset.csv.d.data"`, "[for i in [1, 2] {i + 1}]": "[2,3]", "{a: \"\\(var.n)\"}": `{"a":"3"}`},
			map[string]string{"_once": "unknown-name", "1 +": "syntax", "var.m": "unknown-variable", "\"\\(dataset.csv.d.data)\"": "expression", "int": "incomplete-value"}},
	} {
		t.Run(name, func(t *testing.T) {
			con, diags := NewConsole(context.Background(), Request{Dir: files(t, map[string]string{c.file: c.src}), Kinds: catalog{}})
			if diags.HasErrors() {
				t.Fatal(render(diags))
			}
			for expr, want := range c.good {
				v, diags := con.Eval(context.Background(), expr)
				enc, _ := value.Canonical(Shown(v))
				if diags.HasErrors() || string(enc) != want {
					t.Errorf("%s is %s, want %s\n%s", expr, enc, want, render(diags))
				}
			}
			for expr, code := range c.bad {
				_, diags := con.Eval(context.Background(), expr)
				if len(diags) == 0 || ExtraOf(diags[0]).Code != code {
					t.Errorf("%s: %s, want code %s", expr, render(diags), code)
				}
			}
		})
	}
	if _, diags := NewConsole(context.Background(), Request{Dir: t.TempDir(), Kinds: catalog{}}); !diags.HasErrors() {
		t.Error("a console without a spec")
	}
}

// TestFormat: layouts, what is left alone, and what is refused.
func TestFormat(t *testing.T) {
	for _, c := range []struct{ name, src, want, code string }{
		{"a.mbuild.hcl", "locals {\na=1\n  bcd =   2\n}\n", "locals {\n  a   = 1\n  bcd = 2\n}\n", ""},
		{"x.mbvars", "a=1\n", "a = 1\n", ""},
		{"x.mbvars", "{\"a\":1}", "{\"a\":1}", ""},
		{"a.mbuild.hcl.json", "{ }", "{ }", ""},
		{"a.mbuild.cue", "a:   {b:1}\n", "a: {b: 1}\n", ""},
		{"a.mbuild.hcl", "locals {", "", "syntax"},
		{"a.mbuild.cue", "a: {", "", "syntax"},
		{"a.mbuild.hcl", "\xff", "", "not-utf8"},
		{"a.mbuild.cue", "\xff", "", "not-utf8"},
	} {
		out, diags := Format(c.name, []byte(c.src))
		if c.code != "" {
			if len(diags) == 0 || ExtraOf(diags[0]).Code != c.code {
				t.Errorf("%s %q: %s, want %s", c.name, c.src, render(diags), c.code)
			}
			continue
		}
		if diags.HasErrors() || string(out) != c.want {
			t.Errorf("%s %q became %q, want %q; %s", c.name, c.src, out, c.want, render(diags))
		}
	}
}

// TestLinks: a spec file may be a link to a file beside it, not to one elsewhere.
func TestLinks(t *testing.T) {
	dir := files(t, map[string]string{"real.txt": "dataset \"csv\" \"d\" { files = [\"f\"] }\n", "sub/x": ""})
	if err := os.Symlink("real.txt", filepath.Join(dir, "a.mbuild.hcl")); err != nil {
		t.Skip("no symbolic links here")
	}
	if s, diags := Load(context.Background(), Request{Dir: dir, Kinds: catalog{}}); diags.HasErrors() || len(s.Blocks) != 1 {
		t.Error(render(diags))
	}
	sub := filepath.Join(dir, "sub")
	if err := os.Symlink("../real.txt", filepath.Join(sub, "a.mbuild.hcl")); err != nil {
		t.Fatal(err)
	}
	if _, diags := Load(context.Background(), Request{Dir: sub, Kinds: catalog{}}); !strings.Contains(render(diags), "leads out of its directory") {
		t.Error(render(diags))
	}
}
