package vfs

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func modTime(st *unix.Stat_t) int64 { return st.Mtim.Nano() }

// bootID is from the kernel's random number of this boot.
func bootID() uint64 {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return 0
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err != nil || len(raw) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(raw)
}

// TryLock uses an OFD lock, which other opens of the same process respect too.
func (f file) TryLock(at, n int64, shared bool) (bool, error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: n}
	if shared {
		lock.Type = unix.F_RDLCK
	}
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock)
	if err == unix.EAGAIN || err == unix.EACCES {
		return false, nil
	}
	return err == nil, os.NewSyscallError("fcntl", err)
}

func (f file) UnlockRange(at, n int64) error {
	return os.NewSyscallError("fcntl", unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_UNLCK, Start: at, Len: n}))
}

func (f file) LockedAt(at int64) (from, n int64) {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock); err != nil || lock.Type == unix.F_UNLCK {
		return 0, 0
	}
	return lock.Start, lock.Len
}

func (system) Space(name string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(name, &st); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: name, Err: err}
	}
	return int64(st.Blocks) * st.Bsize, nil
}
