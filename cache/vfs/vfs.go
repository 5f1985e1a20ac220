// Package vfs is the one door through which the store and the memory of a project reach the file system. It is as narrow as
// what they do, so that tests can stand in it: count operations, stop the world after the k-th, lose what was not synced, or
// answer with the errors of a full or failing disk (package vfs/faulty).
//
// It deliberately knows nothing of what is kept in the files.
//
// Operations have the contracts of package os: the same errors, the same atomicity (Rename replaces in one step). Locks belong
// to an open file, not to a process, and end when it is closed, at the latest when the process dies.
//
// Read next: system.go, the file system of the operating system.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FS is a file system.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	CreateTemp(dir, pattern string) (File, error)
	Rename(from, to string) error
	Remove(name string) error
	MkdirAll(name string, perm fs.FileMode) error
	Chmod(name string, mode fs.FileMode) error
	Link(from, to string) error
	Stat(name string) (Info, error)
	ReadDir(name string) ([]fs.DirEntry, error)

	// Space is how many bytes the disk has that holds a path; 0 where that cannot be said.
	Space(name string) (int64, error)

	// Boot is a number that changes when the machine starts anew, and so may have lost what was not synced. It is never 0.
	Boot() uint64
}

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer
	Name() string
	Stat() (Info, error)
	Chmod(fs.FileMode) error
	Sync() error

	// Map maps the first n bytes of the file into memory, to be read only; errors.ErrUnsupported where that cannot be done.
	// Touching bytes that the file has lost since is a fault: see debug.SetPanicOnFault.
	Map(n int64) (data []byte, unmap func(), err error)

	// Lock waits until no other open file holds the lock of this one, and takes it. Unlock gives it back.
	Lock() error
	Unlock() error

	// TryLock takes a lock on n bytes from an offset on, which need not exist, unless another open file holds one that excludes
	// it; errors.ErrUnsupported where there are no such locks. UnlockRange gives it back. These locks and that of Lock are
	// independent.
	TryLock(at, n int64, shared bool) (bool, error)
	UnlockRange(at, n int64) error

	// LockedAt says which range another open file has locked so that it covers an offset; n is 0 when none has, or that cannot be told.
	LockedAt(at int64) (from, n int64)
}

// Info is what is known of a file without reading it.
type Info struct {
	Size    int64
	ModTime int64  // nanoseconds since 1970
	Inode   uint64 // tells files of one file system apart; 0 where there are no inodes
	Links   uint64 // names the file has: 0 when it was removed, or another was renamed over it
	Mode    fs.FileMode
	Blocks  int64 // bytes that it takes on the disk
}

// Open opens a file for reading.
func Open(fsys FS, name string) (File, error) { return fsys.OpenFile(name, os.O_RDONLY, 0) }

// ReadFile reads a whole file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := Open(fsys, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, info.Size)
	n, err := io.ReadFull(f, b)
	if err == io.ErrUnexpectedEOF || err == io.EOF { // it shrank meanwhile
		err = nil
	}
	return b[:n], err
}

// WriteFile puts a file at a path in one step: another reader sees the old one, or all of the new one. The new one is first
// written into tmp, a directory on the same file system. A failure leaves the old one as it is. After a power loss the file may
// be torn.
func WriteFile(fsys FS, tmp, name string, b []byte, perm fs.FileMode) error {
	return writeFile(fsys, tmp, name, perm, false, b)
}

// WriteParts is WriteFile of something that lies in several pieces.
func WriteParts(fsys FS, tmp, name string, perm fs.FileMode, parts ...[]byte) error {
	return writeFile(fsys, tmp, name, perm, false, parts...)
}

// WriteDurable is WriteFile for what cannot be made again: after a power loss there is the old file or all of the new one.
func WriteDurable(fsys FS, tmp, name string, b []byte, perm fs.FileMode) error {
	return writeFile(fsys, tmp, name, perm, true, b)
}

func writeFile(fsys FS, tmp, name string, perm fs.FileMode, durable bool, parts ...[]byte) error {
	f, err := fsys.CreateTemp(tmp, "write-")
	if err != nil {
		return err
	}
	for _, b := range parts {
		if err == nil && len(b) > 0 {
			_, err = f.Write(b)
		}
	}
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil && durable {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = fsys.Rename(f.Name(), name)
	}
	if err != nil {
		fsys.Remove(f.Name())
	}
	return err
}

// RemoveAll removes a file, or a directory with all that is in it, as far as that can be done.
func RemoveAll(fsys FS, name string) error {
	err := fsys.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	entries, rerr := fsys.ReadDir(name)
	if rerr != nil {
		return err
	}
	fsys.Chmod(name, 0o700) // a step may have left a directory that may not be written
	for _, e := range entries {
		RemoveAll(fsys, filepath.Join(name, e.Name()))
	}
	return fsys.Remove(name)
}
