package safetensors

import "unsafe"

// number is an element type that Go has.
type number interface {
	~float64 | ~float32 | ~int64 | ~int32 | ~int16 | ~int8 | ~uint8 | ~uint64
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
