//go:build xla && cgo

package learn

import (
	"context"
	"math"
	"reflect"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// TestParity trains 20 steps on both backends, from the same weights, with every optimizer, with every loss, and with every other
// feature: the weights, and what the optimizer keeps, stay within 1e-4 of each other, and the losses within 1e-4; with fewer bits
// within what these can tell apart. Adam was measured at 1e-5 and 1e-6.
func TestParity(t *testing.T) {
	goes, xla := mlxtest.Both(t)
	base := func(optimizer, loss string) Config {
		return Config{Loss: loss, Batch: 32, Seed: 3, Shuffle: true, ClipNorm: 1, HuberDelta: 1, FocalGamma: 2,
			Optimizer: Optimizer{Type: optimizer, LR: 0.01, WeightDecay: 0.01, Momentum: 0.9, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8, Decay: 0.8,
				ClipThreshold: 1, ScaleParameter: true, FactorFrom: 8}}
	}
	for optimizer := range rules {
		compare(t, optimizer, goes, xla, base(optimizer, "cross_entropy"), 1e-4)
	}
	for loss := range Losses {
		compare(t, loss, goes, xla, base("adam", loss), 1e-4)
	}
	for name, f := range map[string]struct {
		change    func(*Config)
		tolerance float64
	}{
		"accumulate":      {func(c *Config) { c.Accumulate = 4 }, 1e-4},
		"checkpoint":      {func(c *Config) { c.Remat = 1 }, 1e-4},
		"ema":             {func(c *Config) { c.EMA = &EMA{Decay: 0.9} }, 1e-4},
		"clip_value":      {func(c *Config) { c.ClipValue = 0.01 }, 1e-4},
		"label_smoothing": {func(c *Config) { c.LabelSmoothing = 0.1 }, 1e-4},
		"groups": {func(c *Config) {
			c.Groups = []Group{{Match: []string{"*/bias"}, LRScale: pointer(0.5), WeightDecay: pointer(0)}}
		}, 1e-4},
		"schedule":  {func(c *Config) { c.Schedule = Schedule{Type: "cosine", Epochs: 4, WarmupSteps: 3, Final: 0.1} }, 1e-4},
		"log_every": {func(c *Config) { c.LogEvery = 2 }, 1e-4},
		// what is rounded to 11 or 8 bits at every layer falls to the other side now and then
		"float16":  {func(c *Config) { c.Precision = "float16" }, 2e-3},
		"bfloat16": {func(c *Config) { c.Precision = "bfloat16" }, 2e-2},
	} {
		c := base("momentum", "cross_entropy")
		f.change(&c)
		compare(t, name, goes, xla, c, f.tolerance)
	}
}

// compare trains with one configuration on both.
func compare(t *testing.T, what string, goes, xla *mlx.Session, c Config, tolerance float64) {
	outputs, d := 4, blobs(160, 8, 4)
	switch l := Losses[c.Loss]; {
	case l.Binary:
		outputs, d = 1, blobs(160, 8, 2)
	case !l.Classes:
		outputs = 1
		for _, class := range d.Classes {
			d.Numbers = append(d.Numbers, float32(class))
		}
		d.Classes = nil
	}
	g, info := mlp(t, 8, 16, outputs, graph.Layer{Name: "bn", Op: "batch_norm"}, graph.Layer{Name: "drop", Op: "dropout", Attrs: map[string]any{"rate": 0.25}})
	a, la := twenty(t, goes, g, info, c, d)
	b, lb := twenty(t, xla, g, info, c, d)
	if diff := math.Abs(la - lb); !(diff <= tolerance) {
		t.Errorf("%s: the losses are %g and %g", what, la, lb)
	}
	alike(t, what, a.Params, b.Params, tolerance)
	alike(t, what, a.Moments, b.Moments, tolerance)
}

// twenty does four epochs of five steps.
func twenty(t *testing.T, s *mlx.Session, g *graph.Graph, info *graph.Info, c Config, d *dataset.Data) (*State, float64) {
	tr, err := NewTrainer(s, g, info, c, d, &State{Params: Init(info, c.Seed)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	loss := 0.0
	for range 4 {
		r, err := tr.Epoch(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		loss = r.Loss
	}
	out, err := tr.State()
	if err != nil {
		t.Fatal(err)
	}
	return out, loss
}

func alike(t *testing.T, what string, a, b map[string]bundle.Params, tolerance float64) {
	for layer, ps := range a {
		for name, p := range ps {
			x, y := p.Float32s(), b[layer][name].Float32s()
			for i := range x {
				if diff := math.Abs(float64(x[i] - y[i])); !(diff <= tolerance) {
					t.Errorf("%s: %s/%s[%d] is %g on go and %g on XLA", what, layer, name, i, x[i], y[i])
					break
				}
			}
		}
	}
}

// TestGroupedResume: epochs long enough for several steps in one call give the same bits whether training was interrupted or not,
// and as good a model as single steps.
func TestGroupedResume(t *testing.T) {
	_, xla := mlxtest.Both(t)
	g, info := mlp(t, 8, 16, 4)
	d := blobs(8*261+3, 8, 4)
	c := Config{Loss: "cross_entropy", Batch: 8, Seed: 3, Shuffle: true, Optimizer: Optimizer{Type: "adam", LR: 0.01, Beta1: 0.9, Beta2: 0.99, Epsilon: 1e-8}}
	group := 0
	epochs := func(s *State, n int, single bool) *State {
		tr, err := NewTrainer(xla, g, info, c, d, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		if single {
			tr.group = 1
		} else if tr.group < 2 {
			t.Fatal("this model takes single steps")
		}
		if group > 0 {
			tr.group = group
		}
		for range n {
			if _, err := tr.Epoch(context.Background(), nil); err != nil {
				t.Fatal(err)
			}
		}
		out, err := tr.State()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	begin := func() *State { return &State{Params: Init(info, c.Seed)} }
	two, resumed, single := epochs(begin(), 2, false), epochs(epochs(begin(), 1, false), 1, false), epochs(begin(), 2, true)
	if !reflect.DeepEqual(two, resumed) {
		t.Error("resuming changed the bits")
	}
	if group = 3; !reflect.DeepEqual(two, epochs(begin(), 2, false)) {
		t.Error("fewer steps a call change the bits")
	}
	if e := near(single, two); e > 1e-3 { // 520 steps
		t.Errorf("weights differ by %g relative from those of single steps", e)
	}
}
