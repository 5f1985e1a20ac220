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
	"maps"
	"slices"

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
	Masks  map[string]*Node // dropout masks by layer: 0 or 1/(1-rate), of the shape that Layer.Dropout says; Train only
	Frozen map[string]bool  // batch_norm layers that use their running statistics in training, too, and leave them alone
	Remat  bool             // values are computed again for gradients (checkpoints)
	Stats  Values           // filled in by Forward when Train is set: the new running statistics of batch_norm layers

	// Each, if any, is called with the output of each layer and may put another node in its place.
	Each func(layer *graph.Layer, y *Node) *Node

	nodes  map[string]*Node
	shared map[string]*Node  // masks, and what is made of them, that layers have in common
	late   map[string]string // what layers apply instead of their activation: those that are put off, and max_pools after them
}

// Forward lowers the graph over its inputs ([batch, shape...] of the graph's types, by name) and returns its outputs in order. It panics
// with an error, as GoMLX does, when something does not fit; graphs that graph.Infer accepts do.
func (l *Lowering) Forward(inputs map[string]*Node) []*Node {
	l.nodes, l.shared = map[string]*Node{}, map[string]*Node{}
	l.Stats = Values{}
	if of := l.Graph.Sharers(); len(of) > 0 {
		l.Graph, l.Params = l.Graph.Unshared(), maps.Clone(l.Params)
		for name, from := range of {
			l.Params[name] = l.Params[from]
		}
	}
	l.late = putOff(l.Graph)
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
		y := l.layer(layer)
		if l.Each != nil {
			y = l.Each(layer, y)
		}
		l.nodes[layer.Name] = y
	}
	out := make([]*Node, len(l.Graph.Outputs))
	for i, name := range l.Graph.Outputs {
		out[i] = l.nodes[name]
	}
	return out
}

// Node is what a layer, or an input, gave in Forward; nil for another name.
func (l *Lowering) Node(name string) *Node { return l.nodes[name] }

func (l *Lowering) layer(layer *graph.Layer) *Node {
	x := l.nodes[layer.Inputs[0]]
	switch layer.Op {
	case "dense":
		return l.dense(layer, x)
	case "conv1d", "conv2d":
		return l.conv(layer, x)
	case "conv1d_transpose", "conv2d_transpose":
		return l.convTranspose(layer, x)
	case "max_pool", "avg_pool":
		return Activation(l.late[layer.Name], l.pool(layer, x))
	case "global_max_pool", "global_avg_pool":
		return globalPool(layer, x)
	case "upsample":
		return upsample(layer, x)
	case "activation":
		return Activation(l.activation(layer, "function"), x)
	case "dropout":
		if mask := l.Masks[layer.Name]; l.Train && mask != nil {
			return Mul(x, mask)
		}
		return x
	case "scale":
		return MulScalar(x, layer.Float("factor", 1))
	case "batch_norm":
		return l.batchNorm(layer, x)
	case "layer_norm":
		return l.affine(layer, normal(x, layer.Float("epsilon", 1e-5), x.Rank()-1))
	case "group_norm":
		return l.groupNorm(layer, x)
	case "rms_norm":
		square := ReduceAndKeep(Square(x), ReduceMean, x.Rank()-1)
		y := Div(x, Sqrt(AddScalar(square, layer.Float("epsilon", 1e-5))))
		return Mul(y, row(l.param(layer, "gamma"), y))
	case "flatten":
		return Reshape(x, x.Shape().Dimensions[0], -1)
	case "reshape":
		return Reshape(x, append([]int{x.Shape().Dimensions[0]}, layer.Ints("shape")...)...)
	case "add":
		for _, in := range layer.Inputs[1:] {
			x = Add(x, l.nodes[in])
		}
		return x
	case "multiply":
		for _, in := range layer.Inputs[1:] {
			x = Mul(x, l.nodes[in])
		}
		return x
	case "concat":
		all := make([]*Node, len(layer.Inputs))
		for i, in := range layer.Inputs {
			all[i] = l.nodes[in]
		}
		return Concatenate(all, -1)
	case "embedding":
		return l.embedding(layer, x)
	case "position_embedding":
		return l.positions(layer, x)
	case "type_embedding":
		return l.types(layer, x)
	case "tied_dense":
		return l.tied(layer, x)
	case "padding_mask":
		return ConvertDType(NotEqual(x, Scalar(x.Graph(), x.DType(), layer.Int("pad"))), dtypes.Float32)
	case "attention":
		return l.attention(layer)
	case "lstm", "gru":
		return l.recurrent(layer, x)
	case "sequence_pool":
		return l.sequencePool(layer, x)
	case "l2_normalize":
		return l2Normalize(x)
	case "dot":
		y := ReduceAndKeep(Mul(x, l.nodes[layer.Inputs[1]]), ReduceSum, x.Rank()-1)
		if s := layer.Float("scale", 1); s != 1 {
			y = MulScalar(y, s)
		}
		return y
	}
	panic(fmt.Errorf("layer %q: no GoMLX lowering of op %q", layer.Name, layer.Op))
}

