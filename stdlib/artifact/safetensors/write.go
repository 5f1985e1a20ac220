package safetensors

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"unicode/utf8"
)

// Encode returns a file of the tensors and string metadata.
func Encode(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	err := Write(&b, tensors, metadata)
	return b.Bytes(), err
}

// Write writes a file of the tensors, in the order of their names, and string metadata.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	sorted := append([]Tensor(nil), tensors...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Name < sorted[j].Name })
	head, err := header(sorted, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(head)))); err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, t := range sorted {
		if err := t.write(w); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tensor) write(w io.Writer) error {
	if t.Stream == nil {
		_, err := w.Write(t.Data)
		return err
	}
	c := &counter{w: w}
	if err := t.Stream(c); err != nil {
		return err
	}
	if c.n != t.size() {
		return fmt.Errorf("tensor %q: %d bytes written, %s%v needs %d", t.Name, c.n, t.DType, t.Shape, t.size())
	}
	return nil
}

// header lays out the tensors, which are sorted.
func header(sorted []Tensor, metadata map[string]string) ([]byte, error) {
	h := map[string]any{}
	if len(metadata) > 0 {
		for k, v := range metadata {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, fmt.Errorf("metadata %q is not valid UTF-8", k)
			}
		}
		h[metadataKey] = metadata
	}
	var total int64
	for _, t := range sorted {
		size := t.size()
		switch {
		case t.Name == metadataKey || !utf8.ValidString(t.Name):
			return nil, fmt.Errorf("a tensor cannot be called %q", t.Name)
		case h[t.Name] != nil:
			return nil, fmt.Errorf("tensor %q twice", t.Name)
		case size < 0 || total+size < total:
			return nil, fmt.Errorf("tensor %q: %s%v is no type and shape", t.Name, t.DType, t.Shape)
		case t.Stream == nil && size != int64(len(t.Data)):
			return nil, fmt.Errorf("tensor %q: %s%v needs %d bytes, got %d", t.Name, t.DType, t.Shape, size, len(t.Data))
		}
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		h[t.Name] = entry{DType: t.DType, Shape: shape, Offsets: [2]int64{total, total + size}}
		total += size
	}
	head, err := json.Marshal(h) // encoding/json sorts the keys of maps
	if err != nil {
		return nil, err
	}
	for len(head)%8 != 0 {
		head = append(head, ' ')
	}
	if len(head) > maxHeader {
		return nil, fmt.Errorf("a header of %d bytes; readers take at most %d", len(head), maxHeader)
	}
	return head, nil
}

// entry is a tensor in the header.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// WriteFile writes a file of tensors.
func WriteFile(path string, tensors []Tensor, metadata map[string]string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	var size int64 = 4096
	for _, t := range tensors {
		size += max(0, t.size())
	}
	w := bufio.NewWriterSize(f, int(min(size, 1<<20)))
	err = Write(w, tensors, metadata)
	if ferr := w.Flush(); err == nil {
		err = ferr
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
