//go:build unix

package planner

import (
	"io/fs"
	"syscall"
)

// inode is the file's inode number, which a replaced file does not share with its predecessor.
func inode(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}
