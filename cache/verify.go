package cache

import (
	"context"
	"fmt"
	"io"
)

// Verifying wraps the reader of a blob so that it ends with ErrCorrupt instead of io.EOF when the bytes do not have the
// digest, and calls damaged then (which may be nil).
func Verifying(r io.ReadCloser, d Digest, damaged func()) io.ReadCloser {
	return &verifier{r: r, want: d, h: NewHasher(), damaged: damaged}
}

type verifier struct {
	r       io.ReadCloser
	want    Digest
	h       *Hasher
	damaged func()
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.h.Write(p[:n])
	if v.h.size > v.want.size || err == io.EOF && v.h.Digest() != v.want {
		if v.damaged != nil {
			v.damaged()
			v.damaged = nil
		}
		return n, fmt.Errorf("blob %s: %w", v.want, ErrCorrupt)
	}
	return n, err
}

func (v *verifier) Close() error { return v.r.Close() }

// Verify makes any CAS one whose readers verify.
func Verify(cas CAS) CAS { return verify{cas} }

type verify struct{ CAS }

func (v verify) Open(ctx context.Context, d Digest) (io.ReadCloser, error) {
	r, err := v.CAS.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	return Verifying(r, d, nil), nil
}
