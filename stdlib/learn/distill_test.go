package learn

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
)

// tutor says things about the rows of data: random logits, and random vectors of a layer.
func tutor(d *dataset.Data, classes, width int, tokens bool) *Teacher {
	r := mlx.NewRandom(8, "tutor")
	n := d.Rows
	if tokens {
		n = len(d.Tokens["text"].IDs)
	}
	make := func(width int) *Taught {
		v := &Taught{Width: width, Tokens: tokens, Shape: []int{width}}
		for range n * width {
			v.Values = append(v.Values, float32(2*r.Normal()))
		}
		return v
	}
	return &Teacher{Logits: make(classes), Hidden: map[string]*Taught{"big": make(width)}}
}

func numbersOf(rows, width, classes int) *dataset.Data {
	r := mlx.NewRandom(2, "numbers")
	d := &dataset.Data{Rows: rows, Width: width}
	for i := range rows {
		d.Source, d.Classes = append(d.Source, int64(i)), append(d.Classes, int32(r.Below(uint64(classes))))
		for range width {
			d.Features = append(d.Features, float32(r.Normal()))
		}
	}
	return d
}

// byHand is the loss of distillation, in plain loops: of vectors of logits and of a hidden layer, a row each. w weighs rows in the loss of
// labels and logits; there says which rows the mean of hidden layers is over.
func byHand(d *Distill, logits, says, hidden, vectors [][]float64, labels []int32, w, there []float64) float64 {
	softmax := func(z []float64, t float64) []float64 {
		p := make([]float64, len(z))
		sum := 0.0
		for i, v := range z {
			p[i] = math.Exp(v / t)
			sum += p[i]
		}
		for i := range p {
			p[i] /= sum
		}
		return p
	}
	loss, weight, far, count := 0.0, 0.0, 0.0, 0.0
	for i := range logits {
		if w[i] > 0 {
			kl := 0.0
			p, q := softmax(says[i], d.Temperature), softmax(logits[i], d.Temperature)
			for j := range p {
				kl += p[j] * math.Log(p[j]/q[j])
			}
			loss += w[i] * (d.Alpha*-math.Log(softmax(logits[i], 1)[labels[i]]) + (1-d.Alpha)*d.Temperature*d.Temperature*kl)
			weight += w[i]
		}
		if hidden == nil || there[i] == 0 {
			continue
		}
		count++
		ab, aa, bb, square := 0.0, 0.0, 0.0, 0.0
		for j, a := range hidden[i] {
			b := vectors[i][j]
			ab, aa, bb, square = ab+a*b, aa+a*a, bb+b*b, square+(a-b)*(a-b)
		}
		if d.HiddenLoss == "cosine" {
			far += 1 - ab/math.Sqrt(aa*bb)
		} else {
			far += square / float64(len(hidden[i]))
		}
	}
	loss /= weight
	if hidden != nil {
		loss += d.HiddenWeight * far / count
	}
	return loss
}

func table(v []float32, width int) [][]float64 {
	var out [][]float64
	for at := 0; at < len(v); at += width {
		row := make([]float64, width)
		for j := range row {
			row[j] = float64(v[at+j])
		}
		out = append(out, row)
	}
	return out
}

func times(x [][]float64, w []float64, width int) [][]float64 {
	var out [][]float64
	for _, row := range x {
		y := make([]float64, width)
		for i, v := range row {
			for j := range y {
				y[j] += v * w[i*width+j]
			}
		}
		out = append(out, y)
	}
	return out
}

// differences holds the step that training makes from a state, sgd at a rate, against central differences of a loss.
func differences(t *testing.T, what string, before, after map[string]bundle.Params, rate float64, loss func(map[string][]float64) float64) {
	t.Helper()
	w := map[string][]float64{}
	for layer, ps := range before {
		for _, v := range ps["weight"].Float32s() {
			w[layer] = append(w[layer], float64(v))
		}
	}
	for layer := range w {
		moved := false
		for i, v := range after[layer]["weight"].Float32s() {
			old := w[layer][i]
			const h = 1e-4
			w[layer][i] = old + h
			up := loss(w)
			w[layer][i] = old - h
			down := loss(w)
			w[layer][i] = old
			want := (up - down) / (2 * h)
			got := (old - float64(v)) / rate
			if moved = moved || math.Abs(want) > 1e-3; math.Abs(got-want) > 2e-4*(1+math.Abs(want)) {
				t.Errorf("%s: gradient of %s[%d] is %g, want %g", what, layer, i, got, want)
				return
			}
		}
		if !moved {
			t.Errorf("%s: %s has no gradient", what, layer)
		}
	}
}

