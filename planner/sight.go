package planner

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang/value"
)

// Sight is what lowering may see of source files. What is seen may decide what is reported and what is provided for planning (see
// Provide), never what is emitted: the snapshot, which makes the keys, is taken later.
type Sight struct {
	Dir   string                             // of the spec; "" where nothing may be looked at
	Known func(path string) (FileStat, bool) // the stat cache; may be nil
	Notes Notes                              // may be nil
}

// Notes keep what was made of files, by a digest of all that it was made of.
type Notes interface {
	Note(key string) ([]byte, bool)
	KeepNote(key string, b []byte)
}

// Look returns the paths of source files that are inputs of the block's actions, if lowering may look at them and all are there.
func (l *Lowering) Look(inputs ...Input) ([]string, bool) {
	dir := l.graph.sight.Dir
	if dir == "" {
		return nil, false
	}
	paths := make([]string, len(inputs))
	for i, in := range inputs {
		paths[i] = filepath.Join(dir, filepath.FromSlash(in.File))
		if info, err := os.Stat(paths[i]); err != nil || !info.Mode().IsRegular() {
			return nil, false // which the snapshot reports
		}
	}
	return paths, true
}

// Derive is for what takes long to make of a source file that is an input of the block's actions, and of params: it calls derive with
// the path, or returns what that returned for a file of the same content. It is nil without an error where lowering may not look.
func (l *Lowering) Derive(in Input, params map[string]any, derive func(path string) ([]byte, error)) ([]byte, error) {
	paths, ok := l.Look(in)
	if !ok {
		return nil, nil
	}
	g := l.graph
	st, ok := g.Stats[in.File]
	if !ok {
		var was FileStat
		if g.sight.Known != nil {
			was, _ = g.sight.Known(in.File)
		}
		var err error
		if st, err = statFile(context.Background(), g.sight.Dir, in.File, was); err != nil {
			return nil, nil // which the snapshot reports
		}
		g.Stats[in.File] = st
	}
	enc, err := value.Canonical(params)
	if err != nil || g.sight.Notes == nil {
		return derive(paths[0])
	}
	key := cache.Sum(fmt.Appendf(nil, "%s %d\n%s\n%s", l.Kind.Name(), l.Kind.Version, st.Digest, enc)).String()
	if b, ok := g.sight.Notes.Note(key); ok {
		return b, nil
	}
	b, err := derive(paths[0])
	if err == nil && b != nil {
		g.sight.Notes.KeepNote(key, b)
	}
	return b, err
}
