package learn

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/augment"
	"mbuild.dev/mbuild/stdlib/graph"
	lower "mbuild.dev/mbuild/stdlib/graph/mlx"
)

// Program is what is compiled for training a graph in a certain way. It holds no state, and no number that a schedule, a seed
// or data bring: one program serves all segments of a chain, and chains that differ in these only. It is used by one goroutine
// at a time.
type Program struct {
	session *mlx.Session
	graph   *graph.Graph
	info    *graph.Info
	config  Config // what is compiled in; the trainer's has the rest
	loss    Loss
	slots   []slot
	tags    bool   // there is a label for each position of a sequence
	body    string // of masked_lm: the layer behind which positions are computed alone, those that are asked for; "" for none
	masked  []bool // by slot: weights that are zero stay so
	drops   []*graph.Layer
	group   int // up to so many steps are one call
	norm    norming

	step, measured, many *Exec // a step; a step that measures the norm of its gradient; up to group steps
	part, apply          *Exec // gradients of a part of a batch; the step that they make together
	eval                 *Exec
}

// Several steps smaller than mlx.LargeStep go into one call: what is saved is the calling, and that the state stays where it is. There are as many as have callSize operations and groupBytes of inputs, and at most groupSize.
// They are a loop on the device, so each does what it would do alone, and the program is no larger.
const (
	callSize   = 48e9
	groupSize  = 32
	groupBytes = 4 << 20
)

// norming is which steps measure the norm of their gradient, beside those that are looked at.
type norming int

const (
	normNever norming = iota // a program of its own looks
	normAsked                // the device is told which steps to look at
	normAlways
)

// Trainable says whether the weights of a model are stored as training needs them, in float32. What is not is a *Misfit of "from".
func Trainable(g *graph.Graph) error {
	for _, l := range g.Layers {
		what, pass := "", ""
		switch {
		case l.Quant != "":
			what, pass = "quantised ("+l.Quant+")", "quantize"
		case l.Store != "":
			what, pass = "stored as "+string(l.Store), "cast"
		default:
			continue
		}
		return misfit("from", "the layer %q is %s, and training needs all weights in float32, those of frozen layers too. Train the model that there is before pass %q, and compress what comes of it", l.Name, what, pass)
	}
	return nil
}

// NewProgram checks graph and configuration against each other, as far as that needs no data, and prepares compilation, which
// happens at the first step of each shape. masked has the parameters, as "<layer>/<param>", whose zeros are to stay.
func NewProgram(s *mlx.Session, g *graph.Graph, info *graph.Info, c *Config, masked map[string]bool) (*Program, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if err := c.CheckGroups(g, info); err != nil {
		return nil, err
	}
	if err := c.CheckLayerDecay(g); err != nil {
		return nil, err
	}
	if err := c.CheckLanguage(g, info); err != nil {
		return nil, err
	}
	if err := Trainable(g); err != nil {
		return nil, err
	}
	p := &Program{session: s, graph: g, info: info, config: *c, loss: Losses[c.Loss], slots: layout(g, info, c)}
	if err := p.loss.Fit(c.Loss, g.Outputs[0], info.Shapes[g.Outputs[0]]); err != nil {
		return nil, err
	}
	p.tags = p.loss.Classes && len(info.Shapes[g.Outputs[0]]) == 2
	if c.Objective == MaskedLM {
		p.body = bodyOf(g, info)
	}
	for _, sl := range p.slots {
		p.masked = append(p.masked, sl.moment == "" && sl.trained && masked[sl.layer+"/"+sl.param])
	}
	for i := range g.Layers {
		l := &g.Layers[i]
		if rate, _ := l.Dropout(info.Layers[l.Name]); rate > 0 {
			p.drops = append(p.drops, l)
		}
	}
	p.group = 1
	if step := 3 * float64(info.FLOPs) * float64(c.Batch); s.Name != mlx.Go && c.parts() == 1 && p.body == "" && c.Distill == nil && step < mlx.LargeStep {
		// The Go backend has nothing to gain: a call costs it some microseconds. How many positions are asked for differs from step
		// to step, so they have no common shape. A teacher's vectors have one; that loop has never been held against single steps, so it is not used.
		bytes := 0
		for _, in := range g.Inputs {
			bytes += 4 * c.Batch * graph.Size(in.Shape)
		}
		p.group = max(1, min(groupSize, int(callSize/max(step, 1)), groupBytes/bytes))
	}
	switch { // the norm costs passes over all gradients
	case c.ClipNorm > 0 || p.half():
		p.norm = normAlways
	case s.Name != mlx.Go:
		p.norm = normAsked
	}
	return p, p.compile()
}

