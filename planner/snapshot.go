package planner

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang"
)

// FileStat is what the stat cache remembers of a source file: while size, mtime and inode stay, so does the digest.
type FileStat struct {
	ModTime int64 // nanoseconds since 1970
	Inode   uint64
	Digest  cache.Digest // with the size
	Seen    int64        // when the digest was taken, nanoseconds since 1970
}

// is reports that a file still has the size, time and inode that were seen.
func (f FileStat) is(info fs.FileInfo) bool {
	return info.Size() == f.Digest.Size() && info.ModTime().UnixNano() == f.ModTime && inode(info) == f.Inode
}

// racy is how much older than its digest a file's mtime must be for the stat cache to trust it: a file written again
// within one tick of the file system's clock keeps its mtime (the "racy git" problem).
const racy = 50 * time.Millisecond

// Ripe reports that the file's time tells whether it changed after its digest was taken.
func (f FileStat) Ripe() bool { return f.ModTime+int64(racy) < f.Seen }

// Changed holds n files below dir against what is known of them, in parallel, and returns the numbers of those that are not, or
// may not be, as they were. at gives the k-th file.
func Changed(dir string, n int, at func(k int) (path string, known FileStat)) []int {
	workers := max(1, min(runtime.GOMAXPROCS(0), n/64))
	found := make([][]int, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for k := n * w / workers; k < n*(w+1)/workers; k++ {
				path, known := at(k)
				if info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(path))); err != nil || !known.is(info) || !known.Ripe() {
					found[w] = append(found[w], k)
				}
			}
		})
	}
	wg.Wait()
	return slices.Concat(found...)
}

// Snapshot is the content of the source tree as a plan saw it.
type Snapshot struct {
	Dir   string
	Files map[string]cache.Digest // by path relative to Dir
	Stats map[string]FileStat     // the stat cache to keep for the next run
}

// TakeSnapshot digests the files in parallel, reading only those that the stat cache, known, does not vouch for; it may be nil. A file that is
// missing, a directory or unreadable is a diagnostic at the attribute that named it.
func TakeSnapshot(ctx context.Context, dir string, files []SourceFile, known func(path string) (FileStat, bool)) (*Snapshot, hcl.Diagnostics) {
	s := &Snapshot{Dir: dir, Files: make(map[string]cache.Digest, len(files)), Stats: make(map[string]FileStat, len(files))}
	stats := make([]FileStat, len(files))
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(files))
	for w := range workers {
		wg.Go(func() {
			for i := w; i < len(files); i += workers {
				var was FileStat
				if known != nil {
					was, _ = known(files[i].Path)
				}
				stats[i], errs[i] = statFile(ctx, dir, files[i].Path, was)
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
		s.Files[f.Path], s.Stats[f.Path] = stats[i].Digest, stats[i]
	}
	return s, diags
}

// Unchanged reports whether the file still is what the snapshot saw. It trusts size, mtime and inode.
func (s *Snapshot) Unchanged(path string) bool {
	info, err := os.Stat(filepath.Join(s.Dir, filepath.FromSlash(path)))
	return err == nil && s.Stats[path].is(info)
}

var errIsDirectory = errors.New("is a directory, not a file")

func statFile(ctx context.Context, dir, path string, known FileStat) (FileStat, error) {
	full := filepath.Join(dir, filepath.FromSlash(path))
	info, err := os.Stat(full)
	if err != nil {
		return FileStat{}, err
	}
	if info.IsDir() {
		return FileStat{}, errIsDirectory
	}
	if !known.Digest.IsZero() && known.is(info) && known.Ripe() {
		return known, nil
	}
	st := FileStat{ModTime: info.ModTime().UnixNano(), Inode: inode(info), Seen: time.Now().UnixNano()}
	st.Digest, err = digestFile(ctx, full, info.Size())
	return st, err
}

func digestFile(ctx context.Context, path string, size int64) (cache.Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return cache.Digest{}, err
	}
	defer f.Close()
	h := cache.NewHasher()
	buf := make([]byte, min(size+1, 1<<18)) // one more, to see the end at once
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

// SourceBytes is the size of the source files that an action depends on, through other actions or not.
func (s *Snapshot) SourceBytes(a *Action) int64 {
	var total int64
	seen, files := map[*Action]bool{}, map[string]bool{}
	var visit func(*Action)
	visit = func(a *Action) {
		if seen[a] {
			return
		}
		seen[a] = true
		for i := range a.Inputs {
			switch in := &a.Inputs[i]; {
			case in.Action != nil:
				visit(in.Action)
			case !files[in.File]:
				files[in.File] = true
				total += s.Files[in.File].Size()
			}
		}
	}
	visit(a)
	return total
}
