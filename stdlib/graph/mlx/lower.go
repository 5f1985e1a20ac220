// Package mlx lowers an architecture (package graph) to a GoMLX computation.
//
// It does not know training: losses, gradients and optimizers are package learn's. The nouns: Values (parameters as nodes),
// Lowering (a forward pass under construction, in training or inference), Program (a compiled model with its weights on the
// device).
//
// Parameters are explicit inputs of the computation, not variables of GoMLX: what is trained, saved and digested is only what
// mbuild itself handed in. Batch normalisation and quantised layers are composed from elementary operations, which all
// backends have. The random part of dropout comes in as a mask, made outside by our own generator.
//
// The invariant: for every graph that graph.Infer accepts, inference computes what package reference does, up to the rounding
// of float32 sums.
package mlx

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/stdlib/graph"
)

// Values are nodes by layer and parameter.
type Values map[string]map[string]*Node

// Lowering is one forward pass under construction.
type Lowering struct {
	Graph  *graph.Graph
	Params Values           // every parameter that graph.Infer lists
	Train  bool             // batch statistics and dropout, as in training
	Masks  map[string]*Node // dropout masks by layer: 0 or 1/(1-rate), of the layer's shape; Train only
	Stats  Values           // filled in by Forward when Train is set: the new running statistics of batch_norm layers
	nodes  map[string]*Node
}

// Forward lowers the graph over its inputs ([batch, shape...] float32 by name) and returns its outputs in order. It panics
// with an error, as GoMLX does, when something does not fit; graphs that graph.Infer accepts do.
func (l *Lowering) Forward(inputs map[string]*Node) []*Node {
	l.nodes = map[string]*Node{}
	l.Stats = Values{}
	for _, in := range l.Graph.Inputs {
		x := inputs[in.Name]
		if in.Scale != 1 {
			x = MulScalar(x, in.Scale)
		}
		if in.Shift != 0 {
			x = AddScalar(x, in.Shift)
		}
		if mean, deviation := in.Normalization(); mean != nil {
			x = Div(Sub(x, row(Const(x.Graph(), mean), x)), row(Const(x.Graph(), deviation), x))
		}
		l.nodes[in.Name] = x
	}
	for i := range l.Graph.Layers {
		layer := &l.Graph.Layers[i]
		l.nodes[layer.Name] = l.layer(layer)
	}
	out := make([]*Node, len(l.Graph.Outputs))
	for i, name := range l.Graph.Outputs {
		out[i] = l.nodes[name]
	}
	return out
}

func (l *Lowering) layer(layer *graph.Layer) *Node {
	x := l.nodes[layer.Inputs[0]]
	switch layer.Op {
	case "dense":
		return l.dense(layer, x)
	case "activation":
		return Activation(layer.Text("function", ""), x)
	case "dropout":
		if mask := l.Masks[layer.Name]; l.Train && mask != nil {
			return Mul(x, mask)
		}
		return x
	case "batch_norm":
		return l.batchNorm(layer, x)
	case "layer_norm":
		last := x.Rank() - 1
		mean := ReduceAndKeep(x, ReduceMean, last)
		centred := Sub(x, mean)
		variance := ReduceAndKeep(Square(centred), ReduceMean, last)
		return l.affine(layer, Div(centred, Sqrt(AddScalar(variance, layer.Float("epsilon", 1e-5)))))
	case "flatten":
		return Reshape(x, x.Shape().Dimensions[0], -1)
	case "reshape":
		return Reshape(x, append([]int{x.Shape().Dimensions[0]}, layer.Ints("shape")...)...)
	case "add":
		for _, in := range layer.Inputs[1:] {
			x = Add(x, l.nodes[in])
		}
		return x
	case "concat":
		all := make([]*Node, len(layer.Inputs))
		for i, in := range layer.Inputs {
			all[i] = l.nodes[in]
		}
		return Concatenate(all, -1)
	}
	panic(fmt.Errorf("layer %q: no GoMLX lowering of op %q", layer.Name, layer.Op))
}

// param returns a parameter as float32, whatever it is stored in.
func (l *Lowering) param(layer *graph.Layer, name string) *Node {
	p := l.Params[layer.Name][name]
	if p.DType() != dtypes.Float32 {
		p = ConvertDType(p, dtypes.Float32)
	}
	return p
}

func (l *Lowering) dense(layer *graph.Layer, x *Node) *Node {
	var y *Node
	switch layer.Quant {
	case graph.DynamicInt8:
		y = l.dynamicInt8(layer, x)
	case graph.WeightOnlyInt8:
		scale := ExpandDims(l.param(layer, "weight_scale"), 0)
		y = MatMul(x, Mul(l.param(layer, "weight"), BroadcastToDims(scale, l.Params[layer.Name]["weight"].Shape().Dimensions...)))
	default:
		y = MatMul(x, l.param(layer, "weight"))
	}
	if layer.Flag("use_bias", true) {
		y = Add(y, row(l.param(layer, "bias"), y))
	}
	return Activation(layer.Text("activation", "linear"), y)
}

