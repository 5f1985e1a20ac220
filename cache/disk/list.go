package disk

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"mbuild.dev/mbuild/cache"
)

// Listed is a result of the store, for those who look around in it.
type Listed struct {
	Key    cache.ActionKey
	Result *cache.ActionResult
	Used   time.Time // to the hour: when it was recorded, or known to be used; zero when nobody knows
}

// List gives all results, those that were used last first.
func (s *Store) List(ctx context.Context) ([]Listed, error) {
	var entries []entry
	s.mu.Lock()
	err := s.each(func(e entry) {
		if e.kind == recordResult {
			entries = append(entries, e)
		}
	})
	s.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("listing the store: %w", err)
	}
	list := make([]Listed, 0, len(entries))
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l := Listed{Key: cache.KeyFrom(e.digest)}
		if l.Result, err = s.Lookup(ctx, l.Key); err != nil {
			continue // damaged, or gone since
		}
		hour := e.hour
		if f, ok := s.find(e.digest, recordUse, false, make([]byte, peekSize)); ok {
			hour = max(hour, stampIn(f.bytes))
		}
		if hour > 0 {
			l.Used = time.Unix(int64(hour)*3600, 0).UTC()
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b Listed) int {
		return cmp.Or(b.Used.Compare(a.Used), b.Result.Execution.Started.Compare(a.Result.Execution.Started), cmp.Compare(a.Key.String(), b.Key.String()))
	})
	return list, nil
}

// Named finds what a person means by "sha256:<hex>", or by enough of its beginning: a result by the sum of its key, or else a blob.
// An error says that nothing has such a sum, or more than one thing.
func (s *Store) Named(text string) (key cache.ActionKey, blob cache.Digest, err error) {
	text, _, _ = strings.Cut(strings.TrimPrefix(text, "sha256:"), "/")
	if _, err := hex.DecodeString(text + strings.Repeat("0", len(text)%2)); err != nil || len(text) < 8 || len(text) > 64 {
		return key, blob, fmt.Errorf("%q is no digest: write sha256: and at least 8 of its 64 hex digits", text)
	}
	found := map[cache.Digest]bool{} // whether it is a result
	s.mu.Lock()
	err = s.each(func(e entry) {
		if strings.HasPrefix(e.digest.Hex(), text) {
			found[e.digest] = found[e.digest] || e.kind == recordResult
		}
	})
	s.mu.Unlock()
	if err != nil {
		return key, blob, fmt.Errorf("looking for %s: %w", text, err)
	}
	if len(found) > 1 {
		return key, blob, fmt.Errorf("%d results and blobs have a digest that begins with %s: write more of it", len(found), text)
	}
	for d, result := range found {
		if result {
			return cache.KeyFrom(d), blob, nil
		}
		return key, d, nil
	}
	return key, blob, fmt.Errorf("nothing in the store has the digest %s: %w", text, cache.ErrNotFound)
}
