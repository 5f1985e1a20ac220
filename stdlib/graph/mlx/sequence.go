package mlx

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/stdlib/graph"
)

// embedding takes rows as they are stored, and converts what it took.
func (l *Lowering) embedding(layer *graph.Layer, ids *Node) *Node {
	y := Gather(l.Params[layer.Name]["weight"], ExpandDims(ids, -1))
	if y.DType() != dtypes.Float32 {
		y = ConvertDType(y, dtypes.Float32)
	}
	if layer.Quant != "" {
		y = Mul(y, row(l.param(layer, "weight_scale"), y))
	}
	return y
}

func (l *Lowering) positions(layer *graph.Layer, x *Node) *Node {
	w, offset, length := l.param(layer, "weight"), layer.Int("offset"), x.Shape().Dimensions[1]
	if rows := w.Shape().Dimensions[0]; offset+length > 0 && (offset > 0 || length < rows) {
		w = Slice(w, AxisRange(offset, offset+length))
	}
	return Add(x, ExpandDims(w, 0))
}

func (l *Lowering) types(layer *graph.Layer, x *Node) *Node {
	w := l.param(layer, "weight")
	if len(layer.Inputs) == 1 {
		return Add(x, row(Reshape(Slice(w, AxisRange(0, 1)), -1), x))
	}
	return Add(x, Gather(w, ExpandDims(l.nodes[layer.Inputs[1]], -1)))
}

// tied multiplies with the weight of an embedding as it lies: its rows are the columns of the product.
func (l *Lowering) tied(layer *graph.Layer, x *Node) *Node {
	e := l.weight(l.Graph.Layer(layer.Text("embedding", "")))
	y := onRows(x, func(x *Node) *Node { return DotGeneral(x, []int{1}, nil, e, []int{1}, nil) })
	if layer.Flag("use_bias", true) {
		y = Add(y, row(l.param(layer, "bias"), y))
	}
	return y
}

// mask is the k-th input of a layer in float32, or nil.
func (l *Lowering) mask(layer *graph.Layer, k int) *Node {
	if k >= len(layer.Inputs) {
		return nil
	}
	name := layer.Inputs[k]
	if l.shared["mask/"+name] == nil {
		m := l.nodes[name]
		if m.DType() != dtypes.Float32 {
			m = ConvertDType(m, dtypes.Float32)
		}
		l.shared["mask/"+name] = m
	}
	return l.shared["mask/"+name]
}

// unseen is what is added to the score of what may not be seen.
const unseen = -1e9

// bias is what is added to the scores of attention, [batch or 1, 1, length or 1, from]; nil for nothing. Layers that look through
// one mask share it.
func (l *Lowering) bias(layer *graph.Layer, length, from int) *Node {
	name, causal := "", layer.Flag("causal", false)
	if len(layer.Inputs) > 3 {
		name = layer.Inputs[3]
	}
	key := "bias/" + name
	if causal {
		key += "/causal"
	}
	if b := l.shared[key]; b != nil {
		return b
	}
	var b *Node
	if m := l.mask(layer, 3); m != nil {
		b = Reshape(MulScalar(AddScalar(m, -1), -unseen), -1, 1, 1, from)
	}
	if causal {
		c := Const(l.nodes[layer.Inputs[0]].Graph(), future(length))
		if b == nil {
			b = c
		} else {
			b = Add(b, c)
		}
	}
	l.shared[key] = b
	return b
}

// future is unseen for what comes after a position.
func future(length int) *tensors.Tensor {
	v := make([]float32, length*length)
	for i := range v {
		if i%length > i/length {
			v[i] = unseen
		}
	}
	return tensors.FromFlatDataAndDimensions(v, 1, 1, length, length)
}

