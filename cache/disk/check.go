package disk

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"

	"mbuild.dev/mbuild/cache"
)

// Usage is what a store holds and takes.
type Usage struct {
	Results   int   `json:"results"`
	Blobs     int   `json:"blobs"`
	Files     int   `json:"files"`      // blobs that are files of their own
	BlobBytes int64 `json:"blob_bytes"` // of all blobs
	LogBytes  int64 `json:"log_bytes"`
	DiskBytes int64 `json:"disk_bytes"` // of all files below the store's directory, as du counts apparent sizes
	TempFiles int   `json:"temp_files"` // leftovers of processes that died, and work of those that live
}

// Usage counts what is there.
func (s *Store) Usage() (Usage, error) {
	var u Usage
	s.mu.Lock()
	if err := s.readOn(); err != nil {
		s.mu.Unlock()
		return u, err
	}
	u.Results, u.Blobs, u.LogBytes = len(s.results), len(s.blobs), s.end
	for _, p := range s.blobs {
		u.BlobBytes += p.size
		if p.file {
			u.Files++
		}
	}
	s.mu.Unlock()
	err := filepath.WalkDir(s.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // gone since it was listed
			}
			return err
		}
		if d.IsDir() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			u.DiskBytes += info.Size()
		}
		if rel, err := filepath.Rel(s.path("tmp"), p); err == nil && filepath.IsLocal(rel) {
			u.TempFiles++
		}
		return nil
	})
	return u, err
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
	s.mu.Lock()
	if err := s.readOn(); err != nil {
		s.mu.Unlock()
		return nil, err
	}
	var blobs []cache.Digest
	for sum, p := range s.blobs {
		blobs = append(blobs, cache.NewDigest(sum, p.size))
	}
	var keys []cache.ActionKey
	for k := range s.results {
		keys = append(keys, k)
	}
	s.mu.Unlock()
	d := &Damage{Lost: []string{}, Partial: []string{}}
	for _, b := range blobs {
		if err := ctx.Err(); err != nil {
			return d, err
		}
		d.Blobs++
		if !s.readable(ctx, b) {
			d.Lost = append(d.Lost, b.String())
			s.lose(b)
		}
	}
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return d, err
		}
		d.Results++
		if !s.whole(ctx, k) {
			d.Partial = append(d.Partial, k.Digest().String())
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
