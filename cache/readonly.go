package cache

import (
	"context"
	"io"
)

// ReadOnly makes a store that refuses to change.
func ReadOnly(s Store) Store { return readOnly{s} }

type readOnly struct{ Store }

func (readOnly) Put(context.Context, io.Reader) (Digest, error) { return Digest{}, ErrReadOnly }

func (readOnly) Record(context.Context, ActionKey, *ActionResult) error { return ErrReadOnly }
