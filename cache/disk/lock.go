package disk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"mbuild.dev/mbuild/cache"
)

// The file "locks" is empty: its offsets are locked. Keys have those below 1 << 62.

// Lock implements cache.Locker: it locks one byte of the file "locks", at an offset made of the key. The kernel frees it when
// the process dies. Two keys share an offset once in 2^62; they would merely wait for each other.
func (s *Store) Lock(ctx context.Context, key cache.ActionKey) (unlock func(), err error) {
	if s.readOnly {
		return func() {}, nil
	}
	sum := key.Digest().Bytes()
	at := int64(binary.LittleEndian.Uint64(sum[:8]) >> 2)
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		done, other, err := s.tryKey(at)
		if err != nil {
			return nil, fmt.Errorf("locking a key: %w", err)
		}
		if done != nil {
			s.looked.Store(0) // who had it may have left a result
			return func() { s.unlock(at, done) }, nil
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
	ok, err := s.locks.TryLock(at, 1, false)
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
	s.locks.UnlockRange(at, 1)
	delete(s.holders, at)
	close(done)
}
