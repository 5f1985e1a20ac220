// Package onnx lowers a model to an ONNX file, and reads such files (import.go): operator set 21, IR version 10, one graph with a batch dimension of any size,
// called "batch". Sequences may be shorter than in the graph, where all layers can do with that: their dimension is called "sequence".
//
// Every layer becomes operators that ONNX Runtime executes natively, and its result a value that bears the layer's name; so
// the inputs and outputs of the file are called as in the graph. Parameters are initializers LAYER/PARAMETER, as the model stores
// them; 16-bit ones are cast to float32 where they are used, for computation is in float32.
//
//	dense             Gemm; MatMul without bias; MatMul and Add over a sequence
//	  dynamic_int8      DynamicQuantizeLinear (once for layers that share an input), MatMulInteger, Cast, Mul, Add
//	  weight_only_int8  Cast and Mul of the weight, then as above
//	conv1d, conv2d    Conv
//	  dynamic_int8      DynamicQuantizeLinear, ConvInteger, Cast, Mul, Add
//	  weight_only_int8  Cast and Mul of the weight, then Conv
//	conv*_transpose   ConvTranspose
//	max_pool          MaxPool
//	avg_pool          AveragePool, padding not counted
//	global_*_pool     ReduceMax, ReduceMean
//	upsample          Resize
//	activation        the operator of that name; silu is Sigmoid and Mul
//	dropout           Identity
//	scale             Mul
//	batch_norm        BatchNormalization; Mul and Add where there are more axes and the features are on the last
//	group_norm        GroupNormalization
//	layer_norm        LayerNormalization
//	rms_norm          Mul, ReduceMean, Add, Sqrt, Div, Mul
//	flatten, reshape  Flatten, Reshape
//	add, concat       Sum, Concat
//	multiply          Mul
//	embedding         Gather
//	position_embedding, type_embedding  Slice or Gather, Add
//	tied_dense        MatMul with the Transpose of the embedding, Add
//	padding_mask      Equal, Not, Cast
//	attention         Reshape and Transpose, MatMul, Mul, Add of masks, Softmax, MatMul, Transpose and Reshape
//	lstm, gru         LSTM, GRU between Transpose; a mask becomes lengths
//	sequence_pool     Gather, ReduceSum, ReduceMean, ReduceMax
//	l2_normalize, dot ReduceL2 and Div; Mul and ReduceSum
//	scale and shift   Mul and Add
//
// ONNX has channels on the second axis, a graph on the last. Inputs and outputs are as in the graph; between them the file keeps
// channels second from the first convolution on, in every layer that can, and weights are laid out for that when the file is
// written: also those of the dense layer behind a flatten. So an image of several channels is turned once, where it comes in, and
// otherwise only what stands between a convolution and a norm over the last axis (see layout.go).
//
// It does not know the dataset, nor what the outputs mean. The file is byte-stable: equal models give equal bytes.
package onnx

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// MediaType is the media type of an ONNX file.
const MediaType = "application/vnd.onnx"

// The versions that are written: ONNX 1.16, of March 2024.
const (
	irVersion = 10
	opset     = 21
)

// maxFile is protobuf's limit on a message.
const maxFile = math.MaxInt32

// Export returns the model as an ONNX file. metadata becomes the file's metadata_props, by key.
func Export(m *bundle.Model, metadata map[string]string) ([]byte, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	info, err := graph.Infer(m.Graph)
	if err != nil {
		return nil, err
	}
	if info.Bytes > maxFile-1<<20 {
		return nil, fmt.Errorf("the weights are %d bytes; an ONNX file holds at most 2 GiB", info.Bytes)
	}
	e := &exporter{model: m, info: info, held: map[string]held{}, converted: map[string]string{}, shared: map[string]bool{}, quantized: map[string]bool{}}
	for _, in := range m.Graph.Inputs {
		e.input(in)
	}
	for i := range m.Graph.Layers {
		if err := e.layer(&m.Graph.Layers[i]); err != nil {
			return nil, err
		}
	}
	file := message{}.varint(1, irVersion).text(2, "mbuild").bytes(7, e.graph()).bytes(8, message{}.text(1, "").varint(2, opset))
	for _, k := range slices.Sorted(maps.Keys(metadata)) {
		file = file.bytes(14, message{}.text(1, k).text(2, metadata[k]))
	}
	return file, nil
}

// exporter collects nodes and initializers.
type exporter struct {
	model     *bundle.Model
	info      *graph.Info
	nodes     []message
	tensors   []message
	held      map[string]held   // by input or layer
	converted map[string]string // input or layer, "/", layout -> the value that has it
	shared    map[string]bool   // values that layers have in common
	quantized map[string]bool   // values that are quantised already
}

