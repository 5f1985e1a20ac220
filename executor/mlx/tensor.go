package mlx

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// elements maps the words of safetensors for element types to GoMLX's.
var elements = map[string]dtypes.DType{
	"F64": dtypes.Float64, "F32": dtypes.Float32, "F16": dtypes.Float16, "BF16": dtypes.BFloat16,
	"I64": dtypes.Int64, "I32": dtypes.Int32, "I16": dtypes.Int16, "I8": dtypes.Int8, "U8": dtypes.Uint8, "BOOL": dtypes.Bool,
}

// Tensor makes a float32 tensor of a shape, copying the values once. It panics when their number is not the shape's.
func Tensor(values []float32, shape ...int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, shape...)
}

// Make makes a tensor of a shape and returns its elements, to be filled before the tensor is used and never after: they lie in memory
// that the device reads itself where it has such, so that nothing is copied. They begin as anything.
func Make[T float32 | int32 | int64](s *Session, shape ...int) (*tensors.Tensor, []T, error) {
	dims := shapes.Make(dtypes.FromGenericsType[T](), shape...)
	if !s.Backend.HasSharedBuffers() || dims.Size() == 0 {
		t := tensors.FromShape(dims)
		var out []T
		err := tensors.MutableFlatData(t, func(v []T) { out = v })
		return t, out, err
	}
	buf, flat, err := s.Backend.NewSharedBuffer(0, dims)
	if err != nil {
		return nil, nil, err
	}
	t, err := tensors.FromBuffer(buf)
	return t, flat.([]T), err
}

// Zeros makes a float32 tensor of zeros.
func Zeros(shape ...int) *tensors.Tensor {
	return tensors.FromShape(shapes.Make(dtypes.Float32, shape...))
}

// FromBytes makes a tensor of a type (in the words of safetensors: F32, F16, I8, ...) and shape from its elements in row-major
// order, little-endian, copying them once.
func FromBytes(dtype string, shape []int, data []byte) (*tensors.Tensor, error) {
	dt, ok := elements[dtype]
	if !ok {
		return nil, fmt.Errorf("there are no tensors of type %q", dtype)
	}
	s := shapes.Make(dt, shape...)
	if s.ByteSize() != int64(len(data)) {
		return nil, fmt.Errorf("a tensor %s%v has %d bytes, not %d", dtype, shape, s.ByteSize(), len(data))
	}
	t := tensors.FromShape(s)
	if len(data) == 0 {
		return t, nil
	}
	return t, t.MutableBytes(func(b []byte) { copy(b, data) })
}

// Bytes copies a tensor's elements, once, in row-major order, little-endian.
func Bytes(t *tensors.Tensor) ([]byte, error) {
	out := make([]byte, t.ByteSize())
	if len(out) == 0 {
		return out, nil
	}
	return out, t.ConstBytes(func(b []byte) { copy(out, b) })
}

// Values copies the values of a float32 tensor, once.
func Values(t *tensors.Tensor) ([]float32, error) { return tensors.CopyFlatData[float32](t) }

// View calls f with the values of a float32 tensor, which f must neither change nor keep; nothing is copied where the backend
// computes in main memory.
func View(t *tensors.Tensor, f func([]float32)) error { return tensors.ConstFlatData(t, f) }

// Donate gives a tensor's buffer to the next execution, which may reuse it; the tensor is of no use afterwards.
func (s *Session) Donate(t *tensors.Tensor) (any, error) {
	return graph.DonateTensorBuffer(t, s.Backend, 0)
}
