package disk

import (
	"bytes"
	"context"
	"fmt"

	"mbuild.dev/mbuild/cache"
)

// Lookup implements cache.ActionCache.
func (s *Store) Lookup(_ context.Context, key cache.ActionKey) (*cache.ActionResult, error) {
	buf := peeks.Get().(*[peekSize]byte)
	defer peeks.Put(buf)
	f, ok := s.find(key.Digest(), recordResult, true, buf[:])
	if ok {
		if r, n := parse(f.bytes); n > 0 { // else it was damaged since it was read, and is as good as absent
			return cache.DecodeResult(r.payload)
		}
	}
	return nil, fmt.Errorf("result %s: %w", key, cache.ErrNotFound)
}

// Record implements cache.ActionCache.
func (s *Store) Record(_ context.Context, key cache.ActionKey, result *cache.ActionResult) error {
	b, err := result.Encode()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(func(out *batch) { out.add(record{kind: recordResult, digest: key.Digest(), payload: b}) })
}

// Commit implements cache.Committer: small blobs, preimage and result are one write to the log. What the log has is not written
// again.
func (s *Store) Commit(ctx context.Context, blobs [][]byte, preimage []byte, key cache.ActionKey, result *cache.ActionResult) error {
	if err := cache.CheckPreimage(key, preimage); err != nil {
		return err
	}
	var room [8]record
	records := room[:0]
	for _, b := range append(blobs[:len(blobs):len(blobs)], preimage) {
		if len(b) >= smallLimit {
			if _, err := s.Put(ctx, bytes.NewReader(b)); err != nil {
				return err
			}
			continue
		}
		records = append(records, record{kind: recordBlob, digest: cache.Sum(b), payload: b})
	}
	enc, err := result.Encode()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(func(out *batch) {
		for _, r := range records {
			s.addBlob(out, r.digest, r.payload)
		}
		out.add(record{kind: recordResult, digest: key.Digest(), payload: enc})
	})
}