// graph is the GraphProto of what was collected.
func (e *exporter) graph() message {
	g := message{}
	for _, n := range e.nodes {
		g = g.bytes(1, n)
	}
	g = g.text(2, "mbuild")
	for _, t := range e.tensors {
		g = g.bytes(5, t)
	}
	names := e.dimensions()
	for _, in := range e.model.Graph.Inputs {
		g = g.bytes(11, valueInfo(in.Name, types[in.DType], in.Shape, names[in.Name]))
	}
	for _, out := range e.model.Graph.Outputs {
		g = g.bytes(12, valueInfo(out, types[e.info.DTypes[out]], e.info.Shapes[out], names[out]))
	}
	return g
}

// dimensions names the dimensions of inputs and outputs that may have other sizes: those of sequences that may be shorter, "sequence"
// or, where there are several, after the first input of each. The operators of no layer may know the length then.
func (e *exporter) dimensions() map[string]map[int]string {
	g := e.model.Graph
	if slices.ContainsFunc(g.Layers, func(l graph.Layer) bool { return !free[l.Op] }) {
		return nil
	}
	names := map[string]map[int]string{}
	groups := g.Elastic()
	for _, group := range groups {
		name := "sequence"
		if len(groups) > 1 {
			name = group[0] + "_length"
		}
		lengths := map[string]int{}
		for _, in := range group {
			lengths[in] = e.info.Shapes[in][0] - 1
		}
		_, short, err := g.AtLengths(lengths)
		if err != nil {
			panic("onnx: " + err.Error()) // Elastic has tried it
		}
		for _, v := range append(slices.Clone(group), g.Outputs...) {
			for axis, n := range e.info.Shapes[v] {
				if short.Shapes[v][axis] == n {
					continue
				}
				if names[v] == nil {
					names[v] = map[int]string{}
				}
				names[v][axis] = name
			}
		}
	}
	return names
}

// free are the ops whose operators are the same for all lengths of a sequence.
var free = map[string]bool{
	"dense": true, "activation": true, "dropout": true, "scale": true, "layer_norm": true, "rms_norm": true, "add": true, "multiply": true, "concat": true,
	"embedding": true, "position_embedding": true, "type_embedding": true, "tied_dense": true, "padding_mask": true, "attention": true,
	"lstm": true, "gru": true, "sequence_pool": true, "l2_normalize": true, "dot": true,
}

// node adds an operator with one output and returns the output's name.
func (e *exporter) node(op, output string, inputs []string, attrs ...message) string {
	e.operator(op, []string{output}, inputs, attrs...)
	return output
}

// operator adds an operator, which bears the name of its first output. An output of no name is left out.
func (e *exporter) operator(op string, outputs, inputs []string, attrs ...message) {
	m := message{}
	for _, in := range inputs {
		m = m.text(1, in)
	}
	for _, out := range outputs {
		m = m.text(2, out)
	}
	m = m.text(3, cmp.Or(outputs...)).text(4, op)
	for _, a := range attrs {
		m = m.bytes(5, a)
	}
	e.nodes = append(e.nodes, m)
}

// constant adds an initializer.
func (e *exporter) constant(name string, t *bundle.Tensor) string {
	e.tensors = append(e.tensors, tensor(name, types[t.DType], t.Shape, t.Data))
	return name
}

// floats adds an initializer of float32 values.
func (e *exporter) floats(name string, v []float32, shape ...int) string {
	return e.constant(name, bundle.Float32(shape, v))
}

// param adds a parameter of a layer as it is stored, and a Cast to float32 where that is needed.
func (e *exporter) param(l *graph.Layer, name string) string {
	t := e.model.Params[l.Name][name]
	return e.float(e.constant(l.Name+"/"+name, t), t.DType)
}

// float casts an initializer of 16-bit floats.
func (e *exporter) float(name string, dtype graph.DType) string {
	if dtype == graph.F16 || dtype == graph.BF16 {
		return e.node("Cast", name+"/float", []string{name}, attr("to", int64(typeFloat)))
	}
	return name
}

func (e *exporter) input(in graph.Input) {
	v := in.Name
	if in.Scale != 1 {
		v = e.node("Mul", in.Name+"/scaled", []string{v, e.floats(in.Name+"/scale", []float32{float32(in.Scale)})})
	}
	if in.Shift != 0 {
		v = e.node("Add", in.Name+"/shifted", []string{v, e.floats(in.Name+"/shift", []float32{float32(in.Shift)})})
	}
	if mean, deviation := in.Normalization(); mean != nil {
		v = e.node("Sub", in.Name+"/centred", []string{v, e.floats(in.Name+"/mean", mean, len(mean))})
		v = e.node("Div", in.Name+"/normalized", []string{v, e.floats(in.Name+"/deviation", deviation, len(deviation))})
	}
	e.held[in.Name] = held{value: v, layout: last}
}
