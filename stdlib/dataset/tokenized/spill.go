package tokenized

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/token"
)

// spill is the tokens of a sequence of a split on their way into the dataset: each part a file, for there may be more tokens than
// memory. Where rows end stays in memory, in a dataset.Tokens.
type spill struct {
	parts map[string]*part
	err   error // the first, of any write
}

// part is a file of numbers, one a token.
type part struct {
	file *os.File
	w    *bufio.Writer
}

// newSpill begins the parts of a sequence in a directory, under names that begin with the prefix.
func newSpill(dir, prefix string, parts []string) (*spill, error) {
	s := &spill{parts: map[string]*part{}}
	for _, name := range parts {
		f, err := os.Create(filepath.Join(dir, prefix+name))
		if err != nil {
			s.close()
			return nil, err
		}
		s.parts[name] = &part{f, bufio.NewWriterSize(f, 64<<10)}
	}
	return s, nil
}

// add writes the tokens of a row.
func (s *spill) add(e *token.Encoding) {
	for name, p := range s.parts {
		v := e.IDs
		switch name {
		case dataset.PartTypes:
			v = make([]int32, len(e.Types))
			for i, t := range e.Types {
				v[i] = min(t, 1)
			}
		case dataset.PartWords:
			v = e.Words
		}
		if _, err := p.w.Write(safetensors.Bytes(v)); err != nil && s.err == nil {
			s.err = err
		}
	}
}

// stream writes a part into the dataset.
func (s *spill) stream(name string, w io.Writer) error {
	p := s.parts[name]
	if p == nil {
		return fmt.Errorf("no part %q was kept", name)
	}
	if s.err != nil {
		return s.err
	}
	if err := p.w.Flush(); err != nil {
		return err
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, p.file)
	return err
}

func (s *spill) close() {
	for _, p := range s.parts {
		p.file.Close()
		os.Remove(p.file.Name())
	}
}
