package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"mbuild.dev/mbuild/stdlib/graph"
)

// layer adds the operators of a layer; the last one's output is the layer's name.
func (e *exporter) layer(l *graph.Layer) error {
	in := e.values(l)
	switch l.Op {
	case "dense":
		e.dense(l, in[0])
	case "activation":
		e.activation(l.Text("function", ""), l.Name, in[0])
	case "dropout":
		e.node("Identity", l.Name, in)
	case "batch_norm":
		e.batchNorm(l, in[0])
	case "layer_norm":
		e.node("LayerNormalization", l.Name, []string{in[0], e.param(l, "gamma"), e.param(l, "beta")}, attr("axis", int64(-1)), epsilon(l))
	case "flatten":
		e.node("Flatten", l.Name, in, attr("axis", int64(1)))
	case "reshape":
		e.node("Reshape", l.Name, []string{in[0], e.shape(l)})
	case "add":
		e.node("Sum", l.Name, in)
	case "concat":
		e.node("Concat", l.Name, in, attr("axis", int64(-1)))
	default:
		return fmt.Errorf("layer %q: ONNX export does not know the op %q", l.Name, l.Op)
	}
	return nil
}

func epsilon(l *graph.Layer) message { return attr("epsilon", float32(l.Float("epsilon", 1e-5))) }

// shape adds the shape that Reshape takes; 0 stands for the input's own first dimension.
func (e *exporter) shape(l *graph.Layer) string {
	out := append([]int{0}, e.info.Shapes[l.Name]...)
	var raw []byte
	for _, d := range out {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(d))
	}
	e.tensors = append(e.tensors, tensor(l.Name+"/shape", typeInt64, []int{len(out)}, raw))
	return l.Name + "/shape"
}

func (e *exporter) dense(l *graph.Layer, x string) {
	bias, f := l.Flag("use_bias", true), l.Text("activation", "linear")
	biased := l.Name // what x W + b is called: the last step has the layer's name
	if f != "linear" {
		biased = l.Name + "/linear"
	}
	switch {
	case l.Quant == graph.DynamicInt8 && bias:
		e.node("Add", biased, []string{e.dynamicInt8(l, x, l.Name+"/product"), e.param(l, "bias")})
	case l.Quant == graph.DynamicInt8:
		e.dynamicInt8(l, x, biased)
	case bias:
		e.node("Gemm", biased, []string{x, e.weight(l), e.param(l, "bias")})
	default:
		e.node("MatMul", biased, []string{x, e.weight(l)})
	}
	if f != "linear" {
		e.activation(f, l.Name, biased)
	}
}

// weight adds a weight as float32. One in int8 is scaled back by Cast and Mul, which ONNX Runtime does once, when it loads the
// file. DequantizeLinear says the same, but ONNX Runtime 1.31 makes it and MatMul one MatMulNBits, which by default
// (session.qdq_matmulnbits_accuracy_level 4) quantises activations too: results are off by 1 %, and not what was evaluated.
func (e *exporter) weight(l *graph.Layer) string {
	w := e.param(l, "weight")
	if l.Quant != graph.WeightOnlyInt8 {
		return w
	}
	w = e.node("Cast", l.Name+"/weight/float", []string{w}, attr("to", int64(typeFloat)))
	return e.node("Mul", l.Name+"/weight/scaled", []string{w, e.param(l, "weight_scale")})
}

// dynamicInt8 is the form that ONNX Runtime fuses: the integer product, scaled by the product of both scales.
func (e *exporter) dynamicInt8(l *graph.Layer, x, out string) string {
	q, scale, zero := x+"/quantized", x+"/quantized/scale", x+"/quantized/zero"
	if !e.quantized[x] {
		e.operator("DynamicQuantizeLinear", []string{q, scale, zero}, []string{x})
		e.quantized[x] = true
	}
	acc := e.node("MatMulInteger", l.Name+"/integer", []string{q, e.param(l, "weight"), zero})
	acc = e.node("Cast", l.Name+"/integer/float", []string{acc}, attr("to", int64(typeFloat)))
	both := e.node("Mul", l.Name+"/scale", []string{scale, e.param(l, "weight_scale")})
	return e.node("Mul", out, []string{acc, both})
}

func (e *exporter) activation(f, out, x string) {
	in := []string{x}
	switch f {
	case "linear":
		e.node("Identity", out, in)
	case "relu":
		e.node("Relu", out, in)
	case "gelu":
		e.node("Gelu", out, in, attr("approximate", "none"))
	case "tanh":
		e.node("Tanh", out, in)
	case "sigmoid":
		e.node("Sigmoid", out, in)
	case "silu":
		e.node("Mul", out, []string{x, e.node("Sigmoid", out+"/sigmoid", in)})
	case "elu":
		e.node("Elu", out, in, attr("alpha", float32(1)))
	case "leaky_relu":
		e.node("LeakyRelu", out, in, attr("alpha", float32(0.01)))
	case "softplus":
		e.node("Softplus", out, in)
	case "softmax":
		e.node("Softmax", out, in, attr("axis", int64(-1)))
	default:
		panic("onnx: activation " + f) // graph.Infer has checked it
	}
}

// batchNorm is BatchNormalization where the features are on its axis. Elsewhere the statistics are folded: x scale + shift with
// scale = gamma / sqrt(variance + epsilon), which is what runtimes do too.
func (e *exporter) batchNorm(l *graph.Layer, x string) {
	if len(e.info.Shapes[l.Name]) == 1 {
		e.node("BatchNormalization", l.Name, []string{x, e.param(l, "gamma"), e.param(l, "beta"), e.param(l, "mean"), e.param(l, "variance")}, epsilon(l))
		return
	}
	ps := e.model.Params[l.Name]
	gamma, beta, mean, variance := ps["gamma"].Float32s(), ps["beta"].Float32s(), ps["mean"].Float32s(), ps["variance"].Float32s()
	scale, shift := make([]float32, len(gamma)), make([]float32, len(gamma))
	for i := range gamma {
		s := float64(gamma[i]) / math.Sqrt(float64(variance[i])+l.Float("epsilon", 1e-5))
		scale[i], shift[i] = float32(s), float32(float64(beta[i])-float64(mean[i])*s)
	}
	y := e.node("Mul", l.Name+"/scaled", []string{x, e.floats(l.Name+"/scale", scale, len(scale))})
	e.node("Add", l.Name, []string{y, e.floats(l.Name+"/shift", shift, len(shift))})
}
