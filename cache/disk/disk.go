package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
)

// Format is the version of the layout that this package reads and writes.
const Format = 2

var formatText = fmt.Appendf(nil, "mbuild store %d\n", Format)

// smallLimit is the size from which a blob is a file of its own.
const smallLimit = 64 << 10

// Store is a store on disk. It is safe for concurrent use by goroutines and processes.
type Store struct {
	dir      string
	fs       vfs.FS
	locks    vfs.File // nil when read-only
	readOnly bool     // does not change once the store is open
	opened   bool

	mu     sync.RWMutex
	log    *view
	id     logID
	end    int64        // how far the log has been read
	index  *index       // of the log's beginning; nil when there is none
	tail   table        // of what the index does not cover
	began  int64        // what lies behind it in the log was appended since this process opened it
	out    batch        // what is being appended; kept for its room
	looked atomic.Int64 // until when nobody needs to look for what others have appended, since epoch

	reloads int
	added   int64 // bytes that this process has added to the store

	held     sync.Mutex
	holders  map[int64]chan struct{} // key locks that this process has
	planning int                     // calls of Planning that are not done
	scratch  scratch

	work       string // for whom this process works, in words
	introduced sync.Once

	now func() time.Time
}

// Open opens the store in a directory and makes it when there is none. Where the directory may not be written, the store is
// read-only: Put and Record give cache.ErrReadOnly. A store of a later format gives cache.ErrFormat.
func Open(dir string) (*Store, error) { return openAs(vfs.OS, dir, false) }

// OpenOn is Open on another file system.
func OpenOn(fsys vfs.FS, dir string) (*Store, error) { return openAs(fsys, dir, false) }

func openAs(fsys vfs.FS, dir string, readOnly bool) (*Store, error) {
	s := &Store{dir: dir, fs: fsys, readOnly: readOnly, holders: map[int64]chan struct{}{}, now: time.Now}
	if err := s.checkFormat(); err != nil {
		return nil, err
	}
	var err error
	if !s.readOnly {
		s.locks, err = s.fs.OpenFile(s.path("locks"), os.O_RDWR|os.O_CREATE, 0o644)
		if isReadOnly(err) {
			s.readOnly, err = true, nil
		}
	}
	if err == nil {
		err = s.reload()
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("opening the store %s: %w", dir, wrap(err))
	}
	s.opened = true
	return s, nil
}

// checkFormat reads the format file, or makes the directories and the file.
func (s *Store) checkFormat() error {
	text, err := vfs.ReadFile(s.fs, s.path("format"))
	if err == nil && len(text) > 0 {
		num, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "mbuild store ")
		n, err := strconv.Atoi(num)
		if !ok || err != nil {
			return fmt.Errorf("%s is no store of mbuild: its file \"format\" says %.40q: %w", s.dir, text, cache.ErrFormat)
		}
		if n < Format && !s.readOnly {
			return s.writeFormat() // what format 1 has is read as it is; those who know only that shall not read what comes now
		}
		if n > Format {
			return fmt.Errorf("the store %s has format %d, and this mbuild knows formats up to %d: use a newer mbuild, or another store with MBUILD_CACHE: %w", s.dir, n, Format, cache.ErrFormat)
		}
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("opening the store %s: %w", s.dir, err)
	}
	if s.readOnly {
		return fmt.Errorf("opening the store %s: it is empty and may not be written: %w", s.dir, cache.ErrReadOnly)
	}
	for _, d := range []string{"blobs", "tmp", "leases"} {
		if err := s.fs.MkdirAll(s.path(d), 0o755); err != nil {
			return fmt.Errorf("making the store %s: %w", s.dir, wrap(err))
		}
	}
	return s.writeFormat()
}

func (s *Store) writeFormat() error {
	err := s.writeDurable("format", formatText)
	if err != nil && !isReadOnly(err) {
		return fmt.Errorf("making the store %s: %w", s.dir, wrap(err))
	}
	return nil // in a directory that may not be written, what follows finds out whether there is anything to read
}

// Close lets go of the files. The store must not be used afterwards. When much was added since the index was written, it writes
// a new one, so that the next process need not read it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log != nil && s.readOn() == nil && s.indexDue() {
		s.writeIndex()
	}
	s.addSize()
	return s.close()
}

func (s *Store) close() error {
	s.closeScratch()
	if s.locks != nil {
		s.locks.Close()
		s.locks = nil
	}
	return s.closeLog()
}

// Dir is the directory of the store.
func (s *Store) Dir() string { return s.dir }

// ReadOnly reports that the store may not be written.
func (s *Store) ReadOnly() bool { return s.readOnly }

func (s *Store) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *Store) blobPath(d cache.Digest) string {
	h := d.Hex()
	return s.path("blobs", h[:2], h)
}

// wrap adds the sentinel that callers look for to an error of the operating system.
func wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, cache.ErrReadOnly):
		return err
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w (%w)", cache.ErrNoSpace, err)
	case isReadOnly(err):
		return fmt.Errorf("%w (%w)", cache.ErrReadOnly, err)
	}
	return err
}

func isReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}
