package disk

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
)

// The file "locks" is empty: its offsets are locked. Each key has a stretch of holderMax of those below 1 << 62, and who holds it locks
// as many of them, from the first on, as the number of its process: so the kernel knows who it is, and forgets it with the process.
const (
	holderBits = 22 // Linux counts processes up to 1 << 22
	holderMax  = 1<<holderBits - 1
)

// numberOf is how many bytes the process of that number locks.
func numberOf(pid int) int64 { return max(1, int64(pid)&holderMax) }

// Identify says for whom this process works, in words that the users of the store understand: they are what others are told who
// wait for it. To be called before the first Lock.
func (s *Store) Identify(work string) { s.work = work }

// holder is what a process says of itself in its file in tmp.
type holder struct {
	PID  int    `json:"pid"`
	Host string `json:"host"`
	Work string `json:"work"`
}

// introduce writes who this process is. That is for people: nothing depends on it.
func (s *Store) introduce() {
	if _, err := s.scratchDir(); err != nil {
		return
	}
	host, _ := os.Hostname()
	if b, err := json.Marshal(holder{os.Getpid(), host, s.work}); err == nil {
		s.scratch.live.Write(b)
	}
}

// holderOf says in words who holds the key at an offset; "" when that cannot be told.
func (s *Store) holderOf(at int64) string {
	_, number := s.locks.LockedAt(at)
	if number == 0 {
		return ""
	}
	own := strings.TrimSuffix(s.Scratch(), ".d")
	entries, _ := s.fs.ReadDir(s.path("tmp"))
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "live-") || e.IsDir() || s.path("tmp", e.Name()) == own {
			continue
		}
		b, err := vfs.ReadFile(s.fs, s.path("tmp", e.Name()))
		var h holder
		if err == nil && json.Unmarshal(b, &h) == nil && numberOf(h.PID) == number {
			return h.String()
		}
	}
	return fmt.Sprintf("process %d", number)
}

func (h holder) String() string {
	text := fmt.Sprintf("process %d", h.PID)
	if host, _ := os.Hostname(); host != h.Host {
		text += " on " + h.Host
	}
	if h.Work != "" {
		text += " (" + h.Work + ")"
	}
	return text
}

// Lock implements cache.Locker, with locks of the file "locks". The kernel frees them when the process dies. Two keys share a
// stretch once in 2^40; they would merely wait for each other.
func (s *Store) Lock(ctx context.Context, key cache.ActionKey, waits func(holder string)) (unlock func(), err error) {
	if s.readOnly {
		return func() {}, nil
	}
	s.introduced.Do(s.introduce)
	sum := key.Digest().Bytes()
	at := int64(binary.LittleEndian.Uint64(sum[:8])>>2) &^ holderMax
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		done, other, err := s.tryKey(at)
		if err != nil {
			return nil, fmt.Errorf("locking a key: %w", err)
		}
		if done != nil {
			s.looked.Store(0) // who had it may have left a result
			return func() { s.unlock(at, done) }, nil
		}
		if other == nil && waits != nil {
			waits(s.holderOf(at))
			waits = nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		case <-other: // nil, and so never ready, when another process has it
		}
	}
}

// tryKey takes the lock; else it returns what is closed when the goroutine of this process that has it gives it back.
func (s *Store) tryKey(at int64) (done, other chan struct{}, err error) {
	s.held.Lock()
	defer s.held.Unlock()
	if other := s.holders[at]; other != nil {
		return nil, other, nil
	}
	ok, err := s.locks.TryLock(at, numberOf(os.Getpid()), false)
	if errors.Is(err, errors.ErrUnsupported) {
		ok, err = true, nil // two processes may do the same work twice, with the same result
	}
	if err != nil || !ok {
		return nil, nil, err
	}
	done = make(chan struct{})
	s.holders[at] = done
	return done, nil, nil
}

func (s *Store) unlock(at int64, done chan struct{}) {
	s.held.Lock()
	defer s.held.Unlock()
	s.locks.UnlockRange(at, numberOf(os.Getpid()))
	delete(s.holders, at)
	close(done)
}
