package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs/faulty"
)

// fault is an error of the operating system, where it can come from, and what callers are told.
type fault struct {
	err    syscall.Errno
	hits   func(faulty.Op) bool
	wanted error
}

var faults = []fault{
	{syscall.ENOSPC, func(op faulty.Op) bool { return op.Change && op.Name != "Remove" }, cache.ErrNoSpace},
	{syscall.EROFS, func(op faulty.Op) bool { return op.Change }, cache.ErrReadOnly},
	{syscall.EIO, func(faulty.Op) bool { return true }, syscall.EIO},
	{syscall.EMFILE, func(op faulty.Op) bool { return op.Name == "OpenFile" || op.Name == "ReadDir" }, syscall.EMFILE},
}

// TestFaults lets each operation of the work fail that can, once and for good. Each time the work says so by an error that callers can
// tell, or goes on without; and what was recorded is there, and work goes on when the fault is gone.
func TestFaults(t *testing.T) {
	tree := testTree(t)
	every := 11
	if long {
		every = 1
	}
	injected, reported := 0, 0
	for _, f := range faults {
		for _, lasting := range []bool{false, true} {
			for n := 1; ; n += every {
				hit, said, err := failAt(tree, f, n, lasting)
				if err != nil {
					t.Fatalf("%v at operation %d, lasting %v: %v", f.err, n, lasting, err)
				}
				if !hit {
					break
				}
				injected++
				if said != nil {
					reported++
				}
			}
		}
	}
	t.Logf("%d faults injected, %d reported, the others of no consequence", injected, reported)
}

// failAt works on a disk whose n-th operation of those that a fault can hit fails, and with lasting all that follow. said is what
// the work ended with.
func failAt(tree string, f fault, n int, lasting bool) (hit bool, said, err error) {
	disk := faulty.New()
	var count atomic.Int64
	p := disk.Process(faulty.Plan{Fail: func(op faulty.Op) error {
		if !f.hits(op) {
			return nil
		}
		if c := int(count.Add(1)); c == n || lasting && c > n {
			return f.err
		}
		return nil
	}})
	s := newSession(p, tree)
	said = s.run()
	if int(count.Load()) < n {
		return false, nil, nil
	}
	unread := f.err == syscall.EIO && errors.Is(said, cache.ErrNotFound) // what cannot be read is as good as lost, and is made again
	if said != nil && !errors.Is(said, f.wanted) && !unread {
		return true, said, fmt.Errorf("an error that callers cannot tell: %w", said)
	}
	p.Kill()
	after, err := OpenOn(disk.Process(faulty.Plan{}), storeDir)
	if err != nil {
		return true, said, fmt.Errorf("opening the store afterwards: %w", err)
	}
	if err := s.look(after, true); err != nil {
		return true, said, err
	}
	if err := after.Close(); err != nil {
		return true, said, err
	}
	return true, said, goOn(disk, tree)
}

// TestReadOnlyDisk: a store on a disk that may only be read serves what it has.
func TestReadOnlyDisk(t *testing.T) {
	disk, tree := faulty.New(), testTree(t)
	s := newSession(disk.Process(faulty.Plan{}), tree)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	readOnly := disk.Process(faulty.Plan{Fail: func(op faulty.Op) error {
		if op.Change || op.Flag&(os.O_WRONLY|os.O_RDWR) != 0 {
			return syscall.EROFS
		}
		return nil
	}})
	after, err := OpenOn(readOnly, storeDir)
	if err != nil || !after.ReadOnly() {
		t.Fatalf("opened: %v", err)
	}
	if err := s.look(after, true); err != nil {
		t.Error(err)
	}
	if err := commitNamed(after, "x", time.Now()); !errors.Is(err, cache.ErrReadOnly) {
		t.Errorf("commit: %v", err)
	}
	if _, err := after.Collect(ctx, Policy{}); !errors.Is(err, cache.ErrReadOnly) {
		t.Errorf("collect: %v", err)
	}
	if release, err := after.Lease([]cache.ActionKey{keyOf("a")}); err != nil {
		t.Errorf("lease: %v", err)
	} else {
		release()
	}
	if err := after.Close(); err != nil {
		t.Error(err)
	}
	if _, err := OpenOn(readOnly, "/home/other"); !errors.Is(err, cache.ErrReadOnly) {
		t.Errorf("a store where nothing may be made: %v", err)
	}
}

