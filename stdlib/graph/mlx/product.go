package mlx

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/executor/mlx"
)

// What this file knows of XLA's CPU. A product is fast there if the axis that is summed over is the last of the first operand and that of
// rows of the second; any other first operand XLA transposes, slowly, and it always is the first that it transposes, whatever is the
// smaller: it turns a transposed product around to have it so. The gradient of a weight [in, out] sums over rows, so one operand
// is transposed: [rows, in], of which there are four times as many numbers as in [rows, out] behind the wide layer of a
// transformer. Batches of small products, those of attention, it transposes within each of them. So on that backend
// operands are laid out beforehand, and gradients are written down here. docs/benchmarks.md has what that saves.

// byHand reports whether products are laid out for XLA's CPU. With checkpoints they are not: the gradients here hold on to values of the
// forward pass, which are to be computed again.
func (l *Lowering) byHand(x *Node) bool { return !l.Remat && mlx.IsXLACPU(x.Graph().Backend()) }

// settled is x as a value of its own in memory: XLA folds a transposition into the product that it is before or after, but not a sum.
// What is added is zero, which only the device knows; or not a number, where the first element of x is none.
func settled(x *Node) *Node {
	at := make([]SliceAxisSpec, x.Rank())
	for i := range at {
		at[i] = AxisElem(0)
	}
	first := Reshape(Slice(x, at...))
	return Add(x, StopGradient(Min(Abs(first), ScalarZero(x.Graph(), dtypes.Float32))))
}

// tap is x, whose gradient goes to into as well.
func tap(x *Node, into **Node) *Node {
	return IdentityWithCustomGradient(x, func(_, v *Node) *Node {
		*into = v
		return v
	})
}

// matMul is x [..., in] times w [in, out].
func (l *Lowering) matMul(x, w *Node) *Node {
	return onRows(x, func(x *Node) *Node {
		rows, in, out := x.Shape().Dimensions[0], w.Shape().Dimensions[0], w.Shape().Dimensions[1]
		if rows*(in-out) <= in*out || !w.DType().IsFloat() || !l.byHand(x) {
			return MatMul(x, w) // the gradient itself would have to be transposed, which is no less work
		}
		var dy *Node
		w = IdentityWithCustomGradient(w, func(_, _ *Node) *Node {
			return Transpose(settled(DotGeneral(dy, []int{0}, nil, x, []int{0}, nil)), 0, 1)
		})
		return tap(MatMul(x, w), &dy)
	})
}

// heads takes [batch, length, heads, e] to [batch, heads, length, e] in memory, and its gradient back.
func heads(x *Node) *Node {
	return IdentityWithCustomGradient(settled(TransposeAllDims(x, 0, 2, 1, 3)), func(_, v *Node) *Node { return settled(v) })
}

// turned exchanges the last two axes, in memory.
func turned(x *Node) *Node { return settled(TransposeAllDims(x, 0, 1, 3, 2)) }

// attentionByHand is attention over q, k, v [batch, length, heads, e], the first of them scaled: weigh makes weights of scores
// [batch, heads, length, from]. It gives [batch, heads, length, e].
func attentionByHand(q, k, v *Node, weigh func(scores *Node) *Node) *Node {
	each := []int{0, 1}
	q, k, v = heads(q), heads(k), heads(v)
	var weights, dScores, dy *Node
	last := []int{3}
	k = IdentityWithCustomGradient(k, func(_, _ *Node) *Node {
		return TransposeAllDims(settled(DotGeneral(turned(q), last, each, dScores, []int{2}, each)), 0, 1, 3, 2)
	})
	v = IdentityWithCustomGradient(v, func(_, _ *Node) *Node {
		return TransposeAllDims(settled(DotGeneral(turned(dy), last, each, weights, []int{2}, each)), 0, 1, 3, 2)
	})
	weights = weigh(tap(DotGeneral(q, last, each, k, last, each), &dScores))
	y := DotGeneral(weights, last, each, v, []int{2}, each)
	return settled(IdentityWithCustomGradient(y, func(_, g *Node) *Node {
		dy = settled(g)
		return dy
	}))
}
