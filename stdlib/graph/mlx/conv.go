package mlx

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/stdlib/graph"
)

// Convolutions are slices of the input, one for each tap of the kernel, joined along the channels, and one matrix product. On
// the Go backend and on XLA's CPU alike that is several times faster than their native convolution, whose gradient for groups
// the Go backend lacks besides. Padding is Concatenate with constants, for GoMLX's Pad has no gradient.

// window is the geometry of a layer over x.
func window(layer *graph.Layer, x *Node) *graph.Window {
	w, err := layer.Window(x.Shape().Dimensions[1:])
	if err != nil {
		panic(err) // graph.Infer has checked it
	}
	return w
}

func (l *Lowering) conv(layer *graph.Layer, x *Node) *Node {
	w := window(layer, x)
	groups, multiply := layer.Groups(), MatMul
	weight := l.weight(layer)
	var scale *Node
	if layer.Quant == graph.DynamicInt8 {
		x, scale = l.quantize(layer, x)
		multiply = integerMatMul
	}
	channels := x.Shape().Dimensions[x.Rank()-1]
	filters := weight.Shape().Dimensions[weight.Rank()-1]
	x = pad(x, w.Before, w.After, 0)
	var taps []*Node
	eachTap(w.Kernel, func(at []int) {
		from := make([]int, len(at))
		for a, k := range at {
			from[a] = k * w.Dilation[a]
		}
		taps = append(taps, strided(x, from, w.Stride, w.Out))
	})
	var y *Node
	switch {
	case groups == 1:
		y = product(taps, Reshape(weight, -1, filters), multiply)
	case groups == channels && len(taps) <= exactRows:
		y = depthwise(taps, Reshape(weight, len(taps), filters))
	case layer.Quant == graph.DynamicInt8:
		y = split(taps, Reshape(weight, -1, filters), groups, multiply)
	default:
		y = grouped(taps, weight, groups)
	}
	if scale != nil {
		y = Mul(y, row(scale, y))
	}
	return l.finish(layer, y)
}

// finish adds the bias and applies the activation of a layer with weights.
func (l *Lowering) finish(layer *graph.Layer, y *Node) *Node {
	if layer.Flag("use_bias", true) {
		y = Add(y, row(l.param(layer, "bias"), y))
	}
	return Activation(l.activation(layer, "activation"), y)
}

// weight returns a layer's weight as float32, scaled where only the weight is quantised.
func (l *Lowering) weight(layer *graph.Layer) *Node {
	weight := l.param(layer, "weight")
	if layer.Quant == graph.WeightOnlyInt8 {
		weight = Mul(weight, row(l.param(layer, "weight_scale"), weight))
	}
	return weight
}

// pad puts value around x on the axes between batch and channels.
func pad(x *Node, before, after []int, value float64) *Node {
	fill := func(axis, n int) *Node {
		dims := slices.Clone(x.Shape().Dimensions)
		dims[axis] = n
		return BroadcastToShape(Scalar(x.Graph(), x.DType(), value), shapes.Make(x.DType(), dims...))
	}
	for a := range before {
		parts := []*Node{x}
		var head *Node
		if before[a] > 0 {
			head = fill(a+1, before[a])
			parts = []*Node{head, x}
		}
		switch {
		case after[a] > 0 && after[a] == before[a]:
			parts = append(parts, head)
		case after[a] > 0:
			parts = append(parts, fill(a+1, after[a]))
		}
		if len(parts) > 1 {
			x = Concatenate(parts, a+1)
		}
	}
	return x
}

// strided is out elements of each axis between batch and channels, from an offset on, a stride apart; x itself if that is all.
func strided(x *Node, from, stride, out []int) *Node {
	spec := []SliceAxisSpec{AxisRange()}
	all := true
	for a := range from {
		to := from[a] + (out[a]-1)*stride[a] + 1
		spec = append(spec, AxisRange(from[a], to).Stride(stride[a]))
		all = all && stride[a] == 1 && out[a] == x.Shape().Dimensions[a+1]
	}
	if all {
		return x
	}
	return Slice(x, append(spec, AxisRange())...)
}

// eachTap calls f with every position of a kernel, in row-major order.
func eachTap(kernel []int, f func(at []int)) {
	at := make([]int, len(kernel))
	for {
		f(at)
		a := len(kernel) - 1
		for ; a >= 0; a-- {
			if at[a]++; at[a] < kernel[a] {
				break
			}
			at[a] = 0
		}
		if a < 0 {
			return
		}
	}
}

// product multiplies taps, [.., channels] each, with a weight [taps channels, filters].
func product(taps []*Node, weight *Node, multiply func(_, _ *Node) *Node) *Node {
	x := taps[0]
	if len(taps) > 1 {
		x = Concatenate(taps, -1)
	}
	dims := x.Shape().Dimensions
	last := len(dims) - 1
	y := multiply(Reshape(x, -1, dims[last]), weight)
	return Reshape(y, append(slices.Clone(dims[:last]), weight.Shape().Dimensions[1])...)
}