// dynamicInt8 is DynamicQuantizeLinear and MatMulInteger of ONNX: the input is quantised to uint8 with one scale and zero
// point for the whole tensor, whose range always includes zero; weights are int8 with a scale for each column. The float
// operations are those of ONNX in its order, so that results agree to the bit.
func (l *Lowering) dynamicInt8(layer *graph.Layer, x *Node) *Node {
	g := x.Graph()
	zero := ScalarZero(g, dtypes.Float32)
	lo := Min(zero, ReduceAllMin(x))
	hi := Max(zero, ReduceAllMax(x))
	scale := Div(Sub(hi, lo), Scalar(g, dtypes.Float32, 255)) // DivScalar would multiply by 1/255, which rounds otherwise
	scale = Where(Equal(scale, zero), ScalarOne(g, dtypes.Float32), scale)
	zp := ClipScalar(Round(Neg(Div(lo, scale))), 0, 255)
	q := ClipScalar(Add(Round(Div(x, scale)), zp), 0, 255)
	acc := integerMatMul(Sub(q, zp), l.param(layer, "weight"))
	return Mul(acc, row(Mul(scale, l.param(layer, "weight_scale")), acc))
}

// exactRows is how many products of a quantised activation (at most 255 in size) and weight (at most 128) float32 adds
// exactly, in any order: below 2^24 it has every whole number.
const exactRows = 1 << 24 / (255 * 128)

// integerMatMul is x w for whole numbers in float32, with sums as in int32, rounded to float32 once. Backends multiply
// float32 fast and integers slowly; so it multiplies stretches of rows that are short enough to be exact.
func integerMatMul(x, w *Node) *Node {
	rows := w.Shape().Dimensions[0]
	if rows <= exactRows {
		return MatMul(x, w)
	}
	var sum *Node
	for at := 0; at < rows; at += exactRows {
		to := min(at+exactRows, rows)
		part := ConvertDType(MatMul(Slice(x, AxisRange(), AxisRange(at, to)), Slice(w, AxisRange(at, to))), dtypes.Int32)
		if sum == nil {
			sum = part
		} else {
			sum = Add(sum, part)
		}
	}
	return ConvertDType(sum, dtypes.Float32)
}

func (l *Lowering) batchNorm(layer *graph.Layer, x *Node) *Node {
	mean, variance := l.param(layer, "mean"), l.param(layer, "variance")
	if l.Train {
		axes := make([]int, x.Rank()-1)
		for i := range axes {
			axes[i] = i
		}
		m := layer.Float("momentum", 0.9)
		batchMean := ReduceMean(x, axes...)
		batchVar := ReduceMean(Square(Sub(x, row(batchMean, x))), axes...)
		l.Stats[layer.Name] = map[string]*Node{
			"mean":     StopGradient(Add(MulScalar(mean, m), MulScalar(batchMean, 1-m))),
			"variance": StopGradient(Add(MulScalar(variance, m), MulScalar(batchVar, 1-m))),
		}
		mean, variance = batchMean, batchVar
	}
	dev := Sqrt(AddScalar(variance, layer.Float("epsilon", 1e-5)))
	return l.affine(layer, Div(Sub(x, row(mean, x)), row(dev, x)))
}

func (l *Lowering) affine(layer *graph.Layer, x *Node) *Node {
	return Add(Mul(x, row(l.param(layer, "gamma"), x)), row(l.param(layer, "beta"), x))
}

// Activation applies an element-wise function of graph.Activations; softmax is over the last axis.
func Activation(name string, x *Node) *Node {
	switch name {
	case "linear", "":
		return x
	case "relu":
		return Max(x, ScalarZero(x.Graph(), x.DType()))
	case "gelu":
		return Mul(MulScalar(x, 0.5), AddScalar(Erf(MulScalar(x, 0.7071067811865476)), 1))
	case "tanh":
		return Tanh(x)
	case "sigmoid":
		return Sigmoid(x)
	case "silu":
		return Mul(x, Sigmoid(x))
	case "elu":
		return Where(GreaterThan(x, ZerosLike(x)), x, AddScalar(Exp(Min(x, ZerosLike(x))), -1))
	case "leaky_relu":
		return Max(x, MulScalar(x, 0.01))
	case "softplus": // log(1+e^x) without overflow
		return Add(Max(x, ZerosLike(x)), Log1P(Exp(Neg(Abs(x)))))
	case "softmax":
		return Softmax(x, -1)
	}
	panic(fmt.Errorf("no GoMLX lowering of activation %q", name))
}

// row gives a vector leading axes of size 1, so that it broadcasts over all but the last axis of like.
func row(v, like *Node) *Node {
	dims := make([]int, like.Rank())
	for i := range dims {
		dims[i] = 1
	}
	dims[like.Rank()-1] = v.Shape().Dimensions[0]
	return Reshape(v, dims...)
}
