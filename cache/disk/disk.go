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
	"syscall"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
)

// Format is the version of the layout that this package reads and writes.
const Format = 1

// smallLimit is the size from which a blob is a file of its own.
const smallLimit = 64 << 10

// Store is a store on disk. It is safe for concurrent use by goroutines and processes.
type Store struct {
	dir      string
	fs       vfs.FS
	locks    vfs.File // nil when read-only
	readOnly bool

	mu      sync.Mutex
	log     vfs.File
	id      logID
	end     int64                     // how far the log has been read
	index   *index                    // of the log's beginning; nil when there is none
	blobs   map[[32]byte]place        // what the log says after what the index covers
	results map[cache.ActionKey]place // likewise
	held    map[int64]chan struct{}   // lock bytes this process holds
}

// place is where something is: in the log, or (file) in blobs/ with the identity it had when it was hashed.
type place struct {
	offset int64 // of the payload
	length int32
	file   bool
	lost   bool // a tombstone over what the index has
	size   int64
	mtime  int64
	inode  uint64
	boot   uint64
}

// Open opens the store in a directory and makes it when there is none. Where the directory may not be written, the store is
// read-only: Put and Record give cache.ErrReadOnly. A store of a later format gives cache.ErrFormat.
func Open(dir string) (*Store, error) { return openAs(vfs.OS, dir, false) }

// OpenOn is Open on another file system.
func OpenOn(fsys vfs.FS, dir string) (*Store, error) { return openAs(fsys, dir, false) }

func openAs(fsys vfs.FS, dir string, readOnly bool) (*Store, error) {
	s := &Store{dir: dir, fs: fsys, readOnly: readOnly, held: map[int64]chan struct{}{}}
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
		s.mu.Lock()
		defer s.mu.Unlock()
		err = s.reload()
	}
	if err != nil {
		s.close()
		if errors.Is(err, cache.ErrReadOnly) {
			return nil, err
		}
		return nil, fmt.Errorf("opening the store %s: %w", dir, wrap(err))
	}
	return s, nil
}

// reload opens the log, takes its index when there is one, and reads what the index does not cover. The caller holds mu.
func (s *Store) reload() error {
	s.blobs, s.results, s.end, s.id = map[[32]byte]place{}, map[cache.ActionKey]place{}, 0, logID{}
	if s.log != nil {
		s.log.Close()
	}
	if s.index != nil {
		s.index.close()
	}
	s.log, s.index = nil, nil
	var err error
	if !s.readOnly {
		s.log, err = s.fs.OpenFile(s.path("log"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
		s.readOnly = isReadOnly(err)
	}
	if s.readOnly {
		s.log, err = vfs.Open(s.fs, s.path("log"))
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("opening the store %s: it is empty and may not be written: %w", s.dir, cache.ErrReadOnly)
		}
	}
	if err != nil {
		s.log = nil
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	if s.index = s.openIndex(); s.index != nil {
		s.end = s.index.covered
	}
	if err := s.readOn(); err != nil {
		return err
	}
	if s.end-s.covered() > 4*indexEvery {
		s.writeIndex() // a process that was killed left much to read: the next one shall not read it again
	}
	return nil
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
	for _, d := range []string{"blobs", "tmp"} {
		if err := s.fs.MkdirAll(s.path(d), 0o755); err != nil {
			return fmt.Errorf("making the store %s: %w", s.dir, wrap(err))
		}
	}
	if err := vfs.WriteFile(s.fs, s.path("tmp"), s.path("format"), fmt.Appendf(nil, "mbuild store %d\n", Format), 0o644); err != nil {
		return fmt.Errorf("making the store %s: %w", s.dir, wrap(err))
	}
	return nil
}

// Close lets go of the files. The store must not be used afterwards. When much was added since the index was written, it writes
// a new one, so that the next process need not read it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log != nil && s.end-s.covered() > indexEvery {
		s.writeIndex()
	}
	return s.close()
}

func (s *Store) close() error {
	if s.locks != nil {
		s.locks.Close()
		s.locks = nil
	}
	if s.index != nil {
		s.index.close()
		s.index = nil
	}
	if s.log == nil {
		return nil
	}
	err := s.log.Close()
	s.log = nil
	return err
}

// Dir is the directory of the store.
func (s *Store) Dir() string { return s.dir }

// Scratch is a directory on the store's file system for private roots: what is made there can be taken over without copying.
func (s *Store) Scratch() string { return s.path("tmp") }

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
