package cache_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/memory"
)

// TestPutFiles: files in memory give the digest of the same files on disk, and can be read back; names that are no paths of a
// directory are errors.
func TestPutFiles(t *testing.T) {
	ctx, store := context.Background(), memory.New()
	put := func(f cache.TreeFile) (cache.Digest, error) {
		if err := cache.Commit(ctx, store, [][]byte{f.Bytes}, []byte("x"), cache.KeyOf([]byte("x")), &cache.ActionResult{}); err != nil {
			return cache.Digest{}, err
		}
		return cache.Sum(f.Bytes), nil
	}
	files := []cache.TreeFile{{Name: "b"}, {Name: "a/deep/x", Bytes: []byte("1"), Executable: true}, {Name: "a.txt", Bytes: []byte("2")}, {Name: "a/y", Bytes: []byte("1")}}
	dir := t.TempDir()
	for _, f := range files {
		p := filepath.Join(dir, f.Name)
		os.MkdirAll(filepath.Dir(p), 0o755)
		mode := os.FileMode(0o644)
		if f.Executable {
			mode = 0o755
		}
		if err := os.WriteFile(p, f.Bytes, mode); err != nil {
			t.Fatal(err)
		}
	}
	want, err := cache.PutTree(ctx, store, dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := cache.PutFiles(files, put)
	if err != nil || got != want {
		t.Errorf("in memory %v (%v), on disk %v", got, err, want)
	}
	back, err := cache.ReadTree(ctx, store, got, 3)
	if err != nil || len(back) != 4 || back[0].Name != "a.txt" || back[1].Name != "b" || !reflect.DeepEqual(back[2].Bytes, []byte("1")) {
		t.Errorf("%v %v", back, err)
	}
	if _, err := cache.ReadTree(ctx, store, got, 2); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("3 bytes of at most 2: %v", err)
	}
	for _, bad := range [][]string{{""}, {"/a"}, {"a//b"}, {"../a"}, {"a/.."}, {"a", "a"}, {"a", "a/b"}, {"a/"}} {
		var files []cache.TreeFile
		for _, n := range bad {
			files = append(files, cache.TreeFile{Name: n})
		}
		if _, err := cache.PutFiles(files, put); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
