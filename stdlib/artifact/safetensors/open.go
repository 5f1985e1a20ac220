package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sort"
)

// File is an open file of tensors, for what should not be in memory: its tensors have no Data, and are read by Section.
type File struct {
	Tensors  []Tensor // sorted by name
	Metadata map[string]string
	file     *os.File
	base     int64
	spans    map[string]span
}

// Open opens a file and checks its header as Decode does.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	out, err := open(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return out, nil
}

func open(f *os.File) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var length [8]byte
	if _, err := io.ReadFull(f, length[:]); err != nil {
		return nil, fmt.Errorf("not a safetensors file: it has %d bytes, and the length of the header alone takes 8. Fetch it again", info.Size())
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader || n > uint64(info.Size()-8) {
		return nil, badHeader(n, info.Size())
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, err
	}
	h, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	out := &File{Tensors: h.tensors, Metadata: h.metadata, file: f, base: 8 + int64(n), spans: map[string]span{}}
	for i, t := range h.tensors {
		out.spans[t.Name] = h.spans[i]
	}
	if err := h.cover(info.Size() - out.base); err != nil {
		return nil, err
	}
	sort.Slice(out.Tensors, func(i, j int) bool { return out.Tensors[i].Name < out.Tensors[j].Name })
	return out, nil
}

// Section reads the bytes of a tensor; it is empty when there is none of that name.
func (f *File) Section(name string) *io.SectionReader {
	s := f.spans[name]
	return io.NewSectionReader(f.file, f.base+s.from, s.to-s.from)
}

// Close closes the file; what Section returned cannot be read afterwards.
func (f *File) Close() error { return f.file.Close() }
