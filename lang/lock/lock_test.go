package lock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func pin(backend, platform, digit string) Pin {
	return Pin{Backend: backend, Platform: platform, Digest: "sha256:" + strings.Repeat(digit, 64), Source: "a.whl"}
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	f, diags := Read(dir)
	if diags.HasErrors() || len(f.Pins) != 0 {
		t.Fatal(diags)
	}
	for _, p := range []Pin{pin("xla:cpu", "linux/amd64", "1"), pin("xla:cuda", "linux/amd64", "2"), pin("xla:cpu", "darwin/arm64", "3"), pin("xla:cpu", "linux/amd64", "4")} {
		if err := f.Set(p); err != nil {
			t.Fatal(err)
		}
	}
	g, diags := Read(dir)
	if diags.HasErrors() || len(g.Pins) != 3 {
		t.Fatalf("%v: %+v", diags, g.Pins)
	}
	if p, ok := g.Plugin("xla:cpu", "linux/amd64"); !ok || p.Digest != "sha256:"+strings.Repeat("4", 64) || p.Source != "a.whl" {
		t.Errorf("the pin is %+v", p)
	}
	if _, ok := g.Plugin("xla:cpu", "linux/arm64"); ok {
		t.Error("a pin of another platform is taken")
	}
	if ok, err := g.Drop("xla:cuda", "linux/amd64"); err != nil || !ok {
		t.Error(ok, err)
	}
	if ok, err := g.Drop("xla:cuda", "linux/amd64"); err != nil || ok {
		t.Error(ok, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, Name))
	if err != nil || strings.Contains(string(text), "cuda") {
		t.Errorf("a dropped pin is left: %s, %v", text, err)
	}
}

// TestKeeps: what others wrote into the lock stays, comments included.
func TestKeeps(t *testing.T) {
	dir := t.TempDir()
	mine := "# ours\nmodule \"oci://x\" {\n  integrity = \"sha256:00\" # checked by hand\n}\n"
	if err := os.WriteFile(filepath.Join(dir, Name), []byte(mine), 0o644); err != nil {
		t.Fatal(err)
	}
	f, diags := Read(dir)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if err := f.Set(pin("xla:cpu", "linux/amd64", "1")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, Name))
	if err != nil || !strings.HasPrefix(string(text), mine) {
		t.Errorf("the lock is now\n%s%v", text, err)
	}
}

