//go:build !unix

package planner

import "io/fs"

// inode is unknown here; size and mtime must do.
func inode(fs.FileInfo) uint64 { return 0 }
