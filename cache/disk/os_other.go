//go:build !unix

package disk

import (
	"io/fs"
	"os"
)

// flock is not available: one process at a time may use a store here.
func flock(*os.File) error { return nil }

func funlock(*os.File) {}

func inode(fs.FileInfo) uint64 { return 0 }