func TestMistakes(t *testing.T) {
	hex := strings.Repeat("1", 64)
	for what, text := range map[string]string{
		"syntax":          "backend {",
		"no name":         "backend {\n}\n",
		"other block":     "backend \"xla:cpu\" {\n  driver \"a\" {\n  }\n}\n",
		"no digest":       "backend \"xla:cpu\" {\n  plugin \"linux/amd64\" {\n  }\n}\n",
		"short digest":    "backend \"xla:cpu\" {\n  plugin \"linux/amd64\" {\n    digest = \"sha256:12\"\n  }\n}\n",
		"a number":        "backend \"xla:cpu\" {\n  plugin \"linux/amd64\" {\n    digest = 12\n  }\n}\n",
		"twice":           "backend \"xla:cpu\" {\n  plugin \"linux/amd64\" {\n    digest = \"sha256:" + hex + "\"\n  }\n  plugin \"linux/amd64\" {\n    digest = \"sha256:" + hex + "\"\n  }\n}\n",
		"list of files":   "checkpoint \"m\" {\n  files = [\"sha256:" + hex + "\"]\n}\n",
		"other attribute": "checkpoint \"m\" {\n  files = {}\n  file = 1\n}\n",
		"file below":      "checkpoint \"m\" {\n  files = { \"a/b\" = \"sha256:" + hex + "\" }\n}\n",
		"sum":             "checkpoint \"m\" {\n  files = { a = \"" + hex + "\" }\n}\n",
		"file twice":      "checkpoint \"m\" {\n  files = { a = \"sha256:" + hex + "\", \"a\" = \"sha256:" + hex + "\" }\n}\n",
		"file elsewhere":  "checkpoint \"m\" {\n  files = { a = \"sha256:" + hex + "\" }\n}\ncheckpoint \"./m\" {\n  files = { a = \"sha256:" + hex + "\" }\n}\n",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, Name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, diags := Read(dir)
		if !diags.HasErrors() || diags[0].Subject == nil || diags[0].Subject.Filename != Name {
			t.Errorf("%s: %v", what, diags)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, Name), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, diags := Read(dir); !diags.HasErrors() {
		t.Error("a directory is read as a lock")
	}
}

func TestSums(t *testing.T) {
	dir := t.TempDir()
	f, _ := Read(dir)
	sum := func(digit string) string { return "sha256:" + strings.Repeat(digit, 64) }
	if err := f.Set(pin("xla:cpu", "linux/amd64", "1")); err != nil {
		t.Fatal(err)
	}
	odd := "odd \"${x}\" %{if}/e\u0301.bin" // what HCL would take for a template, and a letter of two code points
	for _, step := range []map[string]string{
		{"minilm/config.json": sum("a"), "minilm/model.safetensors": sum("b"), "a.onnx": sum("c"), "../up/x": sum("d"), "/abs/x": sum("e"), odd: sum("f")},
		{"minilm/model.safetensors": sum("0")},
		{},
	} {
		if err := f.Lock(step); err != nil {
			t.Fatal(err)
		}
	}
	g, diags := Read(dir)
	if diags.HasErrors() || len(g.Sums) != 6 || len(g.Pins) != 1 {
		t.Fatalf("%v: %+v", diags, g)
	}
	for path, want := range map[string]string{"minilm/config.json": sum("a"), "minilm/model.safetensors": sum("0"), "a.onnx": sum("c"), "../up/x": sum("d"), "/abs/x": sum("e"), odd: sum("f")} {
		if s, ok := g.Sum(path); !ok || s.Digest != want || s.Range.Start.Line == 0 {
			t.Errorf("%s is pinned by %+v", path, s)
		}
	}
	if _, ok := g.Sum("minilm/tokenizer.json"); ok {
		t.Error("a file that was not pinned is")
	}
	text, _ := os.ReadFile(g.Path)
	if strings.Count(string(text), "checkpoint \"minilm\"") != 1 {
		t.Errorf("the lock is\n%s", text)
	}
	for _, c := range []struct{ path, gone, left string }{
		{"nothing", "", "minilm"},
		{"minilm/config.json", "minilm/config.json", "model.safetensors"},
		{"./minilm/", "minilm/model.safetensors", "a.onnx"},
		{".", "a.onnx " + "odd \"${x}\" %{if}/\u00e9.bin", "../up"},
	} {
		gone, err := g.Unlock(c.path)
		if err != nil || strings.Join(gone, " ") != c.gone {
			t.Errorf("removing %s removed %q: %v", c.path, gone, err)
		}
		text, _ := os.ReadFile(g.Path)
		if !strings.Contains(string(text), c.left) || c.path == "./minilm/" && strings.Contains(string(text), "minilm") {
			t.Errorf("after removing %s the lock is\n%s", c.path, text)
		}
	}
}

// TestMerged: a merge of two branches may leave two blocks for one directory; the next change makes them one, with the comments of the first.
func TestMerged(t *testing.T) {
	a, b, c := strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64)
	text := "# ours\ncheckpoint \"m\" {\n  files = { \"a\" = \"sha256:" + a + "\" }\n}\ncheckpoint \"m/\" {\n  files = { \"b\" = \"sha256:" + b + "\" }\n}\nmodule \"other\" {\n}\n"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, Name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	f, diags := Read(dir)
	if diags.HasErrors() || len(f.Sums) != 2 {
		t.Fatal(diags, f)
	}
	if err := f.Lock(map[string]string{"m/c": "sha256:" + c}); err != nil {
		t.Fatal(err)
	}
	now, _ := os.ReadFile(f.Path)
	if len(f.Sums) != 3 || strings.Count(string(now), "checkpoint") != 1 || !strings.HasPrefix(string(now), "# ours\n") || !strings.Contains(string(now), "module \"other\"") {
		t.Errorf("the lock is\n%s%+v", now, f.Sums)
	}
}

func FuzzRead(f *testing.F) {
	hex := strings.Repeat("1", 64)
	f.Add("checkpoint \"m\" {\n  files = {\n    \"a\" = \"sha256:" + hex + "\"\n    b = \"sha256:" + hex + "\"\n  }\n}\n")
	f.Add("backend \"xla:cpu\" {\n  plugin \"linux/amd64\" {\n    digest = \"sha256:" + hex + "\"\n  }\n}\n")
	f.Add("checkpoint \"..\" {\n  files = { (x) = [1], \"${1}\" = null }\n}\n")
	f.Add("# no line ends here")
	f.Fuzz(func(t *testing.T, text string) {
		l := &File{Path: filepath.Join(t.TempDir(), Name)}
		if l.parse([]byte(text)).HasErrors() {
			return
		}
		// What can be read can be changed: every entry stays, and the new one is there.
		n, sum := len(l.Sums), "sha256:"+hex
		_, had := l.Sum("dir/new")
		was := l.Sums
		if err := l.Lock(map[string]string{"dir/new": sum}); err != nil {
			t.Fatalf("%v\n%q", err, text)
		}
		if !had {
			n++
		}
		if s, ok := l.Sum("dir/new"); !ok || s.Digest != sum || len(l.Sums) != n {
			t.Fatalf("%d entries of %d, the new one %v\n%q", len(l.Sums), n, s, text)
		}
		for _, s := range was {
			if now, ok := l.Sum(s.Path); !ok || now.Digest != s.Digest && s.Path != "dir/new" {
				t.Fatalf("%s was pinned and is not\n%q", s.Path, text)
			}
		}
	})
}
