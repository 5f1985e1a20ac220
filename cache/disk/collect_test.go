package disk

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
	"mbuild.dev/mbuild/cache/vfs/faulty"
)

// largeSize is that of a blob that is a file of its own.
const largeSize = 66_000

// yard is a store with results of every rank, each with a small and a large output, and a clock.
type yard struct {
	*Store
	t     *testing.T
	clock time.Time
}

func newYard(t *testing.T) *yard {
	y := &yard{Store: open(t, t.TempDir()), t: t, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	y.Store.now = func() time.Time { return y.clock }
	return y
}

func content(name string, size int) []byte {
	return bytes.Repeat([]byte(name+"."), size/(len(name)+1)+1)[:size]
}

func keyOf(name string) cache.ActionKey { return cache.KeyOf([]byte("action " + name)) }

// make records a result by name, a day after the last one.
func (y *yard) make(names ...string) {
	y.t.Helper()
	for _, name := range names {
		y.clock = y.clock.Add(24 * time.Hour)
		if err := commitNamed(y.Store, name, y.clock); err != nil {
			y.t.Fatal(err)
		}
	}
}

func commitNamed(s *Store, name string, at time.Time) error {
	r := &cache.ActionResult{Execution: cache.Execution{Started: at}}
	var small [][]byte
	for out, size := range map[string]int{"small": 1000, "large": largeSize} {
		b := content(name+out, size)
		if size >= smallLimit {
			if _, err := s.Put(ctx, bytes.NewReader(b)); err != nil {
				return err
			}
		} else {
			small = append(small, b)
		}
		r.Outputs = append(r.Outputs, cache.Output{Name: out, Digest: cache.Sum(b)})
	}
	return s.Commit(ctx, small, []byte("action "+name), keyOf(name), r)
}

// state is for each name "whole", "record" when the bytes of outputs are gone, "" when the result is, or "partial".
func state(t *testing.T, s *Store, name string) string {
	t.Helper()
	res, err := s.Lookup(ctx, keyOf(name))
	if errors.Is(err, cache.ErrNotFound) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cache.ReadAll(ctx, s, keyOf(name).Digest(), 100); err != nil {
		t.Errorf("%s: the record is there and its preimage is not: %v", name, err)
	}
	there := 0
	for _, out := range res.Outputs {
		b, err := cache.ReadAll(ctx, s, out.Digest, 1<<20)
		switch {
		case err == nil && bytes.Equal(b, content(name+out.Name, len(b))):
			there++
		case !errors.Is(err, cache.ErrNotFound):
			t.Errorf("%s: %v", name, err)
		}
	}
	return []string{"record", "partial", "whole"}[there]
}

func (y *yard) want(states ...string) {
	y.t.Helper()
	for _, s := range states {
		name, want, _ := strings.Cut(s, "=")
		if got := state(y.t, y.Store, name); got != want {
			y.t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func (y *yard) collect(p Policy) *Report {
	y.t.Helper()
	r, err := y.Store.Collect(ctx, p)
	if err != nil {
		y.t.Fatal(err)
	}
	return r
}

var ranks = []Root{{keyOf("wanted"), RankWanted}, {keyOf("last"), RankLast}, {keyOf("middle1"), RankIntermediate}, {keyOf("middle2"), RankIntermediate}}

// TestCollectOrder: step by step, as the limit falls, what is dearer stays: bytes of unnamed results by age, then of intermediates, then
// unnamed records, then last states, then what is wanted. Records that are named stay for ever.
func TestCollectOrder(t *testing.T) {
	y := newYard(t)
	y.make("wanted", "last", "middle1", "middle2", "old", "new")
	y.collect(Policy{}) // makes files of its own
	before, err := y.DiskBytes()
	if err != nil {
		t.Fatal(err)
	}
	file := blocks(largeSize)
	for _, step := range []struct {
		free int64 // below what there was
		want []string
	}{
		{0, []string{"old=whole", "new=whole", "middle1=whole", "middle2=whole", "last=whole", "wanted=whole"}},
		{file, []string{"old=record", "new=whole", "middle1=whole"}},
		{2 * file, []string{"old=record", "new=record", "middle1=whole", "middle2=whole"}},
		{3 * file, []string{"old=record", "middle1=record", "middle2=whole", "last=whole", "wanted=whole"}},
		{4 * file, []string{"middle1=record", "middle2=record", "last=whole", "wanted=whole"}},
		{5 * file, []string{"old=", "new=", "middle1=record", "middle2=record", "last=record", "wanted=whole"}},
		{6 * file, []string{"old=", "new=", "middle1=record", "middle2=record", "last=record", "wanted=record"}},
	} {
		p := Policy{MaxBytes: before - step.free, Roots: ranks, DryRun: true}
		said := y.collect(p)
		p.DryRun = false
		done := y.collect(p)
		y.want(step.want...)
		if said.After-done.After > 20_000 || done.After-said.After > 20_000 || said.Records != done.Records {
			t.Errorf("%d less: a dry run says %+v, and it was %+v", step.free, said, done)
		}
		if now, err := y.DiskBytes(); err != nil || now != done.After {
			t.Errorf("%d less: %d bytes are left, and the report says %d", step.free, now, done.After)
		}
	}
	y.make("wanted", "last", "middle1", "middle2", "old", "new") // work goes on
	y.want("wanted=whole", "old=whole")
}

// TestCollectAge: what no root names loses its bytes after a time, and its record after four times that.
func TestCollectAge(t *testing.T) {
	y := newYard(t)
	y.make("wanted", "a")
	y.clock = y.clock.Add(20 * 24 * time.Hour)
	y.make("b")
	y.collect(Policy{MaxAge: 10 * 24 * time.Hour, Roots: ranks})
	y.want("wanted=whole", "a=record", "b=whole")
	y.clock = y.clock.Add(25 * 24 * time.Hour)
	r := y.collect(Policy{MaxAge: 10 * 24 * time.Hour, Roots: ranks})
	y.want("wanted=whole", "a=", "b=record")
	if r.Records != 1 || len(r.Bytes) != 1 || r.Bytes[0] != (Evicted{"unnamed", 2, largeSize + 1000}) {
		t.Errorf("the report is %+v", r)
	}
	// A lease says that a result is used, and the time counts from there.
	y.make("c")
	y.clock = y.clock.Add(9 * 24 * time.Hour)
	release, err := y.Lease([]cache.ActionKey{keyOf("c")})
	if err != nil {
		t.Fatal(err)
	}
	release()
	y.clock = y.clock.Add(9 * 24 * time.Hour)
	y.collect(Policy{MaxAge: 10 * 24 * time.Hour, Roots: ranks})
	y.want("c=whole")
}

// TestCollectHeld: pins and leases keep what they name, whatever the limit; a lease also keeps what is added while it lasts.
func TestCollectHeld(t *testing.T) {
	y := newYard(t)
	y.make("pinned", "leased", "used", "shared", "free")
	user := open(t, y.dir)
	user.now = y.now
	release, err := user.Lease([]cache.ActionKey{keyOf("leased"), keyOf("unheard of")})
	if err != nil {
		t.Fatal(err)
	}
	if err := y.Pin(Pin{Key: keyOf("pinned"), Label: "a.b.c"}); err != nil {
		t.Fatal(err)
	}
	pinnedBlob := cache.Sum(content("freelarge", largeSize))
	if err := y.Pin(Pin{Digest: pinnedBlob}); err != nil {
		t.Fatal(err)
	}
	if err := commitNamed(user, "added", y.clock); err != nil {
		t.Fatal(err)
	}
	if err := user.Use(keyOf("used")); err != nil {
		t.Fatal(err)
	}
	// Another action gives the very bytes of an older one: they are in use now.
	if _, err := user.Put(ctx, bytes.NewReader(content("sharedlarge", largeSize))); err != nil {
		t.Fatal(err)
	}
	shared := &cache.ActionResult{Outputs: []cache.Output{{Name: "x", Digest: cache.Sum(content("sharedlarge", largeSize))}, {Name: "y", Digest: cache.Sum(content("sharedsmall", 1000))}}}
	if err := user.Commit(ctx, [][]byte{content("sharedsmall", 1000)}, []byte("other"), cache.KeyOf([]byte("other")), shared); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the lease must be understood in the logs that follow, too
		r := y.collect(Policy{MaxBytes: 1, Roots: ranks})
		if !r.Over || r.Held == 0 {
			t.Errorf("the report is %+v", r)
		}
		y.want("pinned=whole", "leased=whole", "used=whole", "added=whole")
		if ok, err := cache.Present(ctx, y, cache.Output{Digest: pinnedBlob}); err != nil || !ok {
			t.Errorf("a pinned blob is gone: %v", err)
		}
		if res, err := user.Lookup(ctx, cache.KeyOf([]byte("other"))); err != nil || !present(t, user, res) {
			t.Errorf("what a leaseholder has just made is gone: %v", err)
		}
		if err := commitNamed(user, "added", y.clock); err != nil { // and work goes on
			t.Fatal(err)
		}
	}
	if got := state(t, y.Store, "free"); got != "" {
		t.Errorf("what nobody holds is %q", got)
	}
	release()
	if n, err := y.Unpin(func(Pin) bool { return true }); err != nil || n != 2 {
		t.Errorf("%d pins were removed, %v", n, err)
	}
	y.collect(Policy{MaxBytes: 1, Roots: ranks})
	for _, name := range []string{"pinned", "leased", "used", "added"} {
		y.want(name + "=")
	}
}

func present(t *testing.T, s *Store, res *cache.ActionResult) bool {
	return !slices.ContainsFunc(res.Outputs, func(o cache.Output) bool {
		b, err := cache.ReadAll(ctx, s, o.Digest, 1<<20)
		return err != nil || cache.Sum(b) != o.Digest
	})
}

// TestCollectWaits: GC and planning exclude each other, among processes and within one.
func TestCollectWaits(t *testing.T) {
	y := newYard(t)
	y.make("a")
	for _, planner := range []*Store{y.Store, open(t, y.dir)} {
		done, err := planner.Planning()
		if err != nil {
			t.Fatal(err)
		}
		again, err := planner.Planning()
		if err != nil {
			t.Fatal(err)
		}
		done()
		done() // twice is once
		if _, err := y.Store.Collect(ctx, Policy{MaxBytes: 1}); !errors.Is(err, cache.ErrBusy) {
			t.Errorf("collected while a plan is made: %v", err)
		}
		again()
	}
	y.collect(Policy{MaxBytes: 1})
	y.want("a=")
}

// TestCollectOthers: processes that have the store open go on through a collection.
func TestCollectOthers(t *testing.T) {
	y := newYard(t)
	y.make("wanted", "a", "b")
	other := open(t, y.dir)
	held, err := other.Open(ctx, cache.Sum(content("alarge", largeSize)))
	if err != nil {
		t.Fatal(err)
	}
	y.collect(Policy{MaxBytes: 1, Roots: []Root{{keyOf("wanted"), RankWanted}}})
	if b := new(bytes.Buffer); true {
		if _, err := b.ReadFrom(held); err != nil || !bytes.Equal(b.Bytes(), content("alarge", largeSize)) {
			t.Errorf("what was open cannot be read any more: %v", err)
		}
		held.Close()
	}
	if err := commitNamed(other, "a", y.clock); err != nil { // all of it was there, and is not any more
		t.Fatal(err)
	}
	for _, s := range []*Store{other, y.Store, open(t, y.dir)} {
		if err := s.Refresh(); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"wanted": "record", "a": "whole", "b": ""} {
			if got := state(t, s, name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
	}
}

// TestCollectShared: what two results share stays as long as the dearer one, and a directory keeps what is in it.
func TestCollectShared(t *testing.T) {
	y := newYard(t)
	dir := t.TempDir()
	for name, b := range map[string][]byte{"common": content("common", largeSize), "own": content("own", largeSize), "sub/small": content("s", 10)} {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := cache.PutTree(ctx, y, dir)
	if err != nil {
		t.Fatal(err)
	}
	free, err := y.Put(ctx, bytes.NewReader(content("free", largeSize)))
	if err != nil {
		t.Fatal(err)
	}
	tree := cache.Output{Name: "tree", Digest: root, Directory: true}
	common := cache.Output{Name: "common", Digest: cache.Sum(content("common", largeSize))}
	for name, outs := range map[string][]cache.Output{"wanted": {tree}, "free": {common, {Name: "own", Digest: free}}} {
		if err := y.Commit(ctx, nil, []byte("action "+name), keyOf(name), &cache.ActionResult{Outputs: outs}); err != nil {
			t.Fatal(err)
		}
	}
	size, err := y.DiskBytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		limit int64
		want  bool
	}{{size - 40_000, true}, {size - 110_000, false}} {
		y.collect(Policy{MaxBytes: step.limit, Roots: ranks})
		if ok, err := cache.Present(ctx, y, tree); err != nil || ok != step.want {
			t.Errorf("the tree is there: %v, want %v, %v", ok, step.want, err)
		}
		if miss, err := y.FindMissing(ctx, []cache.Digest{free}); err != nil || len(miss) != 1 {
			t.Errorf("what nothing dear has is still there: %v", err)
		}
	}
}

// TestDiskBytes: sizes add up to what the file system says, and to what du prints where there is one.
func TestDiskBytes(t *testing.T) {
	y := newYard(t)
	y.make("a", "b", "c")
	if err := os.WriteFile(filepath.Join(y.Scratch(), "work"), make([]byte, 10_000), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(y.blobPath(cache.Sum(content("alarge", largeSize))), filepath.Join(y.Scratch(), "input")); err != nil {
		t.Fatal(err)
	}
	u, err := y.Usage()
	if err != nil {
		t.Fatal(err)
	}
	if sum := u.LogBytes + u.IndexBytes + u.FileBytes + u.TempBytes + u.OtherBytes; sum != u.DiskBytes {
		t.Errorf("the parts add up to %d, and the sum is %d", sum, u.DiskBytes)
	}
	if want := independentDu(t, y.dir); u.DiskBytes != want {
		t.Errorf("%d bytes on the disk, want %d", u.DiskBytes, want)
	}
	if u.Results != 3 || u.Files != 3 || u.Blobs != 9 {
		t.Errorf("counted %+v", u)
	}
	before, err := y.Size()
	if err != nil {
		t.Fatal(err)
	}
	y.make("d")
	if after, err := y.Size(); err != nil || after-before < largeSize || after-before > largeSize+10_000 {
		t.Errorf("67 kB more, and the size went from %d to %d: %v", before, after, err)
	}
}

// TestLeftovers: what dead processes left in tmp and leases goes; what the living have stays.
func TestLeftovers(t *testing.T) {
	disk := faulty.New()
	start := func() (*Store, *faulty.Process, string) {
		p := disk.Process(faulty.Plan{})
		s, err := OpenOn(p, "/store")
		if err != nil {
			t.Fatal(err)
		}
		root := filepath.Join(s.Scratch(), "root", "in")
		if err := p.MkdirAll(root, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := vfs.WriteFile(p, root, filepath.Join(root, "x"), []byte("x"), 0o444); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Lease([]cache.ActionKey{keyOf("a")}); err != nil {
			t.Fatal(err)
		}
		return s, p, root
	}
	living, fsys, mine := start()
	_, dead, theirs := start()
	dead.Kill()
	if r, err := living.Collect(ctx, Policy{}); err != nil || r.Temp != 1 {
		t.Errorf("%+v were removed, want 1 leftover: %v", r, err)
	}
	if _, err := fsys.Stat(filepath.Join(mine, "x")); err != nil {
		t.Error(err)
	}
	if _, err := fsys.Stat(theirs); err == nil {
		t.Error("the private root of a dead process is still there")
	}
	if left, err := fsys.ReadDir("/store/leases"); err != nil || len(left) != 1 {
		t.Errorf("%d leases are left, want that of the living: %v", len(left), err)
	}
}

// TestLists: pins and projects are kept, changed by many at once, and a damaged list is an error that names it.
func TestLists(t *testing.T) {
	dir := t.TempDir()
	errs := make(chan error)
	for i := range 8 {
		go func() {
			s, err := Open(dir)
			if err == nil {
				err = errors.Join(s.Register(fmt.Sprintf("/project/%d", i)), s.Register("/common"), s.Pin(Pin{Key: keyOf(fmt.Sprint(i))}), s.Close())
			}
			errs <- err
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	s := open(t, dir)
	if seen, err := s.Projects(); err != nil || len(seen) != 9 {
		t.Errorf("%d projects, %v", len(seen), err)
	}
	if pins, err := s.Pins(); err != nil || len(pins) != 8 {
		t.Errorf("%d pins, %v", len(pins), err)
	}
	if err := s.Forget("/common"); err != nil {
		t.Error(err)
	}
	if seen, err := s.Projects(); err != nil || len(seen) != 8 {
		t.Errorf("%d projects, %v", len(seen), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pins"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Collect(ctx, Policy{MaxBytes: 1}); !errors.Is(err, cache.ErrFormat) || !strings.Contains(err.Error(), "pins") {
		t.Errorf("collected without knowing the pins: %v", err)
	}
}
