package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
)

// Witness says when a store was seen to hold all bytes of some outputs, so that Holds can tell without reading the log again
// that nothing has been lost since: the log only grows, and losses are counted.
type Witness struct {
	Dir     string        `json:"dir"`
	Boot    uint64        `json:"boot"` // of the machine: after a power loss one looks again
	Inode   uint64        `json:"inode"`
	ModTime int64         `json:"mtime"`
	End     int64         `json:"end"`  // of the log
	Tail    []byte        `json:"tail"` // the log's last bytes before End: another log at its place has others
	Losses  int64         `json:"losses"`
	Files   []WitnessFile `json:"files"`
}

// WitnessFile is a blob that is a file of its own.
type WitnessFile struct {
	Name    string `json:"name"` // below the store's directory
	Size    int64  `json:"size"`
	ModTime int64  `json:"mtime"`
	Inode   uint64 `json:"inode"`
}

const tailSize = 256

// Witness looks at every byte's place of some outputs, and vouches for them and for what before vouched for, which may be nil and
// must hold; an error when not all are there.
func (s *Store) Witness(ctx context.Context, before *Witness, outputs []cache.Output) (*Witness, error) {
	w := &Witness{Dir: s.dir, Boot: s.fs.Boot()}
	if err := s.countLosses(w); err != nil {
		return nil, err
	}
	if before != nil {
		if before.Losses != w.Losses {
			return nil, errors.New("something has been lost")
		}
		w.Files = before.Files
	}
	files := make(map[string]bool, len(w.Files))
	for _, f := range w.Files {
		files[f.Name] = true
	}
	var buf [peekSize]byte
	seen := make(map[cache.Digest]bool, len(outputs))
	add := func(_ string, d cache.Digest) error {
		if seen[d] {
			return nil
		}
		seen[d] = true
		f, ok := s.find(d, recordBlob, false, buf[:])
		if !ok || f.kind() == recordFile && !s.sound(ctx, d, f) {
			return cache.ErrNotFound
		}
		if name := strings.TrimPrefix(s.blobPath(d), s.dir+string(filepath.Separator)); f.kind() == recordFile && !files[name] {
			info, err := s.fs.Stat(s.blobPath(d))
			if err != nil {
				return err
			}
			w.Files = append(w.Files, WitnessFile{Name: name, Size: info.Size, ModTime: info.ModTime, Inode: info.Inode})
		}
		return nil
	}
	for _, out := range outputs {
		err := add("", out.Digest)
		if err == nil && out.Directory {
			err = cache.WalkTree(ctx, s, out.Digest, add)
		}
		if err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := s.log.Stat()
	if err != nil {
		return nil, err
	}
	w.Inode, w.ModTime, w.End = info.Inode, info.ModTime, s.end
	if info.Size != s.end || before != nil && info.Inode != before.Inode {
		return nil, errors.New("the log is not as it was, or is growing")
	}
	w.Tail, err = readTail(s.log, w.End)
	return w, err
}

// countLosses notes how much was lost until now, with all of it read: under the log's lock, for so it is written.
func (s *Store) countLosses(w *Witness) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.lockLog(); err != nil {
		return err
	}
	defer s.log.Unlock()
	w.Losses = losses(s.fs, s.dir)
	return s.readOn()
}

// The file "losses" has a byte for each time that something was marked lost.
func losses(fsys vfs.FS, dir string) int64 {
	info, err := fsys.Stat(filepath.Join(dir, "losses"))
	if err != nil {
		return 0
	}
	return info.Size
}

// countLoss says that what follows in the log marks something lost. The caller holds mu, and the lock of the log.
func (s *Store) countLoss() error {
	f, err := s.fs.OpenFile(s.path("losses"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte{'.'})
	return errors.Join(err, f.Close())
}

func readTail(log io.ReaderAt, end int64) ([]byte, error) {
	b := make([]byte, min(end, tailSize))
	if _, err := log.ReadAt(b, end-int64(len(b))); err != nil {
		return nil, err
	}
	return b, nil
}

// Holds reports that a store still has what a witness saw. It is careful: false means only that one has to look.
func Holds(fsys vfs.FS, w *Witness) bool {
	format, err := vfs.ReadFile(fsys, filepath.Join(w.Dir, "format"))
	if err != nil || !bytes.Equal(format, formatText) {
		return false
	}
	log, err := vfs.Open(fsys, filepath.Join(w.Dir, "log"))
	if err != nil {
		return false
	}
	defer log.Close()
	info, err := log.Stat()
	if err != nil || fsys.Boot() != w.Boot || info.Inode != w.Inode || info.Size < w.End || info.Size == w.End && info.ModTime != w.ModTime {
		return false
	}
	tail, err := readTail(log, w.End)
	if err != nil || string(tail) != string(w.Tail) || losses(fsys, w.Dir) != w.Losses {
		return false
	}
	for _, f := range w.Files {
		info, err := fsys.Stat(filepath.Join(w.Dir, f.Name))
		if err != nil || info.Size != f.Size || info.ModTime != f.ModTime || info.Inode != f.Inode {
			return false
		}
	}
	return true
}