// TestDistillRows: loss and gradients of a network over numbers, whose hidden layer goes through a projection, against plain loops and
// finite differences.
func TestDistillRows(t *testing.T) {
	l := graphtest.Layer
	g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{5}, DType: graph.F32, Scale: 1}}, Outputs: []string{"logits", "distill_h"}, Layers: []graph.Layer{
		l("dense", "h", "units", 4, "use_bias", false, "inputs", "x"), l("dense", "logits", "units", 3, "use_bias", false, "inputs", "h"), l("dense", "distill_h", "units", 6, "use_bias", false, "inputs", "h")}}
	g.Connect()
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	d := numbersOf(24, 5, 3)
	d.Of = &dataset.Manifest{Label: &dataset.Label{Name: "y", Kind: "class", Classes: []string{"a", "b", "c"}}}
	teacher := tutor(d, 3, 6, false)
	for k, set := range []Distill{{Temperature: 2, Alpha: 0.3, HiddenLoss: "mse", HiddenWeight: 0.5}, {Temperature: 1, Alpha: 1, HiddenLoss: "cosine", HiddenWeight: 2}, {Temperature: 5, Alpha: 0, HiddenLoss: "mse"}} {
		for _, parts := range []int{1, 3}[:2-min(k, 1)] {
			set.Hidden = map[string]string{"h": "big"}
			c := plain
			c.Batch, c.Accumulate, c.Optimizer, c.Distill = 24, parts, Optimizer{Type: "sgd", LR: 0.1}, &set
			c.ClassWeights = map[string]float64{"b": 3}
			if err := c.Named([]string{"a", "b", "c"}); err != nil {
				t.Fatal(err)
			}
			c.Teach(teacher)
			first := Init(info, 1)
			w := make([]float64, d.Rows)
			there := make([]float64, d.Rows)
			for i, y := range d.Classes {
				w[i], there[i] = []float64{1, 3, 1}[y], 1
			}
			loss := func(p map[string][]float64) float64 {
				h := times(table(d.Features, 5), p["h"], 4)
				return byHand(&set, times(h, p["logits"], 3), table(teacher.Logits.Values, 3), times(h, p["distill_h"], 6), table(teacher.Hidden["big"].Values, 6), d.Classes, w, there)
			}
			after, r := train(t, g, info, c, d, &State{Params: first}, 1)
			at := map[string][]float64{}
			for layer, ps := range first {
				for _, v := range ps["weight"].Float32s() {
					at[layer] = append(at[layer], float64(v))
				}
			}
			if want := loss(at); math.Abs(r.Loss-want) > 1e-4*want {
				t.Errorf("%+v, %d parts: loss %g, want %g", set, parts, r.Loss, want)
			}
			if set.HiddenWeight > 0 {
				differences(t, set.HiddenLoss, first, after.Params, 0.1, loss)
			}
		}
	}
}

// TestDistillTokens: the same of a tagger, in batches of several lengths: what is padding, or has no label, counts nowhere.
func TestDistillTokens(t *testing.T) {
	l := graphtest.Layer
	g, _ := over(t, l("embedding", "h", "vocabulary", 10, "units", 4, "init", "glorot_uniform", "inputs", "ids"), l("dense", "logits", "units", 3, "use_bias", false))
	g.Outputs = []string{"logits", "h"}
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	d := words(30, true)
	teacher := tutor(d, 3, 4, true)
	tokens := d.Tokens["text"]
	w, there := make([]float64, len(tokens.IDs)), make([]float64, len(tokens.IDs))
	for i, y := range d.Classes {
		if there[i] = 1; y >= 0 {
			w[i] = 1
		}
	}
	for _, kind := range []string{"mse", "cosine"} {
		set := Distill{Temperature: 3, Alpha: 0.4, HiddenLoss: kind, HiddenWeight: 0.7, Hidden: map[string]string{"h": "big"}}
		c := plain
		c.Batch, c.Optimizer, c.Distill = 30, Optimizer{Type: "sgd", LR: 0.1}, &set
		c.Teach(teacher)
		loss := func(p map[string][]float64) float64 {
			var h [][]float64
			for _, id := range tokens.IDs {
				h = append(h, p["h"][4*id:4*id+4])
			}
			return byHand(&set, times(h, p["logits"], 3), table(teacher.Logits.Values, 3), h, table(teacher.Hidden["big"].Values, 4), d.Classes, w, there)
		}
		first := Init(info, 1)
		for _, parts := range []int{1, 5} {
			c.Accumulate = parts
			after, _ := train(t, g, info, c, d, &State{Params: first}, 1)
			differences(t, kind, first, after.Params, 0.1, loss)
		}
	}
}

// TestDistillResume: epochs in one go and in pieces give the same bits, with dropout, lengths and hidden layers; a student of another
// temperature is another.
func TestDistillResume(t *testing.T) {
	l := graphtest.Layer
	g, _ := over(t, attentive(l("dense", "logits", "units", 3))...)
	g.Outputs = []string{"logits", "n"}
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	d := words(90, true)
	c := plain
	c.Batch, c.Distill = 16, &Distill{Temperature: 2, Alpha: 0.5, HiddenLoss: "cosine", HiddenWeight: 1, Hidden: map[string]string{"n": "big"}}
	c.Teach(tutor(d, 3, 16, true))
	whole, _ := train(t, g, info, c, d, &State{Params: Init(info, 1)}, 4)
	half, _ := train(t, g, info, c, d, &State{Params: Init(info, 1)}, 2)
	rest, _ := train(t, g, info, c, d, half, 2)
	for layer, ps := range whole.Params {
		for name, p := range ps {
			if !slices.Equal(p.Float32s(), rest.Params[layer][name].Float32s()) {
				t.Errorf("%s/%s differs", layer, name)
			}
		}
	}
}

