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
)

// Format is the version of the layout that this package reads and writes.
const Format = 1

// smallLimit is the size from which a blob is a file of its own.
const smallLimit = 64 << 10

// Store is a store on disk. It is safe for concurrent use by goroutines and processes.
type Store struct {
	dir      string
	log      *os.File
	locks    *os.File // nil when read-only
	readOnly bool

	mu      sync.Mutex
	end     int64 // how far the log has been read
	blobs   map[[32]byte]place
	results map[cache.ActionKey]place
	held    map[int64]chan struct{} // lock bytes this process holds
}

// place is where something is: in the log, or (file) in blobs/ with the identity it had when it was hashed.
type place struct {
	offset int64 // of the payload
	length int32
	size   int64
	file   bool
	mtime  int64
	inode  uint64
}

// Open opens the store in a directory and makes it when there is none. Where the directory may not be written, the store is
// read-only: Put and Record give cache.ErrReadOnly. A store of a later format gives cache.ErrFormat.
func Open(dir string) (*Store, error) { return openAs(dir, false) }

func openAs(dir string, readOnly bool) (*Store, error) {
	s := &Store{dir: dir, readOnly: readOnly, blobs: map[[32]byte]place{}, results: map[cache.ActionKey]place{}, held: map[int64]chan struct{}{}}
	if err := s.checkFormat(); err != nil {
		return nil, err
	}
	var err error
	if !s.readOnly {
		s.log, err = os.OpenFile(s.path("log"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
		if err == nil {
			s.locks, err = os.OpenFile(s.path("locks"), os.O_RDWR|os.O_CREATE, 0o644)
		}
		s.readOnly = isReadOnly(err)
	}
	if s.readOnly {
		s.log, err = os.Open(s.path("log"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("opening the store %s: it is empty and may not be written: %w", dir, cache.ErrReadOnly)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", dir, wrap(err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.readOn(); err != nil {
		s.Close()
		return nil, fmt.Errorf("reading the store %s: %w", dir, err)
	}
	return s, nil
}

// checkFormat reads the format file, or makes the directories and the file.
func (s *Store) checkFormat() error {
	text, err := os.ReadFile(s.path("format"))
	if err == nil {
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
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("opening the store %s: %w", s.dir, err)
	}
	if s.readOnly {
		return fmt.Errorf("opening the store %s: it is empty and may not be written: %w", s.dir, cache.ErrReadOnly)
	}
	for _, d := range []string{"blobs", "tmp"} {
		if err := os.MkdirAll(s.path(d), 0o755); err != nil {
			return fmt.Errorf("making the store %s: %w", s.dir, wrap(err))
		}
	}
	tmp, err := os.CreateTemp(s.path("tmp"), "format-")
	if err != nil {
		return fmt.Errorf("making the store %s: %w", s.dir, wrap(err))
	}
	_, err = fmt.Fprintf(tmp, "mbuild store %d\n", Format)
	tmp.Chmod(0o644)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), s.path("format"))
	}
	return wrap(err)
}

// Close lets go of the files. The store must not be used afterwards.
func (s *Store) Close() error {
	if s.locks != nil {
		s.locks.Close()
	}
	return s.log.Close()
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
