package onnx

import (
	"fmt"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// layer adds the operators of a layer. Its result bears the layer's name; where that is an output of the file in another layout
// than the graph's, the last operator turns it round.
func (e *exporter) layer(l *graph.Layer) error {
	h := e.choose(l.Op, l.Inputs)
	h.value = l.Name
	if h.layout != last && slices.Contains(e.model.Graph.Outputs, l.Name) {
		h.value = l.Name + "/" + h.layout.String()
	}
	if err := e.operators(l, h.value, h.layout); err != nil {
		return err
	}
	e.held[l.Name] = h
	if h.value != l.Name {
		if v := e.convert(l.Name, last, l.Name); v != l.Name {
			e.node("Identity", l.Name, []string{v})
		}
		e.converted[l.Name+"/"+last.String()] = l.Name
	}
	return nil
}

// operators adds the operators of a layer that give out, in a layout.
func (e *exporter) operators(l *graph.Layer, out string, on layout) error {
	switch l.Op {
	case "dense":
		e.dense(l)
	case "conv1d", "conv2d", "conv1d_transpose", "conv2d_transpose":
		e.conv(l, out)
	case "max_pool", "avg_pool":
		e.pool(l, out)
	case "global_max_pool", "global_avg_pool":
		e.globalPool(l, out)
	case "upsample":
		e.upsample(l, out)
	case "activation":
		e.activation(l.Text("function", ""), out, e.in(l.Inputs[0], on), on)
	case "dropout":
		e.node("Identity", out, []string{e.in(l.Inputs[0], on)})
	case "scale":
		e.node("Mul", out, []string{e.in(l.Inputs[0], on), e.floats(l.Name+"/factor", []float32{float32(l.Float("factor", 1))})})
	case "batch_norm":
		e.batchNorm(l, out, on)
	case "group_norm":
		e.groupNorm(l, out)
	case "rms_norm":
		e.rmsNorm(l, out)
	case "layer_norm":
		e.node("LayerNormalization", out, []string{e.in(l.Inputs[0], last), e.param(l, "gamma"), e.param(l, "beta")}, attr("axis", int64(-1)), epsilon(l))
	case "flatten":
		e.node("Flatten", out, []string{e.held[l.Inputs[0]].value}, attr("axis", int64(1)))
	case "reshape":
		e.reshape(out, e.in(l.Inputs[0], last), e.info.Shapes[l.Name])
	case "add", "multiply", "concat":
		e.join(l, out, on)
	case "embedding":
		e.rows(l, out, e.held[l.Inputs[0]].value)
	case "position_embedding":
		e.positions(l, out)
	case "type_embedding":
		e.types(l, out)
	case "tied_dense":
		e.tied(l, out)
	case "padding_mask":
		e.paddingMask(l, out)
	case "attention":
		e.attention(l, out)
	case "lstm", "gru":
		e.recurrent(l, out)
	case "sequence_pool":
		e.sequencePool(l, out)
	case "l2_normalize":
		e.l2Normalize(l, out)
	case "dot":
		e.dot(l, out)
	default:
		return fmt.Errorf("layer %q: ONNX export does not know the op %q", l.Name, l.Op)
	}
	return nil
}

func (e *exporter) join(l *graph.Layer, out string, on layout) {
	in := make([]string, len(l.Inputs))
	for i, name := range l.Inputs {
		in[i] = e.in(name, on)
	}
	switch l.Op {
	case "add":
		e.node("Sum", out, in)
	case "concat":
		e.node("Concat", out, in, attr("axis", channels(on)))
	case "multiply": // Mul takes two
		y := in[0]
		for i, x := range in[1:] {
			name := out
			if i+2 < len(in) {
				name = fmt.Sprintf("%s/product%d", l.Name, i)
			}
			y = e.node("Mul", name, []string{y, x})
		}
	}
}

// channels is the axis of the channels.
func channels(on layout) int64 {
	if on == first {
		return 1
	}
	return -1
}

func (e *exporter) dense(l *graph.Layer) {
	x := e.held[l.Inputs[0]].value // a vector, whose layout the weight follows
	sequence := len(e.info.Shapes[l.Name]) > 1
	if sequence {
		x = e.in(l.Inputs[0], last)
	}
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
	case bias && sequence:
		e.node("Add", biased, []string{e.node("MatMul", l.Name+"/product", []string{x, e.weight(l)}), e.param(l, "bias")})
	case bias:
		e.node("Gemm", biased, []string{x, e.weight(l), e.param(l, "bias")})
	default:
		e.node("MatMul", biased, []string{x, e.weight(l)})
	}
	if f != "linear" {
		e.activation(f, l.Name, biased, last)
	}
}