func (l *Lowering) attention(layer *graph.Layer) *Node {
	heads := layer.Int("heads")
	split := func(k int) *Node {
		x := l.nodes[layer.Inputs[k]]
		d := x.Shape().Dimensions
		return Reshape(x, d[0], d[1], heads, d[2]/heads)
	}
	q, k, v := split(0), split(1), split(2)
	if layer.Flag("rotary", false) {
		base := layer.Float("rotary_base", 10000)
		q, k = l.rotate(q, base), l.rotate(k, base)
	}
	d := q.Shape().Dimensions
	q = MulScalar(q, 1/math.Sqrt(float64(d[3])))
	weigh := func(scores *Node) *Node {
		if b := l.bias(layer, d[1], k.Shape().Dimensions[1]); b != nil {
			scores = Add(scores, b)
		}
		weights := Softmax(scores, -1)
		if mask := l.Masks[layer.Name]; l.Train && mask != nil {
			weights = Mul(weights, mask)
		}
		return weights
	}
	var y *Node // [batch, heads, length, e]
	if l.byHand(q) {
		y = attentionByHand(q, k, v, weigh)
	} else {
		weights := weigh(DotGeneral(q, []int{3}, []int{0, 2}, k, []int{3}, []int{0, 2}))
		y = DotGeneral(weights, []int{3}, []int{0, 1}, v, []int{1}, []int{0, 2})
	}
	return Reshape(TransposeAllDims(y, 0, 2, 1, 3), d[0], d[1], -1)
}

// rotate turns the pairs of each head by their position.
func (l *Lowering) rotate(x *Node, base float64) *Node {
	d := x.Shape().Dimensions
	length, half := d[1], d[3]/2
	sin, cos := make([]float32, length*2*half), make([]float32, length*2*half)
	for i := range sin {
		s, c := math.Sincos(float64(i/(2*half)) * math.Pow(base, -float64(i%half)/float64(half)))
		sin[i], cos[i] = float32(s), float32(c)
	}
	table := func(v []float32) *Node {
		return Const(x.Graph(), tensors.FromFlatDataAndDimensions(v, 1, length, 1, 2*half))
	}
	first := Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(0, half))
	second := Slice(x, AxisRange(), AxisRange(), AxisRange(), AxisRange(half, 2*half))
	return Add(Mul(x, table(cos)), Mul(Concatenate([]*Node{Neg(second), first}, -1), table(sin)))
}

// recurrent unrolls the steps of an lstm or gru. What goes in is multiplied once for all steps.
func (l *Lowering) recurrent(layer *graph.Layer, x *Node) *Node {
	mask := l.mask(layer, 1)
	rows, length := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	var sides []*Node
	for side, suffix := range layer.Directions() {
		c := &cell{layer: layer, units: layer.Int("units"), u: l.param(layer, "recurrent"+suffix)}
		if layer.Op == "gru" {
			c.b = row(l.param(layer, "recurrent_bias"+suffix), c.u)
		}
		in := l.matMul(x, l.param(layer, "weight"+suffix))
		in = Add(in, row(l.param(layer, "bias"+suffix), in))
		steps, outs := positionsOf(in), make([]*Node, length)
		for i := range length {
			t := i
			if side == 1 {
				t = length - 1 - i
			}
			at := Reshape(steps[t], rows, -1)
			var m *Node
			if mask != nil {
				m = Slice(mask, AxisRange(), AxisRange(t, t+1))
			}
			outs[t] = c.step(at, m)
		}
		if layer.Text("returns", "sequence") == "state" {
			sides = append(sides, c.h)
		} else {
			sides = append(sides, Stack(outs, 1))
		}
	}
	if len(sides) == 1 {
		return sides[0]
	}
	return Concatenate(sides, -1)
}

// positionsOf takes x [batch, length, features] apart into its positions, [batch, 1, features]: by halves, for the gradient of a slice is of the
// size of what it was cut from, and that of length slices of all would be length times as large.
func positionsOf(x *Node) []*Node {
	n := x.Shape().Dimensions[1]
	if n == 1 {
		return []*Node{x}
	}
	return append(positionsOf(Slice(x, AxisRange(), AxisRange(0, n/2))), positionsOf(Slice(x, AxisRange(), AxisRange(n/2, n)))...)
}

