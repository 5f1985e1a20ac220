package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// area is the directory a command runs in, on one side of the wall: inputs are laid out, outputs collected, the rest removed.
type area struct {
	dir   string
	seen  map[string]mark // inputs by place, slash-separated
	bound []string        // places of inputs that are mounts, in the order in which they were made

	// bind makes a file or directory of the host visible, read-only; nil copies it.
	bind func(from, to string, directory bool) error

	// beyond calls a function that mounts, or moves an output away, where that takes more than the caller may.
	beyond func(func() error) error
}

// mark tells whether an input that was copied is still what it was; the zero mark is of a mount, which cannot change.
type mark struct {
	info  fs.FileInfo
	owned bool // it is an output, too, or lies in one: the command may change it
}

// layOut puts the inputs in place.
func (a *area) layOut(files []File, outputs []string) error {
	a.seen, a.bound = make(map[string]mark, len(files)), a.bound[:0]
	for _, f := range files {
		place := path.Clean(f.Place)
		to := filepath.Join(a.dir, filepath.FromSlash(place))
		if strings.Contains(place, "/") {
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return err
			}
		}
		owned := within(place, outputs)
		if err := a.place(f, place, to, owned); err != nil {
			return fmt.Errorf("input %s: %w", f.Place, err)
		}
	}
	return nil
}

func (a *area) place(f File, place, to string, owned bool) error {
	switch {
	case f.Path == "":
		return a.write(f, place, to, owned)
	case a.bind != nil && !owned:
		if err := a.beyond(func() error { return a.bind(f.Path, to, f.Directory) }); err != nil {
			return err
		}
		a.bound = append(a.bound, to)
		a.seen[place] = mark{}
		return nil
	case f.Directory:
		return a.beyond(func() error { return a.copyTree(f.Path, place, to, owned) })
	}
	return a.beyond(func() error { return a.copyFile(f.Path, place, to, f.Executable, owned) })
}

func inputMode(executable, owned bool) os.FileMode {
	mode := os.FileMode(0o444)
	if executable {
		mode |= 0o111
	}
	if owned {
		mode |= 0o200
	}
	return mode
}

func (a *area) write(f File, place, to string, owned bool) error {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, inputMode(f.Executable, owned))
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := out.Write(f.Bytes); err != nil {
		return err
	}
	info, err := out.Stat()
	a.seen[place] = mark{info, owned}
	return err
}

func (a *area) copyFile(from, place, to string, executable, owned bool) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, inputMode(executable, owned))
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	info, err := out.Stat()
	a.seen[place] = mark{info, owned}
	return err
}

func (a *area) copyTree(from, place, to string, owned bool) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return a.copyFile(p, path.Join(place, filepath.ToSlash(rel)), filepath.Join(to, rel), info.Mode()&0o100 != 0, owned)
	})
}

// within reports that a place is one of the outputs or lies in one.
func within(place string, outputs []string) bool {
	for _, o := range outputs {
		if o = path.Clean(o); place == o || strings.HasPrefix(place, o+"/") {
			return true
		}
	}
	return false
}

// collect reads the outputs and finds what else the command did.
func (a *area) collect(outputs []string, spill string, res *Result) error {
	c := collector{area: a, spill: spill, res: res}
	for _, o := range outputs {
		if err := c.output(path.Clean(o)); err != nil {
			return err
		}
	}
	for place, m := range a.seen {
		if m.info != nil && !m.owned && a.changed(place, m) {
			res.Changed = append(res.Changed, place)
		}
	}
	return a.undeclared("", outputs, res)
}

func (a *area) changed(place string, m mark) bool {
	info, err := os.Lstat(filepath.Join(a.dir, filepath.FromSlash(place)))
	return err != nil || !os.SameFile(info, m.info) || info.Size() != m.info.Size() || !info.ModTime().Equal(m.info.ModTime()) || info.Mode() != m.info.Mode()
}

// maxUndeclared is how many files are named that should not be there.
const maxUndeclared = 20

// undeclared lists files in a directory that are neither inputs nor outputs.
func (a *area) undeclared(dir string, outputs []string, res *Result) error {
	entries, err := os.ReadDir(filepath.Join(a.dir, filepath.FromSlash(dir)))
	if err != nil {
		return err
	}
	for _, e := range entries {
		place := path.Join(dir, e.Name())
		_, known := a.seen[place]
		switch {
		case known || within(place, outputs) || len(res.Undeclared) >= maxUndeclared:
		case e.IsDir():
			if err := a.undeclared(place, outputs, res); err != nil {
				return err
			}
		default:
			res.Undeclared = append(res.Undeclared, place)
		}
	}
	return nil
}

// collector reads outputs into memory until there is too much of them.
type collector struct {
	*area
	spill string
	res   *Result
	bytes int64
}

// output takes a declared output: a file, or all files of a directory. A symbolic link is neither: what it leads to may lie
// anywhere.
func (c *collector) output(place string) error {
	for dir := path.Dir(place); dir != "."; dir = path.Dir(dir) {
		if info, err := os.Lstat(filepath.Join(c.dir, filepath.FromSlash(dir))); err == nil && !info.IsDir() {
			c.problem(place, fmt.Sprintf("lies in %q, which is no directory but %s", dir, kindOf(info)))
			return nil
		}
	}
	info, err := os.Lstat(filepath.Join(c.dir, filepath.FromSlash(place)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.problem(place, "was not written")
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return c.directory(place)
	case !info.Mode().IsRegular():
		c.problem(place, "is no file but "+kindOf(info))
		return nil
	}
	return c.file(place, info)
}

func kindOf(info fs.FileInfo) string {
	switch m := info.Mode(); {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	case m.IsDir():
		return "a directory"
	}
	return "a file"
}

func (c *collector) directory(place string) error {
	entries, err := os.ReadDir(filepath.Join(c.dir, filepath.FromSlash(place)))
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		c.problem(place, "is an empty directory")
	}
	for _, e := range entries {
		if err := c.output(path.Join(place, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (c *collector) problem(place, what string) {
	c.res.Problems = append(c.res.Problems, Problem{place, what})
}

func (c *collector) file(place string, info fs.FileInfo) error {
	from := filepath.Join(c.dir, filepath.FromSlash(place))
	if info.Mode()&0o400 == 0 {
		os.Chmod(from, info.Mode().Perm()|0o400) // it took the right to read from itself
	}
	out := Output{Place: place, Executable: info.Mode()&0o100 != 0}
	var err error
	if c.bytes+info.Size() <= smallOutputs {
		out.Bytes, err = os.ReadFile(from)
		c.bytes += info.Size()
	} else {
		out.Path = filepath.Join(c.spill, filepath.FromSlash(place))
		err = c.beyond(func() error { return moveFile(from, out.Path) })
	}
	c.res.Outputs = append(c.res.Outputs, out)
	return err
}

// moveFile moves a file, across file systems if it must.
func moveFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if os.Rename(from, to) == nil {
		return os.Chmod(to, 0o644)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}

// empty removes everything in a directory.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		p := filepath.Join(dir, e.Name())
		if e.IsDir() && empty(p) != nil {
			if err := removeAll(p); err != nil {
				return err
			}
		} else if err := os.Remove(p); err != nil {
			return err
		}
	}
	return nil
}

// removeAll removes a tree, and does not let directories that may not be written keep it from that.
func removeAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(p, 0o755) // before it is read
		}
		return nil
	})
	return os.RemoveAll(dir)
}
