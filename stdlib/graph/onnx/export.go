// Package onnx lowers a model to an ONNX file: opset 21, IR version 10, one graph with a batch dimension of any size.
//
// Layers become the operators that ONNX Runtime executes natively. A dense layer with dynamic_int8 becomes
// DynamicQuantizeLinear and MatMulInteger; with weight_only_int8, DequantizeLinear before MatMul. Dropout is gone, batch
// normalisation is a multiplication and an addition. The file is byte-stable: equal models give equal bytes.
package onnx

import (
	"fmt"
	"math"
	"sort"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
)

// MediaType is the media type of an ONNX file.
const MediaType = "application/vnd.onnx"

// The versions that are written.
const (
	irVersion = 10
	opset     = 21
)

// Export returns the model as an ONNX file. metadata becomes metadata_props.
func Export(m *bundle.Model, metadata map[string]string) ([]byte, error) {
	e := &exporter{model: m, values: map[string]string{}}
	for _, in := range m.Graph.Inputs {
		e.input(in)
	}
	for i := range m.Graph.Layers {
		if err := e.layer(&m.Graph.Layers[i]); err != nil {
			return nil, err
		}
	}
	g := message{}
	for _, n := range e.nodes {
		g = g.bytes(1, n)
	}
	g = g.text(2, "mbuild")
	for _, t := range e.tensors {
		g = g.bytes(5, t)
	}
	for _, in := range m.Graph.Inputs {
		g = g.bytes(11, valueInfo(in.Name, in.Shape))
	}
	for _, out := range m.Graph.Outputs {
		g = g.bytes(12, valueInfo(e.values[out], m.Info.Shapes[out]))
	}
	file := message{}.varint(1, irVersion).text(2, "mbuild").bytes(7, g).bytes(8, message{}.text(1, "").varint(2, opset))
	keys := make([]string, 0, len(metadata))
	for k := range metadata {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		file = file.bytes(14, message{}.text(1, k).text(2, metadata[k]))
	}
	return file, nil
}

// exporter collects nodes and initializers.
type exporter struct {
	model   *bundle.Model
	nodes   []message
	tensors []message
	values  map[string]string // layer or input -> name of the value that holds it
	count   int
}

// node adds an operator with one output and returns the output's name.
func (e *exporter) node(op, output string, inputs []string, attrs ...message) string {
	e.operator(op, []string{output}, inputs, attrs...)
	return output
}

func (e *exporter) operator(op string, outputs, inputs []string, attrs ...message) {
	m := message{}
	for _, in := range inputs {
		m = m.text(1, in)
	}
	for _, out := range outputs {
		m = m.text(2, out)
	}
	m = m.text(3, fmt.Sprintf("%s_%d", op, e.count)).text(4, op)
	for _, a := range attrs {
		m = m.bytes(5, a)
	}
	e.count++
	e.nodes = append(e.nodes, m)
}

// floats adds an initializer of float32 values.
func (e *exporter) floats(name string, v []float32, shape ...int) string {
	e.tensors = append(e.tensors, tensor(name, typeFloat, shape, safetensors.Bytes(v)))
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
	e.values[in.Name] = v
}

func (e *exporter) layer(l *graph.Layer) error {
	x := e.values[l.Inputs[0]]
	switch l.Op {
	case "dense":
		e.values[l.Name] = e.dense(l, x)
	case "activation":
		e.values[l.Name] = e.activation(l.Text("function", ""), l.Name, x)
	case "dropout":
		e.values[l.Name] = e.node("Identity", l.Name, []string{x})
	case "batch_norm":
		e.values[l.Name] = e.batchNorm(l, x)
	case "layer_norm":
		e.values[l.Name] = e.node("LayerNormalization", l.Name, []string{x, e.param(l, "gamma"), e.param(l, "beta")},
			attr("axis", int64(-1)), attr("epsilon", float32(l.Float("epsilon", 1e-5))))
	case "flatten":
		e.values[l.Name] = e.node("Flatten", l.Name, []string{x}, attr("axis", int64(1)))
	case "add":
		e.values[l.Name] = e.node("Sum", l.Name, e.inputs(l))
	case "concat":
		e.values[l.Name] = e.node("Concat", l.Name, e.inputs(l), attr("axis", int64(-1)))
	default:
		return fmt.Errorf("layer %q: ONNX export does not know the op %q", l.Name, l.Op)
	}
	return nil
}

