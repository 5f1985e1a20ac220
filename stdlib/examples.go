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
	entries, err := fs.ReadDir(exampleFiles, dir)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "example.mbuild.") {
			continue
		}
		if out[e.Name()], err = exampleFiles.ReadFile(path.Join(dir, e.Name())); err != nil {
			return nil, err
		}
	}
	return out, nil
}
