package learn

import (
	"fmt"
	"math"
	"slices"

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
	x              []*tensors.Tensor // by input of the graph
	y, weight      *tensors.Tensor
	partner, share *tensors.Tensor   // of classes that are mixed
	asked          *tensors.Tensor   // positions that labels and weights are of; nil for all
	lessons        []*tensors.Tensor // of a teacher
	masks          []*tensors.Tensor
	rows, partners []int // that went into it; partners with mixup only
}

// args are the arguments of a part but for the scalars.
func (p part) args() []any {
	var args []any
	for _, x := range p.x {
		args = append(args, x)
	}
	args = append(args, p.y)
	if p.share != nil {
		args = append(args, p.partner, p.share)
	}
	if p.weight != nil {
		args = append(args, p.weight)
	}
	if p.asked != nil {
		args = append(args, p.asked)
	}
	for _, m := range slices.Concat(p.lessons, p.masks) {
		args = append(args, m)
	}
	return args
}

// order is the order of rows in the epoch to come: a pure function of seed, epoch and, where batches may be of different lengths, of
// the lengths of rows.
func (t *Trainer) order() []int {
	if t.config.Shuffle {
		order := mlx.NewRandom(t.config.Seed, fmt.Sprintf("order/%d", t.epoch)).Permutation(t.data.Rows)
		if t.source.free {
			order = t.data.Of.ByLength(t.data, order, t.config.Batch)
		}
		return order
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
	lengths := t.source.lengths(t.data, rows)
	in := t.augmented(rows)
	var s step
	var weights []float32
	weights, s.rows, s.weight = t.weights(t.data, rows, lengths)
	if weights != nil && in.Weight != nil {
		others, _, _ := t.weights(t.data, in.Partner, lengths)
		weights = mixed(in.Weight, weights, others)
		s.weight = sum(weights)
	}
	each := len(weights) / len(rows) // of a row: 1, or the positions of its tags
	info := t.source.info(t.info, lengths)
	masks := t.masks(info, t.begun+i+1, len(rows))
	for size := t.config.Batch / t.config.parts(); len(in.Rows) > 0; {
		n := min(size, len(in.Rows))
		p := t.take(in, n, lengths)
		p.lessons = t.lessons(p.rows, rows, lengths)
		if weights != nil {
			p.weight = mlx.Tensor(weights[:n*each], n*each)
			weights = weights[n*each:]
		}
		t.compact(&p, t.data, lengths)
		for k, l := range t.drops {
			_, shape := l.Dropout(info.Layers[l.Name])
			shape = append([]int{n}, shape...)
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

// labels are those of some rows, [rows]; of tags one for each position, [rows * length], below 0 where there is none.
func (p *Program) labels(d *dataset.Data, rows []int, lengths map[string]int) *tensors.Tensor {
	if p.tags {
		y := p.tagsOf(d, rows, lengths)
		return tensors.FromFlatDataAndDimensions(y, len(y))
	}
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

// tagsOf are the labels of each position.
func (p *Program) tagsOf(d *dataset.Data, rows []int, lengths map[string]int) []int32 {
	return d.Of.PadTags(d, rows, lengths[d.Of.Label.Of])
}

// weights are those of what has a label in some rows, by its class, and how many and how much they are; nil where all weigh 1. A
// position without a label weighs 0.
func (t *Trainer) weights(d *dataset.Data, rows []int, lengths map[string]int) (weights []float32, count int, total float64) {
	if t.config.weights == nil && !t.tags {
		return nil, len(rows), float64(len(rows))
	}
	var classes []int32
	if t.tags {
		classes = t.tagsOf(d, rows, lengths)
	} else {
		for _, r := range rows {
			classes = append(classes, d.Classes[r])
		}
	}
	w := make([]float32, len(classes))
	for i, c := range classes {
		if c < 0 {
			continue
		}
		if w[i] = 1; t.config.weights != nil {
			w[i] = t.config.weights[c]
		}
		count++
	}
	return w, count, sum(w)
}

func sum(v []float32) float64 {
	s := 0.0
	for _, x := range v {
		s += float64(x)
	}
	return s
}

// masks are the dropout masks of a step, from 1, by layer that drops something: 0 with probability rate, else 1/(1-rate); two elements from
// each random word. They are made for the whole batch, so that its parts drop what the whole would.
func (t *Trainer) masks(info *graph.Info, step, rows int) [][]float32 {
	var out [][]float32
	for _, l := range t.drops {
		rate, shape := l.Dropout(info.Layers[l.Name])
		r := mlx.NewRandom(t.config.Seed, fmt.Sprintf("dropout/%s/%d", l.Name, step))
		mask := make([]float32, rows*graph.Size(shape))
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
