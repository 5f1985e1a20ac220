package disk

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"strings"

	"mbuild.dev/mbuild/cache/vfs"
)

// Usage is what a store holds and takes. The sizes on the disk are those that du shows, and add up.
type Usage struct {
	Results   int   `json:"results"`
	Blobs     int   `json:"blobs"`
	Files     int   `json:"files"`      // blobs that are files of their own
	BlobBytes int64 `json:"blob_bytes"` // of all blobs, by their own sizes

	LogBytes   int64 `json:"log_bytes"` // on the disk, as all that follows
	IndexBytes int64 `json:"index_bytes"`
	FileBytes  int64 `json:"file_bytes"`  // below blobs/
	TempBytes  int64 `json:"temp_bytes"`  // work of processes, and leftovers of those that died
	OtherBytes int64 `json:"other_bytes"` // directories, leases, pins
	DiskBytes  int64 `json:"disk_bytes"`  // the sum
	TempFiles  int   `json:"temp_files"`
}

// Usage counts what is there.
func (s *Store) Usage() (Usage, error) {
	var u Usage
	s.mu.Lock()
	err := s.each(func(e entry) {
		if e.kind == recordResult {
			u.Results++
			return
		}
		u.Blobs++
		u.BlobBytes += e.digest.Size()
		if e.kind == recordFile {
			u.Files++
		}
	})
	s.mu.Unlock()
	if err != nil {
		return u, err
	}
	err = s.walkDisk(func(path string, info vfs.Info) {
		u.DiskBytes += info.Blocks
		top, _, _ := strings.Cut(path, string(filepath.Separator))
		switch {
		case path == "log":
			u.LogBytes += info.Blocks
		case path == "index":
			u.IndexBytes += info.Blocks
		case top == "blobs" && !info.Mode.IsDir():
			u.FileBytes += info.Blocks
		case top == "tmp" && !info.Mode.IsDir():
			u.TempBytes += info.Blocks
			u.TempFiles++
		default:
			u.OtherBytes += info.Blocks
		}
	})
	return u, err
}

// DiskBytes is what the store takes on the disk, as du counts.
func (s *Store) DiskBytes() (n int64, err error) {
	err = s.walkDisk(func(_ string, info vfs.Info) { n += info.Blocks })
	return n, err
}

// walkDisk calls f for each file and directory of the store, by its path below it; a file with several names once.
func (s *Store) walkDisk(f func(path string, info vfs.Info)) error {
	seen := map[uint64]bool{}
	return s.walk(s.dir, func(path string, info vfs.Info) {
		if !info.Mode.IsDir() && info.Links > 1 {
			if seen[info.Inode] {
				return
			}
			seen[info.Inode] = true
		}
		rel, err := filepath.Rel(s.dir, path)
		if err == nil {
			f(rel, info)
		}
	})
}

// walkFiles calls f for each file below a directory.
func (s *Store) walkFiles(dir string, f func(path string, info vfs.Info)) error {
	return s.walk(dir, func(path string, info vfs.Info) {
		if !info.Mode.IsDir() {
			f(path, info)
		}
	})
}

// walk calls f for a directory and everything below it. What vanishes meanwhile is passed over.
func (s *Store) walk(path string, f func(path string, info vfs.Info)) error {
	info, err := s.fs.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f(path, info)
	if !info.Mode.IsDir() {
		return nil
	}
	entries, err := s.fs.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink != 0 {
			continue // in a private root; it takes nothing
		}
		if err := s.walk(filepath.Join(path, e.Name()), f); err != nil {
			return err
		}
	}
	return nil
}

// The file "size" has what the store took on the disk when somebody counted, and what was added since: 8 bytes, and their CRC-32C.
// It spares those who ask whether the store is over its limit a walk over all files.

// Size is what the store takes on the disk, near enough: what was counted last, and what was added since.
func (s *Store) Size() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.savedSize(); ok {
		return n + s.added, nil
	}
	return s.countSize()
}

// countSize counts and keeps what it has counted. The caller holds mu.
func (s *Store) countSize() (int64, error) {
	if !s.readOnly && !s.exists("size") {
		s.saveSize(0) // so that it is counted, too
	}
	n, err := s.DiskBytes()
	if err == nil && !s.readOnly {
		s.saveSize(n)
		s.added = 0
	}
	return n, err
}

// savedSize is what somebody has counted: more than nothing.
func (s *Store) savedSize() (int64, bool) {
	b, err := s.readFile("size")
	if err != nil || len(b) != 12 || crc32.Checksum(b[:8], castagnoli) != binary.LittleEndian.Uint32(b[8:]) {
		return 0, false
	}
	n := int64(binary.LittleEndian.Uint64(b))
	return n, n > 0
}

// saveSize is an optimisation: a failure leaves things as they are.
func (s *Store) saveSize(n int64) {
	b := binary.LittleEndian.AppendUint64(nil, uint64(n))
	s.writeFile("size", binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)))
}

// addSize adds what this process has added.
func (s *Store) addSize() {
	if s.added == 0 || s.locks == nil || s.locks.Lock() != nil {
		return
	}
	defer s.locks.Unlock()
	if n, ok := s.savedSize(); ok {
		s.saveSize(n + s.added)
	}
}

// DefaultCap is what a store may take where nobody says otherwise: a tenth of its disk, and no more than 50 GB. A tenth leaves the
// disk to its owner; 50 GB holds some hundred models of the size that is trained on one machine.
func (s *Store) DefaultCap() int64 {
	const most = 50e9
	if n, err := s.fs.Space(s.dir); err == nil && n > 0 {
		return min(n/10, most)
	}
	return most
}
