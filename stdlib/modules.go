package stdlib

import (
	"embed"
	"io/fs"
	"slices"
)

//go:embed modules
var moduleFiles embed.FS

// Modules is the library of modules that come with mbuild: stdlib/modules/mlp is "std/mlp". They are specs like any other, in
// either syntax.
var Modules library

type library struct{}

// Modules lists the names, sorted.
func (library) Modules() []string {
	entries, _ := moduleFiles.ReadDir("modules")
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// Open returns the files of a module.
func (library) Open(name string) (fs.FS, error) { return fs.Sub(moduleFiles, "modules/"+name) }
