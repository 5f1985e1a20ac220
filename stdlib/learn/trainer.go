package learn

import (
	"context"
	"fmt"
	"math"
	"reflect"

	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/augment"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Trainer is a program with the state it works on, and the data. It is used by one goroutine at a time.
type Trainer struct {
	*Program
	config Config
	given  *dataset.Data
	data   *dataset.Data // given, as the objective sees it in the epoch to come
	source *source
	change *augment.Augmenter // of rows that are trained on; nil without
	values []*tensors.Tensor  // by slot
	keep   []any              // masks of weights that stay zero, of the slots that are masked
	epoch  int                // epochs done
	begun  int                // steps done before the epoch
	steps  int                // steps done
}

// Programs keeps the programs of a worker, so that each is compiled once: the last few that were used.
type Programs struct {
	keys     []string
	programs map[string]*Program
}

// maxPrograms is how many programs are kept: what a sweep over architectures goes through by turns.
const maxPrograms = 4

// find returns the program of a key, or makes it.
func (ps *Programs) find(key string, create func() (*Program, error)) (*Program, error) {
	if ps.programs == nil {
		ps.programs = map[string]*Program{}
	}
	if p := ps.programs[key]; p != nil {
		return p, nil
	}
	p, err := create()
	if err != nil {
		return nil, err
	}
	if len(ps.keys) == maxPrograms {
		ps.programs[ps.keys[0]].Close()
		delete(ps.programs, ps.keys[0])
		ps.keys = ps.keys[1:]
	}
	ps.keys, ps.programs[key] = append(ps.keys, key), p
	return p, nil
}

// NewTrainer prepares training from a state. The session, graph and data must stay as they are. Weights must be float32: a
// quantised or cast model cannot be trained. programs may be nil. What does not fit is a *Misfit.
func NewTrainer(s *mlx.Session, g *graph.Graph, info *graph.Info, config Config, data *dataset.Data, state *State, programs *Programs) (*Trainer, error) {
	if programs == nil {
		programs = &Programs{}
	}
	masked := masksOf(config, state)
	has := map[string]bool{}
	for name := range masked {
		has[name] = true
	}
	key, err := programKey(s, g, config, has)
	if err != nil {
		return nil, err
	}
	p, err := programs.find(key, func() (*Program, error) { return NewProgram(s, g, info, &config, has) })
	if err != nil {
		return nil, err
	}
	t := &Trainer{Program: p, config: config, given: data, epoch: state.Epoch, steps: state.Step, begun: state.Step}
	if err := config.fitLanguage(data, info.Shapes[g.Outputs[0]]); err != nil {
		return nil, err
	}
	if err := config.fitTeacher(g, info, data); err != nil {
		return nil, err
	}
	t.data = t.view()
	if err := t.check(); err != nil {
		return nil, err
	}
	if t.change, err = config.augmenter(g); err != nil {
		return nil, err
	}
	if t.change != nil && t.data.Features == nil {
		return nil, misfit("augment", "augment changes numbers, and the dataset gives tokens. Leave augment out")
	}
	for i, sl := range t.slots {
		v, err := sl.load(state)
		if err != nil {
			return nil, err
		}
		t.values = append(t.values, mlx.Tensor(v, sl.shape...))
		if t.masked[i] {
			t.keep = append(t.keep, mlx.Tensor(masked[sl.layer+"/"+sl.param], sl.shape...))
		}
	}
	return t, nil
}

// Reschedule takes another configuration, and reports whether it could: when nothing but the schedule is another.
func (t *Trainer) Reschedule(c Config) bool {
	old := t.config
	c.weights, c.teacher, c.Only = old.weights, old.teacher, old.Only
	old.Schedule = c.Schedule
	if !reflect.DeepEqual(old, c) || c.Schedule.check(c.stepsOf(t.data.Rows)) != nil {
		return false
	}
	t.config = c
	return true
}

// check holds the configuration against the data.
func (t *Trainer) check() error {
	var err error
	if t.source, err = newSource(t.graph, t.data); err != nil {
		return err
	}
	if t.data.Rows < t.config.Batch {
		return misfit("batch", "batch = %d is larger than the data set: its train split has %d rows. Take a batch of at most that many", t.config.Batch, t.data.Rows)
	}
	if err := t.loss.fitData(t.config.Loss, t.data, t.info.Shapes[t.graph.Outputs[0]]); err != nil {
		return err
	}
	return t.config.Schedule.check(t.config.stepsOf(t.data.Rows))
}

// masksOf are 1 where a weight is not zero, by "<layer>/<param>", of the weights that have zeros which must stay.
func masksOf(c Config, state *State) map[string][]float32 {
	out := map[string][]float32{}
	for layer, ps := range state.Params {
		w := ps["weight"]
		if !c.KeepZeros || w == nil || w.DType != graph.F32 {
			continue
		}
		mask, zeros := make([]float32, graph.Size(w.Shape)), false
		for i, x := range w.Float32s() {
			if x != 0 {
				mask[i] = 1
			} else {
				zeros = true
			}
		}
		if zeros {
			out[layer+"/weight"] = mask
		}
	}
	return out
}

// Metrics are means over rows.
type Metrics struct {
	Loss     float64 // NaN of no rows
	Accuracy float64 // NaN where the loss is not about classes, too
}

// Record is what an epoch did.
type Record struct {
	Metrics          // taken while the weights changed
	LR       float64 // of the last step
	GradNorm float64 // of the last step, before clipping
	Skipped  int     // steps that float16 overflowed in
	Steps    int
	Lines    []Line // every LogEvery steps
}

// Line is what some steps did.
type Line struct {
	Metrics
	Step     int // the last of them, from the start of training, from 1
	LR       float64
	GradNorm float64
	Skipped  int
}

// readEvery is how many steps go by before their sums are read: float32 adds that many without harm, and what is bad is noticed.
const readEvery = 256

// Epoch does one epoch and keeps the new state. After an error the trainer must not be used again. progress may be nil; it is
// told of steps done, and of the loss over the last of them when it is known, else NaN.
func (t *Trainer) Epoch(ctx context.Context, progress func(step, total int, loss float64)) (*Record, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.data = t.view()
	order := t.order()
	e := &epoch{t: t, rows: len(order), total: t.config.stepsOf(len(order)), record: &Record{}, window: newWindow()}
	if progress == nil {
		progress = func(int, int, float64) {}
	}
	if _, err := e.skipped(); err != nil { // those of the epochs before
		return nil, err
	}
	for b := range t.batches(ctx, order, e.plan()) {
		if b.err != nil {
			return nil, b.err
		}
		if err := mlx.Try(func() error { return t.run(b, e.window) }); err != nil {
			return nil, err
		}
		e.add(b)
		if e.ends() {
			if err := e.read(); err != nil {
				return nil, err
			}
		}
		progress(e.done, e.total, e.last)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t.epoch++
	t.begun = t.steps
	return e.close(), nil
}

// batches makes the inputs of calls, two ahead of the device.
func (t *Trainer) batches(ctx context.Context, order []int, plan []int) <-chan *batch {
	out := make(chan *batch, 1) // one waits here, one is being made
	go func() {
		defer close(out)
		first := 0
		for _, n := range plan {
			select {
			case out <- t.prepare(order, first, n):
			case <-ctx.Done():
				return
			}
			first += n
		}
	}()
	return out
}

// epoch is an epoch under way.
type epoch struct {
	t      *Trainer
	rows   int // of the epoch
	total  int // steps of the epoch
	done   int // steps done
	record *Record
	window []*tensors.Tensor

	// since the window was last read
	seen   int // steps
	rowsIn int
	weight float64

	loss, right, weights float64 // sums of the epoch
	counted              float64 // rows
	last                 float64 // loss of the last window
	skips                float32 // as of the scaler
}

// every is the number of steps between readings of the window.
func (c *Config) every(total int) int {
	if n := c.LogEvery; n > 0 {
		return min(n, total)
	}
	return readEvery
}

// room is how many steps there may be in a call. Batches that differ in length are calls of their own.
func (t *Trainer) room() int {
	if len(t.source.infos) > 1 {
		return 1
	}
	return t.group
}

// plan deals the epoch's steps out to calls, so many each, which end where windows do. The last batch, where it is smaller, is a
// call of its own.
func (e *epoch) plan() []int {
	var calls []int
	full := e.rows / e.t.config.Batch
	for at := 0; at < e.total; at += calls[len(calls)-1] {
		every := e.t.config.every(e.total)
		n := min(e.t.room(), every-at%every)
		if at < full {
			n = min(n, full-at)
		}
		calls = append(calls, min(n, e.total-at))
	}
	return calls
}

// looks reports whether the norm of the gradient will be reported of the step after which so many of an epoch are done.
func (c *Config) looks(after, total int) bool {
	return after == total || c.LogEvery > 0 && after%c.every(total) == 0
}

func (e *epoch) add(b *batch) {
	for _, s := range b.steps {
		e.done++
		e.seen++
		e.rowsIn += s.rows
		e.weight += s.weight
		e.record.LR = s.lr
	}
	e.last = math.NaN()
}

func (e *epoch) ends() bool { return e.seen >= e.t.config.every(e.total) || e.done == e.total }

// read takes the window off the device and begins another.
func (e *epoch) read() error {
	sums, err := mlx.Values(e.window[0])
	if err != nil {
		return err
	}
	bad, norm := tensors.ToScalar[float32](e.window[1]), tensors.ToScalar[float32](e.window[2])
	if bad != noStep {
		return e.bad(int(bad) + 1)
	}
	skips, err := e.skipped()
	if err != nil {
		return err
	}
	rows, weight := float64(e.rowsIn)-float64(sums[rowsSkipped]), e.weight-float64(sums[weightSkipped])
	line := Line{Step: e.t.steps, LR: e.record.LR, GradNorm: float64(norm), Skipped: skips,
		Metrics: e.t.means(float64(sums[lossSum]), weight, float64(sums[rightSum]), rows)}
	e.loss, e.weights = e.loss+float64(sums[lossSum]), e.weights+weight
	e.right, e.counted = e.right+float64(sums[rightSum]), e.counted+rows
	e.last, e.record.GradNorm = line.Loss, line.GradNorm
	e.record.Skipped += skips
	if e.t.config.LogEvery > 0 {
		e.record.Lines = append(e.record.Lines, line)
	}
	e.seen, e.rowsIn, e.weight, e.window = 0, 0, 0, newWindow()
	return nil
}

func (e *epoch) bad(step int) error {
	if e.t.half() {
		return &Overflow{Epoch: e.t.epoch + 1, Step: step}
	}
	return &Diverged{Epoch: e.t.epoch + 1, Step: step, LR: e.t.config.Optimizer.LR * e.t.config.Schedule.At(e.t.begun+step-1, step-1, e.total)}
}

// skipped is how many steps of the window the scaler has skipped.
func (e *epoch) skipped() (int, error) {
	if !e.t.half() {
		return 0, nil
	}
	v, err := mlx.Values(e.t.values[len(e.t.values)-1])
	if err != nil {
		return 0, err
	}
	n := v[skipAt] - e.skips
	e.skips = v[skipAt]
	return int(n), nil
}

func (e *epoch) close() *Record {
	e.record.Steps = e.done
	e.record.Metrics = e.t.means(e.loss, e.weights, e.right, e.counted)
	return e.record
}

// means are the means of sums; of nothing, when all steps were skipped, they are NaN.
func (p *Program) means(loss, weight, right, rows float64) Metrics {
	m := Metrics{Loss: loss / weight, Accuracy: math.NaN()}
	if p.loss.right != nil {
		m.Accuracy = right / rows
	}
	return m
}

// run does the steps of one call, and puts the new window into w.
func (t *Trainer) run(b *batch, w []*tensors.Tensor) error {
	t.steps += len(b.steps)
	if b.args != nil {
		count := tensors.FromScalar(int32(len(b.steps)))
		if err := t.call(t.many.Call, append(anys(b.args), count), w); err != nil {
			return err
		}
		return release(b.args)
	}
	s := b.steps[0]
	if t.config.parts() > 1 {
		return t.accumulate(s, w)
	}
	exec := t.step
	if s.look && t.norm == normNever {
		exec = t.measured
	}
	if err := t.call(exec.Call, append(anys(s.parts[0].args), s.scalars), w); err != nil {
		return err
	}
	return release(s.parts[0].args)
}

// call runs a computation that takes window and state and gives them back.
func (t *Trainer) call(run func(...any) ([]*tensors.Tensor, error), args []any, w []*tensors.Tensor) error {
	for _, v := range w {
		buf, err := t.session.Donate(v)
		if err != nil {
			return err
		}
		args = append(args, buf)
	}
	args = append(args, t.keep...)
	args = append(args, t.fixed()...)
	for i, sl := range t.slots {
		if !sl.live {
			continue
		}
		buf, err := t.session.Donate(t.values[i])
		if err != nil {
			return err
		}
		args = append(args, buf)
	}
	out, err := run(args...)
	if err != nil {
		return err
	}
	copy(w, out)
	out = out[len(w):]
	for i, sl := range t.slots {
		if sl.live {
			t.values[i], out = out[0], out[1:]
		}
	}
	return nil
}

// fixed are the values that no step changes.
func (t *Trainer) fixed() []any {
	var out []any
	for i, sl := range t.slots {
		if !sl.live {
			out = append(out, t.values[i])
		}
	}
	return out
}

// accumulate does a step in parts: their gradients add up, and then make one step.
func (t *Trainer) accumulate(s step, w []*tensors.Tensor) error {
	sums := []*tensors.Tensor{mlx.Zeros(2)}
	for _, sl := range t.slots {
		if sl.trained {
			sums = append(sums, mlx.Zeros(sl.shape...))
		}
	}
	for _, p := range s.parts {
		args := append(anys(p.args), s.scalars)
		for _, v := range sums {
			buf, err := t.session.Donate(v)
			if err != nil {
				return err
			}
			args = append(args, buf)
		}
		args = append(args, t.fixed()...)
		for i, sl := range t.slots {
			if sl.live {
				args = append(args, t.values[i])
			}
		}
		out, err := t.part.Call(args...)
		if err != nil {
			return err
		}
		copy(sums, out)
		out = out[len(sums):]
		for i, sl := range t.slots {
			if sl.statistic() {
				t.values[i].FinalizeAll()
				t.values[i], out = out[0], out[1:]
			}
		}
		if err := release(p.args); err != nil {
			return err
		}
	}
	args := []any{s.scalars}
	for _, v := range sums {
		buf, err := t.session.Donate(v)
		if err != nil {
			return err
		}
		args = append(args, buf)
	}
	return t.call(t.apply.Call, args, w)
}

// State copies the state off the device.
func (t *Trainer) State() (*State, error) { return t.state(func(slot) bool { return true }) }

// Changed is the state without the parameters that no step changes.
func (t *Trainer) Changed() (*State, error) { return t.state(func(sl slot) bool { return sl.live }) }

func (t *Trainer) state(of func(slot) bool) (*State, error) {
	s := &State{Epoch: t.epoch, Step: t.steps, Params: map[string]bundle.Params{}, Moments: map[string]bundle.Params{}}
	for i, sl := range t.slots {
		if !of(sl) {
			continue
		}
		v, err := mlx.Values(t.values[i])
		if err != nil {
			return nil, err
		}
		sl.store(s, v)
	}
	return s, nil
}

// Evaluate is the loss and accuracy on other rows, without training on them: of the present weights, or of their moving
// averages.
func (t *Trainer) Evaluate(ctx context.Context, d *dataset.Data, averaged bool) (Metrics, error) {
	if d.Rows == 0 {
		return t.means(0, 0, 0, 0), nil
	}
	d = t.config.unseen(d)
	if err := t.loss.fitData(t.config.Loss, d, t.info.Shapes[t.graph.Outputs[0]]); err != nil {
		return Metrics{}, fmt.Errorf("valid split: %w", err)
	}
	if err := t.source.whole(d); err != nil {
		return Metrics{}, fmt.Errorf("valid split: %w", err)
	}
	kept := t.keptBy()
	var params []any
	for i, sl := range t.slots {
		if at, ok := kept[sl.layer+"/"+sl.param][emaName]; averaged && ok {
			i = at
		}
		if sl.moment == "" {
			params = append(params, t.values[i])
		}
	}
	var loss, right, weight float64
	counted := 0
	for _, rows := range chunks(t.source, t.info, d) {
		if err := ctx.Err(); err != nil {
			return Metrics{}, err
		}
		lengths := t.source.lengths(d, rows)
		a := &arguments{session: t.session}
		t.source.put(a, d, rows, lengths)
		t.labels(a, d, rows, lengths)
		w, n, sum := t.weights(d, rows, lengths)
		if w != nil && t.body == "" {
			put(a, w, len(w))
		}
		if a.err != nil {
			return Metrics{}, a.err
		}
		counted += n
		weight += sum
		err := mlx.Try(func() error {
			out, err := t.eval.Call(append(anys(a.tensors), params...)...)
			if err != nil {
				return err
			}
			loss += float64(tensors.ToScalar[float32](out[0]))
			right += float64(tensors.ToScalar[float32](out[1]))
			return release(a.tensors)
		})
		if err != nil {
			return Metrics{}, err
		}
	}
	return t.means(loss, weight, right, float64(counted)), nil
}
