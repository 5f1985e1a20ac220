// Package memory is a store in memory: the reference that other stores are compared with, and the store of tests.
package memory

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"mbuild.dev/mbuild/cache"
)

// Store keeps blobs and results in maps. It is safe for concurrent use.
type Store struct {
	mu      sync.RWMutex
	blobs   map[cache.Digest][]byte
	results map[cache.ActionKey][]byte
}

// New returns an empty store.
func New() *Store {
	return &Store{blobs: map[cache.Digest][]byte{}, results: map[cache.ActionKey][]byte{}}
}

// FindMissing implements cache.CAS.
func (s *Store) FindMissing(_ context.Context, digests []cache.Digest) ([]cache.Digest, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var missing []cache.Digest
	for _, d := range digests {
		if _, ok := s.blobs[d]; !ok {
			missing = append(missing, d)
		}
	}
	return missing, nil
}

// Open implements cache.CAS.
func (s *Store) Open(_ context.Context, d cache.Digest) (io.ReadCloser, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, ok := s.blobs[d]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", d, cache.ErrNotFound)
	}
	return cache.Verifying(io.NopCloser(bytes.NewReader(b)), d, func() { s.Delete(d) }), nil
}

// Put implements cache.CAS.
func (s *Store) Put(ctx context.Context, r io.Reader) (cache.Digest, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return cache.Digest{}, fmt.Errorf("putting a blob: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return cache.Digest{}, err
	}
	d := cache.Sum(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[d] = b
	return d, nil
}

// Delete drops the bytes of a digest.
func (s *Store) Delete(d cache.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.blobs, d)
}

// Lookup implements cache.ActionCache.
func (s *Store) Lookup(_ context.Context, key cache.ActionKey) (*cache.ActionResult, error) {
	s.mu.RLock()
	b, ok := s.results[key]
	s.mu.RUnlock()
	if !ok {
		return nil, fmt.Errorf("result %s: %w", key, cache.ErrNotFound)
	}
	return cache.DecodeResult(b)
}

// Record implements cache.ActionCache.
func (s *Store) Record(_ context.Context, key cache.ActionKey, result *cache.ActionResult) error {
	b, err := result.Encode()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[key] = b
	return nil
}

// Commit implements cache.Committer.
func (s *Store) Commit(ctx context.Context, blobs [][]byte, preimage []byte, key cache.ActionKey, result *cache.ActionResult) error {
	if err := cache.CheckPreimage(key, preimage); err != nil {
		return err
	}
	for _, b := range append(blobs[:len(blobs):len(blobs)], preimage) {
		if _, err := s.Put(ctx, bytes.NewReader(b)); err != nil {
			return err
		}
	}
	return s.Record(ctx, key, result)
}
