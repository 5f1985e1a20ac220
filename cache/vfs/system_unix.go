//go:build unix

package vfs

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// Stat asks the kernel directly: os.Stat makes three allocations, and this is asked for on the way of every append.
func (system) Stat(name string) (Info, error) {
	var st unix.Stat_t
	for {
		switch err := unix.Stat(name, &st); err {
		case nil:
			return infoOf(&st), nil
		case unix.EINTR:
		default:
			return Info{}, &fs.PathError{Op: "stat", Path: name, Err: err}
		}
	}
}

func (f file) Stat() (Info, error) {
	var st unix.Stat_t
	for {
		switch err := unix.Fstat(int(f.Fd()), &st); err {
		case nil:
			return infoOf(&st), nil
		case unix.EINTR:
		default:
			return Info{}, &fs.PathError{Op: "stat", Path: f.Name(), Err: err}
		}
	}
}

func infoOf(st *unix.Stat_t) Info {
	mode := fs.FileMode(st.Mode & 0o777)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	default:
		mode |= fs.ModeIrregular
	}
	return Info{Size: st.Size, ModTime: modTime(st), Inode: st.Ino, Links: uint64(st.Nlink), Mode: mode, Blocks: st.Blocks * 512}
}

func (f file) Map(n int64) ([]byte, func(), error) {
	data, err := unix.Mmap(int(f.Fd()), 0, int(n), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, os.NewSyscallError("mmap", err)
	}
	return data, func() { unix.Munmap(data) }, nil
}

func (f file) Lock() error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != unix.EINTR {
			return os.NewSyscallError("flock", err)
		}
	}
}

func (f file) Unlock() error {
	return os.NewSyscallError("flock", unix.Flock(int(f.Fd()), unix.LOCK_UN))
}
