package onnx

import (
	"encoding/binary"
	"math"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
)

const (
	typeDouble = 11
	typeBool   = 9
)

// array is a tensor whose elements are known: floats, or whole numbers and truth values.
type array struct {
	elem  int64 // as in the file
	shape []int
	f     []float32
	i     []int64
}

func (a *array) floats() bool { return floating(a.elem) }

func floating(elem int64) bool {
	return elem == typeFloat || elem == typeDouble || elem == typeFloat16 || elem == typeBFloat16
}

func (a *array) size() int { return graph.Size(a.shape) }

// at is an element as a number.
func (a *array) at(k int) float64 {
	if a.floats() {
		return float64(a.f[k])
	}
	return float64(a.i[k])
}

// set puts an element; what is not whole is cut, as Cast does.
func (a *array) set(k int, v float64) {
	switch {
	case a.floats():
		a.f[k] = float32(v)
	case a.elem == typeBool && v != 0:
		a.i[k] = 1
	case v > -9e18 && v < 9e18:
		a.i[k] = int64(v)
	}
}

// newArray makes an array of zeros.
func newArray(elem int64, shape ...int) *array {
	a := &array{elem: elem, shape: slices.Clone(shape)}
	if a.floats() {
		a.f = make([]float32, a.size())
	} else {
		a.i = make([]int64, a.size())
	}
	return a
}

// whole is a vector of whole numbers.
func wholeArray(v ...int) *array {
	a := newArray(typeInt64, len(v))
	for k, x := range v {
		a.i[k] = int64(x)
	}
	return a
}

// ints are the elements as whole numbers.
func (a *array) ints() []int {
	out := make([]int, a.size())
	for k := range out {
		if a.floats() {
			out[k] = int(a.f[k])
		} else {
			out[k] = int(a.i[k]) // the greatest is no float64
		}
	}
	return out
}

// viewed is the array in another shape of as many elements.
func (a *array) viewed(shape []int) *array {
	c := *a
	c.shape = slices.Clone(shape)
	return &c
}

// take reads the elements of a TensorProto.
func (a *array) take(n int, raw []byte, floats []float32, whole []int64) {
	if a.elem == typeFloat && raw != nil {
		a.f = slices.Clone(safetensors.View[float32](raw))
		return
	}
	half := func(bits uint16) float32 {
		dtype := graph.F16
		if a.elem == typeBFloat16 {
			dtype = graph.BF16
		}
		return (&bundle.Tensor{DType: dtype, Shape: []int{1}, Data: []byte{byte(bits), byte(bits >> 8)}}).Float32s()[0]
	}
	if a.floats() {
		a.f = make([]float32, n)
	} else {
		a.i = make([]int64, n)
	}
	for k := range n {
		switch {
		case raw == nil && len(floats) > k:
			a.set(k, float64(floats[k]))
		case raw == nil && (a.elem == typeFloat16 || a.elem == typeBFloat16):
			a.f[k] = half(uint16(whole[k]))
		case raw == nil:
			a.set(k, float64(whole[k]))
		case a.elem == typeFloat16 || a.elem == typeBFloat16:
			a.f[k] = half(binary.LittleEndian.Uint16(raw[2*k:]))
		case a.elem == typeDouble:
			a.f[k] = float32(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*k:])))
		case a.elem == typeInt64:
			a.i[k] = int64(binary.LittleEndian.Uint64(raw[8*k:]))
		case a.elem == typeInt32:
			a.i[k] = int64(int32(binary.LittleEndian.Uint32(raw[4*k:])))
		case a.elem == typeInt8:
			a.i[k] = int64(int8(raw[k]))
		default:
			a.i[k] = int64(raw[k])
		}
	}
}

// permuted moves axes: axis k of the result is axis perm[k].
func (a *array) permuted(perm []int) *array {
	shape := make([]int, len(perm))
	for k, p := range perm {
		shape[k] = a.shape[p]
	}
	strides := stridesOf(a.shape)
	moved := make([]int, len(perm))
	for k, p := range perm {
		moved[k] = strides[p]
	}
	return a.picked(shape, moved, 0)
}

// picked is the array of a shape whose elements stand strides apart from a first one.
func (a *array) picked(shape, strides []int, first int) *array {
	out := newArray(a.elem, shape...)
	k := 0
	eachIndex(shape, func(at []int) {
		from := first
		for d, x := range at {
			from += x * strides[d]
		}
		if a.floats() {
			out.f[k] = a.f[from]
		} else {
			out.i[k] = a.i[from]
		}
		k++
	})
	return out
}

func stridesOf(shape []int) []int {
	s := make([]int, len(shape))
	for k, n := len(shape)-1, 1; k >= 0; k-- {
		s[k] = n
		n *= shape[k]
	}
	return s
}

// eachIndex goes through the places of a shape in order.
func eachIndex(shape []int, f func(at []int)) {
	at := make([]int, len(shape))
	for range graph.Size(shape) {
		f(at)
		for d := len(at) - 1; d >= 0; d-- {
			if at[d]++; at[d] < shape[d] {
				break
			}
			at[d] = 0
		}
	}
}

// broadcast is the array repeated to a shape; nil where it cannot be, or would be too large.
func (a *array) broadcast(shape []int) *array {
	if len(shape) < len(a.shape) || !small(shape) {
		return nil
	}
	strides := stridesOf(a.shape)
	spread := make([]int, len(shape))
	for k := range a.shape {
		d := len(shape) - len(a.shape) + k
		switch {
		case a.shape[k] == shape[d]:
			spread[d] = strides[k]
		case a.shape[k] != 1:
			return nil
		}
	}
	if slices.Equal(a.shape, shape) {
		return a
	}
	return a.picked(shape, spread, 0)
}

// small reports whether an array of a shape may be computed.
func small(shape []int) bool {
	n := 1
	for _, d := range shape {
		if d < 0 || len(shape) > maxRank || d > 0 && n > maxFolded/d {
			return false
		}
		n *= d
	}
	return true
}

// joined is the shape that two shapes are repeated to; nil where they cannot be.
func joinedShape(a, b []int) []int {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := append([]int{}, a...)
	for k := range b {
		d := len(a) - len(b) + k
		switch {
		case out[d] == b[k] || b[k] == 1:
		case out[d] == 1:
			out[d] = b[k]
		default:
			return nil
		}
	}
	return out
}

// uniform reports whether all elements are one number.
func (a *array) uniform() bool {
	for k := range a.size() {
		if a.at(k) != a.at(0) {
			return false
		}
	}
	return a.size() > 0
}

// tensor is the array as a parameter.
func (a *array) tensor() *bundle.Tensor { return bundle.Float32(a.shape, a.f) }