// matrix is the weight of a dense layer, with rows in the order in which its input was flattened.
func (e *exporter) matrix(l *graph.Layer) *bundle.Tensor {
	t, h := e.model.Params[l.Name]["weight"], e.held[l.Inputs[0]]
	if h.layout != flat {
		return t
	}
	n := len(h.shape)
	perm := []int{n - 1}
	for a := range n - 1 {
		perm = append(perm, a)
	}
	turned := transpose(t, append(slices.Clone(h.shape), t.Shape[1]), append(perm, n))
	return &bundle.Tensor{DType: t.DType, Shape: t.Shape, Data: turned.Data}
}

// weight adds a weight as float32. One in int8 is scaled back by Cast and Mul, which ONNX Runtime does once, when it loads the
// file. DequantizeLinear says the same, but ONNX Runtime 1.31 makes it and MatMul one MatMulNBits, which by default
// (session.qdq_matmulnbits_accuracy_level 4) quantises activations too: results are off by 1 %, and not what was evaluated.
func (e *exporter) weight(l *graph.Layer) string {
	t := e.matrix(l)
	w := e.float(e.constant(l.Name+"/weight", t), t.DType)
	if l.Quant != graph.WeightOnlyInt8 {
		return w
	}
	w = e.node("Cast", l.Name+"/weight/float", []string{w}, attr("to", int64(typeFloat)))
	return e.node("Mul", l.Name+"/weight/scaled", []string{w, e.param(l, "weight_scale")})
}

// quantize adds DynamicQuantizeLinear of a value, once.
func (e *exporter) quantize(x string) (q, scale, zero string) {
	q, scale, zero = x+"/quantized", x+"/quantized/scale", x+"/quantized/zero"
	if !e.quantized[x] {
		e.operator("DynamicQuantizeLinear", []string{q, scale, zero}, []string{x})
		e.quantized[x] = true
	}
	return q, scale, zero
}

// dynamicInt8 is the form that ONNX Runtime fuses: the integer product, scaled by the product of both scales.
//
// The weight is written as uint8 with zero point 128, which says the same. ONNX Runtime multiplies uint8 by int8 with an
// instruction that saturates at 16 bits on x86 processors without VNNI, and is wrong by up to a third there; uint8 by uint8 is
// exact on all of them (ADR 21).
func (e *exporter) dynamicInt8(l *graph.Layer, x, out string) string {
	t := e.matrix(l)
	shifted := make([]byte, len(t.Data))
	for i, v := range t.Data {
		shifted[i] = v + 128
	}
	w, point := l.Name+"/weight", l.Name+"/weight_zero"
	e.tensors = append(e.tensors, tensor(w, typeUint8, t.Shape, shifted), tensor(point, typeUint8, nil, []byte{128}))
	q, scale, zero := e.quantize(x)
	acc := e.node("MatMulInteger", l.Name+"/integer", []string{q, w, zero, point})
	acc = e.node("Cast", l.Name+"/integer/float", []string{acc}, attr("to", int64(typeFloat)))
	both := e.node("Mul", l.Name+"/scale", []string{scale, e.param(l, "weight_scale")})
	return e.node("Mul", out, []string{acc, both})
}

// activation adds a function of graph.Activations; softmax is over the channels.
func (e *exporter) activation(f, out, x string, on layout) {
	in := []string{x}
	switch f {
	case "linear":
		e.node("Identity", out, in)
	case "relu":
		e.node("Relu", out, in)
	case "gelu":
		e.node("Gelu", out, in, attr("approximate", "none"))
	case "gelu_tanh":
		e.node("Gelu", out, in, attr("approximate", "tanh"))
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
		e.node("Softmax", out, in, attr("axis", channels(on)))
	default:
		panic("onnx: activation " + f) // graph.Infer has checked it
	}
}
