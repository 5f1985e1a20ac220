package learn

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/augment"
	"mbuild.dev/mbuild/stdlib/graph"
)

func pointer(f float64) *float64 { return &f }

// norms is a model with all that has state of its own: running statistics, dropout, a layer that is frozen.
func norms(t testing.TB) (*graph.Graph, *graph.Info) {
	return mlp(t, 8, 16, 4, graph.Layer{Name: "bn", Op: "batch_norm"}, graph.Layer{Name: "drop", Op: "dropout", Attrs: map[string]any{"rate": 0.25}},
		graph.Layer{Name: "mid", Op: "dense", Attrs: map[string]any{"units": int64(12), "activation": "relu"}},
		graph.Layer{Name: "ln", Op: "layer_norm"})
}

// everything switches on all at once, for an optimizer.
func everything(optimizer string) Config {
	return Config{Loss: "cross_entropy", LabelSmoothing: 0.1, ClassWeights: map[string]float64{"b": 2, "d": 0.5},
		Batch: 32, Accumulate: 4, Seed: 3, Shuffle: true, ClipNorm: 1, ClipValue: 0.5, EMA: &EMA{Decay: 0.99}, Precision: "float16",
		Remat: 2, LogEvery: 3, KeepZeros: true,
		Augment: []augment.Op{{Type: "shift", Max: 1}, {Type: "noise", Deviation: 0.1}, {Type: "mixup", Alpha: 0.2}},
		Optimizer: Optimizer{Type: optimizer, LR: 0.02, WeightDecay: 0.01, Momentum: 0.9, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, Decay: 0.8,
			ClipThreshold: 1, ScaleParameter: true, FactorFrom: 8},
		Groups:   []Group{{Match: []string{"mid"}, Freeze: true}, {Match: []string{"*/bias", "bn"}, LRScale: pointer(0.5), WeightDecay: pointer(0)}},
		Schedule: Schedule{Type: "cosine", Epochs: 5, WarmupSteps: 4, Final: 0.1}}
}

// run trains some epochs in one trainer and returns the records as well.
func run(t testing.TB, g *graph.Graph, info *graph.Info, c Config, d *dataset.Data, s *State, epochs int) (*State, []*Record) {
	t.Helper()
	return runWith(t, g, info, c, d, s, epochs, nil)
}

