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
		"syntax":       "backend {",
		"no name":      "backend {\n}\n",
		"other block":  "backend \"xla:cpu\" {\n  driver \"a\" {\n  }\n}\n",
		"no digest":    "backend \"xla:cpu\" {\n  plugin \"linux/amd64\" {\n  }\n}\n",
		"short digest": "backend \"xla:cpu\" {\n  plugin \"linux/amd64\" {\n    digest = \"sha256:12\"\n  }\n}\n",
		"a number":     "backend \"xla:cpu\" {\n  plugin \"linux/amd64\" {\n    digest = 12\n  }\n}\n",
		"twice":        "backend \"xla:cpu\" {\n  plugin \"linux/amd64\" {\n    digest = \"sha256:" + hex + "\"\n  }\n  plugin \"linux/amd64\" {\n    digest = \"sha256:" + hex + "\"\n  }\n}\n",
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
