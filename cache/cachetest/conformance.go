// Package cachetest is the contract of stores as a test suite. A store runs it in a few lines:
//
//	func TestConformance(t *testing.T) {
//		cachetest.Run(t, func(t *testing.T) cache.Store { return memory.New() })
//	}
package cachetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"mbuild.dev/mbuild/cache"
)

// Run runs the whole suite on stores that open gives, each empty.
func Run(t *testing.T, open func(t *testing.T) cache.Store) {
	for name, f := range map[string]func(*testing.T, cache.Store){
		"RoundTrip": roundTrip, "Missing": missing, "Results": results, "Trees": trees, "Failures": failures,
		"Concurrent": concurrent, "Commit": commit, "Complete": complete, "ReadOnly": readOnly,
	} {
		t.Run(name, func(t *testing.T) { f(t, open(t)) })
	}
}

var ctx = context.Background()

// blob is deterministic noise of a size.
func blob(size int) []byte {
	b := make([]byte, size)
	rand.New(rand.NewSource(int64(size))).Read(b)
	return b
}

var sizes = []int{0, 1, 1000, 64<<10 - 1, 64 << 10, 64<<10 + 1, 3 << 20}

func roundTrip(t *testing.T, s cache.Store) {
	for _, n := range sizes {
		b := blob(n)
		for range 2 { // a second Put of the same bytes is no harm
			d, err := s.Put(ctx, iotest.OneByteReader(bytes.NewReader(b)))
			if err != nil || d != cache.Sum(b) {
				t.Fatalf("%d bytes: %v, %v", n, d, err)
			}
		}
		got, err := cache.ReadAll(ctx, s, cache.Sum(b), 1<<30)
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%d bytes came back as %d: %v", n, len(got), err)
		}
		path := filepath.Join(t.TempDir(), "out")
		if err := cache.Materialize(ctx, s, cache.Output{Digest: cache.Sum(b)}, path); err != nil {
			t.Fatal(err)
		}
		if onDisk, err := os.ReadFile(path); err != nil || !bytes.Equal(onDisk, b) {
			t.Fatalf("%d bytes materialised as %d: %v", n, len(onDisk), err)
		}
		if info, _ := os.Stat(path); info.Mode().Perm()&0o222 != 0 {
			t.Errorf("%d bytes: materialised with mode %v, want read-only", n, info.Mode())
		}
	}
	if _, err := cache.ReadAll(ctx, s, cache.Sum(blob(1000)), 999); err == nil {
		t.Error("ReadAll went over its limit")
	}
}

func missing(t *testing.T, s cache.Store) {
	d, err := s.Put(ctx, bytes.NewReader(blob(100)))
	if err != nil {
		t.Fatal(err)
	}
	other := cache.Sum([]byte("other"))
	wrongSize := cache.NewDigest(d.Bytes(), d.Size()+1)
	got, err := s.FindMissing(ctx, []cache.Digest{other, d, wrongSize})
	if err != nil || !reflect.DeepEqual(got, []cache.Digest{other, wrongSize}) {
		t.Errorf("FindMissing gave %v, %v", got, err)
	}
	for _, d := range []cache.Digest{other, wrongSize} {
		if _, err := s.Open(ctx, d); !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("Open of what is not there: %v", err)
		}
	}
	if err := cache.Materialize(ctx, s, cache.Output{Digest: other}, filepath.Join(t.TempDir(), "x")); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("Materialize of what is not there: %v", err)
	}
	if _, err := s.Lookup(ctx, cache.KeyOf([]byte("nothing"))); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("Lookup of what is not there: %v", err)
	}
}

func results(t *testing.T, s cache.Store) {
	key := cache.KeyOf([]byte("an action"))
	r := &cache.ActionResult{
		Outputs: []cache.Output{{Name: "a", MediaType: "text/plain", Digest: cache.Sum([]byte("a"))}, {Name: "b", Digest: cache.Sum(nil), Directory: true}},
		Metrics: map[string]float64{"loss": 0.25}, Log: cache.Sum([]byte("log")),
		Execution: cache.Execution{Started: time.Unix(1, 2).UTC(), Wall: time.Second, Worker: "w", Backend: "go", PeakMemory: 3},
	}
	for _, wall := range []time.Duration{time.Second, time.Minute} { // the last one wins
		r.Execution.Wall = wall
		if err := s.Record(ctx, key, r); err != nil {
			t.Fatal(err)
		}
		got, err := s.Lookup(ctx, key)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("got %+v, %v; want %+v", got, err, r)
		}
	}
}

