package disk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"sync"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
)

// What a running plan or apply needs is not collected. While a process plans it holds a shared lock on one offset of the file
// "locks", which GC needs for itself. Before it lets go of that it takes a lease: a file in leases/ that is locked as long as the
// process lives, and that names the keys in use and where the log ended. GC keeps the results of those keys with their bytes, and
// everything that was appended to the log since.
//
//	0   "MBL1"
//	4   CRC-32C of what follows
//	8   id of the log
//	40  where it ended
//	48  keys: sum (32 bytes) and size (8 bytes) of each
const (
	leaseMagic = "MBL1"
	leaseHead  = 48
	leaseKey   = 40

	gcLock = 1 << 62 // the offset in "locks"
)

// Planning keeps GC away until done is called, so that what a plan finds is there. It waits for a GC that is under way.
func (s *Store) Planning() (done func(), err error) {
	if s.readOnly {
		return func() {}, nil
	}
	if err := s.waitFor(context.Background(), s.tryPlanning, time.Hour); err != nil {
		return nil, fmt.Errorf("waiting for the collection of garbage: %w", err)
	}
	return sync.OnceFunc(s.donePlanning), nil
}

func (s *Store) tryPlanning() (bool, error) {
	s.held.Lock()
	defer s.held.Unlock()
	if s.planning < 0 {
		return false, nil // this process collects
	}
	if s.planning == 0 {
		if ok, err := s.locks.TryLock(gcLock, 1, true); !errors.Is(err, errors.ErrUnsupported) && (!ok || err != nil) {
			return false, err
		}
	}
	s.planning++
	return true, nil
}

func (s *Store) donePlanning() {
	s.held.Lock()
	defer s.held.Unlock()
	if s.planning--; s.planning == 0 && s.locks != nil {
		s.locks.UnlockRange(gcLock, 1)
	}
}

// waitFor tries until it works, for so long.
func (s *Store) waitFor(ctx context.Context, try func() (bool, error), long time.Duration) error {
	end := time.Now().Add(long)
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		if ok, err := try(); ok || err != nil {
			return err
		}
		if time.Now().Add(wait).After(end) {
			return cache.ErrBusy
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// useAfter is how old the stamp of a result may be before its use is noted again.
const useAfter = 24 // hours

// Lease keeps the results of keys, with their bytes, and everything that is added to the store from now on, until release is called
// or the process dies. Between looking the keys up and this call, Planning must have kept GC away. Keys without result are no harm.
func (s *Store) Lease(keys []cache.ActionKey) (release func(), err error) {
	if s.readOnly {
		return func() {}, nil
	}
	done, err := s.Planning()
	if err != nil {
		return nil, err
	}
	defer done()
	f, err := s.createLive("leases", "lease-")
	if err != nil {
		return nil, fmt.Errorf("taking a lease: %w", wrap(err))
	}
	release = sync.OnceFunc(func() {
		s.fs.Remove(f.Name())
		f.Close()
	})
	id, end, err := s.position()
	if err == nil {
		_, err = f.Write(encodeLease(id, end, keys))
	}
	if err == nil {
		err = s.touch(keys)
	}
	if err != nil {
		release()
		return nil, fmt.Errorf("taking a lease: %w", wrap(err))
	}
	return release, nil
}

// Use makes sure that the results of keys stay, with their bytes, as long as a lease of this process: those that an apply finds on its
// way and did not know when it took the lease. Whether the bytes are there is to be asked afterwards.
func (s *Store) Use(keys ...cache.ActionKey) error {
	if s.readOnly {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(func(out *batch) {
		for _, k := range keys {
			s.addUse(out, k.Digest())
		}
	})
}

// position is the log and where it ends.
func (s *Store) position() (logID, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readOn(); err != nil {
		return logID{}, 0, err
	}
	return s.id, s.end, nil
}

// touch notes that results are used whose stamps are old.
func (s *Store) touch(keys []cache.ActionKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := hourOf(s.now())
	old := func(d cache.Digest, kind byte) bool {
		var buf [peekSize]byte
		f, ok, err := s.locate(d, kind, buf[:])
		return ok && err == nil && stampIn(f.bytes)+useAfter < now
	}
	return s.append(func(out *batch) {
		for _, k := range keys {
			if d := k.Digest(); old(d, recordResult) {
				if _, ok, _ := s.locate(d, recordUse, make([]byte, headerSize)); !ok || old(d, recordUse) {
					out.add(record{kind: recordUse, digest: d})
				}
			}
		}
	})
}

func encodeLease(id logID, end int64, keys []cache.ActionKey) []byte {
	b := make([]byte, leaseHead, leaseHead+leaseKey*len(keys))
	copy(b, leaseMagic)
	copy(b[8:], id[:])
	binary.LittleEndian.PutUint64(b[40:], uint64(end))
	for _, k := range keys {
		sum := k.Digest().Bytes()
		b = binary.LittleEndian.AppendUint64(append(b, sum[:]...), uint64(k.Digest().Size()))
	}
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
	return b
}

// lease is one of a process that lives.
type lease struct {
	name string
	id   logID
	end  int64
	keys []cache.ActionKey
}

func decodeLease(b []byte) (l lease, ok bool) {
	if len(b) < leaseHead || (len(b)-leaseHead)%leaseKey != 0 || string(b[:4]) != leaseMagic ||
		crc32.Checksum(b[8:], castagnoli) != binary.LittleEndian.Uint32(b[4:]) {
		return l, false
	}
	l.id, l.end = logID(b[8:40]), int64(binary.LittleEndian.Uint64(b[40:]))
	for b = b[leaseHead:]; len(b) > 0; b = b[leaseKey:] {
		l.keys = append(l.keys, cache.KeyFrom(cache.NewDigest([32]byte(b[:32]), int64(binary.LittleEndian.Uint64(b[32:])))))
	}
	return l, true
}

// leases reads the leases of processes that live, and removes those of others. One that cannot be read is an error: nobody knows
// what it keeps.
func (s *Store) leases() ([]lease, error) {
	if err := s.fs.MkdirAll(s.path("leases"), 0o755); err != nil {
		return nil, err
	}
	entries, err := s.fs.ReadDir(s.path("leases"))
	if err != nil {
		return nil, err
	}
	var live []lease
	for _, e := range entries {
		path := s.path("leases", e.Name())
		if f := s.takeDead(path); f != nil {
			s.fs.Remove(path)
			f.Close()
			continue
		}
		b, err := vfs.ReadFile(s.fs, path)
		if err != nil && !s.exists("leases", e.Name()) {
			continue // given back since
		}
		if err != nil {
			return nil, err
		}
		l, ok := decodeLease(b)
		if !ok {
			return nil, fmt.Errorf("the lease %s cannot be read: %w", filepath.Join("leases", e.Name()), cache.ErrBusy)
		}
		l.name = e.Name()
		live = append(live, l)
	}
	return live, nil
}