// putOff finds activations that only a max_pool takes, and says after which. relu and leaky_relu never fall, so the greatest of
// what they give is what they give of the greatest, to the bit; after the pooling there is a fraction of it to compute.
func putOff(g *graph.Graph) map[string]string {
	takers := map[string][]*graph.Layer{}
	for i := range g.Layers {
		for _, in := range g.Layers[i].Inputs {
			takers[in] = append(takers[in], &g.Layers[i])
		}
	}
	late := map[string]string{}
	for i := range g.Layers {
		l := &g.Layers[i]
		f := l.Text("activation", l.Text("function", ""))
		if t := takers[l.Name]; (f == "relu" || f == "leaky_relu") && len(t) == 1 && t[0].Op == "max_pool" && !slices.Contains(g.Outputs, l.Name) {
			late[t[0].Name] = f
			late[l.Name] = "linear"
		}
	}
	return late
}

// activation is the one that a layer applies itself; attr says where it stands.
func (l *Lowering) activation(layer *graph.Layer, attr string) string {
	if f, ok := l.late[layer.Name]; ok {
		return f
	}
	return layer.Text(attr, "linear")
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
	if layer.Quant == graph.DynamicInt8 {
		q, scale := l.quantize(layer, x)
		y := integerMatMul(q, l.weight(layer))
		return l.finish(layer, Mul(y, row(scale, y)))
	}
	return l.finish(layer, l.matMul(x, l.weight(layer)))
}

// onRows gives x [..., in] to f as a matrix [rows, in]. Of a product with more axes XLA would compute the gradient of the weight from
// transposed copies, at half the speed on a CPU; to the Go backend it is the same.
func onRows(x *Node, f func(*Node) *Node) *Node {
	dims := x.Shape().Dimensions
	last := len(dims) - 1
	if last < 2 {
		return f(x)
	}
	y := f(Reshape(x, -1, dims[last]))
	return Reshape(y, append(slices.Clone(dims[:last]), y.Shape().Dimensions[1])...)
}