// cell is a recurrent layer in one direction, with its state: h, and c of an lstm; nil before the first step.
type cell struct {
	layer *graph.Layer
	units int
	u, b  *Node
	h, c  *Node
}

// step goes one step on, and gives the result. in is what comes in, times its weight, [batch, gates*units]; m the mask, [batch, 1].
func (c *cell) step(in, m *Node) *Node {
	h, state := c.lstm, c.c
	if c.layer.Op == "gru" {
		h = c.gru
	}
	next := h(in)
	if m == nil {
		c.h = next
		return next
	}
	next = Mul(next, m)
	stay := OneMinus(m)
	if c.h == nil {
		c.h = next
	} else {
		c.h = Add(next, Mul(c.h, stay))
	}
	if c.c != nil {
		c.c = Mul(c.c, m)
		if state != nil {
			c.c = Add(c.c, Mul(state, stay))
		}
	}
	return next
}

// gate is the k-th part of a vector of gates.
func (c *cell) gate(a *Node, k int) *Node {
	return Slice(a, AxisRange(), AxisRange(k*c.units, (k+1)*c.units))
}

func (c *cell) lstm(in *Node) *Node {
	if c.h != nil {
		in = Add(in, MatMul(c.h, c.u))
	}
	next := Mul(Sigmoid(c.gate(in, 0)), Tanh(c.gate(in, 2)))
	if c.c != nil {
		next = Add(next, Mul(Sigmoid(c.gate(in, 1)), c.c))
	}
	c.c = next
	return Mul(Sigmoid(c.gate(in, 3)), Tanh(next))
}

func (c *cell) gru(in *Node) *Node {
	r, z, n := c.gate(in, 0), c.gate(in, 1), c.gate(in, 2)
	if c.h == nil {
		return Mul(OneMinus(Sigmoid(z)), Tanh(Add(n, Mul(Sigmoid(r), c.b))))
	}
	product := MatMul(c.h, c.u)
	r, z = Sigmoid(Add(r, c.gate(product, 0))), Sigmoid(Add(z, c.gate(product, 1)))
	n = Tanh(Add(n, Mul(r, Add(c.gate(product, 2), c.b))))
	return Add(Mul(OneMinus(z), n), Mul(z, c.h))
}

func (l *Lowering) sequencePool(layer *graph.Layer, x *Node) *Node {
	d := x.Shape().Dimensions
	at := func(t int) *Node { return Reshape(Slice(x, AxisRange(), AxisRange(t, t+1)), d[0], d[2]) }
	m := l.mask(layer, 1)
	switch mode := layer.Text("mode", ""); {
	case mode == "first":
		return at(0)
	case mode == "last" && m == nil:
		return at(d[1] - 1)
	case mode == "last":
		last := AddScalar(ReduceSum(m, 1), -1)
		return ReduceSum(Mul(x, ExpandDims(OneHot(ConvertDType(last, dtypes.Int32), d[1], dtypes.Float32), -1)), 1)
	case mode == "mean" && m == nil:
		return ReduceMean(x, 1)
	case mode == "mean":
		count := ReduceAndKeep(m, ReduceSum, 1)
		sum := ReduceSum(Mul(x, ExpandDims(m, -1)), 1)
		return Div(sum, Max(count, Scalar(x.Graph(), dtypes.Float32, 1e-9)))
	}
	if m != nil {
		x = Add(x, ExpandDims(MulScalar(AddScalar(m, -1), -unseen), -1))
	}
	return ReduceMax(x, 1)
}

func l2Normalize(x *Node) *Node {
	// the root of what is above 0, for that of 0 has no derivative
	square := ReduceAndKeep(Square(x), ReduceSum, x.Rank()-1)
	return Div(x, Sqrt(Max(square, Scalar(x.Graph(), x.DType(), 1e-24))))
}