// half reports whether layers compute in float16, and the loss is scaled.
func (p *Program) half() bool { return p.config.Precision == "float16" }

// programKey is what a program is made of, as text.
func programKey(s *mlx.Session, g *graph.Graph, c Config, masked map[string]bool) (string, error) {
	enc, err := g.Encode()
	if err != nil {
		return "", err
	}
	mixes := c.mixesClasses()
	if len(c.ClassWeights) > 0 {
		c.ClassWeights = map[string]float64{"": 1}
	}
	if c.EMA != nil {
		c.EMA = &EMA{}
	}
	c.Augment = nil
	if mixes {
		c.Augment = []augment.Op{{Type: "mixup"}} // all that a program knows of it
	}
	c.Seed, c.Shuffle, c.LogEvery, c.Schedule, c.Optimizer.LR = 0, false, 0, Schedule{}, 0
	c.MaskProbability = 0
	conf, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	mask, err := json.Marshal(masked)
	return strings.Join([]string{s.Name, string(enc), string(conf), strings.Join(c.Only, " "), string(mask)}, "\n"), err
}

func (p *Program) compile() error {
	execs := map[**Exec]func([]*Node) []*Node{
		&p.step: p.build(p.norm), &p.measured: p.build(normAlways), &p.many: p.buildMany,
		&p.part: p.buildPart, &p.apply: p.buildApply, &p.eval: p.buildEval,
	}
	return mlx.Try(func() error {
		var errs []error
		for at, build := range execs {
			e, err := NewExec(p.session.Backend, build)
			if err == nil {
				e.SetMaxCache(-1)
			}
			*at = e
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}

// Close gives compiled code back.
func (p *Program) Close() {
	for _, e := range []*Exec{p.step, p.measured, p.many, p.part, p.apply, p.eval} {
		e.Finalize()
	}
}

// The numbers of a step that the host knows, one vector.
const (
	lrAt = iota
	c1At
	c2At
	decayAt
	indexAt   // of the step in its epoch, from 0
	inverseAt // 1 / the sum of the weights of the rows of the batch
	emaAt
	rowsAt
	weightAt // the sum of the weights of the rows of the batch
	lookAt   // 1 where the norm of the gradient is reported
	scalarSize
)

// The sums of a window of steps, one vector.
const (
	lossSum = iota // of the rows, weighed
	rightSum
	rowsSkipped
	weightSkipped
	sumSize
)

// noStep is a step that no epoch reaches: nothing was bad yet.
const noStep = 1 << 24

// feed is the input of a step, or of a part of one.
type feed struct {
	x       []*Node // by input of the graph
	y       target
	weight  *Node   // nil where all rows weigh the same
	asked   *Node   // positions that labels and weights are of; nil for all
	lessons []*Node // what a teacher says, of distillation: see Trainer.lessons
	scalars *Node
	masks   map[string]*Node
}

// window is what is collected over steps.
type window struct{ sums, bad, norm *Node }

// pass is what forward and backward of a batch give.
type pass struct {
	loss, right *Node // sums over rows; loss weighed
	grads       []*Node
	stats       lower.Values
}

// reader hands out the arguments of a computation in order.
type reader struct{ args []*Node }

func (r *reader) next() *Node {
	n := r.args[0]
	r.args = r.args[1:]
	return n
}

func (r *reader) inputs(p *Program) []*Node {
	var x []*Node
	for range p.graph.Inputs {
		x = append(x, r.next())
	}
	return x
}

// weighed reports whether a feed has weights.
func (p *Program) weighed() bool { return p.config.weights != nil || p.tags }

func (r *reader) feed(p *Program) *feed {
	f := &feed{x: r.inputs(p), y: target{label: r.next()}, masks: map[string]*Node{}}
	if p.config.mixesClasses() {
		f.y.partner, f.y.share = r.next(), r.next()
	}
	if p.weighed() {
		f.weight = r.next()
	}
	if p.body != "" {
		f.asked = r.next()
	}
	if d := p.config.Distill; d != nil {
		for range 1 + 2*len(d.Hidden) {
			f.lessons = append(f.lessons, r.next())
		}
	}
	for _, l := range p.drops {
		f.masks[l.Name] = r.next()
	}
	f.scalars = r.next()
	return f
}

// feeds is the number of arguments of a feed.
func (p *Program) feeds() int {
	n := len(p.graph.Inputs) + 2 + len(p.drops)
	if p.config.mixesClasses() {
		n += 2
	}
	if p.weighed() {
		n++
	}
	if p.body != "" {
		n++
	}
	if d := p.config.Distill; d != nil {
		n += 1 + 2*len(d.Hidden)
	}
	return n
}

func (r *reader) window() window { return window{r.next(), r.next(), r.next()} }

// state is by slot: the ones that stay, then the live ones.
func (r *reader) state(p *Program) []*Node {
	state := make([]*Node, len(p.slots))
	for _, live := range []bool{false, true} {
		for i, sl := range p.slots {
			if sl.live == live {
				state[i] = r.next()
			}
		}
	}
	return state
}

func (r *reader) keep(p *Program) []*Node {
	keep := make([]*Node, len(p.slots))
	for i, m := range p.masked {
		if m {
			keep[i] = r.next()
		}
	}
	return keep
}

// results puts window and live state in the order of outputs.
func (p *Program) results(w window, state []*Node) []*Node {
	out := []*Node{w.sums, w.bad, w.norm}
	for i, sl := range p.slots {
		if sl.live {
			out = append(out, state[i])
		}
	}
	return out
}

// build makes the computation of a step: feed, window, keep masks, state in; window, live state out.
func (p *Program) build(n norming) func([]*Node) []*Node {
	return func(args []*Node) []*Node {
		r := &reader{args}
		f, w, keep, state := r.feed(p), r.window(), r.keep(p), r.state(p)
		w, state = p.advance(f.scalars, p.tame(p.differentiate(f, state), state), w, keep, state, n)
		return p.results(w, state)
	}
}

// buildMany makes the loop of some steps: feeds, each with an axis for steps, the number of steps, window, keep masks, state in;
// window, live state out. The norm of the gradient is measured after the last.
//
// GoMLX keeps constants for the whole graph, and go-xla takes the operands of most operations from one function: so the body is
// handed what it uses, and nothing is made of constants and sums but there.
func (p *Program) buildMany(args []*Node) []*Node {
	g := args[0].Graph()
	r := &reader{args}
	feeds := r.args[:p.feeds()]
	r.args = r.args[len(feeds):]
	count, window := r.next(), r.args[:3]
	begin := append([]*Node{Sub(count, count)}, r.args...)
	live := len(begin)
	for _, sl := range p.slots {
		if sl.live {
			live--
		}
	}
	r.window()
	r.keep(p)
	state := r.state(p)
	grads := len(begin)
	if p.norm == normAsked {
		begin = append(append(begin, p.trained(state)...), window[1]) // of these shapes; no step reads them
	}
	carried := func(g *Graph) []*Node {
		var out []*Node
		for i, n := range begin {
			out = append(out, Parameter(g, fmt.Sprintf("carry%d", i), n.Shape()))
		}
		return out
	}
	more := NewClosure(g, func(g *Graph) []*Node { return []*Node{LessThan(carried(g)[0], count)} })
	body := NewClosure(g, func(g *Graph) []*Node {
		now := carried(g)
		r := &reader{now}
		i, w, keep, state := r.next(), r.window(), r.keep(p), r.state(p)
		f := (&reader{slicesAt(feeds, i)}).feed(p)
		d := p.tame(p.differentiate(f, state), state)
		n := p.norm
		if n == normAsked {
			n = normNever
		}
		w, state = p.advance(f.scalars, d, w, keep, state, n)
		out := p.results(w, state)
		next := append([]*Node{Add(i, Const(g, int32(1)))}, out[:3]...)
		next = append(append(next, now[4:live]...), out[3:]...)
		if p.norm == normAsked {
			next = append(append(next, d.grads...), element(f.scalars, indexAt))
		}
		return next
	})
	out := While(more, body, begin...)
	if p.norm == normAsked {
		last := len(out) - 1
		size := normOf(out[grads:last])
		out[2] = Where(IsFinite(size), out[2], Min(out[2], out[last]))
		out[3] = size
	}
	return append(out[1:4:4], out[live:grads]...)
}

// slicesAt are slices at an index of the first axis.
func slicesAt(all []*Node, i *Node) []*Node {
	var out []*Node
	for _, n := range all {
		dims := slices.Clone(n.Shape().Dimensions)
		at := []*Node{i}
		for range dims[1:] {
			at = append(at, Const(n.Graph(), int32(0)))
		}
		dims[0] = 1
		out = append(out, Reshape(DynamicSlice(n, at, dims), dims[1:]...))
	}
	return out
}

// buildPart makes the computation of a part of a batch: feed, sums of loss and right predictions, sums of gradients, state in;
// the sums and running statistics out.
func (p *Program) buildPart(args []*Node) []*Node {
	r := &reader{args}
	f, sums := r.feed(p), r.next()
	var grads []*Node
	for _, sl := range p.slots {
		if sl.trained {
			grads = append(grads, r.next())
		}
	}
	state := r.state(p)
	d := p.differentiate(f, state)
	out := []*Node{Add(sums, Stack([]*Node{d.loss, d.right}, 0))}
	for i := range grads {
		out = append(out, Add(grads[i], d.grads[i]))
	}
	for i, sl := range p.slots {
		if s := d.stats[sl.layer][sl.param]; sl.statistic() {
			out = append(out, Where(IsFinite(d.loss), s, state[i]))
		}
	}
	return out
}

// statistic reports whether a slot holds a running statistic, which forward changes.
func (s slot) statistic() bool { return s.moment == "" && s.live && !s.trained }

// buildApply makes the step out of gradients: scalars, sums, gradients, window, keep masks, state in; window, live state out.
func (p *Program) buildApply(args []*Node) []*Node {
	r := &reader{args}
	scalars, sums := r.next(), r.next()
	d := &pass{loss: element(sums, 0), right: element(sums, 1)}
	for _, sl := range p.slots {
		if sl.trained {
			d.grads = append(d.grads, r.next())
		}
	}
	w, keep, state := r.window(), r.keep(p), r.state(p)
	n := p.norm
	if n == normNever {
		n = normAlways // a step in parts is rare
	}
	w, state = p.advance(scalars, p.tame(d, state), w, keep, state, n)
	return p.results(w, state)
}

// differentiate computes loss and gradients. The gradients are those of the mean loss of the whole batch, with float16 times
// the scale.
func (p *Program) differentiate(f *feed, state []*Node) *pass {
	fwd, outputs := p.forward(f, state)
	loss, right := p.objective(f, outputs)
	mean := Mul(loss, element(f.scalars, inverseAt))
	if p.half() {
		mean = Mul(mean, scaler{state[len(state)-1]}.at(scaleAt))
	}
	return &pass{loss: loss, right: right, grads: Gradient(mean, p.trained(state)...), stats: fwd.Stats}
}

// trained picks the parameters that have gradients.
func (p *Program) trained(state []*Node) []*Node {
	var out []*Node
	for i, sl := range p.slots {
		if sl.trained {
			out = append(out, state[i])
		}
	}
	return out
}

// measureLoss sums loss and right predictions over rows; of tags over positions, and those without a label, whose number is below 0,
// are never right and weigh nothing.
func (p *Program) measureLoss(out *Node, y target, weight *Node) (loss, right *Node) {
	return p.sums(out, y, weight, func(each, _ *Node) *Node { return each })
}

// sums is measureLoss with another loss in the place of each row's; change sees that and the row's output.
func (p *Program) sums(out *Node, y target, weight *Node, change func(each, out *Node) *Node) (loss, right *Node) {
	if out.Rank() == 3 {
		out = Reshape(out, -1, out.Shape().Dimensions[2])
	}
	each := change(p.loss.each(&p.config, out, y), out)
	if weight != nil {
		each = Mul(each, weight)
	}
	right = ScalarZero(out.Graph(), dtypes.Float32)
	if p.loss.right != nil {
		right = ReduceAllSum(p.loss.right(out, y))
	}
	return ReduceAllSum(each), right
}

// forward lowers the graph for training.
func (p *Program) forward(f *feed, state []*Node) (*lower.Lowering, []*Node) {
	fwd := &lower.Lowering{Graph: p.graph, Params: lower.Values{}, Train: true, Masks: f.masks, Frozen: map[string]bool{}, Remat: p.config.Remat > 0}
	for i, sl := range p.slots {
		if sl.moment != "" {
			continue
		}
		if fwd.Params[sl.layer] == nil {
			fwd.Params[sl.layer] = map[string]*Node{}
		}
		fwd.Params[sl.layer][sl.param] = p.rounded(sl, state[i])
		if sl.frozen && sl.param == "mean" {
			fwd.Frozen[sl.layer] = true
		}
	}
	inputs := p.named(f.x)
	for name, x := range inputs {
		if x.DType().IsInt() {
			continue
		}
		if x = p.round(x); p.config.Remat > 0 {
			x = x.Checkpoint()
		}
		inputs[name] = x
	}
	done := 0
	fwd.Each = func(l *graph.Layer, y *Node) *Node {
		y = p.pick(l, p.round(y), f.asked)
		if done++; p.config.Remat > 0 && done%p.config.Remat == 0 {
			y = y.Checkpoint()
		}
		return y
	}
	outputs := fwd.Forward(inputs)
	if p.config.Remat > 0 {
		for i, out := range outputs {
			outputs[i] = out.StopCheckpoint()
		}
	}
	return fwd, outputs
}

// named are the inputs of the graph by name.
func (p *Program) named(x []*Node) map[string]*Node {
	inputs := map[string]*Node{}
	for i, in := range p.graph.Inputs {
		inputs[in.Name] = x[i]
	}
	return inputs
}

// rounded is a parameter as layers see it: weights and biases in their precision, scales and statistics of norms in float32.
func (p *Program) rounded(sl slot, v *Node) *Node {
	if sl.param == "weight" || sl.param == "bias" {
		return p.round(v)
	}
	return v
}

// round rounds to the precision that layers compute in: what goes into a layer, and comes out, has its bits; a layer's own sums
// are in float32, as in the matrix units that this is made for. Gradients are rounded at the same places on their way back.
func (p *Program) round(x *Node) *Node {
	switch p.config.Precision {
	case "bfloat16":
		return ConvertDType(OptimizationBarrier(ConvertDType(x, dtypes.BFloat16)), dtypes.Float32)
	case "float16":
		return ConvertDType(OptimizationBarrier(ConvertDType(x, dtypes.Float16)), dtypes.Float32)
	}
	return x
}

// buildEval makes the computation of the loss without training: x, y, weights where rows have them, parameters in; sums of loss
// and right predictions out. It computes in float32, as the model will.
func (p *Program) buildEval(args []*Node) []*Node {
	r := &reader{args}
	x, y := r.inputs(p), target{label: r.next()}
	var weight *Node
	if p.weighed() {
		weight = r.next()
	}
	fwd := &lower.Lowering{Graph: p.graph, Params: lower.Values{}}
	if p.body != "" {
		asked := r.next()
		fwd.Each = func(l *graph.Layer, y *Node) *Node { return p.pick(l, y, asked) }
	}
	for _, sl := range p.slots {
		if sl.moment != "" {
			continue
		}
		if fwd.Params[sl.layer] == nil {
			fwd.Params[sl.layer] = map[string]*Node{}
		}
		fwd.Params[sl.layer][sl.param] = r.next()
	}
	out := fwd.Forward(p.named(x))[0]
	loss, right := p.measureLoss(out, y, weight)
	return []*Node{loss, right}
}
