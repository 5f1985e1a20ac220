package learn

import (
	"reflect"
	"slices"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
	"mbuild.dev/mbuild/stdlib/graph/reference"
)

// TestConvolutions: a network of convolutions, norms and pools, with a residual, learns; training goes on from a state to the
// same bits; and what predicts uses the running statistics that training left in the state, which are not as they began.
func TestConvolutions(t *testing.T) {
	l := graphtest.Layer
	g := graphtest.Over([]int{6, 6, 1}, l("conv2d", "a", "filters", 4, "kernel", 3, "padding", "same", "use_bias", false), l("batch_norm", "n"), l("activation", "r", "function", "relu"),
		l("conv2d", "b", "filters", 4, "kernel", 3, "groups", 4, "padding", "same"), l("add", "s", "inputs", "r b"), l("max_pool", "p", "kernel", 2), l("group_norm", "m", "groups", 2),
		l("flatten", "f"), l("dropout", "d", "rate", 0.2), l("dense", "o", "units", 4))
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	d := blobs(203, 36, 4)
	conv := Config{Loss: "cross_entropy", Batch: 32, Seed: 3, Shuffle: true,
		Optimizer: Optimizer{Type: "adamw", LR: 0.01, WeightDecay: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}}
	begin := func() *State { return &State{Params: Init(info, 3)} }
	three, m := train(t, g, info, conv, d, begin(), 3)
	one, first := train(t, g, info, conv, d, begin(), 1)
	resumed, _ := train(t, g, info, conv, d, one, 2)
	if !reflect.DeepEqual(three, resumed) {
		t.Error("resuming changed the bits")
	}
	if m.Loss > 0.9*first.Loss || m.Accuracy < 0.4 { // one of four by chance
		t.Errorf("loss %.3f in the first epoch, %.3f in the third, accuracy %.2f: it does not learn", first.Loss, m.Loss, m.Accuracy)
	}
	mean := three.Params["n"]["mean"].Float32s()
	if !slices.ContainsFunc(mean, func(v float32) bool { return v != 0 }) || three.Moments["n"]["mean.m"] != nil {
		t.Errorf("running means are %v, and moments of them %v", mean, three.Moments["n"]["mean.m"])
	}
	model := &bundle.Model{Graph: g, Info: info, Params: three.Params}
	got, err := Predict(t.Context(), session(t), model, &dataset.Data{Rows: 5, Width: 36, Features: d.Features[:5*36]})
	if err != nil {
		t.Fatal(err)
	}
	want, err := reference.Forward(model, 5, map[string][]float32{"x": d.Features[:5*36]})
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if diff := got[i] - want[0][i]; diff > 1e-4 || diff < -1e-4 {
			t.Errorf("output %d is %g, by plain loops %g", i, got[i], want[0][i])
		}
	}
}
