package learn

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// The scaler multiplies the loss, so that small gradients do not vanish in float16 (Micikevicius et al. 2018). It is one tensor
// of the state. When a gradient is not finite, the step is skipped and the scale halved; after growAfter steps without, it is
// doubled. Numbers are those of PyTorch's GradScaler.
const (
	scaleAt = iota // the scale
	goodAt         // steps since it last changed
	runAt          // steps skipped in a row
	skipAt         // steps skipped
	doneAt         // steps done
	scalerSize
)

const (
	firstScale = 65536
	lastScale  = 1 << 40 // where no gradient is left that could overflow
	growAfter  = 2000
	maxSkips   = 100 // this many in a row, and training fails
)

func firstScaler() []float32 {
	v := make([]float32, scalerSize)
	v[scaleAt] = firstScale
	return v
}

// scaler is the scaler in a computation.
type scaler struct{ n *Node }

func (s scaler) at(i int) *Node { return element(s.n, i) }

// next is the scaler after a step.
func (s scaler) next(finite *Node) scaler {
	g := s.n.Graph()
	number := func(v float64) *Node { return Scalar(g, dtypes.Float32, v) }
	plus := func(i int) *Node { return AddScalar(s.at(i), 1) }
	zero, scale := number(0), s.at(scaleAt)
	grow := GreaterOrEqual(plus(goodAt), number(growAfter))
	good := Where(grow, Min(MulScalar(scale, 2), number(lastScale)), scale)
	return scaler{Stack([]*Node{
		Where(finite, good, MulScalar(scale, 0.5)),
		Where(finite, Where(grow, zero, plus(goodAt)), zero),
		Where(finite, zero, plus(runAt)),
		Where(finite, s.at(skipAt), plus(skipAt)),
		Where(finite, plus(doneAt), s.at(doneAt)),
	}, 0)}
}

// element is one element of a vector, as a scalar.
func element(v *Node, i int) *Node { return Reshape(Slice(v, AxisRange(i, i+1))) }
