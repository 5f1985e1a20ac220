// Package examples holds the examples of the repository for `mbuild init`.
package examples

import (
	"embed"
	"io/fs"
	"slices"
)

//go:embed digits linear-regression
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

// Open returns the files of an example: in HCL, or of its folder cue.
func Open(name string, cue bool) (fs.FS, error) {
	if cue {
		name += "/cue"
	}
	return fs.Sub(files, name)
}