func trees(t *testing.T, s cache.Store) {
	dir := t.TempDir()
	files := map[string][]byte{"a": []byte("a"), "sub/b": blob(70000), "sub/deep/c": nil, "z.txt": []byte("z")}
	for name, b := range files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		os.MkdirAll(filepath.Dir(full), 0o755)
		if err := os.WriteFile(full, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	os.Mkdir(filepath.Join(dir, "empty"), 0o755)
	root, err := cache.PutTree(ctx, s, dir)
	if err != nil {
		t.Fatal(err)
	}
	out := cache.Output{Digest: root, Directory: true}
	if ok, err := cache.Present(ctx, s, out); !ok || err != nil {
		t.Errorf("the tree is not present: %v", err)
	}
	back := filepath.Join(t.TempDir(), "back")
	if err := cache.Materialize(ctx, s, out, back); err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		got, err := os.ReadFile(filepath.Join(back, filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s came back as %d bytes, %v", name, len(got), err)
		}
	}
	if info, err := os.Stat(filepath.Join(back, "empty")); err != nil || !info.IsDir() {
		t.Error("the empty directory is gone")
	}
	again, err := cache.PutTree(ctx, s, back)
	if err != nil || again != root {
		t.Errorf("the tree came back as %s, %v", again, err)
	}
}

// failures: a reader that fails leaves nothing behind.
func failures(t *testing.T, s cache.Store) {
	for _, n := range []int{10, 200 << 10} {
		broken := io.MultiReader(bytes.NewReader(blob(n)), iotest.ErrReader(errors.New("broken")))
		if _, err := s.Put(ctx, broken); err == nil {
			t.Error("Put of a broken reader succeeded")
		}
		if miss, err := s.FindMissing(ctx, []cache.Digest{cache.Sum(blob(n))}); err != nil || len(miss) != 1 {
			t.Errorf("the torn blob is there: %v, %v", miss, err)
		}
	}
}

func concurrent(t *testing.T, s cache.Store) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 30 {
				b := []byte(fmt.Sprintf("blob %d", i%10+w%2))
				if i%10 == 0 {
					b = blob(70000 + i)
				}
				d, err := s.Put(ctx, bytes.NewReader(b))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := cache.ReadAll(ctx, s, d, 1<<20); err != nil || !bytes.Equal(got, b) {
					t.Errorf("read back: %v", err)
				}
				if err := s.Record(ctx, cache.KeyOf(b), &cache.ActionResult{Outputs: []cache.Output{{Name: "x", Digest: d}}}); err != nil {
					t.Error(err)
				}
				if r, err := s.Lookup(ctx, cache.KeyOf(b)); err != nil || r.Outputs[0].Digest != d {
					t.Errorf("looked up: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func complete(t *testing.T, s cache.Store) {
	c := cache.Complete(s)
	d, err := s.Put(ctx, bytes.NewReader([]byte("there")))
	if err != nil {
		t.Fatal(err)
	}
	for want, digest := range map[bool]cache.Digest{true: d, false: cache.Sum([]byte("not there"))} {
		key := cache.KeyOf([]byte(fmt.Sprint(want)))
		if err := c.Record(ctx, key, &cache.ActionResult{Outputs: []cache.Output{{Name: "x", Digest: digest}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Lookup(ctx, key); (err == nil) != want || !want && !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("blob there: %v; Lookup: %v", want, err)
		}
	}
}

func readOnly(t *testing.T, s cache.Store) {
	r := cache.ReadOnly(s)
	if _, err := r.Put(ctx, bytes.NewReader(nil)); !errors.Is(err, cache.ErrReadOnly) {
		t.Errorf("Put: %v", err)
	}
	if err := r.Record(ctx, cache.KeyOf(nil), &cache.ActionResult{}); !errors.Is(err, cache.ErrReadOnly) {
		t.Errorf("Record: %v", err)
	}
}

// commit: one step leaves all that many would, small and large, new and known.
func commit(t *testing.T, s cache.Store) {
	preimage := []byte(`{"an":"encoded action"}`)
	key := cache.KeyOf(preimage)
	blobs := [][]byte{nil, blob(60), blob(64 << 10), blob(60), preimage}
	r := &cache.ActionResult{Metrics: map[string]float64{"loss": 1}}
	for i, b := range blobs[:3] {
		r.Outputs = append(r.Outputs, cache.Output{Name: fmt.Sprint(i), Digest: cache.Sum(b)})
	}
	if err := cache.Commit(ctx, s, blobs, []byte("another"), key, r); err == nil {
		t.Error("a preimage that is not the key's was taken")
	}
	if _, err := s.Lookup(ctx, key); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("the result is there without its preimage: %v", err)
	}
	for range 2 {
		if err := cache.Commit(ctx, s, blobs, preimage, key, r); err != nil {
			t.Fatal(err)
		}
		for _, b := range append(blobs, preimage) {
			if got, err := cache.ReadAll(ctx, s, cache.Sum(b), 1<<20); err != nil || !bytes.Equal(got, b) {
				t.Fatalf("%d bytes came back as %d: %v", len(b), len(got), err)
			}
		}
		if got, err := s.Lookup(ctx, key); err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("got %+v, %v; want %+v", got, err, r)
		}
	}
	if err := cache.Commit(ctx, cache.ReadOnly(s), blobs, preimage, key, r); !errors.Is(err, cache.ErrReadOnly) {
		t.Errorf("Commit to a read-only store: %v", err)
	}
}
