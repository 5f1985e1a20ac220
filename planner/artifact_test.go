package planner_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/memory"
	"mbuild.dev/mbuild/planner"
)

// TestInspectDirectory: in a directory that an apply wrote, an edited file is ours to restore and an added one is not ours to remove,
// unless the store has its bytes.
func TestInspectDirectory(t *testing.T) {
	ctx, store := context.Background(), memory.New()
	path := filepath.Join(t.TempDir(), "model")
	put := func(name, text string) {
		t.Helper()
		full := filepath.Join(path, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "one")
	put("sub/b", "two")
	d, err := cache.PutTree(ctx, store, path)
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := cache.SumPath(ctx, path, true); err != nil || sum != d {
		t.Fatalf("SumPath %v %v, PutTree %v", sum, err, d)
	}
	out := cache.Output{Name: "out", Directory: true, Digest: d}
	stat, err := planner.StatTree(path)
	if err != nil {
		t.Fatal(err)
	}
	files, _ := planner.FilesBelow(path)
	known := planner.ArtifactState{Digest: d.String(), Stat: stat, Files: files}
	look := func(known planner.ArtifactState) planner.Found {
		t.Helper()
		f, err := planner.Inspect(ctx, store, path, out, known)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := look(known); !f.InPlace {
		t.Errorf("as written: %+v", f)
	}
	if f := look(planner.ArtifactState{}); !f.InPlace {
		t.Errorf("equal content, not remembered: %+v", f)
	}
	put("sub/b", "edited")
	if f := look(known); f.InPlace || len(f.Foreign) > 0 || f.Detail != "it was edited" {
		t.Errorf("edited: %+v", f)
	}
	put("sub/c", "mine")
	put("copy", "one") // the store has these bytes
	if f := look(known); f.InPlace || !slices.Equal(f.Foreign, []string{"sub/c"}) {
		t.Errorf("a file added: %+v", f)
	}
	if f := look(planner.ArtifactState{}); !slices.Equal(f.Foreign, []string{"sub/b", "sub/c"}) {
		t.Errorf("not remembered: %+v", f)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("a file"), 0o644); err != nil {
		t.Fatal(err)
	}
	if f := look(known); len(f.Foreign) > 0 || !strings.Contains(f.Detail, "a file is in its place") {
		t.Errorf("a file in the place of a directory: %+v", f)
	}
}
