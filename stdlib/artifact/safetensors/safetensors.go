// Package safetensors writes and reads the safetensors format (github.com/huggingface/safetensors, format description): a
// length, a JSON header that names each tensor's type, shape and place, and the bytes of the tensors.
//
//	8 bytes   length of the header, little-endian
//	header    {"NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …, "__metadata__": {"KEY": "VALUE"}}
//	data      the tensors, row-major and little-endian; offsets count from here
//
// It does not know what tensors mean. The writer is byte-stable: tensors sorted by name, a header without white space padded
// with spaces to a multiple of 8, data without gaps. The reader takes any valid file and is strict about the rest: names that
// come twice, places that overlap, leave gaps or lie outside, sizes that do not match shapes, and oversized headers are
// errors. It copies nothing: what it returns are views of the file's bytes.
package safetensors

import (
	"io"
	"math"
)

// Tensor is a named array in row-major order, little-endian.
type Tensor struct {
	Name  string
	DType string // F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I64, I32, I16, I8, U64, U32, U16, U8, BOOL
	Shape []int
	Data  []byte

	// Stream writes the data instead, for what should not be in memory. It must write exactly as much as the shape needs.
	Stream func(io.Writer) error
}

var sizes = map[string]int{
	"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1,
	"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}

// maxHeader is the limit that the format's reference reader has.
const maxHeader = 100_000_000

// metadataKey is where the header has what is no tensor.
const metadataKey = "__metadata__"

// size is the number of bytes that a tensor's type and shape need, or -1 when there is no such number.
func (t *Tensor) size() int64 {
	total := int64(sizes[t.DType])
	if total == 0 {
		return -1
	}
	for _, d := range t.Shape {
		if d < 0 || d > 0 && total > math.MaxInt64/int64(d) {
			return -1
		}
		total *= int64(d)
	}
	return total
}
