package planner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"mbuild.dev/mbuild/cache"
)

// ArtifactState is what the project remembers of an artifact that an apply put in place.
type ArtifactState struct {
	Block  string   `json:"block"`
	Digest string   `json:"digest"`
	Stat   string   `json:"stat"`            // StatTree of what was written
	Files  []string `json:"files,omitempty"` // of a directory: the files in it, as FilesBelow lists them
}

// StatTree sums up names, sizes, mtimes and inodes of a file or directory, without reading contents.
func StatTree(path string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(path, p)
		if d.IsDir() {
			fmt.Fprintf(h, "%s/\n", rel)
		} else {
			fmt.Fprintf(h, "%s %d %d %d\n", rel, info.Size(), info.ModTime().UnixNano(), inode(info))
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// FilesBelow lists everything in a directory that is not a directory itself, slash-separated and sorted.
func FilesBelow(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, p)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	})
	slices.Sort(files)
	return files, err
}

// Found is what lies at the path of an artifact.
type Found struct {
	Exists  bool
	InPlace bool     // it is what is to be there, to the byte
	Stat    string   // its StatTree, when it exists
	Detail  string   // of what exists and is not in place: what it is, in words
	Foreign []string // files that no apply wrote: they may be overwritten only when the user says so
}

// Inspect looks at the path of an artifact, given what is to be there (zero when that is not known yet) and what the project
// remembers of it. What lies there with the size, time and inode that an apply left is trusted; the rest is read.
//
// A file is foreign when the project does not remember having written at its place and the store does not have its bytes: a
// file whose bytes are in the store came from there, or loses nothing.
func Inspect(ctx context.Context, cas cache.CAS, path string, out cache.Output, known ArtifactState) (Found, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Found{}, nil // or unreachable: writing says why
	}
	f := Found{Exists: true}
	if f.Stat, err = StatTree(path); err != nil {
		return f, err
	}
	ours := known.Stat != "" && known.Stat == f.Stat
	if ours {
		f.InPlace, f.Detail = known.Digest == out.Digest.String(), "it is of another build"
		return f, nil
	}
	if !out.Digest.IsZero() && out.Directory == info.IsDir() && (info.IsDir() || info.Mode().IsRegular()) {
		if d, err := cache.SumPath(ctx, path, out.Directory); err == nil && d == out.Digest {
			f.InPlace = true
			return f, nil
		}
	}
	f.Detail = describe(info, known)
	f.Foreign, err = foreign(ctx, cas, path, info, known)
	return f, err
}

// describe says what lies where an artifact was or is to be.
func describe(info fs.FileInfo, known ArtifactState) string {
	wasDir := len(known.Files) > 0
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return "a symbolic link is in its place"
	case info.IsDir() && !wasDir:
		return "a directory is in its place"
	case !info.IsDir() && wasDir:
		return "a file is in its place"
	case known.Stat == "":
		return "mbuild did not write it"
	}
	return "it was edited"
}

// foreign lists the files at a path that no apply wrote.
func foreign(ctx context.Context, cas cache.CAS, path string, info fs.FileInfo, known ArtifactState) ([]string, error) {
	files := []string{"."}
	if info.IsDir() {
		var err error
		if files, err = FilesBelow(path); err != nil {
			return nil, err
		}
	}
	var out []string
	for _, name := range files {
		if name == "." && known.Stat != "" || slices.Contains(known.Files, name) {
			continue // an artifact of ours that was edited or replaced
		}
		full := filepath.Join(path, filepath.FromSlash(name))
		if stored(ctx, cas, full) {
			continue
		}
		out = append(out, name)
	}
	return out, ctx.Err()
}

// stored reports that the store has the bytes of a file.
func stored(ctx context.Context, cas cache.CAS, path string) bool {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return false
	}
	d, err := cache.SumPath(ctx, path, false)
	if err != nil {
		return false
	}
	missing, err := cas.FindMissing(ctx, []cache.Digest{d})
	return err == nil && len(missing) == 0
}

// FindDrift compares the artifacts with what lies in the project, and changes nothing. Drift is about artifacts whose content
// is known; those of steps that are still to run are written anyway, and only listed when something foreign is in their way.
func (p *Plan) FindDrift(ctx context.Context, cas cache.CAS, known map[string]ArtifactState) error {
	for _, a := range p.Graph.Artifacts {
		s := p.Steps[a.Source.Action.Index]
		if s == nil || s.Status == Blocked {
			continue
		}
		out, made := outputOf(s.Result, a.Source.Output)
		f, err := Inspect(ctx, cas, filepath.Join(p.Snapshot.Dir, filepath.FromSlash(a.Path)), out, known[a.Path])
		if err != nil {
			return fmt.Errorf("looking at the artifact %s: %w", a.Path, err)
		}
		d := Drift{Block: a.Block.Addr.String(), Path: a.Path, Change: "modified", Detail: f.Detail, Foreign: f.Foreign}
		switch {
		case f.InPlace:
		case made && !f.Exists:
			d.Change = "deleted"
			p.Drift = append(p.Drift, d)
		case made:
			p.Drift = append(p.Drift, d)
		case len(f.Foreign) > 0:
			p.InTheWay = append(p.InTheWay, d)
		}
	}
	return nil
}
