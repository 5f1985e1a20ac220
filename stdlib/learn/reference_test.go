package learn

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/graph"
)

// optax is what testdata/optax_reference.py wrote.
type optax struct {
	LR    float64
	Init  map[string][]float32
	Grads []map[string][]float32
	Cases []struct {
		Optimizer Optimizer
		Params    []map[string][]float32 // after each step
	}
	StepsPerEpoch int `json:"steps_per_epoch"`
	Schedules     []struct {
		Schedule Schedule
		Factors  []float64
	}
}

func optaxValues(t *testing.T) *optax {
	b, err := os.ReadFile("testdata/optax.json")
	if err != nil {
		t.Fatal(err)
	}
	ref := new(optax)
	if err := json.Unmarshal(b, ref); err != nil {
		t.Fatal(err)
	}
	return ref
}

// TestOptimizers gives each optimizer the gradients that optax was given, and compares the parameters after each step.
func TestOptimizers(t *testing.T) {
	ref := optaxValues(t)
	g := &graph.Graph{
		Inputs:  []graph.Input{{Name: "x", Shape: []int{4}, DType: graph.F32, Scale: 1}},
		Layers:  []graph.Layer{{Name: "l", Op: "dense", Inputs: []string{"x"}, Attrs: map[string]any{"units": int64(3)}}},
		Outputs: []string{"l"},
	}
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range ref.Cases {
		seen[c.Optimizer.Type] = true
		p, err := NewProgram(session(t), g, info, &Config{Loss: "cross_entropy", Batch: 1, Optimizer: c.Optimizer}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var state []*tensors.Tensor
		for _, sl := range p.slots {
			v := ref.Init[sl.param]
			if sl.moment != "" {
				v = make([]float32, graph.Size(sl.shape))
			}
			state = append(state, mlx.Tensor(v, sl.shape...))
		}
		exec := MustNewExec(session(t).Backend, func(args []*Node) []*Node {
			return p.update(args[0], args[1:3], nil, make([]*Node, len(p.slots)), args[3:])
		})
		for i, grads := range ref.Grads {
			s := make([]float32, scalarSize)
			c1, c2, decay := c.Optimizer.corrections(float64(i + 1))
			s[lrAt], s[c1At], s[c2At], s[decayAt] = float32(ref.LR), float32(c1), float32(c2), float32(decay)
			args := []any{mlx.Tensor(s, scalarSize)}
			for _, sl := range p.slots[:2] {
				args = append(args, mlx.Tensor(grads[sl.param], sl.shape...))
			}
			for _, v := range state {
				args = append(args, v)
			}
			state = exec.MustCall(args...)
			for j, sl := range p.slots[:2] {
				got, err := mlx.Values(state[j])
				if err != nil {
					t.Fatal(err)
				}
				for k, want := range c.Params[i][sl.param] {
					if math.Abs(float64(got[k]-want)) > 2e-6*(1+math.Abs(float64(want))) {
						t.Fatalf("%+v: step %d: %s[%d] is %g, optax has %g", c.Optimizer, i+1, sl.param, k, got[k], want)
					}
				}
			}
		}
	}
	for name := range rules {
		if !seen[name] {
			t.Errorf("optimizer %s has no reference", name)
		}
	}
}

// TestCorrections: what the device works out for steps that may be skipped is what the host does.
func TestCorrections(t *testing.T) {
	o := Optimizer{Beta1: 0.9, Beta2: 0.999, Decay: 0.8}
	exec := MustNewExec(session(t).Backend, func(step *Node) []*Node {
		c1, c2, decay := o.correctionsAt(step)
		return []*Node{c1, c2, decay}
	})
	for _, step := range []float32{1, 2, 10, 1000, 100000} {
		out := exec.MustCall(step)
		c1, c2, decay := o.corrections(float64(step))
		for i, want := range []float64{c1, c2, decay} {
			if got := float64(tensors.ToScalar[float32](out[i])); math.Abs(got-want) > 2e-6*want {
				t.Errorf("step %g, correction %d: %g on the device, %g on the host", step, i, got, want)
			}
		}
	}
}

func TestSchedules(t *testing.T) {
	ref := optaxValues(t)
	seen := []string{}
	for _, c := range ref.Schedules {
		seen = append(seen, c.Schedule.Type)
		if err := c.Schedule.check(ref.StepsPerEpoch); err != nil {
			t.Error(err)
		}
		for i, want := range c.Factors {
			got := c.Schedule.At(i, i%ref.StepsPerEpoch, ref.StepsPerEpoch)
			if math.Abs(got-want) > 2e-6 {
				t.Fatalf("%+v: factor of step %d is %g, optax has %g", c.Schedule, i, got, want)
			}
		}
	}
	for _, name := range []string{"constant", "step", "exponential", "cosine", "linear", "polynomial", "one_cycle", "wsd"} {
		if !slices.Contains(seen, name) {
			t.Errorf("schedule %s has no reference", name)
		}
	}
	if f := (Schedule{Type: "cosine", Final: 0.1, Epochs: 2}).At(50, 0, 10); math.Abs(f-0.1) > 1e-12 {
		t.Errorf("beyond the horizon the factor is %g, want 0.1", f)
	}
	for shape, want := range map[string]float64{"linear": 0.55, "cosine": 0.55, "sqrt": 1 - 0.9*math.Sqrt(0.5)} {
		one := 1
		if f := (Schedule{Type: "wsd", Final: 0.1, DecayEpochs: 2, Decay: &one, Shape: shape}).At(1e6, 0, 10); math.Abs(f-want) > 1e-12 {
			t.Errorf("wsd %s: half way down the factor is %g, want %g", shape, f, want)
		}
	}
}
