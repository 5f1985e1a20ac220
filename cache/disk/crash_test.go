package disk

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
	"mbuild.dev/mbuild/cache/vfs/faulty"
)

// long runs the long forms of these tests, as .ci/run does.
var long = os.Getenv("MBUILD_LONG") != ""

// session is a process that does all that can be done to a store, and what it may rely on afterwards.
type session struct {
	*Store
	fs    vfs.FS
	tree  string          // a directory to store
	whole map[string]bool // results that were recorded, and that nobody has evicted since: they are there with all bytes
	gone  map[string]bool // results that something was taken from, or may have been
}

const storeDir = "/home/store"

// steps are what a session does, in order.
var steps = []func(*session) error{
	(*session).open,
	func(s *session) error { return s.commit("a") },
	(*session).putTree,
	(*session).putFile,
	func(s *session) error { return s.commit("b", "c") },
	func(s *session) error { s.mu.Lock(); defer s.mu.Unlock(); s.writeIndex(); return nil },
	(*session).loseAndHeal,
	func(s *session) error { return s.commit("evicted") },
	func(s *session) error { return errors.Join(s.Pin(Pin{Key: keyOf("a")}), s.Register("/project")) },
	(*session).collect,
	func(s *session) error { return s.commit("evicted", "e") },
	func(s *session) error { return s.Close() },
}

