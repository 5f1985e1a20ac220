package lang

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// files writes a directory of files by name.
func files(t testing.TB, byName map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range byName {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// load loads one file as a spec.
func load(t testing.TB, src string) (*Spec, hcl.Diagnostics) {
	t.Helper()
	return Load(context.Background(), Request{Dir: files(t, map[string]string{"a.mbuild.hcl": src}), Kinds: catalog{}})
}

// mustLoad loads one file that has no mistakes.
func mustLoad(t testing.TB, src string) *Spec {
	t.Helper()
	s, diags := load(t, src)
	if diags.HasErrors() {
		t.Fatal(render(diags))
	}
	return s
}

// render writes diagnostics one a line, as the tests compare them.
func render(diags hcl.Diagnostics) string {
	var b strings.Builder
	for _, d := range diags {
		if d.Subject != nil {
			b.WriteString(d.Subject.String() + ": ")
		}
		b.WriteString("[" + ExtraOf(d).Code + "] " + d.Summary + ": " + d.Detail + "\n")
	}
	return b.String()
}
