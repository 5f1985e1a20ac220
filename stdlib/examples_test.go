package stdlib

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/examples"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/planner"
)

// plainSpec loads files, lowers them and wants no word of complaint; it returns what the spec means.
func plainSpec(t *testing.T, table *planner.Table, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	spec, diags := lang.Load(context.Background(), lang.Request{Dir: dir, Kinds: table, Std: Modules})
	if !diags.HasErrors() {
		graph, d := planner.Lower(spec, table)
		if diags = append(diags, d...); !diags.HasErrors() {
			_, d = planner.TakeSnapshot(context.Background(), dir, graph.Files, nil)
			diags = append(diags, d...)
		}
	}
	for _, d := range diags {
		t.Errorf("%v: %s: %s", d.Subject, d.Summary, d.Detail)
	}
	var b strings.Builder
	for _, x := range spec.Blocks {
		enc, err := value.Canonical(x.Attrs())
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(x.Addr.String() + " " + string(enc) + "\n")
	}
	for _, o := range spec.Outputs {
		enc, _ := value.Canonical(o.Value)
		b.WriteString("output " + o.Name + " " + string(enc) + "\n")
	}
	enc, _ := value.Canonical(spec.Variables)
	return b.String() + string(enc)
}

// TestVersions: the version of a kind is the one that its schema states.
func TestVersions(t *testing.T) {
	for _, k := range Kinds() {
		if k.Version != k.Schema.Version {
			t.Errorf("%s has version %d, and its schema.cue %d", k.Name(), k.Version, k.Schema.Version)
		}
	}
}

// TestKindExamples: the example of each kind plans without a warning, means the same in both syntaxes, has the kind in it, and
// is laid out as fmt does.
func TestKindExamples(t *testing.T) {
	table := executor.NewTable(Kinds()...).Planner
	for _, k := range Kinds() {
		t.Run(k.Name(), func(t *testing.T) {
			meanings := map[string]string{}
			for _, syntax := range []string{"hcl", "cue"} {
				src, err := Example(k.Family, k.Type, syntax)
				if err != nil {
					t.Fatal(err)
				}
				files, err := ExampleFiles(k.Family, k.Type)
				if err != nil {
					t.Fatal(err)
				}
				name := "example.mbuild." + syntax
				files[name] = src
				meanings[syntax] = plainSpec(t, table, files)
				if out, _ := lang.Format(name, src); string(out) != string(src) {
					t.Errorf("%s is not laid out as mbuild fmt does", name)
				}
			}
			if meanings["hcl"] != meanings["cue"] {
				t.Errorf("hcl means\n%s\ncue means\n%s", meanings["hcl"], meanings["cue"])
			}
			if !strings.Contains(meanings["hcl"], k.Family+"."+k.Type+".") {
				t.Error("the kind is not in its own example")
			}
		})
	}
}

// TestExamplePairs: every example of the repository means the same in both syntaxes.
func TestExamplePairs(t *testing.T) {
	table := executor.NewTable(Kinds()...).Planner
	for _, name := range examples.Names() {
		t.Run(name, func(t *testing.T) {
			var meanings []string
			for _, cue := range []bool{false, true} {
				files, err := examples.Files(name, cue)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range slices.Sorted(maps.Keys(files)) {
					if out, _ := lang.Format(f, files[f]); lang.IsFormatted(f) && string(out) != string(files[f]) {
						t.Errorf("%s is not laid out as mbuild fmt does", f)
					}
				}
				meanings = append(meanings, plainSpec(t, table, files))
			}
			if meanings[0] != meanings[1] {
				t.Errorf("hcl means\n%s\ncue means\n%s", meanings[0], meanings[1])
			}
		})
	}
}
