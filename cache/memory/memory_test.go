package memory

import (
	"testing"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/cachetest"
)

func TestConformance(t *testing.T) {
	cachetest.Run(t, func(*testing.T) cache.Store { return New() })
}
