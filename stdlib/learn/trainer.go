package learn

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	lower "mbuild.dev/mbuild/stdlib/graph/mlx"
)

// slot is one tensor of the state on the device.
type slot struct {
	layer, param string
	moment       string // "" for the parameter itself
	trainable    bool
	shape        []int
}

// Trainer is a compiled training step with the state it works on. It is used by one goroutine at a time.
type Trainer struct {
	session *mlx.Session
	graph   *graph.Graph
	info    *graph.Info
	config  Config
	data    *dataset.Data
	slots   []slot
	values  []*tensors.Tensor // by slot
	keep    []*tensors.Tensor // masks of weights that stay zero, by slot; nil where everything may change
	step    *Exec
	eval    *Exec
	epoch   int
	steps   int
}

// NewTrainer prepares training from a state. The session, graph and data must stay as they are. Weights must be float32: a
// quantised or cast model cannot be trained.
func NewTrainer(s *mlx.Session, g *graph.Graph, info *graph.Info, config Config, data *dataset.Data, state *State) (*Trainer, error) {
	t := &Trainer{session: s, graph: g, info: info, config: config, data: data, epoch: state.Epoch, steps: state.Step}
	if err := t.check(); err != nil {
		return nil, err
	}
	t.slots = layout(info, config.Optimizer)
	for _, sl := range t.slots {
		v, err := t.load(sl, state)
		if err != nil {
			return nil, err
		}
		t.values = append(t.values, mlx.Tensor(v, sl.shape...))
		var mask *tensors.Tensor
		if config.KeepZeros && sl.moment == "" && sl.param == "weight" {
			mask = maskOf(v, sl.shape)
		}
		t.keep = append(t.keep, mask)
	}
	return t, mlx.Try(func() (err error) {
		t.step, err = NewExec(s.Backend, t.build)
		return err
	})
}

func (t *Trainer) check() error {
	for _, l := range t.graph.Layers {
		if l.Quant != "" || l.Store != "" {
			return fmt.Errorf("layer %q is quantised or cast: training needs float32 weights; train first, then compress", l.Name)
		}
	}
	in := t.graph.Inputs[0]
	if len(t.graph.Inputs) != 1 || graph.Size(in.Shape) != t.data.Width {
		return fmt.Errorf("the model's input %q has shape %s, and the dataset gives %d numbers a row", in.Name, graph.ShapeText(in.Shape), t.data.Width)
	}
	out := t.info.Shapes[t.graph.Outputs[0]]
	if t.config.Loss == "cross_entropy" {
		if t.data.Classes == nil {
			return fmt.Errorf("cross_entropy needs a label that is a class; the dataset's is a number (use mse)")
		}
		if top := int(slices.Max(t.data.Classes)); top >= graph.Size(out) {
			return fmt.Errorf("the model gives %d outputs, and the dataset has at least %d classes", graph.Size(out), top+1)
		}
	}
	if t.config.Loss == "mse" && graph.Size(out) != 1 {
		return fmt.Errorf("mse needs one output, and the model gives %s", graph.ShapeText(out))
	}
	return nil
}

// layout lists the tensors of the state: parameters, then the moments of those that are trained, in order of names.
func layout(info *graph.Info, o Optimizer) []slot {
	var params, moments []slot
	names := make([]string, 0, len(info.Layers))
	for n := range info.Layers {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		for _, p := range info.Layers[n].Params {
			params = append(params, slot{layer: n, param: p.Name, trainable: p.Trainable, shape: p.Shape})
			if p.Trainable {
				for _, m := range o.moments() {
					moments = append(moments, slot{layer: n, param: p.Name, moment: m, shape: p.Shape})
				}
			}
		}
	}
	return append(params, moments...)
}

func (t *Trainer) load(sl slot, state *State) ([]float32, error) {
	ps, name := state.Params[sl.layer], sl.param
	if sl.moment != "" {
		ps, name = state.Moments[sl.layer], sl.param+"."+sl.moment
		if ps == nil {
			return make([]float32, graph.Size(sl.shape)), nil
		}
	}
	v := ps[name]
	if v == nil || v.DType != graph.F32 || !slices.Equal(v.Shape, sl.shape) {
		return nil, fmt.Errorf("the state has no float32 tensor %s of shape %v in layer %q", name, sl.shape, sl.layer)
	}
	return v.Float32s(), nil
}

