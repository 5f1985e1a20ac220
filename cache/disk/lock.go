package disk

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"mbuild.dev/mbuild/cache"
)

// Lock implements cache.Locker: it locks one byte of the file "locks", at an offset made of the key. The kernel frees it when
// the process dies. Two keys share an offset once in 2^62; they would merely wait for each other.
func (s *Store) Lock(ctx context.Context, key cache.ActionKey) (unlock func(), err error) {
	if s.readOnly {
		return func() {}, nil
	}
	sum := key.Digest().Bytes()
	at := int64(binary.LittleEndian.Uint64(sum[:8]) >> 2)
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		s.mu.Lock()
		other := s.held[at]
		if other == nil {
			ok, err := lockByte(s.locks, at)
			if err != nil {
				s.mu.Unlock()
				return nil, fmt.Errorf("locking a key: %w", err)
			}
			if ok {
				done := make(chan struct{})
				s.held[at] = done
				s.mu.Unlock()
				return func() { s.unlock(at, done) }, nil
			}
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		case <-other: // nil, and so never ready, when another process has it
		}
	}
}

func (s *Store) unlock(at int64, done chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	unlockByte(s.locks, at)
	delete(s.held, at)
	close(done)
}