// runWith does that with programs that are compiled already.
func runWith(t testing.TB, g *graph.Graph, info *graph.Info, c Config, d *dataset.Data, s *State, epochs int, ps *Programs) (*State, []*Record) {
	t.Helper()
	if err := c.Named([]string{"a", "b", "c", "d"}); err != nil {
		t.Fatal(err)
	}
	tr, err := NewTrainer(session(t), g, info, c, d, s, ps)
	if err != nil {
		t.Fatal(err)
	}
	var records []*Record
	for range epochs {
		r, err := tr.Epoch(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	out, err := tr.State()
	if err != nil {
		t.Fatal(err)
	}
	return out, records
}

// TestResumeEverything: five epochs in one go, and three plus two in another trainer, give the same bits of state and history,
// with every feature switched on at once, for every optimizer; and steps that overflow are among them. Programs of XLA take seconds to
// compile, and what an optimizer keeps is stored alike for all: there it is the optimizer whose state has most shapes, while adam resumes in
// TestGroupedResume and adamw in testdata/script/xla/everything.
func TestResumeEverything(t *testing.T) {
	g, info := norms(t)
	d := blobs(203, 8, 4)
	for name := range rules {
		if mlxtest.Name() != mlx.Go && name != "adafactor" {
			continue
		}
		c := everything(name)
		begin := func() *State {
			s := &State{Params: Init(info, c.Seed), Scaler: []float32{1 << 21, 0, 0, 0, 0}} // overflows until it is halved often enough
			s.Params["h"]["weight"].Float32s()[5] = 0
			return s
		}
		warm := &Programs{}
		five, all := runWith(t, g, info, c, d, begin(), 5, warm)
		three, first := runWith(t, g, info, c, d, begin(), 3, warm)
		resumed, rest := run(t, g, info, c, d, three, 2)
		if !reflect.DeepEqual(five, resumed) {
			t.Errorf("%s: resuming changed the bits of the state", name)
		}
		if a, b := fmt.Sprintf("%+v", deref(all)), fmt.Sprintf("%+v", deref(append(first, rest...))); a != b {
			t.Errorf("%s: resuming changed the history:\n%s\n%s", name, a, b)
		}
		if all[0].Skipped == 0 || all[4].Skipped != 0 {
			t.Errorf("%s: %d steps skipped in the first epoch, %d in the last", name, all[0].Skipped, all[4].Skipped)
		}
		if v := five.Params["h"]["weight"].Float32s()[5]; v != 0 {
			t.Errorf("%s: the weight that was to stay zero is %g", name, v)
		}
		if !reflect.DeepEqual(five.Params["mid"], begin().Params["mid"]) || five.Moments["mid"] != nil {
			t.Errorf("%s: the frozen layer was touched", name)
		}
		if !(all[4].Loss < all[1].Loss) {
			t.Errorf("%s: the loss went from %g to %g: it does not learn", name, all[1].Loss, all[4].Loss)
		}
	}
}

func deref(rs []*Record) []Record {
	var out []Record
	for _, r := range rs {
		out = append(out, *r)
	}
	return out
}

// near reports the largest difference of two states' parameters, relative to the largest element of each.
func near(a, b *State) float64 {
	worst := 0.0
	for layer, ps := range a.Params {
		for name, p := range ps {
			size, diff := 0.0, 0.0
			q := b.Params[layer][name].Float32s()
			for i, v := range p.Float32s() {
				size = max(size, math.Abs(float64(v)))
				diff = max(diff, math.Abs(float64(v-q[i])))
			}
			if size > 0 {
				worst = max(worst, diff/size)
			}
		}
	}
	return worst
}

// TestAccumulate: the step that parts of a batch make together is the step of the whole batch, with dropout, weights of
// classes, and a last batch that is smaller and not a multiple of the parts.
func TestAccumulate(t *testing.T) {
	g, info := mlp(t, 8, 16, 4, graph.Layer{Name: "drop", Op: "dropout", Attrs: map[string]any{"rate": 0.25}})
	d := blobs(83, 8, 4)
	c := plain
	c.Optimizer.Type, c.Optimizer.Momentum, c.Optimizer.LR, c.ClipNorm = "momentum", 0.9, 0.1, 0.5
	c.ClassWeights = map[string]float64{"a": 3, "c": 0.25}
	whole, wr := run(t, g, info, c, d, &State{Params: Init(info, 1)}, 2)
	for _, parts := range []int{2, 8, 32} {
		c.Accumulate = parts
		got, gr := run(t, g, info, c, d, &State{Params: Init(info, 1)}, 2)
		if e := near(whole, got); e > 1e-5 {
			t.Errorf("%d parts: weights differ by %g relative", parts, e)
		}
		if math.Abs(gr[1].Loss-wr[1].Loss) > 1e-5 || gr[1].Accuracy != wr[1].Accuracy || math.Abs(gr[1].GradNorm/wr[1].GradNorm-1) > 1e-5 {
			t.Errorf("%d parts: %+v, whole %+v", parts, gr[1], wr[1])
		}
	}
}

// TestFrozen: frozen parameters keep their bits, have no gradient computed and nothing kept; a frozen batch_norm uses and keeps
// its running statistics.
func TestFrozen(t *testing.T) {
	g, info := norms(t)
	d := blobs(64, 8, 4)
	c := plain
	c.Groups = []Group{{Match: []string{"h", "bn", "mid/bias"}, Freeze: true}}
	before := &State{Params: Init(info, 1)}
	before.Params["bn"]["mean"].Float32s()[0] = 0.5
	after, _ := run(t, g, info, c, d, before, 2)
	for _, layer := range []string{"h", "bn"} {
		if !reflect.DeepEqual(before.Params[layer], after.Params[layer]) || after.Moments[layer] != nil {
			t.Errorf("frozen layer %s was touched", layer)
		}
	}
	if !reflect.DeepEqual(before.Params["mid"]["bias"], after.Params["mid"]["bias"]) || reflect.DeepEqual(before.Params["mid"]["weight"], after.Params["mid"]["weight"]) {
		t.Error("of layer mid, the bias is frozen and the weight is not")
	}
	size := func(c Config) int {
		p, err := NewProgram(session(t), g, info, &c, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, s := range p.slots {
			if s.trained {
				n++
			}
		}
		return n
	}
	if all, some := size(plain), size(c); some != all-5 {
		t.Errorf("%d gradients with frozen layers, %d without", some, all)
	}
}

// TestGroups: a rate of zero leaves weights, a rate and decay of their own are what the formula says.
func TestGroups(t *testing.T) {
	g, info := mlp(t, 3, 4, 2)
	d := blobs(6, 3, 2)
	c := plain
	c.Batch, c.Shuffle, c.Optimizer = 6, false, Optimizer{Type: "sgd", LR: 0.1, WeightDecay: 0.5}
	c.Groups = []Group{{Match: []string{"h/weight"}, LRScale: pointer(0.5), WeightDecay: pointer(0)}, {Match: []string{"h"}, LRScale: pointer(0)}}
	before := &State{Params: Init(info, 9)}
	same := c
	same.Groups = nil
	same.Optimizer.WeightDecay = 0
	step, _ := run(t, g, info, same, d, before, 1)
	got, _ := run(t, g, info, c, d, before, 1)
	for i, w := range before.Params["h"]["weight"].Float32s() {
		want := w + 0.5*(step.Params["h"]["weight"].Float32s()[i]-w)
		if math.Abs(float64(got.Params["h"]["weight"].Float32s()[i]-want)) > 1e-7 {
			t.Fatalf("half the rate: weight %d went to %g, want %g", i, got.Params["h"]["weight"].Float32s()[i], want)
		}
	}
	if !reflect.DeepEqual(got.Params["h"]["bias"], before.Params["h"]["bias"]) {
		t.Error("a rate of zero moved the bias")
	}
	for i, w := range before.Params["out"]["weight"].Float32s() {
		want := step.Params["out"]["weight"].Float32s()[i] - 0.1*0.5*w
		if math.Abs(float64(got.Params["out"]["weight"].Float32s()[i]-want)) > 1e-6 {
			t.Fatalf("of no group: weight %d went to %g, want %g", i, got.Params["out"]["weight"].Float32s()[i], want)
		}
	}
}

// TestLayerDecay: with plain gradient descent a step of each part of a stack is the whole step times its factor, and that of a group.
func TestLayerDecay(t *testing.T) {
	dense := func(name string) graph.Layer {
		return graph.Layer{Name: name, Op: "dense", Attrs: map[string]any{"units": int64(4), "activation": "tanh"}}
	}
	g, info := mlp(t, 3, 4, 2, dense("layer0_inner"), dense("layer0_outer"), dense("layer1"), dense("layers"), dense("pooler"))
	d := blobs(6, 3, 2)
	c := plain
	c.Batch, c.Shuffle, c.Optimizer = 6, false, Optimizer{Type: "sgd", LR: 0.1}
	before := &State{Params: Init(info, 9)}
	whole, _ := run(t, g, info, c, d, before, 1)
	c.LayerDecay = 0.5
	c.Groups = []Group{{Match: []string{"layer0_outer/bias"}, LRScale: pointer(0.1)}}
	got, _ := run(t, g, info, c, d, before, 1)
	for name, want := range map[string]float32{"h/weight": 0.125, "layer0_inner/weight": 0.25, "layer0_outer/weight": 0.25, "layer0_outer/bias": 0.025,
		"layer1/weight": 0.5, "layers/weight": 1, "pooler/bias": 1, "out/weight": 1} {
		layer, param, _ := strings.Cut(name, "/")
		at := func(s *State, i int) float32 { return s.Params[layer][param].Float32s()[i] }
		moved := false
		for i := range before.Params[layer][param].Float32s() {
			step := at(whole, i) - at(before, i)
			moved = moved || math.Abs(float64(step)) > 1e-5
			if diff := at(got, i) - at(before, i) - want*step; math.Abs(float64(diff)) > 1e-7 {
				t.Errorf("%s: number %d moves by %g, not by %g of %g", name, i, at(got, i)-at(before, i), want, step)
				break
			}
		}
		if !moved {
			t.Errorf("%s does not move at all", name)
		}
	}
	g, info = mlp(t, 3, 4, 2)
	var m *Misfit
	if _, err := NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil); !errors.As(err, &m) {
		t.Errorf("no error: %v", err)
	}
	c.Groups = nil
	if err := c.CheckLayerDecay(g); !errors.As(err, &m) || m.Attr != "layer_decay" {
		t.Errorf("without blocks: %v", err)
	}
}

// TestEMA follows the average by hand, through epochs of one step.
func TestEMA(t *testing.T) {
	g, info := mlp(t, 8, 4, 4)
	d := blobs(32, 8, 4)
	c := plain
	c.EMA = &EMA{Decay: 0.25}
	state := &State{Params: Init(info, 1)}
	mean := append([]float32(nil), state.Params["h"]["weight"].Float32s()...)
	for step := range 6 {
		state, _ = run(t, g, info, c, d, state, 1)
		decay := float32(math.Min(0.25, float64(1+step)/float64(10+step)))
		for i, w := range state.Params["h"]["weight"].Float32s() {
			mean[i] = decay*mean[i] + (1-decay)*w
		}
	}
	averaged, ok := state.Averaged()
	if !ok {
		t.Fatal("the state has no averages")
	}
	for i, v := range averaged["h"]["weight"].Float32s() {
		if math.Abs(float64(v-mean[i])) > 1e-6 {
			t.Fatalf("average %d is %g, by hand %g", i, v, mean[i])
		}
	}
	if reflect.DeepEqual(averaged["h"]["weight"], state.Params["h"]["weight"]) {
		t.Error("the average is the weight")
	}
}

// TestSame: what must not change a bit on the Go backend does not: several steps in a call, checkpoints, lines of the history.
func TestSame(t *testing.T) {
	g, info := norms(t)
	d := blobs(1000, 8, 4)
	c := plain
	c.ClipNorm = 1
	want, wr := run(t, g, info, c, d, &State{Params: Init(info, 1)}, 2)
	for name, change := range map[string]func(*Config, *Program){
		"checkpoint": func(c *Config, _ *Program) { c.Remat = 2 },
		"log_every":  func(c *Config, _ *Program) { c.LogEvery = 5 },
		"grouped":    func(_ *Config, p *Program) { p.group = 8 },
		"both":       func(c *Config, p *Program) { c.LogEvery, p.group = 5, 3 },
	} {
		c, p := c, &Program{}
		change(&c, p)
		if p.group > 0 && mlxtest.Name() == mlx.Go {
			p.group = 1 // that backend has no loops
		}
		tr, err := NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.group > 0 {
			tr.group = p.group
			if err := tr.compile(); err != nil {
				t.Fatal(err)
			}
		}
		var r *Record
		for range 2 {
			if r, err = tr.Epoch(context.Background(), nil); err != nil {
				t.Fatal(err)
			}
		}
		got, err := tr.State()
		if err != nil {
			t.Fatal(err)
		}
		if mlxtest.Name() == mlx.Go && !reflect.DeepEqual(got, want) {
			t.Errorf("%s changed the bits", name)
		}
		if e := near(want, got); e > 1e-5 {
			t.Errorf("%s: weights differ by %g relative", name, e)
		}
		if math.Abs(r.Loss-wr[1].Loss) > 1e-6 || r.Accuracy != wr[1].Accuracy || math.Abs(r.GradNorm/wr[1].GradNorm-1) > 1e-5 {
			t.Errorf("%s: %+v, want %+v", name, r, wr[1])
		}
		if c.LogEvery > 0 && (len(r.Lines) != 7 || r.Lines[6].Step != 64 || r.Lines[0].Step != 37) {
			t.Errorf("%s: lines %+v", name, r.Lines)
		}
	}
}

// TestBFloat16: what is computed in fewer bits is near what all bits give, and not the same.
func TestBFloat16(t *testing.T) {
	g, info := norms(t)
	d := blobs(400, 8, 4)
	c := plain
	want, wr := run(t, g, info, c, d, &State{Params: Init(info, 1)}, 3)
	for _, p := range []string{"bfloat16", "float16"} {
		c.Precision = p
		got, gr := run(t, g, info, c, d, &State{Params: Init(info, 1)}, 3)
		if reflect.DeepEqual(got.Params, want.Params) {
			t.Errorf("%s changes nothing", p)
		}
		if math.Abs(gr[2].Loss-wr[2].Loss) > 0.05*wr[2].Loss {
			t.Errorf("%s: loss %g, in float32 %g", p, gr[2].Loss, wr[2].Loss)
		}
	}
}

// TestOverflow: inputs that float16 does not hold are given up after a hundred steps, and bfloat16 takes them.
func TestOverflow(t *testing.T) {
	g, info := mlp(t, 8, 16, 4)
	d := blobs(120, 8, 4)
	for i := range d.Features {
		d.Features[i] *= 1e6
	}
	c := plain
	c.Precision, c.Batch = "float16", 1
	tr, err := NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tr.Epoch(context.Background(), nil)
	var o *Overflow
	if !errors.As(err, &o) || o.Step != 100 || o.Epoch != 1 {
		t.Errorf("got %v, want an overflow at step 100", err)
	}
	c.Precision = "bfloat16"
	if _, r := run(t, g, info, c, d, &State{Params: Init(info, 1)}, 1); math.IsNaN(r[0].Loss) {
		t.Error("bfloat16 overflows")
	}
}

// TestDiagnose: the layer that went first, and its step, when an epoch diverges in various ways.
func TestDiagnose(t *testing.T) {
	g, info := norms(t)
	cases := []struct {
		name   string
		break_ func(c *Config, s *State, d *dataset.Data)
		step   int
		where  string
	}{
		{"data", func(_ *Config, _ *State, d *dataset.Data) { d.Features[8*40+3] = float32(math.Inf(1)) }, 2, "the data: value 3 of row 40 of the source is +Inf"},
		{"weights", func(_ *Config, s *State, _ *dataset.Data) {
			s.Params["mid"]["weight"].Float32s()[0] = float32(math.NaN())
		}, 1, `weight of layer "mid", after the step before`},
		{"layer", func(_ *Config, s *State, _ *dataset.Data) {
			for i := range s.Params["mid"]["weight"].Float32s() {
				s.Params["mid"]["weight"].Float32s()[i] = 3e38
			}
		}, 1, `the output of layer "mid" (dense)`},
		{"rate", func(c *Config, _ *State, _ *dataset.Data) { c.Optimizer = Optimizer{Type: "sgd", LR: 1e30} }, 2, "of layer"},
		{"parts", func(c *Config, _ *State, d *dataset.Data) { c.Accumulate, d.Features[8*40] = 4, float32(math.NaN()) }, 2, "the data: value 0 of row 40"},
	}
	for _, c := range cases {
		config, d := plain, blobs(128, 8, 4)
		config.Shuffle = false
		begin := func() *State { return &State{Params: Init(info, 1)} }
		s := begin()
		c.break_(&config, s, d)
		tr, err := NewTrainer(session(t), g, info, config, d, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = tr.Epoch(context.Background(), nil)
		var div *Diverged
		if !errors.As(err, &div) {
			t.Errorf("%s: got %v, want divergence", c.name, err)
			continue
		}
		again, err := NewTrainer(session(t), g, info, config, d, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := again.Diagnose(context.Background(), div)
		if got.Step != c.step || !strings.Contains(got.Where, c.where) {
			t.Errorf("%s: step %d: %s; want step %d: %s", c.name, got.Step, got.Where, c.step, c.where)
		}
		if !strings.Contains(got.Error(), "first, "+got.Where) {
			t.Errorf("%s: the text does not say it: %v", c.name, got)
		}
	}
}

// TestBadInput: what does not fit is said in words, with the attribute at fault.
func TestBadInput(t *testing.T) {
	g, info := norms(t)
	one, oneInfo := mlp(t, 8, 4, 1)
	d := blobs(64, 8, 4)
	numbers := &dataset.Data{Rows: 64, Width: 8, Features: d.Features, Source: d.Source, Numbers: make([]float32, 64)}
	numbers.Numbers[0] = 2
	cases := []struct {
		attr, text string
		change     func(c *Config)
	}{
		{"batch", "batch = 65 is larger than the data set: its train split has 64 rows", func(c *Config) { c.Batch = 65 }},
		{"accumulate", "accumulate = 5 does not divide batch = 32", func(c *Config) { c.Accumulate = 5 }},
		{"group", "freeze everything", func(c *Config) { c.Groups = []Group{{Match: []string{"*"}, Freeze: true}} }},
		{"group", `no parameter matches "hh"`, func(c *Config) { c.Groups = []Group{{Match: []string{"hh"}}} }},
		{"group", `did you mean "mid/weight"?`, func(c *Config) { c.Groups = []Group{{Match: []string{"mid/weigt"}}} }},
		{"group", `"[" is no pattern`, func(c *Config) { c.Groups = []Group{{Match: []string{"["}}} }},
		{"schedule", "ends before it begins: warm-up takes 3 epochs, and the whole is 2", func(c *Config) { c.Schedule = Schedule{Type: "linear", Epochs: 2, WarmupEpochs: 3} }},
		{"schedule", "ends before it begins: warm-up takes 2 epochs", func(c *Config) { c.Schedule = Schedule{Type: "cosine", Epochs: 2, WarmupSteps: 4} }},
		{"schedule", "needs a horizon", func(c *Config) { c.Schedule = Schedule{Type: "cosine"} }},
		{"class_weights", `names "e", which is no class: the data has "a", "b", "c", "d"`, func(c *Config) { c.ClassWeights = map[string]float64{"e": 1} }},
		{"class_weights", `class "a" weighs -1`, func(c *Config) { c.ClassWeights = map[string]float64{"a": -1} }},
		{"class_weights", "do nothing for mse", func(c *Config) { c.Loss, c.ClassWeights = "mse", map[string]float64{"a": 1} }},
		{"label_smoothing", "does nothing for mse", func(c *Config) { c.Loss, c.LabelSmoothing = "mse", 0.1 }},
		{"optimizer", "learning rate -1", func(c *Config) { c.Optimizer.LR = -1 }},
		{"optimizer", `no optimizer "adamx"`, func(c *Config) { c.Optimizer.Type = "adamx" }},
		{"loss", `no loss "zeta"`, func(c *Config) { c.Loss = "zeta" }},
		{"loss", "mse needs one output", func(c *Config) { c.Loss = "mse" }},
		{"batch", "at least 1 row", func(c *Config) { c.Batch = 0 }},
	}
	for _, tc := range cases {
		c := plain
		tc.change(&c)
		err := c.Named([]string{"a", "b", "c", "d"})
		if err == nil {
			_, err = NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil)
		}
		wants(t, err, tc.attr, tc.text)
	}
	for _, tc := range []struct {
		loss, text string
		g          *graph.Graph
		info       *graph.Info
		d          *dataset.Data
	}{
		{"binary_cross_entropy", "two classes", one, oneInfo, d},
		{"binary_cross_entropy", "numbers from 0 to 1", one, oneInfo, numbers},
		{"mae", "needs a label that is a number", one, oneInfo, d},
		{"focal", "needs a label that is a class", g, info, numbers},
		{"kl", "at least 2, but \"out\" gives", one, oneInfo, d},
	} {
		c := plain
		c.Loss = tc.loss
		_, err := NewTrainer(session(t), tc.g, tc.info, c, tc.d, &State{Params: Init(tc.info, 1)}, nil)
		wants(t, err, "loss", tc.text)
	}
}

func wants(t *testing.T, err error, attr, text string) {
	t.Helper()
	var m *Misfit
	if !errors.As(err, &m) || m.Attr != attr || !strings.Contains(m.Text, text) {
		t.Errorf("got %v (%+v), want %s: %s", err, m, attr, text)
	}
}

// TestPrograms: a worker compiles once for what differs in numbers from outside only, and anew for what is compiled in.
func TestPrograms(t *testing.T) {
	g, info := norms(t)
	d := blobs(64, 8, 4)
	ps := &Programs{}
	of := func(change func(c *Config)) *Program {
		c := plain
		change(&c)
		tr, err := NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, ps)
		if err != nil {
			t.Fatal(err)
		}
		return tr.Program
	}
	first := of(func(*Config) {})
	for i, change := range []func(*Config){
		func(c *Config) { c.Optimizer.LR = 1 }, func(c *Config) { c.Seed = 9 }, func(c *Config) { c.LogEvery = 2 },
		func(c *Config) { c.Schedule = Schedule{Type: "step", Every: 1, Factor: 0.5} },
		func(c *Config) { c.Augment = []augment.Op{{Type: "noise", Deviation: 1}} },
	} {
		if of(change) != first {
			t.Errorf("change %d compiles anew", i)
		}
	}
	for i, change := range []func(*Config){
		func(c *Config) { c.Optimizer.Beta1 = 0.8 }, func(c *Config) { c.ClipNorm = 1 }, func(c *Config) { c.LabelSmoothing = 0.1 },
		func(c *Config) { c.Groups = []Group{{Match: []string{"h"}, Freeze: true}} },
		func(c *Config) { c.Augment = []augment.Op{{Type: "mixup", Alpha: 1}} },
	} {
		if of(change) == first {
			t.Errorf("change %d of what is compiled in does not compile anew", i)
		}
	}
	if len(ps.programs) != maxPrograms {
		t.Errorf("%d programs are kept, not %d", len(ps.programs), maxPrograms)
	}
}

// TestEvaluateAveraged: the averages are what a model of them gives.
func TestEvaluateAveraged(t *testing.T) {
	g, info := mlp(t, 8, 16, 4)
	d := blobs(64, 8, 4)
	c := plain
	c.EMA = &EMA{Decay: 0.9}
	tr, err := NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Epoch(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	s, err := tr.State()
	if err != nil {
		t.Fatal(err)
	}
	averaged, _ := s.Averaged()
	for i, params := range []map[string]bundle.Params{s.Params, averaged} {
		m, err := tr.Evaluate(context.Background(), d, i == 1)
		if err != nil {
			t.Fatal(err)
		}
		if want := loss(t, g, info, params, d); math.Abs(m.Loss-want) > 1e-5 {
			t.Errorf("averaged %v: loss %g, by definition %g", i == 1, m.Loss, want)
		}
	}
}
