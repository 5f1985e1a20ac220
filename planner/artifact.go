package planner

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path/filepath"
)

// ArtifactState is what the project remembers of an artifact that an apply put in place.
type ArtifactState struct {
	Block  string `json:"block"`
	Digest string `json:"digest"`
	Stat   string `json:"stat"` // StatTree of what was written
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

// FindDrift compares the artifacts of cached steps with what lies in the project. Artifacts of steps that are still to run are
// written anyway and not listed.
func (p *Plan) FindDrift(known map[string]ArtifactState) {
	for _, a := range p.Graph.Artifacts {
		s := p.Steps[a.Source.Action.Index]
		if s == nil || s.Status != Cached {
			continue
		}
		out, ok := outputOf(s.Result, a.Source.Output)
		if !ok {
			continue
		}
		stat, err := StatTree(filepath.Join(p.Snapshot.Dir, filepath.FromSlash(a.Path)))
		was, seen := known[a.Path]
		switch {
		case err != nil:
			p.Drift = append(p.Drift, Drift{Block: a.Block.Addr.String(), Path: a.Path, Change: "deleted"})
		case !seen || was.Stat != stat || was.Digest != out.Digest.String():
			p.Drift = append(p.Drift, Drift{Block: a.Block.Addr.String(), Path: a.Path, Change: "modified"})
		}
	}
}
