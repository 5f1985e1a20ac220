package cache

import (
	"bytes"
	"context"
	"fmt"
)

// Committer is a store that can take over all that a small action leaves behind in one step.
type Committer interface {
	// Commit puts the blobs and the preimage of the key, then records the result: whoever can look the result up finds all
	// of them. key is that of preimage.
	Commit(ctx context.Context, blobs [][]byte, preimage []byte, key ActionKey, result *ActionResult) error
}

// Commit is the Commit of a store that has one, and the same in several steps on any other.
func Commit(ctx context.Context, s Store, blobs [][]byte, preimage []byte, key ActionKey, result *ActionResult) error {
	if c, ok := s.(Committer); ok {
		return c.Commit(ctx, blobs, preimage, key, result)
	}
	for _, b := range append(blobs[:len(blobs):len(blobs)], preimage) {
		if _, err := s.Put(ctx, bytes.NewReader(b)); err != nil {
			return err
		}
	}
	if err := CheckPreimage(key, preimage); err != nil {
		return err
	}
	return s.Record(ctx, key, result)
}

// CheckPreimage fails when a preimage is not that of a key.
func CheckPreimage(key ActionKey, preimage []byte) error {
	if Sum(preimage) != key.d {
		return fmt.Errorf("committing %s: the encoded action is not the preimage of that key", key)
	}
	return nil
}
