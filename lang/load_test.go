package lang

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/lang/value"
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

// canonical is a Spec as one canonical JSON text: what it means, and nothing of how it is written.
func canonical(t testing.TB, s *Spec) string {
	t.Helper()
	blocks := map[string]any{}
	for _, b := range s.Blocks {
		m := map[string]any{"attrs": maps.Clone(b.Attrs)}
		if len(b.DependsOn) > 0 {
			m["depends_on"] = addrs(b.DependsOn)
		}
		if len(b.Tags) > 0 {
			tags := make([]any, len(b.Tags))
			for i, t := range b.Tags {
				tags[i] = t
			}
			m["tags"] = tags
		}
		blocks[b.Addr.String()] = m
	}
	outputs := map[string]any{}
	for _, o := range s.Outputs {
		outputs[o.Name] = o.Value
	}
	inputs := map[string]any{}
	for _, in := range s.Inputs {
		inputs[in.Path] = in.Digest
	}
	vars := map[string]any{}
	maps.Copy(vars, s.Variables)
	text, err := value.Canonical(map[string]any{"blocks": blocks, "outputs": outputs, "inputs": inputs, "variables": vars})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func addrs(list []Addr) []any {
	out := make([]any, len(list))
	for i, a := range list {
		out[i] = a.String()
	}
	return out
}
