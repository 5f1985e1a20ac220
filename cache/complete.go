package cache

import (
	"context"
	"fmt"
)

// Complete makes a store whose results count only while all their bytes are there: a Lookup of any other is a miss. It is
// for callers that take a hit as a promise of bytes (a remote cache's clients); the planner does not need it, for it asks
// for exactly the bytes that are wanted.
func Complete(s Store) Store { return complete{s} }

type complete struct{ Store }

func (c complete) Lookup(ctx context.Context, key ActionKey) (*ActionResult, error) {
	res, err := c.Store.Lookup(ctx, key)
	if err != nil {
		return nil, err
	}
	for _, o := range res.Outputs {
		ok, err := Present(ctx, c.Store, o)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("result %s lacks bytes of output %q: %w", key, o.Name, ErrNotFound)
		}
	}
	return res, nil
}