// quantize is DynamicQuantizeLinear of ONNX: x becomes whole numbers q from -255 to 255, with one scale for the whole tensor,
// whose range always includes zero, so that zero stays zero. What q times the int8 weight gives is to be multiplied by scale,
// [out], that of the tensor by those of the weight's columns. The float operations are those of ONNX in its order, so that
// results agree to the bit.
func (l *Lowering) quantize(layer *graph.Layer, x *Node) (q, scales *Node) {
	g := x.Graph()
	zero := ScalarZero(g, dtypes.Float32)
	lo := Min(zero, ReduceAllMin(x))
	hi := Max(zero, ReduceAllMax(x))
	span := Sub(hi, lo)
	// DivScalar, and XLA for every divisor that it can see is constant, would multiply by 1/255, which rounds otherwise.
	scale := Div(span, Add(Scalar(g, dtypes.Float32, 255), Mul(span, zero)))
	scale = Where(Equal(scale, zero), ScalarOne(g, dtypes.Float32), scale)
	zp := ClipScalar(Round(Neg(Div(lo, scale))), 0, 255)
	q = ClipScalar(Add(Round(Div(x, scale)), zp), 0, 255)
	return Sub(q, zp), Mul(scale, l.param(layer, "weight_scale"))
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
	whole := make([]SliceAxisSpec, x.Rank()-1)
	for i := range whole {
		whole[i] = AxisRange()
	}
	var sum *Node
	for at := 0; at < rows; at += exactRows {
		to := min(at+exactRows, rows)
		part := ConvertDType(MatMul(Slice(x, append(slices.Clone(whole), AxisRange(at, to))...), Slice(w, AxisRange(at, to))), dtypes.Int32)
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
	if l.Train && !l.Frozen[layer.Name] {
		axes := make([]int, x.Rank()-1)
		for i := range axes {
			axes[i] = i
		}
		m := layer.Float("momentum", 0.9)
		batchMean := ReduceMean(x, axes...)
		// Around the mean the variance does not change with it, so there is no gradient to compute that way.
		batchVar := ReduceMean(Square(Sub(x, StopGradient(row(batchMean, x)))), axes...)
		l.Stats[layer.Name] = map[string]*Node{
			"mean":     StopGradient(Add(MulScalar(mean, m), MulScalar(batchMean, 1-m))),
			"variance": StopGradient(Add(MulScalar(variance, m), MulScalar(batchVar, 1-m))),
		}
		mean, variance = batchMean, batchVar
	}
	scale := Div(l.param(layer, "gamma"), Sqrt(AddScalar(variance, layer.Float("epsilon", 1e-5))))
	shift := Sub(l.param(layer, "beta"), Mul(mean, scale))
	return Add(Mul(x, row(scale, x)), row(shift, x))
}

// normal takes the mean over some axes from x and divides by the deviation.
func normal(x *Node, epsilon float64, axes ...int) *Node {
	centred := Sub(x, ReduceAndKeep(x, ReduceMean, axes...))
	variance := ReduceAndKeep(Square(centred), ReduceMean, axes...)
	return Div(centred, Sqrt(AddScalar(variance, epsilon)))
}

func (l *Lowering) groupNorm(layer *graph.Layer, x *Node) *Node {
	dims := x.Shape().Dimensions
	last := len(dims) - 1
	axes := []int{1, 3}
	y := Reshape(x, dims[0], -1, layer.Groups(), dims[last]/layer.Groups())
	y = Reshape(normal(y, layer.Float("epsilon", 1e-5), axes...), dims...)
	return l.affine(layer, y)
}

func (l *Lowering) affine(layer *graph.Layer, x *Node) *Node {
	return Add(Mul(x, row(l.param(layer, "gamma"), x)), row(l.param(layer, "beta"), x))
}

// Activation applies an element-wise function of graph.Activations; softmax is over the last axis.
func Activation(name string, x *Node) *Node {
	switch name {
	case "linear", "":
		return x
	case "relu": // as below: unlike Max's, Where's gradient is one operation, and NaN stays NaN
		zero := ScalarZero(x.Graph(), x.DType())
		return Where(LessThan(x, zero), zero, x)
	case "gelu":
		return Mul(MulScalar(x, 0.5), AddScalar(Erf(MulScalar(x, 0.7071067811865476)), 1))
	case "gelu_tanh": // x/2 (1 + tanh u) is x sigmoid(2u): one function less, and no power, which is slow on the Go backend
		u := Mul(x, AddScalar(MulScalar(Square(x), 0.044715*1.5957691216057308), 1.5957691216057308))
		return Mul(x, Sigmoid(u))
	case "tanh":
		return Tanh(x)
	case "sigmoid":
		return Sigmoid(x)
	case "silu":
		return Mul(x, Sigmoid(x))
	case "elu":
		return Where(GreaterThan(x, ZerosLike(x)), x, AddScalar(Exp(Min(x, ZerosLike(x))), -1))
	case "leaky_relu":
		return Where(LessThan(x, ScalarZero(x.Graph(), x.DType())), MulScalar(x, 0.01), x)
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
