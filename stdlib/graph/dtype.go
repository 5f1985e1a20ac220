package graph

// DType is the type of a tensor's elements, in the words of safetensors.
type DType string

// The element types of graphs and weights.
const (
	F32  DType = "F32"
	F16  DType = "F16"  // IEEE 754 half
	BF16 DType = "BF16" // the upper half of an F32
	I8   DType = "I8"
	I32  DType = "I32"
	I64  DType = "I64"
)

var dtypeSizes = map[DType]int{F32: 4, F16: 2, BF16: 2, I8: 1, I32: 4, I64: 8}

// Size is the size of one element in bytes, and 0 of a type that is none of these.
func (d DType) Size() int { return dtypeSizes[d] }

// maxElements bounds the elements of one example of an activation, and of a parameter, so that sizes and costs of a whole
// graph fit an int64.
const maxElements = 1 << 40

// Size is the number of elements of a shape that Infer has accepted; of others it may overflow.
func Size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// bounded reports whether every dimension is at least 1 and their product at most maxElements.
func bounded(shape []int) bool {
	n := 1
	for _, d := range shape {
		if d < 1 || d > maxElements/n {
			return false
		}
		n *= d
	}
	return true
}