// maskOf is 1 where a weight is not zero; nil when none is.
func maskOf(v []float32, shape []int) *tensors.Tensor {
	mask := make([]float32, len(v))
	zeros := false
	for i, x := range v {
		if x != 0 {
			mask[i] = 1
		} else {
			zeros = true
		}
	}
	if !zeros {
		return nil
	}
	return mlx.Tensor(mask, shape...)
}

// The computation takes, in order: features, labels, [lr, bias corrections, step], accumulators, dropout masks, keep masks,
// state; it gives: accumulators, state. The accumulators are loss sum, correct predictions, first bad step (-1 for none).
const (
	argFeatures = iota
	argLabels
	argScalars
	argAccumulators
	argRest
)

func (t *Trainer) build(args []*Node) []*Node {
	rest := args[argRest:]
	take := func() *Node { n := rest[0]; rest = rest[1:]; return n }
	masks := map[string]*Node{}
	for _, l := range t.dropouts() {
		masks[l.Name] = take()
	}
	keep := make([]*Node, len(t.slots))
	for i, k := range t.keep {
		if k != nil {
			keep[i] = take()
		}
	}
	state := rest
	params := lower.Values{}
	var wrt []*Node
	for i, sl := range t.slots {
		if sl.moment != "" {
			continue
		}
		if params[sl.layer] == nil {
			params[sl.layer] = map[string]*Node{}
		}
		params[sl.layer][sl.param] = state[i]
		if sl.trainable {
			wrt = append(wrt, state[i])
		}
	}
	fwd := &lower.Lowering{Graph: t.graph, Params: params, Train: true, Masks: masks}
	out := fwd.Forward(map[string]*Node{t.graph.Inputs[0].Name: args[argFeatures]})[0]
	loss, correct := t.loss(out, args[argLabels])
	grads := t.clip(Gradient(loss, wrt...))
	next := t.update(state, grads, keep, fwd.Stats, args[argScalars])
	return append([]*Node{accumulate(args[argAccumulators], args[argScalars], loss, correct, args[argFeatures])}, next...)
}

// loss is the mean over the batch, and the number of correct predictions.
func (t *Trainer) loss(out, labels *Node) (loss, correct *Node) {
	g := out.Graph()
	if t.config.Loss == "mse" {
		diff := Sub(Reshape(out, -1), labels)
		return ReduceAllMean(Square(diff)), ScalarZero(g, dtypes.Float32)
	}
	classes := out.Shape().Dimensions[1]
	hot := OneHot(labels, classes, dtypes.Float32)
	loss = ReduceAllMean(Neg(ReduceSum(Mul(hot, LogSoftmax(out, -1)), -1)))
	right := Equal(ArgMax(out, -1, dtypes.Int32), labels)
	return loss, ReduceAllSum(ConvertDType(right, dtypes.Float32))
}

func accumulate(acc, scalars, loss, correct, features *Node) *Node {
	g := acc.Graph()
	rows := float64(features.Shape().Dimensions[0])
	at := func(v *Node, i int) *Node { return Reshape(Slice(v, AxisRange(i, i+1))) }
	bad, step := at(acc, 2), at(scalars, 3)
	zero := ScalarZero(g, dtypes.Float32)
	first := And(LessThan(bad, zero), LogicalNot(IsFinite(loss)))
	return Stack([]*Node{
		Add(at(acc, 0), MulScalar(loss, rows)),
		Add(at(acc, 1), correct),
		Where(first, step, bad),
	}, 0)
}

// clip scales all gradients down to a global norm.
func (t *Trainer) clip(grads []*Node) []*Node {
	if t.config.ClipNorm <= 0 {
		return grads
	}
	sum := ReduceAllSum(Square(grads[0]))
	for _, g := range grads[1:] {
		sum = Add(sum, ReduceAllSum(Square(g)))
	}
	limit := Scalar(sum.Graph(), dtypes.Float32, t.config.ClipNorm)
	factor := Min(ScalarOne(sum.Graph(), dtypes.Float32), Div(limit, AddScalar(Sqrt(sum), 1e-6)))
	out := make([]*Node, len(grads))
	for i, g := range grads {
		out[i] = Mul(g, factor)
	}
	return out
}

