package cache

import (
	"context"
	"errors"
	"io"
)

// Overlay is a store that writes to Top and reads from Base what Top does not have. Results that Hidden names are looked up in
// Top only: to Base they are as good as never built. Base is not changed.
type Overlay struct {
	Top, Base Store
	Hidden    func(ActionKey) bool
}

// FindMissing implements CAS.
func (o Overlay) FindMissing(ctx context.Context, digests []Digest) ([]Digest, error) {
	missing, err := o.Top.FindMissing(ctx, digests)
	if err != nil || len(missing) == 0 {
		return missing, err
	}
	return o.Base.FindMissing(ctx, missing)
}

// Open implements CAS.
func (o Overlay) Open(ctx context.Context, d Digest) (io.ReadCloser, error) {
	r, err := o.Top.Open(ctx, d)
	if errors.Is(err, ErrNotFound) {
		return o.Base.Open(ctx, d)
	}
	return r, err
}

// Put implements CAS.
func (o Overlay) Put(ctx context.Context, r io.Reader) (Digest, error) { return o.Top.Put(ctx, r) }

// Lookup implements ActionCache.
func (o Overlay) Lookup(ctx context.Context, key ActionKey) (*ActionResult, error) {
	res, err := o.Top.Lookup(ctx, key)
	if errors.Is(err, ErrNotFound) && !o.Hidden(key) {
		return o.Base.Lookup(ctx, key)
	}
	return res, err
}

// Record implements ActionCache.
func (o Overlay) Record(ctx context.Context, key ActionKey, result *ActionResult) error {
	return o.Top.Record(ctx, key, result)
}

// Commit implements Committer.
func (o Overlay) Commit(ctx context.Context, blobs [][]byte, preimage []byte, key ActionKey, result *ActionResult) error {
	return Commit(ctx, o.Top, blobs, preimage, key, result)
}
