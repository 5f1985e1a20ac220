package planner

import (
	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang"
)

// Past is what a project remembers of its applies, so that plans can say what changed. It never decides whether something is
// cached. A project without memory has NoPast.
type Past interface {
	// Keys returns the key that an action had when it was last built or found, and the one it had before that; zero if there
	// was none.
	Keys(addr string) (last, prior cache.ActionKey)

	// Attrs returns the attributes that a block had when it was last applied, in normal form, secrets hidden; false when it
	// never was.
	Attrs(addr lang.Addr) (map[string]any, bool)

	// Interrupted reports that the last apply meant to run the action and never said how that ended.
	Interrupted(addr string) bool
}

// NoPast remembers nothing.
type NoPast struct{}

// Keys returns none.
func (NoPast) Keys(string) (last, prior cache.ActionKey) { return }

// Attrs returns none.
func (NoPast) Attrs(lang.Addr) (map[string]any, bool) { return nil, false }

// Interrupted is false.
func (NoPast) Interrupted(string) bool { return false }
