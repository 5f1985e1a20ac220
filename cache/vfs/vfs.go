// Package vfs is the one door through which the store and the memory of a project reach the file system. It is as narrow as
// what they do, so that tests can stand in it: count operations, stop the world after the k-th, lose what was not synced, or
// answer with the errors of a full or failing disk (package vfs/faulty).
//
// Operations have the contracts of package os: the same errors, the same atomicity (Rename replaces in one step).
package vfs

import (
	"io"
	"io/fs"
	"os"
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
	Stat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
}

// File is an open file.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.Closer
	Name() string
	Stat() (fs.FileInfo, error)
	Chmod(fs.FileMode) error
	Sync() error
	Fd() uintptr // for locks
}

// OS is the file system of the operating system.
var OS FS = system{}

type system struct{}

func (system) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (system) CreateTemp(dir, pattern string) (File, error) {
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (system) Rename(from, to string) error                 { return os.Rename(from, to) }
func (system) Remove(name string) error                     { return os.Remove(name) }
func (system) MkdirAll(name string, perm fs.FileMode) error { return os.MkdirAll(name, perm) }
func (system) Chmod(name string, mode fs.FileMode) error    { return os.Chmod(name, mode) }
func (system) Link(from, to string) error                   { return os.Link(from, to) }
func (system) Stat(name string) (fs.FileInfo, error)        { return os.Stat(name) }
func (system) ReadDir(name string) ([]fs.DirEntry, error)   { return os.ReadDir(name) }

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
	b := make([]byte, info.Size())
	n, err := io.ReadFull(f, b)
	if err == io.ErrUnexpectedEOF || err == io.EOF { // it shrank meanwhile
		err = nil
	}
	return b[:n], err
}

// WriteFile puts a file at a path in one step: another reader sees the old one, or all of the new one. The new one is first
// written into tmp, a directory on the same file system. A failure leaves the old one as it is.
func WriteFile(fsys FS, tmp, name string, b []byte, perm fs.FileMode) error {
	f, err := fsys.CreateTemp(tmp, "write-")
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Chmod(perm)
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
