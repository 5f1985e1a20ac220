package learn

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
)

// lossCase is a loss with its definition in float64: of one row's outputs and its label.
type lossCase struct {
	config Config
	define func(z []float64, label float64) float64
}

func softmax(z []float64) []float64 {
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(v)
	}
	p := make([]float64, len(z))
	for i, v := range z {
		p[i] = math.Exp(v) / sum
	}
	return p
}

// smooth is the label as a distribution.
func smooth(classes, label int, e float64) []float64 {
	t := make([]float64, classes)
	for i := range t {
		t[i] = e / float64(classes)
	}
	t[label] += 1 - e
	return t
}

func crossEntropy(e float64) func([]float64, float64) float64 {
	return func(z []float64, label float64) (sum float64) {
		p := softmax(z)
		for i, t := range smooth(len(z), int(label), e) {
			sum -= t * math.Log(p[i])
		}
		return sum
	}
}

func divergence(e float64) func([]float64, float64) float64 {
	return func(z []float64, label float64) (sum float64) {
		p := softmax(z)
		for i, t := range smooth(len(z), int(label), e) {
			if t > 0 {
				sum += t * math.Log(t/p[i])
			}
		}
		return sum
	}
}

func focal(gamma float64) func([]float64, float64) float64 {
	return func(z []float64, label float64) float64 {
		p := softmax(z)[int(label)]
		return -math.Pow(1-p, gamma) * math.Log(p)
	}
}

func binary(e float64) func([]float64, float64) float64 {
	return func(z []float64, label float64) float64 {
		s, t := 1/(1+math.Exp(-z[0])), label*(1-e)+e/2
		return -t*math.Log(s) - (1-t)*math.Log(1-s)
	}
}

func huber(delta float64) func([]float64, float64) float64 {
	return func(z []float64, label float64) float64 {
		d := math.Abs(z[0] - label)
		if d <= delta {
			return d * d / 2
		}
		return delta * (d - delta/2)
	}
}

var lossCases = []lossCase{
	{Config{Loss: "cross_entropy"}, crossEntropy(0)},
	{Config{Loss: "cross_entropy", LabelSmoothing: 0.2}, crossEntropy(0.2)},
	{Config{Loss: "kl"}, divergence(0)},
	{Config{Loss: "kl", LabelSmoothing: 0.2}, divergence(0.2)},
	{Config{Loss: "focal", FocalGamma: 2}, focal(2)},
	{Config{Loss: "focal", FocalGamma: 1}, focal(1)},
	{Config{Loss: "focal"}, focal(0)},
	{Config{Loss: "focal", FocalGamma: 1.5}, focal(1.5)},
	{Config{Loss: "binary_cross_entropy"}, binary(0)},
	{Config{Loss: "binary_cross_entropy", LabelSmoothing: 0.2}, binary(0.2)},
	{Config{Loss: "mse"}, func(z []float64, label float64) float64 { return (z[0] - label) * (z[0] - label) }},
	{Config{Loss: "mae"}, func(z []float64, label float64) float64 { return math.Abs(z[0] - label) }},
	{Config{Loss: "huber"}, huber(1)},
	{Config{Loss: "huber", HuberDelta: 0.3}, huber(0.3)},
}

// TestLosses holds each loss against its definition in float64, and its gradient against central differences of the
// definition, with and without weights of rows.
func TestLosses(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range lossCases {
		seen[c.config.Loss] = true
		l := Losses[c.config.Loss]
		const rows = 5
		width := 1
		if l.Classes {
			width = 3
		}
		r := mlx.NewRandom(3, "logits")
		z := make([]float32, rows*width)
		for i := range z {
			z[i] = float32(2 * r.Normal())
		}
		z[0] = 0.25 // a difference of exactly 1/4, and rows on either side of every bend
		labels := []float64{0, 1, 1, 0, 1}
		weight := []float32{1, 2, 0.5, 0, 3}
		y := any([]int32{0, 1, 1, 0, 1})
		if !l.Classes {
			y = []float32{0, 1, 1, 0, 1}
		}
		p := &Program{config: c.config, loss: l}
		exec := MustNewExec(session(t).Backend, func(z, y, w *Node) []*Node {
			loss, right := p.measureLoss(z, target{label: y}, w)
			return []*Node{loss, Gradient(loss, z)[0], right}
		})
		out := exec.MustCall(mlx.Tensor(z, rows, width), y, mlx.Tensor(weight, rows))
		of := func(z []float32) (sum float64) {
			for i := range rows {
				row := make([]float64, width)
				for j := range row {
					row[j] = float64(z[i*width+j])
				}
				sum += float64(weight[i]) * c.define(row, labels[i])
			}
			return sum
		}
		if got, want := float64(tensors.ToScalar[float32](out[0])), of(z); math.Abs(got-want) > 1e-5*(1+want) {
			t.Errorf("%+v: the loss is %g, by definition %g", c.config, got, want)
		}
		grad, err := mlx.Values(out[1])
		if err != nil {
			t.Fatal(err)
		}
		for i := range z {
			const h = 1.0 / 1024 // a power of two: z+h is exact
			was := z[i]
			z[i] = was + h
			up := of(z)
			z[i] = was - h
			want := (up - of(z)) / (2 * h)
			z[i] = was
			if math.Abs(float64(grad[i])-want) > 1e-4*(1+math.Abs(want)) {
				t.Errorf("%+v: gradient of output %d is %g, by differences %g", c.config, i, grad[i], want)
			}
		}
	}
	for name := range Losses {
		if !seen[name] {
			t.Errorf("loss %s is not tested", name)
		}
	}
}
