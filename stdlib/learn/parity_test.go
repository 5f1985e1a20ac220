//go:build xla && cgo

package learn

import (
	"context"
	"fmt"
	"math"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// numbers turns the classes of a dataset into labels that are numbers.
func numbers(d *dataset.Data) *dataset.Data {
	for _, c := range d.Classes {
		d.Numbers = append(d.Numbers, float32(c))
	}
	d.Classes = nil
	return d
}

// TestParity trains 20 steps on both backends, from the same weights, with each optimizer and loss: the weights, and what the
// optimizer keeps, stay within 1e-4 of each other, and the losses within 1e-5. Go against XLA was measured at 1e-5 and 1e-6.
func TestParity(t *testing.T) {
	goes, xla := mlxtest.Both(t)
	for _, opt := range []string{"sgd", "momentum", "adam", "adamw"} {
		for _, loss := range []string{"cross_entropy", "mse"} {
			outputs, d := 4, blobs(160, 8, 4)
			if loss == "mse" {
				outputs, d = 1, numbers(d)
			}
			g, info := mlp(t, 8, 16, outputs, graph.Layer{Name: "bn", Op: "batch_norm"}, graph.Layer{Name: "drop", Op: "dropout", Attrs: map[string]any{"rate": 0.25}})
			c := adam
			c.Loss, c.Batch, c.ClipNorm = loss, 32, 1
			c.Optimizer.Type, c.Optimizer.Momentum = opt, 0.9
			run := func(s *mlx.Session) (*State, Metrics) {
				tr, err := NewTrainer(s, g, info, c, d, &State{Params: Init(info, c.Seed)})
				if err != nil {
					t.Fatal(err)
				}
				var m Metrics
				for range 4 { // epochs of 5 steps
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
			a, ma := run(goes)
			b, mb := run(xla)
			what := fmt.Sprintf("%s, %s", opt, loss)
			if diff := math.Abs(ma.Loss - mb.Loss); !(diff <= 1e-5) {
				t.Errorf("%s: the losses are %g and %g", what, ma.Loss, mb.Loss)
			}
			near(t, what, a.Params, b.Params)
			near(t, what, a.Moments, b.Moments)
		}
	}
}

func near(t *testing.T, what string, a, b map[string]bundle.Params) {
	for layer, ps := range a {
		for name, p := range ps {
			x, y := p.Float32s(), b[layer][name].Float32s()
			for i := range x {
				if diff := math.Abs(float64(x[i] - y[i])); !(diff <= 1e-4) {
					t.Errorf("%s: %s/%s[%d] is %g on go and %g on XLA", what, layer, name, i, x[i], y[i])
					break
				}
			}
		}
	}
}
