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
	steps []step
	args  []*tensors.Tensor // of several: those of its steps, [group, ...] each
	err   error
}

// step is the input of one step, in one part or as many as gradients are accumulated over; of one of several, numbers only.
type step struct {
	parts   []part
	scalars *tensors.Tensor
	rows    int
	weight  float64
	lr      float64
	look    bool // the norm of its gradient is reported
}

type part struct {
	args           []*tensors.Tensor // in the order of reader.feed, but for the scalars
	rows, partners []int             // that went into it; partners with mixup only
}

// arguments are tensors under way. Each has its numbers put where the device reads them: those of one step, or, with room for
// several, of one after the other.
type arguments struct {
	session *mlx.Session
	room    int // 0: no axis for steps
	step    int
	next    int // argument of the present step
	tensors []*tensors.Tensor
	flats   []any
	err     error
}

// place is where the next argument of the present step is to be put, all of it.
func place[T float32 | int32 | int64](a *arguments, shape ...int) []T {
	n := graph.Size(shape)
	if a.next == len(a.tensors) {
		if a.room > 0 {
			shape = append([]int{a.room}, shape...)
		}
		t, flat, err := mlx.Make[T](a.session, shape...)
		if err != nil {
			a.err, flat = err, make([]T, graph.Size(shape))
		}
		a.tensors, a.flats = append(a.tensors, t), append(a.flats, flat)
	}
	a.next++
	return a.flats[a.next-1].([]T)[a.step*n : (a.step+1)*n]
}

// put places numbers that are there already.
func put[T float32 | int32 | int64](a *arguments, v []T, shape ...int) {
	copy(place[T](a, shape...), v)
}

// anys are tensors as arguments.
func anys(ts []*tensors.Tensor) []any {
	out := make([]any, len(ts))
	for i, t := range ts {
		out[i] = t
	}
	return out
}

// release gives the memory of inputs back as soon as they are of no use.
func release(ts []*tensors.Tensor) error {
	for _, t := range ts {
		if err := t.FinalizeAll(); err != nil {
			return err
		}
	}
	return nil
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
	b := &batch{}
	if t.room() == 1 || (first+steps)*t.config.Batch > len(order) {
		s, err := t.input(order, first, nil)
		b.steps, b.err = []step{s}, err
		return b
	}
	all := &arguments{session: t.session, room: t.room()}
	for i := range steps {
		all.step, all.next = i, 0
		s, err := t.input(order, first+i, all)
		if err != nil {
			b.err = err
			return b
		}
		b.steps = append(b.steps, s)
	}
	b.args = all.tensors
	return b
}

// input makes the input of step i; of one of several into their arguments.
func (t *Trainer) input(order []int, i int, all *arguments) (step, error) {
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
		a := all
		if a == nil {
			a = &arguments{session: t.session}
		}
		p := t.take(a, in, n, lengths)
		if weights != nil {
			if t.body == "" {
				put(a, weights[:n*each], n*each)
			}
			weights = weights[n*each:]
		}
		t.lessons(a, p.rows, rows, lengths)
		for k, l := range t.drops {
			_, shape := l.Dropout(info.Layers[l.Name])
			shape = append([]int{n}, shape...)
			put(a, masks[k][:graph.Size(shape)], shape...)
			masks[k] = masks[k][graph.Size(shape):]
		}
		if a.err != nil {
			return s, a.err
		}
		if all == nil {
			p.args = a.tensors
			s.parts = append(s.parts, p)
		}
	}
	s.look = t.config.looks(i+1, t.config.stepsOf(len(order)))
	scalars, lr := t.scalars(i, len(order), s)
	s.lr = lr
	if all != nil {
		put(all, scalars, scalarSize)
		return s, all.err
	}
	s.scalars = mlx.Tensor(scalars, scalarSize)
	return s, nil
}

// scalars are the numbers of a step that the host knows.
func (t *Trainer) scalars(i, rows int, s step) ([]float32, float64) {
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
	if s.look {
		v[lookAt] = 1
	}
	return v, lr
}

// labels are those of some rows, [rows]; of tags one for each position, [rows * length], below 0 where there is none.
func (p *Program) labels(a *arguments, d *dataset.Data, rows []int, lengths map[string]int) {
	switch {
	case p.body != "":
		p.ask(a, d, rows, lengths)
	case p.tags:
		y := p.tagsOf(d, rows, lengths)
		put(a, y, len(y))
	case p.loss.Classes:
		y := place[int32](a, len(rows))
		for i, r := range rows {
			y[i] = d.Classes[r]
		}
	default:
		put(a, numbers(d, rows), len(rows))
	}
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
