package disk

import (
	"context"
	"errors"
	"io"

	"mbuild.dev/mbuild/cache"
)

// entry is the last record of a sum.
type entry struct {
	kind   byte
	digest cache.Digest
	offset int64
	length int64 // of the payload
}

// each calls f for everything that the store has, in no order. The caller holds mu.
func (s *Store) each(f func(entry)) error {
	if err := s.readOn(); err != nil {
		return err
	}
	var buf [headerSize]byte
	visit := func(_ uint64, offset int64) {
		b := s.log.peek(offset, buf[:])
		if recordLength(b) == 0 || b[4] == recordLost || b[4] == recordHead || b[4] == recordUse {
			return
		}
		f(entry{b[4], digestIn(b), offset, recordLength(b) - headerSize})
	}
	if s.index != nil && s.index.each(func(uint64, int64) {}) != nil {
		s.startOver() // the index is damaged; the log is not
		if err := s.readOn(); err != nil {
			return err
		}
	}
	var err error
	return errors.Join(guarded(func() { err = s.eachEntry(visit) }), err)
}

// Damage is what Check found.
type Damage struct {
	Blobs   int      `json:"blobs"`   // read and compared with their digests
	Results int      `json:"results"` // whose preimage and outputs were looked for
	Lost    []string `json:"lost"`    // digests of blobs whose bytes were not theirs, or gone; they are marked as lost
	Partial []string `json:"partial"` // keys of results of which an output or the preimage is missing
}

// Check reads every blob and compares it with its digest, and every result for what it names. What is damaged is marked as lost,
// so that it is built again when it is needed.
func (s *Store) Check(ctx context.Context) (*Damage, error) {
	var blobs, keys []entry
	s.mu.Lock()
	err := s.each(func(e entry) {
		if e.kind == recordResult {
			keys = append(keys, e)
		} else {
			blobs = append(blobs, e)
		}
	})
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	d := &Damage{Lost: []string{}, Partial: []string{}}
	for _, b := range blobs {
		if err := ctx.Err(); err != nil {
			return d, err
		}
		d.Blobs++
		if !s.readable(ctx, b.digest) {
			d.Lost = append(d.Lost, b.digest.String())
			s.lose(b.digest, b.offset)
		}
	}
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return d, err
		}
		d.Results++
		if !s.whole(ctx, cache.KeyFrom(k.digest)) {
			d.Partial = append(d.Partial, k.digest.String())
		}
	}
	return d, nil
}

func (s *Store) readable(ctx context.Context, d cache.Digest) bool {
	r, err := s.Open(ctx, d)
	if err != nil {
		return false
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err == nil
}

// whole reports that a result can be read and that all it names is there.
func (s *Store) whole(ctx context.Context, k cache.ActionKey) bool {
	res, err := s.Lookup(ctx, k)
	if err != nil {
		return false
	}
	for _, out := range res.Outputs {
		if ok, err := cache.Present(ctx, s, out); err != nil || !ok {
			return false
		}
	}
	missing, err := s.FindMissing(ctx, []cache.Digest{k.Digest()})
	return err == nil && len(missing) == 0
}
