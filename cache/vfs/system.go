package vfs

import (
	"io/fs"
	"os"
	"sync"
)

// OS is the file system of the operating system.
var OS FS = system{}

type system struct{}

// file adds to an open file what package os does not have: maps and locks.
type file struct{ *os.File }

func wrapFile(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

func (system) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return wrapFile(os.OpenFile(name, flag, perm))
}

func (system) CreateTemp(dir, pattern string) (File, error) {
	return wrapFile(os.CreateTemp(dir, pattern))
}

func (system) Rename(from, to string) error                 { return os.Rename(from, to) }
func (system) Remove(name string) error                     { return os.Remove(name) }
func (system) MkdirAll(name string, perm fs.FileMode) error { return os.MkdirAll(name, perm) }
func (system) Chmod(name string, mode fs.FileMode) error    { return os.Chmod(name, mode) }
func (system) Link(from, to string) error                   { return os.Link(from, to) }
func (system) ReadDir(name string) ([]fs.DirEntry, error)   { return os.ReadDir(name) }

func (system) Boot() uint64 { return boot() }

// boot is read once: it cannot change while the process lives.
var boot = sync.OnceValue(func() uint64 {
	if id := bootID(); id != 0 {
		return id
	}
	return 1
})
