package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/cachetest"
	"mbuild.dev/mbuild/cache/vfs"
)

var ctx = context.Background()

func open(t testing.TB, dir string) *Store {
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	cachetest.Run(t, func(t *testing.T) cache.Store { return open(t, t.TempDir()) })
}

// fill puts small and large blobs and a result, and returns their digests and the key.
func fill(t *testing.T, s *Store) (small, large cache.Digest, key cache.ActionKey) {
	var err error
	if small, err = s.Put(ctx, strings.NewReader("a small blob")); err != nil {
		t.Fatal(err)
	}
	if large, err = s.Put(ctx, bytes.NewReader(bytes.Repeat([]byte("large"), 50000))); err != nil {
		t.Fatal(err)
	}
	key = cache.KeyOf([]byte("key"))
	if err := s.Record(ctx, key, &cache.ActionResult{Outputs: []cache.Output{{Name: "x", Digest: large}}}); err != nil {
		t.Fatal(err)
	}
	return small, large, key
}

// TestReopen: everything is there in another process, and what it adds is seen by the first one.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	small, large, key := fill(t, a)
	b := open(t, dir)
	for _, d := range []cache.Digest{small, large} {
		if _, err := cache.ReadAll(ctx, b, d, 1<<20); err != nil {
			t.Error(err)
		}
	}
	if _, err := b.Lookup(ctx, key); err != nil {
		t.Error(err)
	}
	d, err := b.Put(ctx, strings.NewReader("from b"))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Refresh(); err != nil {
		t.Fatal(err)
	}
	if miss, err := a.FindMissing(ctx, []cache.Digest{d}); err != nil || len(miss) != 0 {
		t.Errorf("a does not see what b put: %v %v", miss, err)
	}
}

// TestDamage: whatever byte of the store is flipped or wherever a file is cut, nothing wrong is ever served: what is read is
// right, or it is missing, and putting it again makes it whole.
func TestDamage(t *testing.T) {
	base := t.TempDir()
	s := open(t, base)
	small, large, key := fill(t, s)
	want := map[cache.Digest][]byte{}
	for _, d := range []cache.Digest{small, large} {
		b, err := cache.ReadAll(ctx, s, d, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		want[d] = b
	}
	r := rand.New(rand.NewSource(1))
	for range 300 {
		dir := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
			t.Fatal(err)
		}
		files := []string{filepath.Join(dir, "log"), filepath.Join(dir, "blobs", large.Hex()[:2], large.Hex())}
		victim := files[r.Intn(2)]
		b, err := os.ReadFile(victim)
		if err != nil {
			t.Fatal(err)
		}
		os.Chmod(victim, 0o644)
		switch r.Intn(4) {
		case 0:
			b[r.Intn(len(b))] ^= 1 << r.Intn(8)
		case 1:
			b = b[:r.Intn(len(b))]
		case 2:
			at := r.Intn(len(b))
			b = append(append(append([]byte{}, b[:at]...), "MBR1garbage"...), b[at:]...)
		case 3:
			clear(b[r.Intn(len(b)):])
		}
		if err := os.WriteFile(victim, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if r.Intn(10) == 0 {
			os.Remove(victim)
		}
		s := open(t, dir)
		for d, data := range want {
			got, err := cache.ReadAll(ctx, s, d, 1<<20)
			if err == nil && !bytes.Equal(got, data) {
				t.Fatal("wrong bytes were served")
			}
			if err != nil && !errors.Is(err, cache.ErrNotFound) && !errors.Is(err, cache.ErrCorrupt) {
				t.Fatalf("an error nobody can act on: %v", err)
			}
			if _, err := s.Put(ctx, bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			if got, err := cache.ReadAll(ctx, s, d, 1<<20); err != nil || !bytes.Equal(got, data) {
				t.Fatalf("not healed by Put: %v", err)
			}
		}
		if res, err := s.Lookup(ctx, key); err == nil && res.Outputs[0].Digest != large {
			t.Fatal("a wrong result was served")
		} else if err != nil && !errors.Is(err, cache.ErrNotFound) {
			t.Fatal(err)
		}
	}
}

func TestFormat(t *testing.T) {
	dir := t.TempDir()
	open(t, dir)
	for text, want := range map[string]string{"mbuild store 3\n": "format 3, and this mbuild knows formats up to 2", "something else": "is no store of mbuild"} {
		if err := os.WriteFile(filepath.Join(dir, "format"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); !errors.Is(err, cache.ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestLock: one holder of a key at a time, among stores and within one; other keys are free; a cancelled wait ends.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	a.Identify("a test")
	key := cache.KeyOf([]byte("k"))
	unlock, err := a.Lock(ctx, key, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Store{a, b} {
		short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
		var holders []string
		if _, err := s.Lock(short, key, func(holder string) { holders = append(holders, holder) }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second lock of the key: %v", err)
		}
		if want := fmt.Sprintf("process %d (a test)", os.Getpid()); s == b && !slices.Equal(holders, []string{want}) {
			t.Errorf("waits for %q, not %q", holders, want)
		}
		cancel()
		free, err := s.Lock(ctx, cache.KeyOf([]byte("other"+s.dir)), nil)
		if err != nil {
			t.Error(err)
		}
		free()
	}
	unlock()
	again, err := b.Lock(ctx, key, func(string) { t.Error("waited for a key that is free") })
	if err != nil {
		t.Fatal(err)
	}
	again()
}

// TestPutFile: a large file becomes the blob itself; a hard link to it is read-only and the same file.
func TestPutFile(t *testing.T) {
	s := open(t, t.TempDir())
	path := filepath.Join(s.Scratch(), "file")
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	before, _ := os.Stat(path)
	d, err := s.PutFile(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(s.Scratch(), "link")
	if err := s.Materialize(ctx, d, link); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(link); err != nil || !os.SameFile(before, after) {
		t.Errorf("the blob was copied: %v", err)
	}
}

// TestReadOnly: a store that may not be written serves what it has and refuses the rest by name.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	small, large, key := fill(t, open(t, dir))
	s, err := openAs(vfs.OS, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, d := range []cache.Digest{small, large} {
		if _, err := cache.ReadAll(ctx, s, d, 1<<20); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Lookup(ctx, key); err != nil {
		t.Error(err)
	}
	if _, err := s.Put(ctx, strings.NewReader("new")); !errors.Is(err, cache.ErrReadOnly) {
		t.Errorf("Put: %v", err)
	}
	if _, err := s.Put(ctx, bytes.NewReader(make([]byte, 1<<20))); !errors.Is(err, cache.ErrReadOnly) {
		t.Errorf("Put of a large blob: %v", err)
	}
	if err := s.Record(ctx, key, &cache.ActionResult{}); !errors.Is(err, cache.ErrReadOnly) {
		t.Errorf("Record: %v", err)
	}
	if _, err := openAs(vfs.OS, t.TempDir(), true); !errors.Is(err, cache.ErrReadOnly) {
		t.Errorf("an empty read-only directory: %v", err)
	}
}

// BenchmarkSmall puts small blobs.
func BenchmarkSmall(b *testing.B) {
	s := open(b, b.TempDir())
	i := 0
	for b.Loop() {
		i++
		if _, err := s.Put(ctx, strings.NewReader(time.Now().String())); err != nil {
			b.Fatal(err)
		}
	}
}
