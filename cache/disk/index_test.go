package disk

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
)

const indexedActions = 8000 // about 5 MB of log

// files are those of a store; nil is none.
type files struct{ format, log, index []byte }

// indexed returns the files of a store that has an index.
func indexed(t *testing.T) files {
	dir := t.TempDir()
	build(t, dir, indexedActions)
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	return files{read("format"), read("log"), read("index")}
}

// storeOf makes a store of files.
func storeOf(t *testing.T, f files) string {
	dir := t.TempDir()
	for name, b := range map[string][]byte{"format": f.format, "log": f.log, "index": f.index} {
		if b != nil {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, d := range []string{"tmp", "blobs"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// holds counts those of the first n actions whose result and output are there, and fails on wrong ones.
func holds(t *testing.T, s *Store, n int) (there int) {
	for i := range n {
		a := makeAction(0, i)
		res, err := s.Lookup(ctx, a.key)
		if err != nil {
			if !errors.Is(err, cache.ErrNotFound) {
				t.Fatal(err)
			}
			continue
		}
		if got, err := cache.ReadAll(ctx, s, res.Outputs[0].Digest, 100); err != nil || !bytes.Equal(got, a.output) {
			t.Fatalf("action %d: %x, %v", i, got, err)
		}
		there++
	}
	return there
}

// TestIndex: a store is opened by its index, and reads only what was appended since.
func TestIndex(t *testing.T) {
	f := indexed(t)
	dir := storeOf(t, f)
	s := open(t, dir)
	if s.index == nil || s.index.covered != int64(len(f.log)) || s.tail.used != 0 {
		t.Fatalf("the index was not taken: it covers %d of %d bytes, and %d entries were read", s.covered(), len(f.log), s.tail.used)
	}
	if got := holds(t, s, indexedActions); got != indexedActions {
		t.Errorf("%d of %d actions are there", got, indexedActions)
	}
	if err := commitMany(dir, 0, 100); err != nil {
		t.Fatal(err)
	}
	fresh := open(t, dir)
	if fresh.index == nil || fresh.tail.used != 300 {
		t.Errorf("300 records were appended, and %d were read", fresh.tail.used)
	}
	a := makeAction(1, 99)
	for _, s := range []*Store{s, fresh} {
		if err := s.Refresh(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Lookup(ctx, a.key); err != nil {
			t.Error(err)
		}
	}
	// What is lost, or recorded again, hides what the index has of it.
	first := makeAction(0, 0)
	var buf [peekSize]byte
	blob, _ := s.find(cache.Sum(first.output), recordBlob, false, buf[:])
	s.lose(cache.Sum(first.output), blob)
	first.result.Metrics = map[string]float64{"again": 1}
	if err := s.Record(ctx, first.key, first.result); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.writeIndex()
	s.mu.Unlock()
	for _, s := range []*Store{s, open(t, dir)} {
		if s.tail.used != 0 {
			t.Error("the new index was not taken")
		}
		if miss, err := s.FindMissing(ctx, []cache.Digest{cache.Sum(first.output)}); err != nil || len(miss) != 1 {
			t.Errorf("a lost blob is there: %v", err)
		}
		if res, err := s.Lookup(ctx, first.key); err != nil || res.Metrics["again"] != 1 {
			t.Errorf("not the last result: %+v, %v", res, err)
		}
	}
}

// TestIndexDamage: an index that is torn, foreign or of another log costs time, and nothing else.
func TestIndexDamage(t *testing.T) {
	f := indexed(t)
	otherDir := t.TempDir()
	build(t, otherDir, indexedActions)
	foreign, err := os.ReadFile(filepath.Join(otherDir, "index"))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewSource(1))
	flipped := func() []byte {
		b := bytes.Clone(f.index)
		for range 1 + r.Intn(5) {
			b[r.Intn(len(b))] ^= 1 << r.Intn(8)
		}
		return b
	}
	cases := map[string][]byte{
		"none": nil, "empty": {}, "foreign": foreign, "cut": f.index[:len(f.index)/2], "longer": append(bytes.Clone(f.index), 0),
		"zeros":         make([]byte, len(f.index)),
		"torn":          append(bytes.Clone(f.index[:len(f.index)/2]), make([]byte, len(f.index)-len(f.index)/2)...),
		"another's end": append(bytes.Clone(f.index[:2*pageSize]), foreign[2*pageSize:]...),
	}
	for i := range 10 {
		cases[fmt.Sprint("flipped ", i)] = flipped()
	}
	for name, b := range cases {
		s := open(t, storeOf(t, files{f.format, f.log, b}))
		if got := holds(t, s, indexedActions); got != indexedActions {
			t.Errorf("%s: %d of %d actions are there", name, got, indexedActions)
		}
		u, err := s.Usage()
		if err != nil || u.Results != indexedActions || u.Blobs != 2*indexedActions {
			t.Errorf("%s: %+v, %v", name, u, err)
		}
	}
}

// TestIndexOfCutLog: an index that knows more than there is, or something else than there is, is not believed.
func TestIndexOfCutLog(t *testing.T) {
	f := indexed(t)
	cut := f.log[:len(f.log)/2]
	s := open(t, storeOf(t, files{f.format, cut, f.index}))
	if got := holds(t, s, indexedActions); got < indexedActions/2-1 || got > indexedActions/2+1 {
		t.Errorf("%d actions are there in half the log", got)
	}
	zeroed := bytes.Clone(f.log)
	clear(zeroed[len(f.log)/4 : len(f.log)/2])
	s = open(t, storeOf(t, files{f.format, zeroed, f.index}))
	if got := holds(t, s, indexedActions); got < indexedActions*3/4-2 || got > indexedActions*3/4+2 {
		t.Errorf("%d actions are there in three quarters of the log", got)
	}
}

// TestCutUnderfoot: a log and an index that are cut while they are mapped are misses, not the end of the process.
func TestCutUnderfoot(t *testing.T) {
	for _, name := range []string{"log", "index"} {
		dir := storeOf(t, indexed(t))
		s := open(t, dir)
		if err := os.Truncate(filepath.Join(dir, name), 8192); err != nil {
			t.Fatal(err)
		}
		got := holds(t, s, indexedActions)
		if name == "index" && got != indexedActions || name == "log" && got > 20 {
			t.Errorf("%s cut: %d actions are there", name, got)
		}
		a := makeAction(7, 7)
		if err := s.Commit(ctx, [][]byte{a.output}, a.preimage, a.key, a.result); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Lookup(ctx, a.key); err != nil {
			t.Error(err)
		}
	}
}

// TestFormat1: what a store of the first format has is read, results in JSON and notes of files without the boot.
func TestFormat1(t *testing.T) {
	large := bytes.Repeat([]byte("large"), 50000)
	key := cache.KeyOf([]byte("key"))
	dir := storeOf(t, files{format: []byte("mbuild store 1\n")})
	path := filepath.Join(dir, "blobs", cache.Sum(large).Hex()[:2], cache.Sum(large).Hex())
	os.Mkdir(filepath.Dir(path), 0o755)
	if err := os.WriteFile(path, large, 0o444); err != nil {
		t.Fatal(err)
	}
	info, err := vfs.OS.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	note := identity{info.ModTime, info.Inode, 0}.encode()[:16]
	text, _ := cache.Sum(large).MarshalText()
	log := record{kind: recordFile, digest: cache.Sum(large), payload: note}.seal(nil)
	log = record{kind: recordResult, digest: key.Digest(), payload: fmt.Appendf(nil, `{"outputs":[{"name":"x","digest":"%s"}],"execution":{"started":"2026-01-02T03:04:05Z","wall_ns":1}}`, text)}.seal(log)
	if err := os.WriteFile(filepath.Join(dir, "log"), log, 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	res, err := s.Lookup(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := cache.ReadAll(ctx, s, res.Outputs[0].Digest, 1<<20); err != nil || !bytes.Equal(got, large) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if miss, err := s.FindMissing(ctx, []cache.Digest{cache.Sum(large)}); err != nil || len(miss) != 0 {
		t.Errorf("missing: %v, %v", miss, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "format")); err != nil || !strings.Contains(string(b), "store 2") {
		t.Errorf("format %q, %v", b, err)
	}
}

// reboots is a file system of a machine that can be started anew.
type reboots struct {
	vfs.FS
	boot uint64
}

func (r *reboots) Boot() uint64 { return r.boot }

// TestBoot: what was written before the machine was started is hashed once before it is trusted.
func TestBoot(t *testing.T) {
	fsys := &reboots{vfs.OS, 1}
	dir := t.TempDir()
	s, err := OpenOn(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, large, _ := fill(t, s)
	other := bytes.Repeat([]byte("other"), 50000)
	d, err := s.Put(ctx, bytes.NewReader(other))
	if err != nil {
		t.Fatal(err)
	}
	before := s.end
	fsys.boot = 2
	if miss, err := s.FindMissing(ctx, []cache.Digest{large}); err != nil || len(miss) != 0 || s.end == before {
		t.Errorf("missing %v, %v; noted again: %v", miss, err, s.end != before)
	}
	before = s.end
	if miss, err := s.FindMissing(ctx, []cache.Digest{large}); err != nil || len(miss) != 0 || s.end != before {
		t.Errorf("missing %v, %v; noted twice: %v", miss, err, s.end != before)
	}
	// A power loss has torn the other, and nothing that stat tells says so.
	path := s.blobPath(d)
	info, _ := os.Stat(path)
	os.Chmod(path, 0o644)
	clear(other[100:200])
	if err := os.WriteFile(path, other, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	fsys.boot = 3
	if miss, err := s.FindMissing(ctx, []cache.Digest{d}); err != nil || len(miss) != 1 {
		t.Errorf("a torn file is there: %v", err)
	}
}
