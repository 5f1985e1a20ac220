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
	hour   uint32
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
		f(entry{b[4], digestIn(b), offset, stampIn(b)})
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
	Partial []string `json:"partial"` // keys of results of which an output is lost, or the preimage is missing
	Evicted int      `json:"evicted"` // results whose bytes were removed to make room, which is no damage
}

// Check reads every blob and compares it with its digest, and every result for what it names. What is damaged is marked as lost,
// so that it is built again when it is needed.
//
// No garbage is collected meanwhile: what goes in the middle of it would look like a loss.
func (s *Store) Check(ctx context.Context) (*Damage, error) {
	done, err := s.Planning()
	if err != nil {
		return nil, err
	}
	defer done()
	var blobs, keys []entry
	s.mu.Lock()
	err = s.each(func(e entry) {
		if e.kind == recordResult {
			keys = append(keys, e)
		} else {
			blobs = append(blobs, e)
		}
	})
	reloads := s.reloads
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
			s.lose(b.digest, found{offset: b.offset, reloads: reloads})
		}
	}
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return d, err
		}
		d.Results++
		switch whole, lost := s.whole(ctx, cache.KeyFrom(k.digest)); {
		case lost:
			d.Partial = append(d.Partial, k.digest.String())
		case !whole:
			d.Evicted++
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

// whole reports that a result can be read and that all it names is there; lost, that it is not for a reason which is no eviction.
func (s *Store) whole(ctx context.Context, k cache.ActionKey) (whole, lost bool) {
	res, err := s.Lookup(ctx, k)
	if err != nil {
		return false, true
	}
	if missing, err := s.FindMissing(ctx, []cache.Digest{k.Digest()}); err != nil || len(missing) > 0 {
		return false, true
	}
	whole = true
	for _, out := range res.Outputs {
		ok, err := cache.Present(ctx, s, out)
		if err == nil && ok {
			continue
		}
		whole, lost = false, lost || err != nil || s.marked(out.Digest)
		if out.Directory {
			_ = cache.WalkTree(ctx, s, out.Digest, func(_ string, d cache.Digest) error {
				lost = lost || s.marked(d)
				return nil
			})
		}
	}
	return whole, lost
}

// marked reports that a blob was found damaged, or gone without having been evicted.
func (s *Store) marked(d cache.Digest) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f, ok, err := s.locate(d, recordBlob, make([]byte, headerSize))
	return ok && err == nil && f.kind() == recordLost
}
