package shard

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"

	"mbuild.dev/mbuild/executor"
)

// Reader reads a file of the user's, unpacked where it is gzip.
type Reader struct {
	*bufio.Reader
	Name string // how to call it
	attr string // that names it
	file *os.File
}

// Open opens an input that is one file, which the attribute names. What is gzip is known by its first two bytes.
func Open(in executor.JobInput, attr string) (*Reader, error) {
	f, err := os.Open(in.Path)
	if err != nil {
		return nil, err
	}
	r := bufio.NewReaderSize(f, 1<<18)
	if head, err := r.Peek(2); err == nil && bytes.Equal(head, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(r)
		if err != nil {
			f.Close()
			return nil, Fail("bad-gzip", attr, "Damaged gzip file", "%s: %v. Fetch or pack the file again.", in.Display, err)
		}
		r = bufio.NewReaderSize(z, 1<<18)
	}
	return &Reader{r, in.Display, attr, f}, nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }

// Unreadable is the error of a read that failed, for another reason than the end of the file.
func (r *Reader) Unreadable(err error) error {
	if errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Fail("bad-gzip", r.attr, "Damaged gzip file", "%s: %v. Fetch or pack the file again.", r.Name, err)
	}
	return Fail("unreadable-file", r.attr, "File not readable", "%s: %v.", r.Name, err)
}
