package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Root is the private directory of one action.
type Root struct {
	dir   string
	fresh int
}

// New makes a private root under the directory, which is created when it does not exist.
func New(under string) (*Root, error) {
	if err := os.MkdirAll(under, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(under, "run-")
	if err != nil {
		return nil, err
	}
	r := &Root{dir: dir}
	for _, d := range []string{r.in(), r.out(), r.Work()} {
		if err := os.Mkdir(d, 0o755); err != nil {
			r.Remove()
			return nil, err
		}
	}
	return r, nil
}

func (r *Root) in() string  { return filepath.Join(r.dir, "in") }
func (r *Root) out() string { return filepath.Join(r.dir, "out") }

// Work is an empty directory for the action's own files.
func (r *Root) Work() string { return filepath.Join(r.dir, "work") }

// Input is the path at which the i-th input is to be laid out.
func (r *Root) Input(i int) string { return filepath.Join(r.in(), strconv.Itoa(i)) }

// Fresh is a path at which another input can be laid out.
func (r *Root) Fresh() string {
	r.fresh++
	return filepath.Join(r.in(), "x"+strconv.Itoa(r.fresh))
}

// OutputPath is the path of an output.
func (r *Root) OutputPath(name string) string { return filepath.Join(r.out(), name) }

// Output returns the path of an output; a directory is made at once.
func (r *Root) Output(name string, directory bool) (string, error) {
	path := r.OutputPath(name)
	if directory {
		return path, os.Mkdir(path, 0o755)
	}
	return path, nil
}

// Check says what is wrong with an output that a run left behind; nil if it is what was declared.
func (r *Root) Check(path string, directory bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return errors.New("was not written")
	case err != nil:
		return err
	case directory && !info.IsDir():
		return errors.New("is a file where a directory is declared")
	case !directory && info.IsDir():
		return errors.New("is a directory where a file is declared")
	case !directory && !info.Mode().IsRegular():
		return fmt.Errorf("is no regular file but %s", info.Mode().Type())
	}
	return nil
}

// Remove deletes the root and everything in it. Read-only directories inside do not keep it from that.
func (r *Root) Remove() { removeAll(r.dir) }
