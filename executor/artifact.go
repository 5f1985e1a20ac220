package executor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/planner"
)

// Artifacts writes artifacts to their paths in a project and remembers what it wrote.
type Artifacts struct {
	Dir   string
	Force bool // overwrite files that no apply wrote
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
		r, err := m.opts.Project.write(m.ctx, m.opts.Store, art, out)
		var f *Failure
		if err != nil && !errors.As(err, &f) {
			err = &Failure{Code: "artifact", Summary: "Artifact not written", Attr: "path",
				Detail: fmt.Sprintf("%q cannot be written: %v. What was there before is untouched.", art.Path, err)}
		}
		if err != nil {
			return done, err
		}
		done = append(done, r)
	}
	return done, nil
}

// write puts one artifact in place unless it is there. What was there is replaced in one step, and only when an apply wrote it
// or Force is set. The artifact is a copy: one that shared its bytes with the store would damage the store when it is edited.
func (a *Artifacts) write(ctx context.Context, store cache.Store, art planner.Artifact, out cache.Output) (ArtifactResult, error) {
	path := filepath.Join(a.Dir, filepath.FromSlash(art.Path))
	r := ArtifactResult{Block: art.Block.Addr.String(), Path: art.Path, MediaType: out.MediaType, Digest: out.Digest, Size: out.Digest.Size()}
	if err := a.makeRoom(path); err != nil {
		return r, err
	}
	a.mu.Lock()
	was := a.known[art.Path]
	a.mu.Unlock()
	there, err := planner.Inspect(ctx, store, path, out, was)
	switch {
	case err != nil:
		return r, plainPath(err)
	case there.InPlace:
		return a.settled(r, art, out, path)
	case len(there.Foreign) > 0 && !a.Force:
		return r, foreignFailure(art.Path, there)
	}
	for _, name := range there.Foreign {
		r.Overwrote = append(r.Overwrote, filepath.ToSlash(filepath.Join(art.Path, name)))
	}
	r.Written = true
	if err := replace(ctx, store, out, path); err != nil {
		return r, err
	}
	return a.settled(r, art, out, path)
}

// settled remembers an artifact that is in place, and sums up its bytes there: those of the store may be gone.
func (a *Artifacts) settled(r ArtifactResult, art planner.Artifact, out cache.Output, path string) (ArtifactResult, error) {
	if err := a.remember(art, out, path); err != nil || !out.Directory {
		return r, err
	}
	r.Size = 0
	err := filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			r.Size += info.Size()
		}
		return err
	})
	return r, err
}

// foreignFailure names what an apply will not overwrite by itself.
func foreignFailure(path string, there planner.Found) error {
	names := there.Foreign
	if len(names) == 1 && names[0] == "." {
		return &Failure{Code: "foreign-file", Summary: "File in the way", Attr: "path",
			Detail: fmt.Sprintf("%q is there already, and mbuild did not write it. Move it away, choose another path, or overwrite it: mbuild apply -force.", path)}
	}
	more := ""
	if len(names) > 5 {
		names, more = names[:5], fmt.Sprintf(" and %d more", len(names)-5)
	}
	for i := range names {
		names[i] = strconv.Quote(path + "/" + names[i])
	}
	return &Failure{Code: "foreign-file", Summary: "Files in the way", Attr: "path",
		Detail: fmt.Sprintf("The artifact %q would take the place of files that mbuild did not write: %s%s. Move them away, choose another path, or let them go: mbuild apply -force.",
			path, strings.Join(names, ", "), more)}
}

// replace puts an output at a path, whatever is there. When it fails, what was there is there again.
func replace(ctx context.Context, store cache.Store, out cache.Output, path string) error {
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".mbuild-")
	if err != nil {
		return plainPath(err)
	}
	defer os.RemoveAll(tmp)
	fresh, old := filepath.Join(tmp, "new"), filepath.Join(tmp, "old")
	if err := cache.Materialize(ctx, struct{ cache.CAS }{store}, out, fresh); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	swap := err == nil && (info.IsDir() || out.Directory) // the system replaces files by files only
	if swap {
		if err := os.Rename(path, old); err != nil {
			return plainPath(err)
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		if swap {
			os.Rename(old, path)
		}
		return plainPath(err)
	}
	return nil
}

// remember notes what is in place now.
func (a *Artifacts) remember(art planner.Artifact, out cache.Output, path string) error {
	stat, err := planner.StatTree(path)
	if err != nil {
		return err
	}
	st := planner.ArtifactState{Block: art.Block.Addr.String(), Digest: out.Digest.String(), Stat: stat}
	if out.Directory {
		if st.Files, err = planner.FilesBelow(path); err != nil {
			return err
		}
	}
	a.mu.Lock()
	a.known[art.Path] = st
	a.mu.Unlock()
	return nil
}

// makeRoom makes the parent directory and refuses to leave the project through a symbolic link.
func (a *Artifacts) makeRoom(path string) error {
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