// update makes the next state.
func (t *Trainer) update(state, grads, keep []*Node, stats lower.Values, scalars *Node) []*Node {
	next := slices.Clone(state)
	moment := map[string]int{}
	for i, sl := range t.slots {
		if sl.moment != "" {
			moment[sl.layer+"/"+sl.param+"/"+sl.moment] = i
		}
	}
	at := func(i int) *Node { return Reshape(Slice(scalars, AxisRange(i, i+1))) }
	lr, c1, c2 := at(0), at(1), at(2)
	o, k := t.config.Optimizer, 0
	for i, sl := range t.slots {
		if sl.moment != "" {
			continue
		}
		if !sl.trainable {
			if s := stats[sl.layer][sl.param]; s != nil {
				next[i] = s
			}
			continue
		}
		w, g := state[i], grads[k]
		k++
		if keep[i] != nil {
			g = Mul(g, keep[i])
		}
		if o.WeightDecay != 0 && o.Type != "adamw" {
			g = Add(g, MulScalar(w, o.WeightDecay))
		}
		key := sl.layer + "/" + sl.param + "/"
		delta := g
		switch o.Type {
		case "momentum":
			j := moment[key+"velocity"]
			next[j] = Add(MulScalar(state[j], o.Momentum), g)
			delta = next[j]
		case "adam", "adamw":
			j, l := moment[key+"m"], moment[key+"v"]
			next[j] = Add(MulScalar(state[j], o.Beta1), MulScalar(g, 1-o.Beta1))
			next[l] = Add(MulScalar(state[l], o.Beta2), MulScalar(Square(g), 1-o.Beta2))
			delta = Div(Mul(next[j], c1), AddScalar(Sqrt(Mul(next[l], c2)), o.Epsilon))
			if o.Type == "adamw" && o.WeightDecay != 0 {
				delta = Add(delta, MulScalar(w, o.WeightDecay))
			}
		}
		next[i] = Sub(w, Mul(delta, lr))
		if keep[i] != nil {
			next[i] = Mul(next[i], keep[i])
		}
	}
	return next
}

func (t *Trainer) dropouts() []*graph.Layer {
	var out []*graph.Layer
	for i := range t.graph.Layers {
		if l := &t.graph.Layers[i]; l.Op == "dropout" && l.Float("rate", 0) > 0 {
			out = append(out, l)
		}
	}
	return out
}

// Metrics are the means over the rows of an epoch, taken while the weights changed.
type Metrics struct {
	Loss     float64
	Accuracy float64 // NaN where the loss is not about classes
}