// depthwise has one or more filters for each channel, weight [taps, filters]: products and sums of whole tensors, where
// matrices would be of one column.
func depthwise(taps []*Node, weight *Node) *Node {
	filters := weight.Shape().Dimensions[1]
	var y *Node
	for i, x := range taps {
		dims := x.Shape().Dimensions
		if many := filters / dims[len(dims)-1]; many > 1 {
			x = BroadcastToDims(ExpandDims(x, -1), append(slices.Clone(dims), many)...)
			x = Reshape(x, append(slices.Clone(dims[:len(dims)-1]), filters)...)
		}
		term := Mul(x, row(Reshape(Slice(weight, AxisRange(i, i+1)), filters), x))
		if y == nil {
			y = term
		} else {
			y = Add(y, term)
		}
	}
	return y
}

// grouped is one product for all groups: [positions, taps, groups, channels] by [taps, channels, groups, filters].
func grouped(taps []*Node, weight *Node, groups int) *Node {
	dims := taps[0].Shape().Dimensions
	last := len(dims) - 1
	channels, filters := dims[last]/groups, weight.Shape().Dimensions[weight.Rank()-1]
	parts := make([]*Node, len(taps))
	for i, t := range taps {
		parts[i] = Reshape(t, -1, 1, groups, channels)
	}
	x := parts[0]
	if len(parts) > 1 {
		x = Concatenate(parts, 1)
	}
	w := Reshape(weight, len(taps), channels, groups, filters/groups)
	y := DotGeneral(x, []int{1, 3}, []int{2}, w, []int{0, 1}, []int{2}) // [groups, positions, filters/groups]
	return Reshape(TransposeAllAxes(y, 1, 0, 2), append(slices.Clone(dims[:last]), filters)...)
}

// split multiplies group by group.
func split(taps []*Node, weight *Node, groups int, multiply func(_, _ *Node) *Node) *Node {
	channels, filters := taps[0].Shape().Dimensions[taps[0].Rank()-1]/groups, weight.Shape().Dimensions[1]/groups
	parts := make([]*Node, groups)
	for g := range parts {
		own := make([]*Node, len(taps))
		for i, t := range taps {
			own[i] = SliceAxis(t, -1, AxisRange(g*channels, (g+1)*channels))
		}
		parts[g] = product(own, Slice(weight, AxisRange(), AxisRange(g*filters, (g+1)*filters)), multiply)
	}
	return Concatenate(parts, -1)
}

// convTranspose computes outputs that are equal modulo the stride together: each such phase is a convolution of stride 1 with
// those taps that lead to it, so nothing is multiplied with the zeros that a stretched input would have.
func (l *Lowering) convTranspose(layer *graph.Layer, x *Node) *Node {
	w := window(layer, x)
	axes := len(w.In)
	weight := l.param(layer, "weight")
	channels, filters := weight.Shape().Dimensions[axes], weight.Shape().Dimensions[axes+1]
	weight = Reshape(weight, w.Taps(), channels, filters)

	length, reach, after := make([]int, axes), make([]int, axes), make([]int, axes)
	for a := range axes {
		length[a] = (w.Before[a] + w.Out[a] + w.Stride[a] - 1) / w.Stride[a] // of a phase
		reach[a] = (w.Span(a) - 1) / w.Stride[a]                             // how far back it reads
		after[a] = max(0, length[a]-w.In[a])
	}
	x = pad(x, reach, after, 0)
	ones := slices.Repeat([]int{1}, axes)
	var phases []*Node
	eachTap(w.Stride, func(phase []int) {
		var taps, weights []*Node
		i := -1
		eachTap(w.Kernel, func(at []int) {
			i++
			from := make([]int, axes)
			for a, k := range at {
				if (k*w.Dilation[a]-phase[a])%w.Stride[a] != 0 {
					return
				}
				from[a] = reach[a] - (k*w.Dilation[a]-phase[a])/w.Stride[a]
			}
			taps = append(taps, strided(x, from, ones, length))
			weights = append(weights, Reshape(Slice(weight, AxisRange(i, i+1)), channels, filters))
		})
		if taps == nil {
			dims := append(append([]int{x.Shape().Dimensions[0]}, length...), filters)
			phases = append(phases, Zeros(x.Graph(), shapes.Make(dtypes.Float32, dims...)))
			return
		}
		both := weights[0]
		if len(weights) > 1 {
			both = Concatenate(weights, 0)
		}
		phases = append(phases, product(taps, both, MatMul))
	})
	y := interleave(phases, w.Stride)
	return l.finish(layer, strided(y, w.Before, ones, w.Out))
}

// interleave makes one tensor of parts in row-major order of phase, such that element o of an axis comes from the part of
// phase o modulo the number of phases of the axis.
func interleave(parts []*Node, phases []int) *Node {
	for a := len(phases) - 1; a >= 0; a-- {
		n := phases[a]
		if n == 1 {
			continue
		}
		joined := make([]*Node, len(parts)/n)
		for i := range joined {
			dims := slices.Clone(parts[0].Shape().Dimensions)
			dims[a+1] *= n
			joined[i] = Reshape(Stack(parts[i*n:(i+1)*n], a+2), dims...)
		}
		parts = joined
	}
	if len(parts) != 1 {
		panic(fmt.Errorf("interleaving leaves %d parts", len(parts)))
	}
	return parts[0]
}
