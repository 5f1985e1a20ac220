package lang

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// glob lists the files, and no directories, whose path matches a pattern, sorted: * and ? stand for characters of one name, as in
// path.Match, and ** as a whole name for any number of directories, none too, but those whose name begins with a dot.
func glob(fsys fs.FS, pattern string) ([]string, error) {
	steps := strings.Split(pattern, "/")
	for _, s := range steps {
		if _, err := path.Match(s, ""); err != nil {
			return nil, err
		}
	}
	fixed := 0
	for fixed < len(steps)-1 && !strings.ContainsAny(steps[fixed], `*?[\`) {
		fixed++
	}
	g := globber{fsys: fsys, found: map[string]bool{}}
	g.walk(path.Join(append([]string{"."}, steps[:fixed]...)...), steps[fixed:])
	names := make([]string, 0, len(g.found))
	for name := range g.found {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

type globber struct {
	fsys  fs.FS
	found map[string]bool
}

// walk finds what steps match below a directory; nothing does in one that cannot be listed.
func (g *globber) walk(dir string, steps []string) {
	any := steps[0] == "**"
	if any && len(steps) > 1 {
		g.walk(dir, steps[1:])
	}
	entries, _ := fs.ReadDir(g.fsys, dir)
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		match, _ := path.Match(steps[0], e.Name()) // which is well formed
		switch directory := g.directory(name, e); {
		case any && e.IsDir() && !strings.HasPrefix(e.Name(), "."): // links are not gone through, for they may lead back
			g.walk(name, steps)
		case directory && match && !any && len(steps) > 1:
			g.walk(name, steps[1:])
		case !directory && match && len(steps) == 1:
			g.found[name] = true
		}
	}
}

// directory reports that there is a directory, perhaps behind a link.
func (g *globber) directory(name string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := fs.Stat(g.fsys, name)
	return err == nil && info.IsDir()
}
