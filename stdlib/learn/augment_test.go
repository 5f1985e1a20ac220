package learn

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/augment"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
)

// images is a model of images of 4 x 5, with augmentation of all sorts.
func images(t testing.TB) (*graph.Graph, *graph.Info, Config) {
	g := graphtest.Over([]int{4, 5, 2}, graphtest.Layer("flatten", "f"), graphtest.Layer("dense", "o", "units", 4))
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	c := plain
	c.Augment = []augment.Op{{Type: "flip", Axis: "horizontal", Probability: 0.5}, {Type: "crop", Padding: 1, Fill: "zero"},
		{Type: "shift", Max: 1}, {Type: "noise", Deviation: 0.1}, {Type: "mixup", Alpha: 0.3}}
	return g, info, c
}

// TestAugment: steps are given rows as the augmenter makes them, anew in each epoch, whole or in parts; the data, and what is
// evaluated, stay as they are.
func TestAugment(t *testing.T) {
	g, info, c := images(t)
	d := blobs(83, 40, 4)
	before := slices.Clone(d.Features)
	for _, parts := range []int{1, 4} {
		c.Accumulate = parts
		tr, err := NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var epochs [2][]float32
		for k := range epochs {
			order := tr.order()
			var fed, shares []float32
			for i := range 3 {
				step, err := tr.input(order, i, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range step.parts {
					fed, shares = append(fed, values(t, p.args[0])...), append(shares, values(t, p.args[3])...)
				}
			}
			want := augmented(t, c, g.Inputs[0].Shape, d, k, order)
			if !slices.Equal(fed, want.X) || !slices.Equal(shares, want.Weight) {
				t.Errorf("epoch %d in %d parts is not fed what the augmenter makes", k, parts)
			}
			epochs[k] = fed
			if _, err := tr.Epoch(context.Background(), nil); err != nil {
				t.Fatal(err)
			}
		}
		if slices.Equal(epochs[0], epochs[1]) {
			t.Error("two epochs are alike")
		}
		s, err := tr.State()
		if err != nil {
			t.Fatal(err)
		}
		m, err := tr.Evaluate(context.Background(), d, false)
		if err != nil {
			t.Fatal(err)
		}
		if want := loss(t, g, info, s.Params, d); math.Abs(m.Loss-want) > 1e-5 {
			t.Errorf("evaluated, the loss is %g; of the rows as they are, %g", m.Loss, want)
		}
	}
	if !slices.Equal(before, d.Features) {
		t.Error("the data was changed")
	}
}

func values(t *testing.T, v *tensors.Tensor) []float32 {
	t.Helper()
	out, err := mlx.Values(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// augmented is the rows of an epoch, in order, as a fresh augmenter makes them.
func augmented(t *testing.T, c Config, shape []int, d *dataset.Data, epoch int, order []int) *augment.Batch {
	t.Helper()
	a, err := augment.New(c.Augment, shape, c.Seed)
	if err != nil {
		t.Fatal(err)
	}
	b := &augment.Batch{Rows: order, X: make([]float32, len(order)*d.Width)}
	gather(b.X, d, order)
	a.Apply(epoch, b, d.Rows, func(row int, into []float32) { gather(into, d, []int{row}) })
	return b
}

// TestResumeAugment: interrupted training of images gives the bits of training that was not, and other bits than without.
func TestResumeAugment(t *testing.T) {
	g, info, c := images(t)
	d := blobs(83, 40, 4)
	begin := func() *State { return &State{Params: Init(info, 1)} }
	four, all := run(t, g, info, c, d, begin(), 4)
	one, first := run(t, g, info, c, d, begin(), 1)
	resumed, rest := run(t, g, info, c, d, one, 3)
	if !reflect.DeepEqual(four, resumed) || fmt.Sprintf("%+v", deref(all)) != fmt.Sprintf("%+v", deref(append(first, rest...))) {
		t.Error("resuming changed the bits")
	}
	for i := range c.Augment {
		less := c
		less.Augment = slices.Delete(slices.Clone(c.Augment), i, i+1)
		if s, _ := run(t, g, info, less, d, begin(), 4); reflect.DeepEqual(s, four) {
			t.Errorf("%s changes nothing", c.Augment[i].Type)
		}
	}
}

// TestMixup holds the loss and accuracy of steps over mixed rows against their definition in float64: a row's loss is that of
// its label as a mixture, and its weight the mixture of the weights of the two classes.
func TestMixup(t *testing.T) {
	weights := map[string]float64{"a": 3, "c": 0.25}
	focal2 := focal(2)
	cases := []struct {
		c      Config
		define func(z []float64, a, b, share float64) float64
	}{
		{Config{Loss: "cross_entropy"}, mixture(crossEntropy(0))},
		{Config{Loss: "cross_entropy", LabelSmoothing: 0.2, ClassWeights: weights}, mixture(crossEntropy(0.2))},
		{Config{Loss: "focal", FocalGamma: 2, ClassWeights: weights}, mixture(focal2)},
		{Config{Loss: "kl", Accumulate: 2}, func(z []float64, a, b, share float64) (sum float64) {
			p, t := softmax(z), make([]float64, len(z))
			t[int(a)] += share
			t[int(b)] += 1 - share
			for i, t := range t {
				if t > 0 {
					sum += t * math.Log(t/p[i])
				}
			}
			return sum
		}},
		{Config{Loss: "binary_cross_entropy", LabelSmoothing: 0.1}, blended(binary(0.1))},
		{Config{Loss: "mse"}, blended(func(z []float64, y float64) float64 { return (z[0] - y) * (z[0] - y) })},
		{Config{Loss: "mae", Accumulate: 4}, blended(func(z []float64, y float64) float64 { return math.Abs(z[0] - y) })},
		{Config{Loss: "huber"}, blended(huber(1))},
	}
	for _, tc := range cases {
		c, outputs := tc.c, 1
		if Losses[c.Loss].Classes {
			outputs = 4
		}
		g, info := mlp(t, 8, 6, outputs)
		d := blobs(83, 8, 4)
		if outputs == 1 {
			for _, y := range d.Classes {
				d.Numbers = append(d.Numbers, float32(y)/3)
			}
			d.Classes = nil
		}
		c.Batch, c.Seed, c.Shuffle, c.Augment = 32, 3, true, []augment.Op{{Type: "noise", Deviation: 0.2}, {Type: "mixup", Alpha: 0.5}}
		c.Optimizer = Optimizer{Type: "sgd", LR: 1e-30} // all steps see the first weights
		params := Init(info, 1)
		_, records := run(t, g, info, c, d, &State{Params: params}, 1)
		loss, right := mixedLoss(t, c, &bundle.Model{Graph: g, Info: info, Params: params}, d, tc.define)
		if got := records[0]; math.Abs(got.Loss-loss) > 1e-5*(1+loss) || outputs == 4 && math.Abs(got.Accuracy-right) > 1e-5 {
			t.Errorf("%s %+v: loss %g, accuracy %g; by definition %g and %g", c.Loss, c.ClassWeights, got.Loss, got.Accuracy, loss, right)
		}
	}
}

// mixture is the losses of two labels in their shares; blended is the loss of the label between.
func mixture(f func([]float64, float64) float64) func([]float64, float64, float64, float64) float64 {
	return func(z []float64, a, b, share float64) float64 { return share*f(z, a) + (1-share)*f(z, b) }
}

func blended(f func([]float64, float64) float64) func([]float64, float64, float64, float64) float64 {
	return func(z []float64, a, b, share float64) float64 { return f(z, share*a+(1-share)*b) }
}

// mixedLoss is the mean loss of the first epoch's rows, and the share that is right, by definition.
func mixedLoss(t *testing.T, c Config, m *bundle.Model, d *dataset.Data, define func([]float64, float64, float64, float64) float64) (loss, right float64) {
	t.Helper()
	in := augmented(t, c, m.Graph.Inputs[0].Shape, d, 0, mlx.NewRandom(c.Seed, "order/0").Permutation(d.Rows))
	out, err := Predict(t.Context(), session(t), m, &dataset.Data{Rows: d.Rows, Width: d.Width, Features: in.X})
	if err != nil {
		t.Fatal(err)
	}
	weight := func(row int) float64 {
		if d.Classes != nil {
			if w, ok := c.ClassWeights[string(rune('a'+d.Classes[row]))]; ok {
				return w
			}
		}
		return 1
	}
	total := 0.0
	for i, row := range in.Rows {
		z := make([]float64, len(out)/d.Rows)
		best := 0
		for k := range z {
			if z[k] = float64(out[i*len(z)+k]); z[k] > z[best] {
				best = k
			}
		}
		share, partner := float64(in.Weight[i]), in.Partner[i]
		a, b := float64(number(d, row)), float64(number(d, partner))
		w := share*weight(row) + (1-share)*weight(partner)
		loss, total = loss+w*define(z, a, b, share), total+w
		if best == int(a) {
			right += share
		}
		if best == int(b) {
			right += 1 - share
		}
	}
	return loss / total, right / float64(d.Rows)
}

// TestAugmentMisfit: what does not fit is said with the attribute at fault, and bad data is found in the partner of a row.
func TestAugmentMisfit(t *testing.T) {
	g, info, c := images(t)
	d := blobs(64, 40, 4)
	c.Augment = []augment.Op{c.Augment[0], {Type: "crop", Padding: 4, Fill: "reflect"}}
	_, err := NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil)
	wants(t, err, "augment.1.padding", "augment crop: padding is 4, and images are 4 x 5; it is from 1 to 3")
	flat, flatInfo := mlp(t, 40, 4, 4)
	_, err = NewTrainer(session(t), flat, flatInfo, c, d, &State{Params: Init(flatInfo, 1)}, nil)
	wants(t, err, "augment.0", "augment flip: it takes images, and a row has shape [40]")
	tokens := graph.Input{Name: "ids", Shape: []int{4}, DType: graph.I32}
	wants(t, c.CheckAugment(&graph.Graph{Inputs: []graph.Input{tokens}}), "augment", `input "ids" is I32`)
	wants(t, c.CheckAugment(&graph.Graph{Inputs: []graph.Input{g.Inputs[0], tokens}}), "augment", "the rows of one input, and the model has 2")
	mask, maskInfo := mlp(t, 12, 4, 2)
	mask.Inputs[0].Name, mask.Layers[0].Inputs = "mask", []string{"mask"}
	noisy := plain
	noisy.Augment = []augment.Op{{Type: "noise", Deviation: 1}}
	_, err = NewTrainer(session(t), mask, maskInfo, noisy, words(64, false), &State{Params: Init(maskInfo, 1)}, nil)
	wants(t, err, "augment", "the dataset gives tokens")

	d.Features[5*40+7] = float32(math.Inf(1))
	c.Augment, c.Batch, c.Shuffle = []augment.Op{{Type: "mixup", Alpha: 1}}, 2, false
	tr, err := NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tr.Epoch(context.Background(), nil)
	var div *Diverged
	if !errors.As(err, &div) {
		t.Fatalf("got %v, want divergence", err)
	}
	if tr, err = NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil); err != nil {
		t.Fatal(err)
	}
	if got := tr.Diagnose(context.Background(), div); !strings.Contains(got.Where, "value 7 of row 5 of the source is +Inf") {
		t.Error(got)
	}
}
