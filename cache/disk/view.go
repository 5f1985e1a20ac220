package disk

import (
	"errors"
	"io"
	"runtime/debug"

	"mbuild.dev/mbuild/cache/vfs"
)

// view is an open file whose beginning is mapped into memory where the system can do that: a lookup then costs no system call.
type view struct {
	vfs.File
	data  []byte
	unmap func()
}

// openView takes over an open file.
func openView(f vfs.File, size int64) *view {
	v := &view{File: f}
	v.remap(size)
	return v
}

// remap maps the first size bytes. Without a map, reads just cost more.
func (v *view) remap(size int64) {
	v.drop()
	if size == 0 {
		return
	}
	if data, unmap, err := v.Map(size); err == nil {
		v.data, v.unmap = data, unmap
	}
}

func (v *view) drop() {
	if v.unmap != nil {
		v.unmap()
	}
	v.data, v.unmap = nil, nil
}

// Close closes the file too.
func (v *view) Close() error {
	v.drop()
	return v.File.Close()
}

// peek reads up to len(buf) bytes at an offset, fewer at the end of the file. Outside of guarded, touching a mapped file that was
// cut ends the process.
func (v *view) peek(offset int64, buf []byte) []byte {
	if offset >= 0 && offset < int64(len(v.data)) {
		if n := copy(buf, v.data[offset:]); n == len(buf) || n >= headerSize && recordLength(buf[:n]) <= int64(n) {
			return buf[:n]
		}
	}
	n, err := v.File.ReadAt(buf, offset)
	if err != nil && err != io.EOF {
		return nil
	}
	return buf[:n]
}

// read reads all of b at an offset, zeros behind the end of the file.
func (v *view) read(b []byte, offset int64) (err error) {
	if offset+int64(len(b)) <= int64(len(v.data)) {
		return guarded(func() { copy(b, v.data[offset:]) })
	}
	if _, err = v.File.ReadAt(b, offset); err == io.EOF {
		err = nil
	}
	return err
}

var errFault = errors.New("a mapped file was cut, or cannot be read")

// guarded calls f. When f touches a part of a mapped file that is not there any more, or that the disk cannot give, that is an
// error, and not the end of the process.
func guarded(f func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer catchFault(&err)
	f()
	return nil
}

// catchFault makes a fault an error. To be deferred, under SetPanicOnFault.
func catchFault(err *error) {
	switch r := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }:
		*err = errFault
	default:
		panic(r)
	}
}