// Epoch does one epoch and keeps the new state. After an error the trainer must not be used again.
func (t *Trainer) Epoch(ctx context.Context, progress func(step, total int)) (Metrics, error) {
	order := t.order()
	total := (len(order) + t.config.Batch - 1) / t.config.Batch
	acc := mlx.Tensor([]float32{0, 0, -1}, 3)
	for i := range total {
		if err := ctx.Err(); err != nil {
			return Metrics{}, err
		}
		rows := order[i*t.config.Batch : min((i+1)*t.config.Batch, len(order))]
		if err := mlx.Try(func() error { return t.run(rows, i, &acc) }); err != nil {
			return Metrics{}, err
		}
		if progress != nil {
			progress(i+1, total)
		}
	}
	sums, err := mlx.Values(acc)
	if err != nil {
		return Metrics{}, err
	}
	t.epoch++
	if sums[2] >= 0 {
		return Metrics{}, &Diverged{Epoch: t.epoch, Step: int(sums[2]) + 1, LR: t.config.Optimizer.LR}
	}
	m := Metrics{Loss: float64(sums[0]) / float64(len(order)), Accuracy: float64(sums[1]) / float64(len(order))}
	if t.config.Loss == "mse" {
		m.Accuracy = math.NaN()
	}
	return m, nil
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

// run does one step on a batch.
func (t *Trainer) run(rows []int, step int, acc **tensors.Tensor) error {
	t.steps++
	args := make([]any, 0, argRest+2*len(t.slots))
	args = append(args, t.features(rows), t.labels(rows), t.scalars(step))
	for _, donated := range []*tensors.Tensor{*acc} {
		buf, err := t.session.Donate(donated)
		if err != nil {
			return err
		}
		args = append(args, buf)
	}
	for _, l := range t.dropouts() {
		args = append(args, t.dropMask(l, len(rows)))
	}
	for _, k := range t.keep {
		if k != nil {
			args = append(args, k)
		}
	}
	for _, v := range t.values {
		buf, err := t.session.Donate(v)
		if err != nil {
			return err
		}
		args = append(args, buf)
	}
	out, err := t.step.Call(args...)
	if err != nil {
		return err
	}
	*acc, t.values = out[0], out[1:]
	return nil
}

func (t *Trainer) features(rows []int) *tensors.Tensor {
	w := t.data.Width
	x := make([]float32, len(rows)*w)
	for i, r := range rows {
		copy(x[i*w:], t.data.Features[r*w:(r+1)*w])
	}
	return mlx.Tensor(x, append([]int{len(rows)}, t.graph.Inputs[0].Shape...)...)
}

func (t *Trainer) labels(rows []int) *tensors.Tensor {
	if t.config.Loss == "mse" {
		y := make([]float32, len(rows))
		for i, r := range rows {
			y[i] = t.data.Numbers[r]
		}
		return mlx.Tensor(y, len(rows))
	}
	y := make([]int32, len(rows))
	for i, r := range rows {
		y[i] = t.data.Classes[r]
	}
	return tensors.FromFlatDataAndDimensions(y, len(rows))
}

// scalars are the learning rate, Adam's bias corrections 1/(1-beta^step), and the step within the epoch.
func (t *Trainer) scalars(step int) *tensors.Tensor {
	o := t.config.Optimizer
	c1 := 1 / (1 - math.Pow(o.Beta1, float64(t.steps)))
	c2 := 1 / (1 - math.Pow(o.Beta2, float64(t.steps)))
	return mlx.Tensor([]float32{float32(o.LR), float32(c1), float32(c2), float32(step)}, 4)
}

// dropMask is 0 with probability rate, else 1/(1-rate); two elements from each random word.
func (t *Trainer) dropMask(l *graph.Layer, rows int) *tensors.Tensor {
	rate := l.Float("rate", 0)
	r := mlx.NewRandom(t.config.Seed, fmt.Sprintf("dropout/%s/%d", l.Name, t.steps))
	shape := append([]int{rows}, t.info.Shapes[l.Name]...)
	mask := make([]float32, graph.Size(shape))
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
	return mlx.Tensor(mask, shape...)
}

// State copies the state off the device.
func (t *Trainer) State() (*State, error) {
	s := &State{Epoch: t.epoch, Step: t.steps, Params: map[string]bundle.Params{}, Moments: map[string]bundle.Params{}}
	for i, sl := range t.slots {
		v, err := mlx.Values(t.values[i])
		if err != nil {
			return nil, err
		}
		into, name := s.Params, sl.param
		if sl.moment != "" {
			into, name = s.Moments, sl.param+"."+sl.moment
		}
		if into[sl.layer] == nil {
			into[sl.layer] = bundle.Params{}
		}
		into[sl.layer][name] = bundle.Float32(sl.shape, v)
	}
	return s, nil
}

// Evaluate is the loss and accuracy of the present weights on other rows, without training on them.
func (t *Trainer) Evaluate(ctx context.Context, d *dataset.Data) (Metrics, error) {
	if t.eval == nil {
		if err := mlx.Try(func() (err error) { t.eval, err = NewExec(t.session.Backend, t.buildEval); return }); err != nil {
			return Metrics{}, err
		}
	}
	sub := *t
	sub.data = d
	m := Metrics{}
	for at, step := 0, chunk(t.info); at < d.Rows; at += step {
		if err := ctx.Err(); err != nil {
			return Metrics{}, err
		}
		rows := make([]int, min(step, d.Rows-at))
		for i := range rows {
			rows[i] = at + i
		}
		args := []any{sub.features(rows), sub.labels(rows)}
		for i, sl := range t.slots {
			if sl.moment == "" {
				args = append(args, t.values[i])
			}
		}
		err := mlx.Try(func() error {
			out, err := t.eval.Call(args...)
			if err != nil {
				return err
			}
			m.Loss += float64(tensors.ToScalar[float32](out[0])) * float64(len(rows))
			m.Accuracy += float64(tensors.ToScalar[float32](out[1]))
			return nil
		})
		if err != nil {
			return Metrics{}, err
		}
	}
	m.Loss /= float64(d.Rows)
	m.Accuracy /= float64(d.Rows)
	return m, nil
}

func (t *Trainer) buildEval(args []*Node) []*Node {
	params := lower.Values{}
	k := 2
	for _, sl := range t.slots {
		if sl.moment != "" {
			continue
		}
		if params[sl.layer] == nil {
			params[sl.layer] = map[string]*Node{}
		}
		params[sl.layer][sl.param] = args[k]
		k++
	}
	fwd := &lower.Lowering{Graph: t.graph, Params: params}
	out := fwd.Forward(map[string]*Node{t.graph.Inputs[0].Name: args[0]})[0]
	loss, correct := t.loss(out, args[1])
	return []*Node{loss, correct}
}
