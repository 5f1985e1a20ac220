package planner

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang"
)

// FileStat is what the stat cache remembers of a source file: while size, mtime and inode stay, so does the digest.
type FileStat struct {
	Size    int64  `json:"size"`
	ModTime int64  `json:"mtime"` // nanoseconds since 1970
	Inode   uint64 `json:"inode"`
	Digest  string `json:"digest"`
	Seen    int64  `json:"seen"` // when the digest was taken, nanoseconds since 1970
}

// racy is how much older than its digest a file's mtime must be for the stat cache to trust it: a file written again
// within one tick of the file system's clock keeps its mtime (the "racy git" problem).
const racy = 50 * time.Millisecond

// Ripe reports that the file's time tells whether it changed after its digest was taken.
func (f FileStat) Ripe() bool { return f.ModTime+int64(racy) < f.Seen }

// AllUnchanged holds n files against what is known of them, in parallel; false when one differs. at gives the k-th file.
func AllUnchanged(n int, at func(k int) (path string, known FileStat, ok bool)) bool {
	var changed atomic.Bool
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), n)
	for w := range workers {
		wg.Go(func() {
			for k := w; k < n && !changed.Load(); k += workers {
				path, known, ok := at(k)
				if !ok {
					changed.Store(true)
					return
				}
				info, err := os.Stat(path)
				if err != nil || info.Size() != known.Size || info.ModTime().UnixNano() != known.ModTime || inode(info) != known.Inode {
					changed.Store(true)
				}
			}
		})
	}
	wg.Wait()
	return !changed.Load()
}

// Snapshot is the content of the source tree as a plan saw it.
type Snapshot struct {
	Dir   string
	Files map[string]cache.Digest // by path relative to Dir
	Stats map[string]FileStat     // the stat cache to keep for the next run
}

// TakeSnapshot digests the files in parallel, reading only those that the stat cache does not vouch for. A file that is
// missing, a directory or unreadable is a diagnostic at the attribute that named it.
func TakeSnapshot(ctx context.Context, dir string, files []SourceFile, known map[string]FileStat) (*Snapshot, hcl.Diagnostics) {
	s := &Snapshot{Dir: dir, Files: make(map[string]cache.Digest, len(files)), Stats: make(map[string]FileStat, len(files))}
	stats := make([]FileStat, len(files))
	digests := make([]cache.Digest, len(files))
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(files))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(files); i += workers {
				stats[i], digests[i], errs[i] = statFile(ctx, dir, files[i].Path, known[files[i].Path])
			}
		})
	}
	wg.Wait()
	var diags hcl.Diagnostics
	for i, f := range files {
		if errs[i] != nil {
			diags = append(diags, sourceError(f, errs[i]))
			continue
		}
		s.Files[f.Path], s.Stats[f.Path] = digests[i], stats[i]
	}
	return s, diags
}

// Unchanged reports whether the file still is what the snapshot saw. It trusts size, mtime and inode.
func (s *Snapshot) Unchanged(path string) bool {
	info, err := os.Stat(filepath.Join(s.Dir, filepath.FromSlash(path)))
	if err != nil {
		return false
	}
	st := s.Stats[path]
	return info.Size() == st.Size && info.ModTime().UnixNano() == st.ModTime && inode(info) == st.Inode
}

var errIsDirectory = errors.New("is a directory, not a file")

func statFile(ctx context.Context, dir, path string, known FileStat) (FileStat, cache.Digest, error) {
	full := filepath.Join(dir, filepath.FromSlash(path))
	info, err := os.Stat(full)
	if err != nil {
		return FileStat{}, cache.Digest{}, err
	}
	if info.IsDir() {
		return FileStat{}, cache.Digest{}, errIsDirectory
	}
	st := FileStat{Size: info.Size(), ModTime: info.ModTime().UnixNano(), Inode: inode(info), Seen: time.Now().UnixNano()}
	if known.Digest != "" && known.Size == st.Size && known.ModTime == st.ModTime && known.Inode == st.Inode && known.Ripe() {
		if d, err := cache.ParseDigest(known.Digest, st.Size); err == nil {
			return known, d, nil
		}
	}
	d, err := digestFile(ctx, full)
	if err != nil {
		return FileStat{}, cache.Digest{}, err
	}
	st.Digest, st.Size = d.String(), d.Size()
	return st, d, nil
}

func digestFile(ctx context.Context, path string) (cache.Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return cache.Digest{}, err
	}
	defer f.Close()
	h := cache.NewHasher()
	buf := make([]byte, 1<<18)
	for {
		if err := ctx.Err(); err != nil {
			return cache.Digest{}, err
		}
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			return h.Digest(), nil
		}
		if err != nil {
			return cache.Digest{}, err
		}
	}
}

func sourceError(f SourceFile, err error) *hcl.Diagnostic {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return lang.Errorf("missing-file", f.Block.Addr, f.Block.RangeOf(f.At, false), "File not found",
			"There is no file %q. Paths are relative to the directory of the spec.", f.Path)
	case errors.Is(err, fs.ErrPermission):
		return lang.Errorf("unreadable-file", f.Block.Addr, f.Block.RangeOf(f.At, false), "File not readable",
			"The file %q may not be read: permission denied.", f.Path)
	default:
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return lang.Errorf("unreadable-file", f.Block.Addr, f.Block.RangeOf(f.At, false), "File not readable", "The file %q cannot be read: %v.", f.Path, err)
	}
}
