//go:build unix && !linux

package vfs

import (
	"errors"

	"golang.org/x/sys/unix"
)

func modTime(st *unix.Stat_t) int64 { return st.Mtim.Nano() }

// bootID is unknown here: what was noted before a power loss is trusted by size, time and inode alone.
func bootID() uint64 { return 0 }

// Locks of ranges that belong to an open file are Linux's.

func (file) TryLock(int64, int64, bool) (bool, error) { return false, errors.ErrUnsupported }
func (file) UnlockRange(int64, int64) error           { return errors.ErrUnsupported }
func (file) LockedAt(int64) (from, n int64)           { return 0, 0 }

func (system) Space(string) (int64, error) { return 0, nil }
