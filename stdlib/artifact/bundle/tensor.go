package bundle

import (
	"encoding/binary"
	"math"

	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Tensor is an array in row-major order, little-endian.
type Tensor struct {
	DType graph.DType
	Shape []int
	Data  []byte
}

// Float32 makes a tensor of float32 values, which it shares.
func Float32(shape []int, v []float32) *Tensor {
	return &Tensor{DType: graph.F32, Shape: shape, Data: safetensors.Bytes(v)}
}

// Float32s returns the values as float32: a view for F32, converted for F16 and BF16, the plain numbers for I8.
func (t *Tensor) Float32s() []float32 {
	if t.DType == graph.F32 {
		return safetensors.View[float32](t.Data)
	}
	out := make([]float32, graph.Size(t.Shape))
	switch t.DType {
	case graph.BF16:
		for i := range out {
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Data[2*i:])) << 16)
		}
	case graph.F16:
		for i := range out {
			out[i] = fromF16(binary.LittleEndian.Uint16(t.Data[2*i:]))
		}
	case graph.I8:
		for i := range out {
			out[i] = float32(int8(t.Data[i]))
		}
	}
	return out
}

// fromF16 converts an IEEE 754 half to a float32, exactly.
func fromF16(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, frac := uint32(h>>10&31), uint32(h&1023)
	switch {
	case exp == 0:
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	case exp == 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
