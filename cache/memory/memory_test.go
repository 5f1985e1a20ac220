package memory

import (
	"testing"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/cachetest"
)

func TestConformance(t *testing.T) {
	cachetest.Run(t, func(*testing.T) cache.Store { return New() })
}

// TestConformanceVerified: the decorator that verifies what is read changes nothing else of a store.
func TestConformanceVerified(t *testing.T) {
	cachetest.Run(t, func(*testing.T) cache.Store {
		s := New()
		return struct {
			cache.CAS
			cache.ActionCache
		}{cache.Verify(s), s}
	})
}
