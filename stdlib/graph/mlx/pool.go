package mlx

import (
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Means over windows that lie side by side are a Reshape and a reduction, the fastest on every backend; other windows are slices,
// folded axis by axis, for both maximum and sum are separable.
//
// No maximum is a ReduceMax: its gradient goes to the elements that equal the maximum. XLA computes an element once for the
// maximum and again for the comparison, in other loops, which may round otherwise; then nothing is equal, and the gradient is
// lost. And of equal elements, as an image without content has them, each would get all of it. The gradient of the maximum of
// two goes to the first that is not below the other.

func (l *Lowering) pool(layer *graph.Layer, x *Node) *Node {
	w := window(layer, x)
	mean := layer.Op == "avg_pool"
	if mean && slices.Equal(w.Kernel, w.Stride) && !w.Padded() {
		return tiles(w, x)
	}
	empty, fold := math.Inf(-1), greater
	if mean {
		empty, fold = 0, Add
	}
	y := pad(x, w.Before, w.After, empty)
	for a, n := range w.Kernel {
		out, stride, from := slices.Clone(y.Shape().Dimensions[1:y.Rank()-1]), slices.Repeat([]int{1}, len(w.In)), make([]int, len(w.In))
		out[a], stride[a] = w.Out[a], w.Stride[a]
		var all *Node
		for k := range n {
			from[a] = k
			if tap := strided(y, from, stride, out); all == nil {
				all = tap
			} else {
				all = fold(all, tap)
			}
		}
		y = all
	}
	if mean {
		y = Mul(y, shares(w, y))
	}
	return y
}

// greater is the maximum of two; its gradient goes to x unless y is greater. The Go backend computes the gradient of Where in two
// operations and that of Max in seven, to the same numbers; XLA fuses the seven, and a training step with Where takes 1.4 times as long there.
func greater(x, y *Node) *Node {
	if !mlx.IsGo(x.Graph().Backend()) {
		return Max(x, y)
	}
	return Where(LessThan(x, y), y, x)
}

// tiles is the mean over windows that neither overlap nor leave gaps; what is left over at the end falls away.
func tiles(w *graph.Window, x *Node) *Node {
	covered, zeros := make([]int, len(w.In)), make([]int, len(w.In))
	dims := []int{x.Shape().Dimensions[0]}
	var reduce []int
	for a := range w.In {
		covered[a] = w.Out[a] * w.Kernel[a]
		dims = append(dims, w.Out[a], w.Kernel[a])
		reduce = append(reduce, 2*a+2)
	}
	x = strided(x, zeros, slices.Repeat([]int{1}, len(w.In)), covered)
	x = Reshape(x, append(dims, x.Shape().Dimensions[x.Rank()-1])...)
	return ReduceMean(x, reduce...)
}

// shares is 1 / (elements of each window that are no padding), [1, out.., 1].
func shares(w *graph.Window, like *Node) *Node {
	y := ScalarOne(like.Graph(), dtypes.Float32)
	for a, n := range w.Out {
		share := make([]float32, n)
		for o := range share {
			first := o*w.Stride[a] - w.Before[a]
			share[o] = 1 / float32(min(first+w.Kernel[a], w.In[a])-max(first, 0))
		}
		dims := slices.Repeat([]int{1}, len(w.Out)+2)
		dims[a+1] = n
		y = Mul(y, Reshape(Const(like.Graph(), share), dims...))
	}
	return y
}

func globalPool(layer *graph.Layer, x *Node) *Node {
	var axes []int
	for a := 1; a < x.Rank()-1; a++ {
		axes = append(axes, a)
	}
	if layer.Op == "global_avg_pool" {
		return ReduceMean(x, axes...)
	}
	dims := x.Shape().Dimensions
	x = Reshape(x, dims[0], -1, dims[x.Rank()-1])
	for n := x.Shape().Dimensions[1]; n > 1; n = x.Shape().Dimensions[1] { // the maximum of halves: an odd one is in both
		half := (n + 1) / 2
		x = greater(SliceAxis(x, 1, AxisRange(0, half)), SliceAxis(x, 1, AxisRange(n-half, n)))
	}
	return Reshape(x, dims[0], -1)
}

// upsample makes, axis by axis, factor phases, each of which is a mix of every element with the one before or after it.
func upsample(layer *graph.Layer, x *Node) *Node {
	axes := x.Rank() - 2
	factor, err := layer.Axes("factor", axes, 0, 1)
	if err != nil {
		panic(err)
	}
	for a, f := range factor {
		if f == 1 {
			continue
		}
		phases := make([]*Node, f)
		for p := range phases {
			phases[p] = x
			if layer.Text("mode", "nearest") == "bilinear" {
				phases[p] = mix(x, a+1, (float64(p)+0.5)/float64(f)-0.5)
			}
		}
		each := slices.Repeat([]int{1}, axes)
		each[a] = f
		x = interleave(phases, each)
	}
	return x
}

// mix reads x on an axis at every position plus an offset between -1/2 and 1/2, linearly; beyond the ends x is constant.
func mix(x *Node, axis int, offset float64) *Node {
	n := x.Shape().Dimensions[axis]
	if offset == 0 || n == 1 {
		return x
	}
	first, last := SliceAxis(x, axis, AxisRange(0, 1)), SliceAxis(x, axis, AxisRange(n-1, n))
	other := Concatenate([]*Node{SliceAxis(x, axis, AxisRange(1, n)), last}, axis)
	if offset < 0 {
		other = Concatenate([]*Node{first, SliceAxis(x, axis, AxisRange(0, n-1))}, axis)
	}
	share := math.Abs(offset)
	return Add(MulScalar(x, 1-share), MulScalar(other, share))
}