func (e *exporter) inputs(l *graph.Layer) []string {
	names := make([]string, len(l.Inputs))
	for i, in := range l.Inputs {
		names[i] = e.values[in]
	}
	return names
}

// param adds a parameter of a layer as it is stored, and a Cast to float32 where that is needed.
func (e *exporter) param(l *graph.Layer, name string) string {
	t := e.model.Params[l.Name][name]
	full := l.Name + "/" + name
	types := map[graph.DType]int64{graph.F32: typeFloat, graph.F16: typeFloat16, graph.BF16: typeBFloat16, graph.I8: typeInt8}
	e.tensors = append(e.tensors, tensor(full, types[t.DType], t.Shape, t.Data))
	if t.DType == graph.F16 || t.DType == graph.BF16 {
		return e.node("Cast", full+"/float", []string{full}, attr("to", int64(typeFloat)))
	}
	return full
}

func (e *exporter) dense(l *graph.Layer, x string) string {
	at := func(s string) string { return l.Name + "/" + s }
	var y string
	switch l.Quant {
	case graph.DynamicInt8:
		e.operator("DynamicQuantizeLinear", []string{at("x"), at("x_scale"), at("x_zero")}, []string{x})
		acc := e.node("MatMulInteger", at("acc"), []string{at("x"), e.param(l, "weight"), at("x_zero")})
		acc = e.node("Cast", at("acc_float"), []string{acc}, attr("to", int64(typeFloat)))
		scale := e.node("Mul", at("scale"), []string{at("x_scale"), e.param(l, "weight_scale")})
		y = e.node("Mul", at("matmul"), []string{acc, scale})
	case graph.WeightOnlyInt8:
		w := e.node("DequantizeLinear", at("weight_float"), []string{e.param(l, "weight"), e.param(l, "weight_scale")}, attr("axis", int64(1)))
		y = e.node("MatMul", at("matmul"), []string{x, w})
	default:
		y = e.node("MatMul", at("matmul"), []string{x, e.param(l, "weight")})
	}
	if l.Flag("use_bias", true) {
		y = e.node("Add", at("biased"), []string{y, e.param(l, "bias")})
	}
	return e.activation(l.Text("activation", "linear"), l.Name, y)
}

func (e *exporter) activation(f, out, x string) string {
	in := []string{x}
	switch f {
	case "relu":
		return e.node("Relu", out, in)
	case "gelu":
		return e.node("Gelu", out, in, attr("approximate", "none"))
	case "tanh":
		return e.node("Tanh", out, in)
	case "sigmoid":
		return e.node("Sigmoid", out, in)
	case "silu":
		return e.node("Mul", out, []string{x, e.node("Sigmoid", out+"/sigmoid", in)})
	case "elu":
		return e.node("Elu", out, in, attr("alpha", float32(1)))
	case "leaky_relu":
		return e.node("LeakyRelu", out, in, attr("alpha", float32(0.01)))
	case "softplus":
		return e.node("Softplus", out, in)
	case "softmax":
		return e.node("Softmax", out, in, attr("axis", int64(-1)))
	}
	return x
}

// batchNorm folds the running statistics: x scale + shift with scale = gamma / sqrt(variance + epsilon).
func (e *exporter) batchNorm(l *graph.Layer, x string) string {
	ps := e.model.Params[l.Name]
	gamma, beta, mean, variance := ps["gamma"].Float32s(), ps["beta"].Float32s(), ps["mean"].Float32s(), ps["variance"].Float32s()
	scale, shift := make([]float32, len(gamma)), make([]float32, len(gamma))
	for i := range gamma {
		s := float64(gamma[i]) / math.Sqrt(float64(variance[i])+l.Float("epsilon", 1e-5))
		scale[i], shift[i] = float32(s), float32(float64(beta[i])-float64(mean[i])*s)
	}
	y := e.node("Mul", l.Name+"/scaled", []string{x, e.floats(l.Name+"/scale", scale, len(scale))})
	return e.node("Add", l.Name, []string{y, e.floats(l.Name+"/shift", shift, len(shift))})
}
