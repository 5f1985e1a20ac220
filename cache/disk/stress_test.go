package disk

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"mbuild.dev/mbuild/cache"
)

// stressNames is how many actions the processes of the stress test share, so that they meet.
const stressNames = 40

// stress works on a store as many commands do at once, until it is killed. It says what it has committed, a name a line; others
// find that, whatever happens to this process. What it makes as junk is old, and goes in the next collection.
func stress(dir string, seed, n int) error {
	r := rand.New(rand.NewSource(int64(seed)))
	for range n {
		s, err := Open(dir)
		if err != nil {
			return err
		}
		for range 10 {
			if err := stressStep(s, r); err != nil {
				return err
			}
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}

func stressStep(s *Store, r *rand.Rand) error {
	name := fmt.Sprint("n", r.Intn(stressNames))
	switch r.Intn(8) {
	case 0:
		s.now = func() time.Time { return time.Unix(1e9, 0) }
		err := commitNamed(s, fmt.Sprint("junk", r.Intn(1e6)), time.Unix(1e9, 0))
		s.now = time.Now
		return err
	case 1:
		_, err := s.Collect(ctx, Policy{MaxAge: 24 * time.Hour})
		if errors.Is(err, cache.ErrBusy) {
			return nil
		}
		return err
	case 2, 3, 4:
		return readNamed(s, name)
	}
	return underLease(s, func() error {
		unlock, err := s.Lock(ctx, keyOf(name), nil)
		if err != nil {
			return err
		}
		defer unlock()
		if err := commitNamed(s, name, time.Now()); err != nil {
			return err
		}
		fmt.Println(name)
		return readNamed(s, name)
	})
}

// underLease works as an apply does.
func underLease(s *Store, work func() error) error {
	done, err := s.Planning()
	if err != nil {
		return err
	}
	release, err := s.Lease(nil)
	done()
	if err != nil {
		return err
	}
	defer release()
	return work()
}

// readNamed reads a result and its bytes; what is there must be whole and right.
func readNamed(s *Store, name string) error {
	res, err := s.Lookup(ctx, keyOf(name))
	if errors.Is(err, cache.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, out := range res.Outputs {
		b, err := cache.ReadAll(ctx, s, out.Digest, 1<<20)
		if err != nil {
			return fmt.Errorf("%s, output %q: %w", name, out.Name, err)
		}
		if !bytes.Equal(b, content(name+out.Name, len(b))) {
			return fmt.Errorf("%s, output %q: wrong bytes", name, out.Name)
		}
	}
	return nil
}

// TestStress lets eight processes work on one store and kills them at random. Nothing wrong is read, no process ends by itself with an
// error, and everything that one of them said it had committed is there.
func TestStress(t *testing.T) {
	dir, length := t.TempDir(), 3*time.Second
	if long {
		length = time.Minute
	}
	end := time.Now().Add(length)
	var mu sync.Mutex
	committed, kills := map[string]bool{}, 0
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewSource(int64(i)))
			for n := 0; time.Now().Before(end); n++ {
				names, killed, err := stressed(dir, i*1000+n, time.Duration(50+r.Intn(400))*time.Millisecond)
				mu.Lock()
				if err != nil {
					t.Errorf("process %d: %v", i, err)
				}
				if killed {
					kills++
				}
				for _, name := range names {
					committed[name] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	s := open(t, dir)
	for name := range committed {
		if got := state(t, s, name); got != "whole" {
			t.Errorf("%s was committed, and is %q", name, got)
		}
	}
	if d, err := s.Check(ctx); err != nil || len(d.Lost)+len(d.Partial) > 0 {
		t.Errorf("the store is damaged: %+v, %v", d, err)
	}
	if _, err := s.Collect(ctx, Policy{}); err != nil {
		t.Error(err)
	}
	if err := clean(&session{Store: s, fs: s.fs}); err != nil {
		t.Error(err)
	}
	if len(committed) == 0 || kills == 0 {
		t.Errorf("%d names committed and %d processes killed: nothing was tried", len(committed), kills)
	}
	t.Logf("%d processes killed, %d results committed by them", kills, len(committed))
}

// stressed runs a process for so long, and returns what it said it had committed.
func stressed(dir string, seed int, long time.Duration) (names []string, killed bool, err error) {
	p := child("stress", dir, seed, 1000)
	var complaints bytes.Buffer
	p.Stderr = &complaints
	out, err := p.StdoutPipe()
	if err != nil {
		return nil, false, err
	}
	if err := p.Start(); err != nil {
		return nil, false, err
	}
	timer := time.AfterFunc(long, func() { p.Process.Kill() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		names = append(names, lines.Text())
	}
	err = p.Wait()
	timer.Stop()
	if complaints.Len() > 0 {
		return names, false, fmt.Errorf("%w: %s", err, strings.TrimSpace(complaints.String()))
	}
	return names, err != nil, nil
}
