package stdlib

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed */*/example.*
var exampleFiles embed.FS

// Example is the example of a kind, in "hcl" or "cue".
func Example(family, typ, syntax string) ([]byte, error) {
	return exampleFiles.ReadFile(path.Join(family, typ, "example.mbuild."+syntax))
}

// ExampleFiles are the files that the examples of a kind read, by name.
func ExampleFiles(family, typ string) (map[string][]byte, error) {
	dir := path.Join(family, typ)
	out := map[string][]byte{}
	err := fs.WalkDir(exampleFiles, dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), "example.mbuild.") {
			return err
		}
		out[strings.TrimPrefix(p, dir+"/")], err = exampleFiles.ReadFile(p)
		return err
	})
	return out, err
}
