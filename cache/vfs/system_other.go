//go:build !unix

package vfs

import (
	"errors"
	"io/fs"
	"os"
)

func (system) Stat(name string) (Info, error) { return infoOf(os.Stat(name)) }

func (f file) Stat() (Info, error) { return infoOf(f.File.Stat()) }

func infoOf(info fs.FileInfo, err error) (Info, error) {
	if err != nil {
		return Info{}, err
	}
	return Info{Size: info.Size(), ModTime: info.ModTime().UnixNano(), Links: 1, Mode: info.Mode(), Blocks: info.Size()}, nil
}

func (file) Map(int64) ([]byte, func(), error) { return nil, nil, errors.ErrUnsupported }

// Locks are not available here: one process at a time may use a store.

func (file) Lock() error                              { return nil }
func (file) Unlock() error                            { return nil }
func (file) TryLock(int64, int64, bool) (bool, error) { return false, errors.ErrUnsupported }
func (file) UnlockRange(int64, int64) error           { return errors.ErrUnsupported }
func (file) LockedAt(int64) (from, n int64)           { return 0, 0 }

func (system) Space(string) (int64, error) { return 0, nil }

func bootID() uint64 { return 0 }
