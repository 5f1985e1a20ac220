// Package examples holds the examples of the repository for `mbuild init`.
package examples

import (
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// What was built in a directory, and what was put into it, is not embedded.
//
//go:embed */*.md */*.mbuild.hcl */mbuild.lock.hcl */*.mbvars */*.py */*.gz */cue/*.cue */cue/mbuild.lock.hcl */cue/*.gz */data
var files embed.FS

// Names lists the examples, sorted.
func Names() []string {
	entries, _ := files.ReadDir(".")
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}

// Files returns the files of an example by path: the spec in HCL, or that of its folder cue, and the data. In the repository,
// the folder cue has links to directories of data, which are embedded once.
func Files(name string, cue bool) (map[string][]byte, error) {
	out := map[string][]byte{}
	err := fs.WalkDir(files, name, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel := strings.TrimPrefix(p, name+"/")
		if strings.HasPrefix(rel, "dist/") || strings.HasPrefix(rel, "full/") {
			return nil // what its commands write
		}
		in, inCue := strings.CutPrefix(rel, "cue/")
		switch {
		case cue && inCue:
			rel = in
		case inCue || cue && path.Dir(rel) == ".":
			return nil
		}
		out[rel], err = files.ReadFile(p)
		return err
	})
	return out, err
}
