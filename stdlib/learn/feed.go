package learn

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// batch is what one call of the device takes, made while the call before computes: one step, or several.
type batch struct {
	first int // index in the epoch of its first step
	steps []step
}

// step is the input of one step, in one part or as many as gradients are accumulated over.
type step struct {
	parts   []part
	scalars *tensors.Tensor
	rows    int
	weight  float64
	lr      float64
}

type part struct {
	x, y, weight   *tensors.Tensor
	partner, share *tensors.Tensor // of classes that are mixed
	masks          []*tensors.Tensor
	rows, partners []int // that went into it; partners with mixup only
}

// args are the arguments of a part but for the scalars.
func (p part) args() []any {
	args := []any{p.x, p.y}
	if p.share != nil {
		args = append(args, p.partner, p.share)
	}
	if p.weight != nil {
		args = append(args, p.weight)
	}
	for _, m := range p.masks {
		args = append(args, m)
	}
	return args
}

// order is the order of rows in the epoch to come: a pure function of seed and epoch.
func (t *Trainer) order() []int {
	if t.config.Shuffle {
		return mlx.NewRandom(t.config.Seed, fmt.Sprintf("order/%d", t.epoch)).Permutation(t.data.Rows)
	}
	order := make([]int, t.data.Rows)
	for i := range order {
		order[i] = i
	}
	return order
}

// stepsOf is the number of steps of an epoch over some rows.
func (c *Config) stepsOf(rows int) int { return (rows + c.Batch - 1) / c.Batch }

// prepare makes the input of some steps of the epoch to come, which need only be known by number. It reads the trainer's data
// and configuration, and nothing that a step changes; so it may run beside one.
func (t *Trainer) prepare(order []int, first, steps int) *batch {
	b := &batch{first: first}
	for i := first; i < first+steps; i++ {
		b.steps = append(b.steps, t.input(order, i))
	}
	return b
}

func (t *Trainer) input(order []int, i int) step {
	rows := order[i*t.config.Batch : min((i+1)*t.config.Batch, len(order))]
	s := step{rows: len(rows), weight: float64(len(rows))}
	in := t.augmented(rows)
	weights := t.rowWeights(t.data, rows)
	if weights != nil && in.Weight != nil {
		weights = mixed(in.Weight, weights, t.rowWeights(t.data, in.Partner))
	}
	if weights != nil {
		s.weight = 0
		for _, w := range weights {
			s.weight += float64(w)
		}
	}
	masks := t.masks(t.begun+i+1, len(rows))
	for size := t.config.Batch / t.config.parts(); len(in.Rows) > 0; {
		n := min(size, len(in.Rows))
		p := t.take(in, n)
		if weights != nil {
			p.weight = mlx.Tensor(weights[:n], n)
			weights = weights[n:]
		}
		for k, l := range t.drops {
			shape := append([]int{n}, t.info.Shapes[l.Name]...)
			p.masks = append(p.masks, mlx.Tensor(masks[k][:graph.Size(shape)], shape...))
			masks[k] = masks[k][graph.Size(shape):]
		}
		s.parts = append(s.parts, p)
	}
	s.scalars, s.lr = t.scalars(i, len(order), s)
	return s
}

// scalars are the numbers of a step that the host knows.
func (t *Trainer) scalars(i, rows int, s step) (*tensors.Tensor, float64) {
	o, done := t.config.Optimizer, t.begun+i
	v := make([]float32, scalarSize)
	lr := o.LR * t.config.Schedule.At(done, i, t.config.stepsOf(rows))
	c1, c2, decay := o.corrections(float64(done + 1))
	v[lrAt], v[c1At], v[c2At], v[decayAt] = float32(lr), float32(c1), float32(c2), float32(decay)
	v[indexAt], v[rowsAt], v[weightAt] = float32(i), float32(s.rows), float32(s.weight)
	if s.weight > 0 { // a batch of classes that weigh nothing teaches nothing
		v[inverseAt] = float32(1 / s.weight)
	}
	if e := t.config.EMA; e != nil {
		v[emaAt] = float32(math.Min(e.Decay, float64(1+done)/float64(10+done)))
	}
	return mlx.Tensor(v, scalarSize), lr
}

func gather(d *dataset.Data, rows []int) []float32 {
	w := d.Width
	x := make([]float32, len(rows)*w)
	for i, r := range rows {
		copy(x[i*w:], d.Features[r*w:(r+1)*w])
	}
	return x
}

// features are gathered rows as the model's input.
func (p *Program) features(x []float32) *tensors.Tensor {
	shape := p.graph.Inputs[0].Shape
	return mlx.Tensor(x, append([]int{len(x) / graph.Size(shape)}, shape...)...)
}

func (p *Program) labels(d *dataset.Data, rows []int) *tensors.Tensor {
	if p.loss.Classes {
		y := make([]int32, len(rows))
		for i, r := range rows {
			y[i] = d.Classes[r]
		}
		return tensors.FromFlatDataAndDimensions(y, len(rows))
	}
	return mlx.Tensor(numbers(d, rows), len(rows))
}

func numbers(d *dataset.Data, rows []int) []float32 {
	y := make([]float32, len(rows))
	for i, r := range rows {
		y[i] = number(d, r)
	}
	return y
}

// rowWeights are the weights of rows by their class, or nil.
func (t *Trainer) rowWeights(d *dataset.Data, rows []int) []float32 {
	if t.config.weights == nil {
		return nil
	}
	w := make([]float32, len(rows))
	for i, r := range rows {
		w[i] = t.config.weights[d.Classes[r]]
	}
	return w
}

// masks are the dropout masks of a step, from 1, by dropout layer: 0 with probability rate, else 1/(1-rate); two elements from
// each random word. They are made for the whole batch, so that its parts drop what the whole would.
func (t *Trainer) masks(step, rows int) [][]float32 {
	var out [][]float32
	for _, l := range t.drops {
		rate := l.Float("rate", 0)
		r := mlx.NewRandom(t.config.Seed, fmt.Sprintf("dropout/%s/%d", l.Name, step))
		mask := make([]float32, rows*graph.Size(t.info.Shapes[l.Name]))
		limit, keep := uint32(rate*(1<<32)), float32(1/(1-rate))
		for i := 0; i < len(mask); i += 2 {
			word := r.Uint64()
			if uint32(word) >= limit {
				mask[i] = keep
			}
			if i+1 < len(mask) && uint32(word>>32) >= limit {
				mask[i+1] = keep
			}
		}
		out = append(out, mask)
	}
	return out
}