// TestSlowDisk: on a disk that takes its time everything works, and a wait ends when its context does.
func TestSlowDisk(t *testing.T) {
	disk, tree := faulty.New(), testTree(t)
	slow := disk.Process(faulty.Plan{Fail: func(faulty.Op) error { time.Sleep(100 * time.Microsecond); return nil }})
	s := newSession(slow, tree)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if err := s.look(open(t, t.TempDir()), false); err != nil { // of another store: nothing is there, and nothing is wrong
		t.Fatal(err)
	}
	a, err := OpenOn(slow, storeDir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := s.look(a, true); err != nil {
		t.Fatal(err)
	}
	b, err := OpenOn(disk.Process(faulty.Plan{}), storeDir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	done, err := b.Planning()
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := a.Collect(short, Policy{Wait: time.Hour}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a collection that waits for a plan: %v", err)
	}
}

// TestClock: a clock that is set back, or was ahead, loses nothing.
func TestClock(t *testing.T) {
	disk, tree := faulty.New(), testTree(t)
	s := newSession(disk.Process(faulty.Plan{}), tree)
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	clock := time.Unix(2e9, 0)
	s.now = func() time.Time { return clock }
	disk.SetClock(clock.UnixNano())
	if err := s.commit("a", "b"); err != nil {
		t.Fatal(err)
	}
	clock = time.Unix(1e9, 0)
	disk.SetClock(clock.UnixNano())
	release, err := s.Lease([]cache.ActionKey{keyOf("a")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.commit("b", "c"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []Policy{{MaxAge: time.Hour, MaxBytes: 1}, {MaxAge: time.Hour}} { // under a lease; without, all of it is from now on
		if _, err := s.Collect(ctx, p); err != nil {
			t.Fatal(err)
		}
		if err := s.look(s.Store, true); err != nil {
			t.Error(err)
		}
		release()
	}
}

// TestLostPreimage: a result whose preimage is gone is found by Check, and recording it again heals it.
func TestLostPreimage(t *testing.T) {
	s := open(t, t.TempDir())
	if err := commitNamed(s, "a", time.Now()); err != nil {
		t.Fatal(err)
	}
	f, _ := s.find(keyOf("a").Digest(), recordBlob, false, make([]byte, peekSize))
	s.lose(keyOf("a").Digest(), f)
	if d, err := s.Check(ctx); err != nil || len(d.Partial) != 1 || d.Partial[0] != keyOf("a").String() {
		t.Errorf("found %+v, %v", d, err)
	}
	if err := commitNamed(s, "a", time.Now()); err != nil {
		t.Fatal(err)
	}
	if d, err := s.Check(ctx); err != nil || len(d.Partial)+len(d.Lost) != 0 {
		t.Errorf("found %+v, %v", d, err)
	}
}

// FuzzLog: whatever is in a log and an index, nothing wrong is served, and the store can be used.
func FuzzLog(f *testing.F) {
	seedDir := f.TempDir()
	build(f, seedDir, 3)
	log, err := os.ReadFile(seedDir + "/log")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(log, []byte(nil))
	f.Add(log[:len(log)/2], bytes.Repeat([]byte(indexMagic), 3000))
	f.Fuzz(func(t *testing.T, log, index []byte) {
		dir := t.TempDir()
		for name, b := range map[string][]byte{"format": formatText, "log": log, "index": index} {
			if err := os.WriteFile(dir+"/"+name, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, dir)
		if _, err := s.Check(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Collect(ctx, Policy{MaxBytes: 1}); err != nil {
			t.Fatal(err)
		}
		if err := commitNamed(s, "a", time.Unix(1e9, 0)); err != nil {
			t.Fatal(err)
		}
		if got := state(t, s, "a"); got != "whole" {
			t.Fatalf("what was committed is %q", got)
		}
	})
}