func (s *session) run() error {
	for _, step := range steps {
		if err := step(s); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) open() (err error) {
	if s.Store, err = OpenOn(s.fs, storeDir); err == nil {
		s.now = func() time.Time { return time.Unix(1e9, 0) }
	}
	return err
}

func (s *session) commit(names ...string) error {
	for _, name := range names {
		if err := commitNamed(s.Store, name, time.Unix(1e9, 0)); err != nil {
			return err
		}
		s.whole[name], s.gone[name] = true, false
	}
	return nil
}

// putTree stores a directory, and records a result with a log.
func (s *session) putTree() error {
	copying := struct{ cache.CAS }{s.Store} // the directory lies on another disk
	root, err := cache.PutTree(ctx, copying, s.tree)
	if err != nil {
		return err
	}
	return s.record("tree", cache.Output{Name: "tree", Digest: root, Directory: true})
}

func (s *session) record(name string, out cache.Output) error {
	preimage := []byte("action " + name)
	if _, err := s.Put(ctx, bytes.NewReader(preimage)); err != nil {
		return err
	}
	log, err := s.Put(ctx, bytes.NewReader([]byte("log of "+name)))
	if err != nil {
		return err
	}
	if err := s.Record(ctx, keyOf(name), &cache.ActionResult{Outputs: []cache.Output{out}, Log: log}); err != nil {
		return err
	}
	s.whole[name] = true
	return nil
}

// putFile lets the store take a file over, and puts it at a path again.
func (s *session) putFile() error {
	path := filepath.Join(s.Scratch(), "made")
	b := content("file", largeSize)
	if err := vfs.WriteFile(s.fs, s.Scratch(), path, b, 0o644); err != nil {
		return wrap(err) // an action's own write
	}
	d, err := s.PutFile(ctx, path)
	if err != nil {
		return err
	}
	if d != cache.Sum(b) {
		return fmt.Errorf("PutFile gave %s", d)
	}
	if err := s.Materialize(ctx, d, filepath.Join(s.Scratch(), "input")); err != nil {
		return err
	}
	return s.record("file", cache.Output{Name: "file", Digest: d})
}

// loseAndHeal finds a blob damaged, and makes it again.
func (s *session) loseAndHeal() error {
	s.whole["b"], s.gone["b"] = false, true
	for _, b := range [][]byte{content("bsmall", 1000), content("blarge", largeSize)} {
		f, ok := s.find(cache.Sum(b), recordBlob, false, make([]byte, peekSize))
		if ok {
			s.lose(cache.Sum(b), f)
		}
	}
	return s.commit("b")
}

// collect takes a lease, works under it, and lets everything go that is not held.
func (s *session) collect() error {
	release, err := s.Lease([]cache.ActionKey{keyOf("b"), keyOf("tree")})
	if err != nil {
		return err
	}
	defer release()
	if err := s.commit("d"); err != nil {
		return err
	}
	for _, name := range []string{"c", "evicted", "file"} {
		s.whole[name], s.gone[name] = false, true
	}
	_, err = s.Collect(ctx, Policy{MaxBytes: 1, Roots: []Root{{keyOf("c"), RankWanted}}})
	return err
}

func newSession(fsys vfs.FS, tree string) *session {
	return &session{fs: fsys, tree: tree, whole: map[string]bool{}, gone: map[string]bool{}}
}

var allNames = []string{"a", "b", "c", "d", "e", "evicted", "tree", "file"}

// look reads everything as somebody does who comes afterwards. Whatever is served must be right; if ordered, a result must have
// all that it names and its preimage, unless something was taken from it.
func (s *session) look(after *Store, ordered bool) error {
	for _, name := range allNames {
		res, err := after.Lookup(ctx, keyOf(name))
		if err != nil && !errors.Is(err, cache.ErrNotFound) {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err != nil {
			if ordered && s.whole[name] {
				return fmt.Errorf("%s was recorded, and is lost", name)
			}
			continue
		}
		whole := true
		for _, out := range append(res.Outputs, cache.Output{Digest: keyOf(name).Digest()}) {
			there, err := cache.Present(ctx, after, out)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			whole = whole && there
			if !there {
				continue
			}
			if err := readBack(after, out); err != nil {
				return fmt.Errorf("%s: output %q is said to be there: %w", name, out.Name, err)
			}
		}
		if ordered && !whole && !s.gone[name] {
			return fmt.Errorf("%s names bytes that are missing", name)
		}
	}
	return nil
}

// readBack reads all of an output.
func readBack(s *Store, out cache.Output) error {
	if !out.Directory {
		_, err := cache.ReadAll(ctx, s, out.Digest, 1<<20)
		return err
	}
	return cache.WalkTree(ctx, s, out.Digest, func(_ string, d cache.Digest) error {
		_, err := cache.ReadAll(ctx, s, d, 1<<20)
		return err
	})
}

// goOn does all the work again on a store that was left behind, and holds what comes out against what should.
func goOn(disk *faulty.Disk, tree string) error {
	again := newSession(disk.Process(faulty.Plan{}), tree)
	for _, step := range steps[:len(steps)-1] {
		if err := step(again); err != nil {
			return fmt.Errorf("work does not go on: %w", err)
		}
	}
	if err := again.look(again.Store, true); err != nil {
		return fmt.Errorf("after the same work: %w", err)
	}
	if d, err := again.Check(ctx); err != nil || len(d.Lost) > 0 {
		return fmt.Errorf("after the same work: lost %v, %w", d.Lost, err)
	}
	if _, err := again.Store.Collect(ctx, Policy{}); err != nil {
		return err
	}
	return clean(again)
}

// clean reports what lies about that nobody needs.
func clean(s *session) error {
	u, err := s.Usage()
	if err != nil {
		return err
	}
	blobs := 0
	err = s.walkFiles(s.path("blobs"), func(string, vfs.Info) { blobs++ })
	if err != nil || blobs != u.Files {
		return fmt.Errorf("%d files lie in blobs, and the log knows of %d: %w", blobs, u.Files, err)
	}
	tmp, err := s.fs.ReadDir(s.path("tmp"))
	if err != nil || len(tmp) != 2 {
		return fmt.Errorf("%d files and directories lie in tmp, and 2 belong to this process: %w", len(tmp), err)
	}
	return nil
}

func testTree(t *testing.T) string {
	dir := t.TempDir()
	for name, b := range map[string][]byte{"small": content("tree", 500), "sub/large": content("tree", largeSize)} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// changesOf is how many changes of the disk the work makes.
func changesOf(t *testing.T, tree string) int {
	disk := faulty.New()
	p := disk.Process(faulty.Plan{})
	s := newSession(p, tree)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	return p.Changes()
}

// TestCrash lets a process die at each change it makes, before it and in the middle of a write.
func TestCrash(t *testing.T) {
	tree := testTree(t)
	n := changesOf(t, tree)
	points := 0
	for k := 1; k <= n; k++ {
		for _, torn := range []bool{false, true} {
			disk, write := faulty.New(), false
			p := disk.Process(faulty.Plan{DieAt: k, Torn: torn, Fail: func(op faulty.Op) error {
				write = write || op.Number == k && op.Name == "Write"
				return nil
			}})
			s := newSession(p, tree)
			if err := s.run(); !errors.Is(err, faulty.ErrDied) && !p.Died() {
				t.Fatalf("change %d: the process did not die: %v", k, err)
			}
			if torn && !write {
				continue // dead before it, as just now
			}
			points++
			after, err := OpenOn(disk.Process(faulty.Plan{}), storeDir)
			if err != nil {
				t.Fatalf("change %d, torn %v: the store cannot be opened: %v", k, torn, err)
			}
			if err := s.look(after, true); err != nil {
				t.Fatalf("change %d, torn %v: %v", k, torn, err)
			}
			after.Close()
			if err := goOn(disk, tree); err != nil {
				t.Fatalf("change %d, torn %v: %v", k, torn, err)
			}
		}
	}
	t.Logf("%d changes, %d deaths", n, points)
}

// TestPowerLoss lets the power fail at each change, and lose or tear what was not synced. At some earlier change everything was
// synced, as happens by itself.
func TestPowerLoss(t *testing.T) {
	tree := testTree(t)
	n := changesOf(t, tree)
	seeds := 6
	if long {
		seeds = 60
	}
	points := 0
	for k := 1; k <= n; k++ {
		for seed := range seeds {
			if err := powerLoss(tree, k, int64(seed)); err != nil {
				t.Fatalf("change %d, seed %d: %v", k, seed, err)
			}
			points++
		}
	}
	t.Logf("%d changes, %d power losses", n, points)
}

func powerLoss(tree string, k int, seed int64) error {
	disk := faulty.New()
	synced := rand.New(rand.NewSource(seed<<20 + int64(k))).Intn(k + 1)
	p := disk.Process(faulty.Plan{DieAt: k, Torn: seed%2 == 1, Fail: func(op faulty.Op) error {
		if op.Change && op.Number == synced {
			disk.Sync()
		}
		return nil
	}})
	s := newSession(p, tree)
	s.run()
	if !p.Died() {
		return errors.New("the process did not die")
	}
	disk.PowerLoss(seed)
	after, err := OpenOn(disk.Process(faulty.Plan{}), storeDir)
	if err != nil {
		return fmt.Errorf("the store cannot be opened: %w", err)
	}
	if err := s.look(after, false); err != nil {
		return err
	}
	if err := after.Close(); err != nil {
		return err
	}
	return goOn(disk, tree)
}
