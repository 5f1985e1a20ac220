package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/planner"
)

// Artifacts writes artifacts to their paths in a project and remembers what it wrote.
type Artifacts struct {
	Dir   string
	mu    sync.Mutex
	known map[string]planner.ArtifactState
}

// NewArtifacts returns the artifacts of the project in dir, given what earlier applies wrote.
func NewArtifacts(dir string, known map[string]planner.ArtifactState) *Artifacts {
	a := &Artifacts{Dir: dir, known: map[string]planner.ArtifactState{}}
	for k, v := range known {
		a.known[k] = v
	}
	return a
}

// Known returns what is in place, by path, to be remembered.
func (a *Artifacts) Known() map[string]planner.ArtifactState {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make(map[string]planner.ArtifactState, len(a.known))
	for k, v := range a.known {
		out[k] = v
	}
	return out
}

// publish puts the node's artifacts in place.
func (m *machine) publish(n *node, res *cache.ActionResult) ([]ArtifactResult, error) {
	if m.opts.Project == nil {
		return nil, nil
	}
	var done []ArtifactResult
	for _, art := range n.artifacts {
		out, ok := output(res, art.Source.Output)
		if !ok {
			return done, fmt.Errorf("the result of %s has no output %q", n.step.Addr, art.Source.Output)
		}
		written, err := m.opts.Project.write(m.ctx, m.opts.Store, art, out)
		if err != nil {
			return done, &Failure{Code: "artifact", Summary: "Artifact not written", Attr: "path",
				Detail: fmt.Sprintf("%q cannot be written: %v. What was there before is untouched.", art.Path, err)}
		}
		done = append(done, ArtifactResult{Block: art.Block.Addr.String(), Path: art.Path, MediaType: out.MediaType, Digest: out.Digest, Written: written})
	}
	return done, nil
}

// write puts one artifact in place unless it is there. The old one is replaced in one step.
func (a *Artifacts) write(ctx context.Context, store cache.Store, art planner.Artifact, out cache.Output) (bool, error) {
	path := filepath.Join(a.Dir, filepath.FromSlash(art.Path))
	a.mu.Lock()
	was := a.known[art.Path]
	a.mu.Unlock()
	if stat, err := planner.StatTree(path); err == nil && was.Stat == stat && was.Digest == out.Digest.String() {
		return false, nil
	}
	if err := a.makeRoom(path, out.Directory); err != nil {
		return false, err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".mbuild-")
	if err != nil {
		return false, plainPath(err)
	}
	defer os.RemoveAll(tmp)
	fresh := filepath.Join(tmp, "new")
	if err := cache.Materialize(ctx, store, out, fresh); err != nil {
		return false, err
	}
	if out.Directory {
		if err := os.Rename(path, filepath.Join(tmp, "old")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return false, plainPath(err)
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		return false, plainPath(err)
	}
	stat, err := planner.StatTree(path)
	if err != nil {
		return false, err
	}
	a.mu.Lock()
	a.known[art.Path] = planner.ArtifactState{Block: art.Block.Addr.String(), Digest: out.Digest.String(), Stat: stat}
	a.mu.Unlock()
	return true, nil
}

// makeRoom makes the parent directory, refuses to leave the project through a symbolic link, and refuses to put a file in
// the place of a directory or the reverse.
func (a *Artifacts) makeRoom(path string, directory bool) error {
	parent := filepath.Dir(path)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return plainPath(err)
	}
	root, err := filepath.EvalSymlinks(a.Dir)
	if err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(parent)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(root, real); err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return fmt.Errorf("its directory is a symbolic link that leaves the project")
	}
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil
	case info.IsDir() && !directory:
		return errors.New("there is a directory of that name")
	case !info.IsDir() && directory:
		return errors.New("there is a file of that name where a directory is to be")
	}
	return nil
}

// plainPath drops the long paths from an error: the message names the artifact already.
func plainPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", filepath.Base(pe.Path), pe.Err)
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}
