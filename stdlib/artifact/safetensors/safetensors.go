// Package safetensors writes and reads the safetensors format (github.com/huggingface/safetensors, format description): a
// length, a JSON header that names each tensor's type, shape and place, and the bytes of the tensors.
//
// The writer is byte-stable: tensors sorted by name, a header without white space padded with spaces to a multiple of 8, data
// without gaps. The reader takes any valid file and is strict about the rest: places that overlap, leave gaps or lie
// outside, sizes that do not match shapes, and oversized headers are errors.
package safetensors

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
	"unsafe"
)

// Tensor is a named array in row-major order, little-endian.
type Tensor struct {
	Name  string
	DType string // F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL
	Shape []int
	Data  []byte

	// Stream writes the data instead, for what should not be in memory. It must write exactly as much as the shape needs.
	Stream func(io.Writer) error
}

var sizes = map[string]int{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}

// maxHeader is the limit that the format's reference reader has.
const maxHeader = 100_000_000

type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// Encode returns a file of the tensors and string metadata.
func Encode(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	var b bytes.Buffer
	err := Write(&b, tensors, metadata)
	return b.Bytes(), err
}

// Write writes a file of the tensors and string metadata.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	sorted := append([]Tensor(nil), tensors...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Name < sorted[j].Name })
	head, err := header(sorted, metadata)
	if err != nil {
		return err
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(len(head))); err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, t := range sorted {
		if t.Stream == nil {
			_, err = w.Write(t.Data)
		} else {
			c := &counter{w: w}
			if err = t.Stream(c); err == nil && c.n != bytesOf(t) {
				err = fmt.Errorf("tensor %q: %d bytes written, %s%v needs %d", t.Name, c.n, t.DType, t.Shape, bytesOf(t))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// header lays out the tensors, which are sorted.
func header(sorted []Tensor, metadata map[string]string) ([]byte, error) {
	h := map[string]any{}
	if len(metadata) > 0 {
		h["__metadata__"] = metadata
	}
	var total int64
	for _, t := range sorted {
		size := bytesOf(t)
		if t.Stream == nil && size != int64(len(t.Data)) || sizes[t.DType] == 0 {
			return nil, fmt.Errorf("tensor %q: %s%v needs %d bytes, got %d", t.Name, t.DType, t.Shape, size, len(t.Data))
		}
		if _, dup := h[t.Name]; dup {
			return nil, fmt.Errorf("tensor %q twice", t.Name)
		}
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		h[t.Name] = entry{DType: t.DType, Shape: shape, Offsets: [2]int64{total, total + size}}
		total += size
	}
	head, err := json.Marshal(h) // encoding/json sorts the keys of maps
	for err == nil && len(head)%8 != 0 {
		head = append(head, ' ')
	}
	return head, err
}

func bytesOf(t Tensor) int64 { return int64(elements(t.Shape)) * int64(sizes[t.DType]) }

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// Decode reads a file. The tensors share its bytes and are sorted by name.
func Decode(b []byte) ([]Tensor, map[string]string, error) {
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("not a safetensors file: %d bytes", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return nil, nil, fmt.Errorf("not a safetensors file: a header of %d bytes in a file of %d", n, len(b))
	}
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(b[8:8+n], &raw); err != nil {
		return nil, nil, fmt.Errorf("safetensors header: %w", err)
	}
	var metadata map[string]string
	if m, ok := raw["__metadata__"]; ok {
		if err := json.Unmarshal(m, &metadata); err != nil {
			return nil, nil, fmt.Errorf("safetensors metadata: %w", err)
		}
		delete(raw, "__metadata__")
	}
	data := b[8+n:]
	tensors := make([]Tensor, 0, len(raw))
	type span struct{ from, to int64 }
	var spans []span
	for name, msg := range raw {
		var e entry
		if err := json.Unmarshal(msg, &e); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		from, to := e.Offsets[0], e.Offsets[1]
		size, ok := sizes[e.DType]
		if !ok {
			return nil, nil, fmt.Errorf("tensor %q has unknown type %q", name, e.DType)
		}
		if from < 0 || to < from || to > int64(len(data)) || !fits(e.Shape, size, to-from) {
			return nil, nil, fmt.Errorf("tensor %q: %s%v does not lie at bytes %d to %d of %d", name, e.DType, e.Shape, from, to, len(data))
		}
		tensors = append(tensors, Tensor{Name: name, DType: e.DType, Shape: e.Shape, Data: data[from:to:to]})
		spans = append(spans, span{from, to})
	}
	sort.Slice(spans, func(i, j int) bool {
		return spans[i].from < spans[j].from || spans[i].from == spans[j].from && spans[i].to < spans[j].to
	})
	var at int64
	for _, s := range spans {
		if s.from != at {
			return nil, nil, fmt.Errorf("safetensors data has a gap or overlap at byte %d", at)
		}
		at = s.to
	}
	if at != int64(len(data)) {
		return nil, nil, fmt.Errorf("safetensors data has %d bytes that belong to no tensor", int64(len(data))-at)
	}
	sort.Slice(tensors, func(i, j int) bool { return tensors[i].Name < tensors[j].Name })
	return tensors, metadata, nil
}

// fits reports whether a shape of elements of a size has exactly n bytes, without overflow.
func fits(shape []int, size int, n int64) bool {
	total := int64(size)
	for _, d := range shape {
		if d < 0 || d > 0 && total > math.MaxInt64/int64(d) {
			return false
		}
		total *= int64(d)
	}
	return total == n
}

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// WriteFile writes a file of tensors.
func WriteFile(path string, tensors []Tensor, metadata map[string]string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	var size int64 = 4096
	for _, t := range tensors {
		size += bytesOf(t)
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

// ReadFile reads a file of tensors.
func ReadFile(path string) ([]Tensor, map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	return Decode(b)
}

// number is an element type that Go has.
type number interface {
	~float64 | ~float32 | ~int64 | ~int32 | ~int16 | ~int8 | ~uint8
}

// Bytes views numbers as little-endian bytes, without copying. (Every platform that Go's SIMD and GoMLX run on is
// little-endian.)
func Bytes[T number](v []T) []byte {
	if len(v) == 0 {
		return []byte{}
	}
	var x T
	return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), len(v)*int(unsafe.Sizeof(x)))
}

// View reads bytes as numbers, copying only when they are not aligned.
func View[T number](b []byte) []T {
	var x T
	size := int(unsafe.Sizeof(x))
	n := len(b) / size
	if n == 0 {
		return nil
	}
	if uintptr(unsafe.Pointer(&b[0]))%uintptr(size) == 0 {
		return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n)
	}
	out := make([]T, n)
	copy(Bytes(out), b)
	return out
}
