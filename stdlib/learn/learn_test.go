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

func mlp(t testing.TB, in, hidden, out int, extra ...graph.Layer) (*graph.Graph, *graph.Info) {
	g := &graph.Graph{
		Inputs:  []graph.Input{{Name: "x", Shape: []int{in}, DType: graph.F32, Scale: 1}},
		Layers:  []graph.Layer{{Name: "h", Op: "dense", Inputs: []string{"x"}, Attrs: map[string]any{"units": int64(hidden), "activation": "tanh"}}},
		Outputs: []string{"out"},
	}
	last := "h"
	for _, l := range extra {
		l.Inputs = []string{last}
		last = l.Name
		g.Layers = append(g.Layers, l)
	}
	g.Layers = append(g.Layers, graph.Layer{Name: "out", Op: "dense", Inputs: []string{last}, Attrs: map[string]any{"units": int64(out)}})
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	return g, info
}

func blobs(rows, width, classes int) *dataset.Data {
	r := mlx.NewRandom(1, "blobs")
	d := &dataset.Data{Rows: rows, Width: width}
	for i := range rows {
		c := i % classes
		d.Classes = append(d.Classes, int32(c))
		d.Source = append(d.Source, int64(i))
		for j := range width {
			centre := 0.0
			if j%classes == c {
				centre = 2
			}
			d.Features = append(d.Features, float32(centre+r.Normal()))
		}
	}
	return d
}

func session(t testing.TB) *mlx.Session {
	return mlxtest.Open(t)
}

var plain = Config{Loss: "cross_entropy", Batch: 32, Seed: 3, Shuffle: true,
	Optimizer: Optimizer{Type: "adamw", LR: 0.01, WeightDecay: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}}

func train(t testing.TB, g *graph.Graph, info *graph.Info, c Config, d *dataset.Data, s *State, epochs int) (*State, *Record) {
	tr, err := NewTrainer(session(t), g, info, c, d, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	var m *Record
	for range epochs {
		if m, err = tr.Epoch(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
	}
	out, err := tr.State()
	if err != nil {
		t.Fatal(err)
	}
	return out, m
}

// TestResume: five epochs in one go and three plus two in another trainer give the same bits, with all that has state.
func TestResume(t *testing.T) {
	g, info := mlp(t, 8, 16, 4, graph.Layer{Name: "bn", Op: "batch_norm"}, graph.Layer{Name: "drop", Op: "dropout", Attrs: map[string]any{"rate": 0.25}})
	d := blobs(203, 8, 4)
	for _, opt := range []string{"sgd", "momentum", "adam", "adamw"} {
		c := plain
		c.Optimizer.Type, c.Optimizer.Momentum, c.ClipNorm = opt, 0.9, 1
		if opt == "sgd" {
			c.Optimizer.LR = 0.3
		}
		begin := func() *State { return &State{Params: Init(info, c.Seed)} }
		five, m := train(t, g, info, c, d, begin(), 5)
		three, _ := train(t, g, info, c, d, begin(), 3)
		resumed, _ := train(t, g, info, c, d, three, 2)
		if !reflect.DeepEqual(five, resumed) {
			t.Errorf("%s: resuming changed the bits", opt)
		}
		if m.Accuracy < 0.5 {
			t.Errorf("%s: accuracy %.2f after five epochs: it does not learn", opt, m.Accuracy)
		}
	}
}

// TestOneStep compares one step of each optimizer with its formula, the gradient taken by central differences of the loss.
func TestOneStep(t *testing.T) {
	g, info := mlp(t, 3, 4, 2)
	d := blobs(6, 3, 2)
	for _, opt := range []string{"sgd", "momentum", "adam", "adamw"} {
		c := plain
		c.Batch, c.Shuffle = 6, false
		c.Optimizer.Type = opt
		before := &State{Params: Init(info, 9)}
		after, _ := train(t, g, info, c, d, &State{Params: Init(info, 9)}, 1)
		w, got := before.Params["h"]["weight"].Float32s(), after.Params["h"]["weight"].Float32s()
		for i := range w {
			const h = 1e-2
			was := w[i]
			w[i] = was + h
			up := loss(t, g, info, before.Params, d)
			w[i] = was - h
			down := loss(t, g, info, before.Params, d)
			w[i] = was
			grad := (up - down) / (2 * h)
			want := formula(c.Optimizer, float64(was), grad)
			tol := 2e-5
			if opt == "adam" || opt == "adamw" {
				tol = 5e-3 // g/|g| magnifies the error of tiny differences
			}
			if math.Abs(want-float64(got[i])) > tol {
				t.Errorf("%s: weight %d went from %g to %g, want %g (gradient %g)", opt, i, was, got[i], want, grad)
			}
		}
	}
}

// formula is the first step of an optimizer, from its definition.
func formula(o Optimizer, w, g float64) float64 {
	switch o.Type {
	case "adamw":
		return w - o.LR*(g/(math.Abs(g)+o.Epsilon)+o.WeightDecay*w)
	case "adam":
		g += o.WeightDecay * w
		return w - o.LR*g/(math.Abs(g)+o.Epsilon)
	}
	return w - o.LR*(g+o.WeightDecay*w)
}

// loss is the mean cross-entropy, from its definition, in float64 over the model's outputs.
func loss(t *testing.T, g *graph.Graph, info *graph.Info, params map[string]bundle.Params, d *dataset.Data) float64 {
	out, err := Predict(context.Background(), session(t), &bundle.Model{Graph: g, Info: info, Params: params}, d)
	if err != nil {
		t.Fatal(err)
	}
	n := len(out) / d.Rows
	sum := 0.0
	for i := range d.Rows {
		z := 0.0
		for _, v := range out[i*n : (i+1)*n] {
			z += math.Exp(float64(v))
		}
		sum += math.Log(z) - float64(out[i*n+int(d.Classes[i])])
	}
	return sum / float64(d.Rows)
}

func TestDiverged(t *testing.T) {
	g, info := mlp(t, 8, 16, 4)
	d := blobs(64, 8, 4)
	d.Features[8*40] = float32(math.NaN())
	c := plain
	c.Shuffle = false
	tr, err := NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tr.Epoch(context.Background(), nil)
	div, ok := err.(*Diverged)
	if !ok || div.Epoch != 1 || div.Step != 2 {
		t.Errorf("got %v, want divergence at epoch 1, step 2", err)
	}
}

func TestKeepZeros(t *testing.T) {
	g, info := mlp(t, 8, 16, 4)
	s := &State{Params: Init(info, 1)}
	w := s.Params["h"]["weight"].Float32s()
	for i := 0; i < len(w); i += 2 {
		w[i] = 0
	}
	c := plain
	c.KeepZeros = true
	after, _ := train(t, g, info, c, blobs(64, 8, 4), s, 2)
	moved := false
	for i, v := range after.Params["h"]["weight"].Float32s() {
		if i%2 == 0 && v != 0 {
			t.Fatalf("pruned weight %d became %g", i, v)
		}
		moved = moved || i%2 == 1 && v != w[i]
	}
	if !moved {
		t.Error("nothing was trained")
	}
}
