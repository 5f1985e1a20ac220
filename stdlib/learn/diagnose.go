package learn

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
)

// Diverged says that the loss, or a gradient, is no longer a number.
type Diverged struct {
	Epoch, Step int // from 1; Step within the epoch
	LR          float64
	Where       string // what went first, when it was looked for (Diagnose)
}

func (d *Diverged) Error() string {
	where := ""
	if d.Where != "" {
		where = "; first, " + d.Where
	}
	return fmt.Sprintf("the loss is not finite from step %d of epoch %d on%s. Try a smaller learning rate (it is %.4g), clip_norm, or inputs scaled to about 1", d.Step, d.Epoch, where, d.LR)
}

// Overflow says that float16 was left by so many steps in a row that no scale of the loss can help.
type Overflow struct{ Epoch, Step int }

func (o *Overflow) Error() string {
	return fmt.Sprintf("float16 overflowed in %d steps in a row, up to step %d of epoch %d, whatever the scale of the loss: values in the model itself are beyond 65504. "+
		"Use precision = \"bfloat16\", which has the range of float32, or scale the inputs", maxSkips, o.Step, o.Epoch)
}

// Diagnose finds what went first when an epoch diverged. The trainer must hold the state that the epoch began from. It does
// the steps again, which gives the same bits, up to the one before that was found to be bad, and then looks at every layer: an
// epoch that goes well pays nothing for it. It returns div with Step and Where.
func (t *Trainer) Diagnose(ctx context.Context, div *Diverged) *Diverged {
	out := *div
	look, err := NewExec(t.session.Backend, t.inspect)
	if err != nil {
		return div
	}
	defer look.Finalize()
	order := t.order()
	w := newWindow()
	for i := 0; i < div.Step; i++ {
		if ctx.Err() != nil {
			return div
		}
		b := t.prepare(order, i, 1)
		if i >= div.Step-2 {
			c := t.config
			c.Accumulate = 1
			one, err := (&Trainer{Program: t.Program, config: c, data: t.data, source: t.source, change: t.change, epoch: t.epoch, begun: t.begun}).input(order, i, nil)
			if err != nil {
				return div
			}
			if where := t.culprit(look, one); where != "" {
				out.Step, out.Where = i+1, where
				return &out
			}
		}
		if b.err != nil || mlx.Try(func() error { return t.run(b, w) }) != nil {
			return div
		}
	}
	return div
}

// culprit names what is not finite in a step: rows of the data, weights, then layers in the order of computation.
func (t *Trainer) culprit(look *Exec, s step) string {
	in := s.parts[0]
	for _, r := range slices.Concat(in.rows, in.partners) {
		if t.data.Features == nil {
			break // tokens are numbers always
		}
		for j, v := range t.data.Features[r*t.data.Width : (r+1)*t.data.Width] {
			if v := float64(v); math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Sprintf("the data: value %d of row %d of the source is %g", j, t.data.Source[r], v)
			}
		}
	}
	args := append(anys(in.args), s.scalars)
	args = append(args, t.fixed()...)
	for i, sl := range t.slots {
		if sl.live {
			args = append(args, t.values[i])
		}
	}
	var good []float32
	err := mlx.Try(func() error {
		out, err := look.Call(args...)
		if err == nil {
			good, err = mlx.Values(out[0])
		}
		return err
	})
	if err != nil {
		return ""
	}
	return t.name(good)
}

// name words the first thing that is not good.
func (t *Trainer) name(good []float32) string {
	for _, sl := range t.slots {
		if good[0] == 0 && sl.layer != "" && sl.moment == "" {
			return fmt.Sprintf("%s of layer %q, after the step before", sl.param, sl.layer)
		}
		good = good[1:]
	}
	for _, l := range t.graph.Layers {
		if good[0] == 0 {
			return fmt.Sprintf("the output of layer %q (%s)", l.Name, l.Op)
		}
		good = good[1:]
	}
	if good[0] == 0 {
		return "the loss itself, of finite outputs"
	}
	bad := map[string]string{}
	for _, sl := range t.slots {
		if !sl.trained {
			continue
		}
		if good = good[1:]; good[0] == 0 {
			bad[sl.layer] = sl.param
		}
	}
	for i := len(t.graph.Layers) - 1; i >= 0; i-- { // gradients come from the end
		if l := t.graph.Layers[i]; bad[l.Name] != "" {
			return fmt.Sprintf("the gradient of %s of layer %q (%s)", bad[l.Name], l.Name, l.Op)
		}
	}
	return ""
}

// inspect makes the computation that finds what is not finite in a step: feed, state in; out a vector of 1 for good and 0 for
// bad: the state by slot, layers in the order of the graph, the loss, gradients of what is trained.
func (p *Program) inspect(args []*Node) []*Node {
	r := &reader{args}
	f := r.feed(p)
	state := r.state(p)
	var good []*Node
	finite := func(n *Node) {
		bad := ReduceAllSum(ConvertDType(LogicalNot(IsFinite(n)), dtypes.Float32))
		good = append(good, ConvertDType(Equal(bad, ZerosLike(bad)), dtypes.Float32))
	}
	for _, n := range state {
		finite(n)
	}
	fwd, outputs := p.forward(f, state)
	for _, l := range p.graph.Layers {
		finite(fwd.Node(l.Name))
	}
	sum, _ := p.objective(f, outputs)
	loss := Mul(sum, element(f.scalars, inverseAt))
	finite(loss)
	for _, g := range Gradient(loss, p.trained(state)...) {
		finite(g)
	}
	return []*Node{Stack(good, 0)}
}

// newWindow is what is collected before the first step.
func newWindow() []*tensors.Tensor {
	return []*tensors.Tensor{mlx.Zeros(sumSize), tensors.FromScalar(float32(noStep)), tensors.FromScalar(float32(0))}
}
