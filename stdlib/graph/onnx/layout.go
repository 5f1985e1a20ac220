package onnx

import (
	"encoding/binary"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
)

// ONNX's convolutions have the channels on the second axis; a graph has them on the last. What a layer gives is therefore held
// in one of three layouts, and turned into another only where a layer cannot do with what it finds.
type layout int

const (
	last  layout = iota // as in the graph: [batch, .., channels]
	first               // [batch, channels, ..]
	flat                // [batch, channels * ..]: flattened in the order of first; a dense layer's weight is laid out for it
)

func (l layout) String() string { return [...]string{"last", "first", "flat"}[l] }

// held is where the result of a layer, or an input, is found.
type held struct {
	value  string
	layout layout
	shape  []int // what was flattened, in the graph's order; of flat only
}

// choose says in which layout a layer gives its result.
func (e *exporter) choose(op string, inputs []string) held {
	switch op {
	case "conv1d", "conv2d", "conv1d_transpose", "conv2d_transpose", "max_pool", "avg_pool", "upsample":
		return held{layout: first}
	case "activation", "dropout", "scale":
		return e.held[inputs[0]]
	case "batch_norm", "group_norm":
		if e.held[inputs[0]].layout == first || op == "group_norm" && len(e.info.Shapes[inputs[0]]) > 1 {
			return held{layout: first}
		}
	case "flatten":
		if e.held[inputs[0]].layout == first {
			return held{layout: flat, shape: e.info.Shapes[inputs[0]]}
		}
	case "add", "multiply", "concat":
		one := e.held[inputs[0]]
		alike := func(in string) bool {
			h := e.held[in]
			return h.layout == flat && slices.Equal(h.shape, one.shape)
		}
		if op != "concat" && !slices.ContainsFunc(inputs, func(in string) bool { return !alike(in) }) {
			return one
		}
		if slices.ContainsFunc(inputs, func(in string) bool { return e.held[in].layout == first }) {
			return held{layout: first}
		}
	}
	return held{layout: last}
}

// in is the value of an input or layer in a layout, converted once at most.
func (e *exporter) in(name string, want layout) string {
	h := e.held[name]
	if h.layout == want {
		return h.value
	}
	key := name + "/" + want.String()
	if v, ok := e.converted[key]; ok {
		return v
	}
	v := e.convert(name, want, key)
	e.converted[key] = v
	return v
}

// convert turns a layer's result into another layout. Where nothing moves, with one channel or one position, a Reshape does.
func (e *exporter) convert(name string, want layout, out string) string {
	h, shape := e.held[name], e.info.Shapes[name]
	switch {
	case len(shape) == 1 && h.layout != flat:
		return h.value
	case h.layout == flat && slices.Max(h.shape[:len(h.shape)-1]) == 1, h.layout == flat && h.shape[len(h.shape)-1] == 1:
		return h.value
	case h.layout == flat:
		n := len(h.shape)
		v := e.reshape(name+"/unflat", h.value, append([]int{h.shape[n-1]}, h.shape[:n-1]...))
		v = e.node("Transpose", name+"/turned", []string{v}, attr("perm", toLast(n)))
		return e.reshape(out, v, shape)
	}
	n := len(shape)
	turned, perm := append([]int{shape[n-1]}, shape[:n-1]...), toFirst(n)
	if want == last {
		turned, perm = shape, toLast(n)
	}
	if shape[n-1] == 1 || slices.Max(shape[:n-1]) == 1 {
		return e.reshape(out, h.value, turned)
	}
	return e.node("Transpose", out, []string{h.value}, attr("perm", perm))
}

// toFirst and toLast are the permutations for n axes beside the batch.
func toFirst(n int) []int {
	perm := []int{0, n}
	for a := 1; a < n; a++ {
		perm = append(perm, a)
	}
	return perm
}

func toLast(n int) []int {
	perm := []int{0}
	for a := 2; a <= n; a++ {
		perm = append(perm, a)
	}
	return append(perm, 1)
}

// reshape gives a value a shape beside the batch; 0 stands for its own first dimension.
func (e *exporter) reshape(out, x string, shape []int) string {
	return e.node("Reshape", out, []string{x, e.whole(out+"/shape", append([]int{0}, shape...)...)})
}

// whole adds an initializer of int64 values.
func (e *exporter) whole(name string, values ...int) string {
	var raw []byte
	for _, d := range values {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(d))
	}
	e.tensors = append(e.tensors, tensor(name, typeInt64, []int{len(values)}, raw))
	return name
}

// transpose moves the axes of a tensor, seen in a shape: axis i of the result is axis perm[i].
func transpose(t *bundle.Tensor, shape, perm []int) *bundle.Tensor {
	size := t.DType.Size()
	stride := make([]int, len(shape))
	for a, n := len(shape)-1, 1; a >= 0; a-- {
		stride[a] = n
		n *= shape[a]
	}
	out := &bundle.Tensor{DType: t.DType, Data: make([]byte, 0, len(t.Data))}
	for _, a := range perm {
		out.Shape = append(out.Shape, shape[a])
	}
	at := make([]int, len(perm))
	for len(out.Data) < len(t.Data) {
		from := 0
		for i, a := range perm {
			from += at[i] * stride[a]
		}
		out.Data = append(out.Data, t.Data[from*size:(from+1)*size]...)
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < out.Shape[i] {
				break
			}
			at[i] = 0
		}
	}
	return out
}