// TestTeach: what a teacher says is what Predict gives of each of its layers, in the order of the data.
func TestTeach(t *testing.T) {
	l := graphtest.Layer
	g, info := over(t, attentive(l("sequence_pool", "pool", "mode", "mean", "inputs", "n mask"), l("dense", "logits", "units", 2))...)
	m := &bundle.Model{Graph: g, Info: info, Params: Init(info, 3)}
	d := words(50, false)
	got, err := Teach(context.Background(), session(t), m, d, []string{"n", "pool"}, func(int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]*Taught{"logits": got.Logits, "n": got.Hidden["n"], "pool": got.Hidden["pool"]} {
		part := g.Clone()
		part.Outputs = slices.Compact([]string{name, "logits"})
		of, err := graph.Infer(part)
		if err != nil {
			t.Fatal(err)
		}
		want, err := Predict(context.Background(), session(t), &bundle.Model{Graph: part, Info: of, Params: m.Params}, d)
		if err != nil || v.Tokens != (name == "n") || len(v.Values) != len(want) {
			t.Fatalf("%s: %v, %+v", name, err, v.Shape)
		}
		for i := range want {
			if math.Abs(float64(v.Values[i]-want[i])) > 1e-6 {
				t.Fatalf("%s: %d is %g, want %g", name, i, v.Values[i], want[i])
			}
		}
	}
}

func TestDistillErrors(t *testing.T) {
	l := graphtest.Layer
	for want, change := range map[string]func(c *Config, teacher *Teacher, g *graph.Graph){
		"there is no teacher": func(c *Config, _ *Teacher, _ *graph.Graph) { c.Teach(nil) },
		"the teacher gives [batch, 4], and the student's \"logits\" gives [batch, 12, 3]": func(_ *Config, x *Teacher, _ *graph.Graph) {
			x.Logits.Width, x.Logits.Shape = 4, []int{4}
		},
		"the student's \"h\" gives [batch, 12, 4], and the teacher's \"big\" [batch, 12, 5]": func(_ *Config, x *Teacher, _ *graph.Graph) {
			x.Hidden["big"].Width, x.Hidden["big"].Shape = 5, []int{12, 5}
		},
		"says has no layer \"huge\"":    func(c *Config, _ *Teacher, _ *graph.Graph) { c.Distill.Hidden = map[string]string{"h": "huge"} },
		"the temperature is 0":          func(c *Config, _ *Teacher, _ *graph.Graph) { c.Distill.Temperature = 0 },
		"alpha is 1.5; it is a share":   func(c *Config, _ *Teacher, _ *graph.Graph) { c.Distill.Alpha = 1.5 },
		"it is mse or cosine":           func(c *Config, _ *Teacher, _ *graph.Graph) { c.Distill.HiddenLoss = "l1" },
		"hidden_weight is -1":           func(c *Config, _ *Teacher, _ *graph.Graph) { c.Distill.HiddenWeight = -1 },
		"distillation is about classes": func(c *Config, _ *Teacher, _ *graph.Graph) { c.Loss = "mse" },
		"and the data needs":            func(_ *Config, x *Teacher, _ *graph.Graph) { x.Logits.Values = x.Logits.Values[3:] },
	} {
		g, _ := over(t, l("embedding", "h", "vocabulary", 10, "units", 4, "inputs", "ids"), l("dense", "logits", "units", 3))
		g.Outputs = []string{"logits", "h"}
		info, err := graph.Infer(g)
		if err != nil {
			t.Fatal(err)
		}
		d := words(40, true)
		teacher := tutor(d, 3, 4, true)
		c := plain
		c.Distill = &Distill{Temperature: 2, Alpha: 0.5, HiddenLoss: "mse", HiddenWeight: 1, Hidden: map[string]string{"h": "big"}}
		c.Teach(teacher)
		change(&c, teacher, g)
		if _, err := NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	g, info := over(t, l("embedding", "h", "vocabulary", 10, "units", 4, "inputs", "ids"), l("dense", "logits", "units", 3))
	m := &bundle.Model{Graph: g, Info: info, Params: Init(info, 1)}
	for want, name := range map[string]string{`the teacher has no layer "hh": it has "h", "logits"; did you mean "h"?`: "hh", `"logits" is what the teacher gives`: "logits"} {
		_, err := Teach(context.Background(), session(t), m, words(5, true), []string{name}, nil)
		var f *Misfit
		if !errors.As(err, &f) || f.Attr != "hidden" || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	var f *Misfit
	if _, err := Teach(context.Background(), session(t), m, words(5, false), nil, nil); !errors.As(err, &f) || f.Attr != "teacher" || !strings.Contains(err.Error(), `"logits" has logits for each token, and the dataset has no label for each token`) {
		t.Errorf("a language model as a teacher: %v", err)
	}
}
