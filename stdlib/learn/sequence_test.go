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
	"mbuild.dev/mbuild/stdlib/graph/reference"
)

// words makes rows of 1 to 12 tokens of 10. A row is of class 1 when it has token 7; with tags, a token is of class 1 when the one
// before it is 3 and of class 2 when it is 9, and the first token of a row has no label.
func words(rows int, tags bool) *dataset.Data {
	r := mlx.NewRandom(4, "words")
	m := &dataset.Manifest{
		Sequences: []dataset.Sequence{{Name: "text", MaxLength: 12, Lengths: []int{4, 8, 12}, VocabSize: 10}},
		Inputs: []dataset.Input{{Name: "ids", Shape: []int{12}, DType: "I32", Sequence: "text", Part: dataset.PartIDs},
			{Name: "mask", Shape: []int{12}, DType: "I32", Sequence: "text", Part: dataset.PartMask}},
		Label: &dataset.Label{Name: "y", Kind: "class", Classes: []string{"a", "b"}}, Splits: []dataset.Split{{Name: "train", Rows: rows}},
	}
	t := &dataset.Tokens{}
	d := &dataset.Data{Of: m, Rows: rows, Tokens: map[string]*dataset.Tokens{"text": t}}
	if tags {
		m.Label = &dataset.Label{Name: "y", Kind: "tags", Classes: []string{"O", "A", "B"}, Of: "text"}
	}
	for row := range rows {
		n := 1 + int(r.Below(12))
		if tags {
			n = 2 + int(r.Below(11))
		}
		class, last := int32(0), int32(0)
		for i := range n {
			id := int32(1 + r.Below(9))
			t.IDs = append(t.IDs, id)
			if id == 7 {
				class = 1
			}
			if tags {
				c := int32(dataset.NoLabel)
				switch {
				case i == 0:
				case last == 3:
					c = 1
				case id == 9:
					c = 2
				default:
					c = 0
				}
				d.Classes = append(d.Classes, c)
			}
			last = id
		}
		t.Ends = append(t.Ends, int64(len(t.IDs)))
		d.Source = append(d.Source, int64(row))
		if !tags {
			d.Classes = append(d.Classes, class)
		}
	}
	return d
}

// over makes a graph over ids and mask of 12 positions.
func over(t testing.TB, layers ...graph.Layer) (*graph.Graph, *graph.Info) {
	g := graphtest.Tokens(12, 0, layers...)
	for i := range g.Inputs {
		g.Inputs[i].DType = graph.I32
	}
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	return g, info
}

func attentive(last ...graph.Layer) []graph.Layer {
	l := graphtest.Layer
	return append([]graph.Layer{l("embedding", "e", "vocabulary", 10, "units", 16, "init", "glorot_uniform", "inputs", "ids"), l("position_embedding", "p", "positions", 12), l("dropout", "drop", "rate", 0.1),
		l("dense", "q", "units", 16, "inputs", "drop"), l("dense", "k", "units", 16, "inputs", "drop"), l("dense", "v", "units", 16, "inputs", "drop"), l("attention", "a", "heads", 2, "inputs", "q k v mask"),
		l("dense", "o", "units", 16), l("add", "s", "inputs", "drop o"), l("layer_norm", "n")}, last...)
}

func TestSequenceClassifier(t *testing.T) {
	l := graphtest.Layer
	g, info := over(t, attentive(l("sequence_pool", "pool", "mode", "max", "inputs", "n mask"), l("dense", "logits", "units", 2))...)
	d := words(400, false)
	c := plain
	state, r := train(t, g, info, c, d, &State{Params: Init(info, 1)}, 12)
	if r.Accuracy < 0.95 {
		t.Errorf("accuracy %g after training", r.Accuracy)
	}
	m := &bundle.Model{Graph: g, Info: info, Params: state.Params}
	got, err := Predict(context.Background(), session(t), m, d)
	if err != nil {
		t.Fatal(err)
	}
	// what is computed in short batches is what the reference computes at full length
	rows := make([]int, d.Rows)
	for i := range rows {
		rows[i] = i
	}
	want, err := reference.Forward(m, d.Rows, map[string][]float32{"ids": floats(d.Of.Pad(d, &d.Of.Inputs[0], rows, 12)), "mask": floats(d.Of.Pad(d, &d.Of.Inputs[1], rows, 12))})
	if err != nil {
		t.Fatal(err)
	}
	for i := range want[0] {
		if math.Abs(float64(got[i]-want[0][i])) > 1e-4 {
			t.Fatalf("prediction %d is %g, want %g", i, got[i], want[0][i])
		}
	}
}

func floats(v []int32) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// TestTagger: with losses over tokens, masks, weights of classes and accumulation; what has no label teaches nothing.
func TestTagger(t *testing.T) {
	l := graphtest.Layer
	g, info := over(t, l("embedding", "e", "vocabulary", 10, "units", 8, "init", "glorot_uniform", "inputs", "ids"), l("lstm", "r", "units", 12, "bidirectional", true, "inputs", "e mask"), l("dense", "logits", "units", 3))
	d := words(300, true)
	c := plain
	c.Batch, c.Optimizer.LR = 16, 0.02
	state, r := train(t, g, info, c, d, &State{Params: Init(info, 1)}, 6)
	if r.Accuracy < 0.97 {
		t.Errorf("accuracy %g after training", r.Accuracy)
	}
	out, err := Predict(context.Background(), session(t), &bundle.Model{Graph: g, Info: info, Params: state.Params}, d)
	if err != nil || len(out) != len(d.Classes)*3 {
		t.Fatalf("%d predictions, %v", len(out), err)
	}
	right, count := 0, 0
	for i, c := range d.Classes {
		if c < 0 {
			continue
		}
		count++
		row := out[i*3 : i*3+3]
		if slices.Index(row, slices.Max(row)) == int(c) {
			right++
		}
	}
	tr, err := NewTrainer(session(t), g, info, c, d, state, nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := tr.Evaluate(context.Background(), d, false)
	if err != nil || math.Abs(m.Accuracy-float64(right)/float64(count)) > 1e-9 {
		t.Errorf("accuracy by hand is %d of %d, Evaluate says %g, %v", right, count, m.Accuracy, err)
	}
}

// TestTagsByHand: the loss of a batch is the mean over labelled tokens, weighed by class.
func TestTagsByHand(t *testing.T) {
	l := graphtest.Layer
	g, info := over(t, l("embedding", "logits", "vocabulary", 10, "units", 3, "init", "glorot_uniform", "inputs", "ids"))
	d := words(40, true)
	c := plain
	c.Batch, c.ClassWeights, c.Optimizer = 40, map[string]float64{"A": 3, "B": 0.5}, Optimizer{Type: "sgd", LR: 0.5}
	if err := c.Named(d.Of.Label.Classes); err != nil {
		t.Fatal(err)
	}
	params := Init(info, 2)
	w := params["logits"]["weight"].Float32s()
	loss, weight, right, count := 0.0, 0.0, 0.0, 0.0
	grad := make([]float64, len(w))
	each := func(f func(id int, class int32, p []float64, k float64)) {
		for i, class := range d.Classes {
			if class < 0 {
				continue
			}
			id := int(d.Tokens["text"].IDs[i])
			var p []float64
			sum := 0.0
			for _, z := range w[id*3 : id*3+3] {
				p = append(p, math.Exp(float64(z)))
				sum += p[len(p)-1]
			}
			for j := range p {
				p[j] /= sum
			}
			f(id, class, p, []float64{1, 3, 0.5}[class])
		}
	}
	each(func(_ int, class int32, p []float64, k float64) {
		loss, weight, count = loss-k*math.Log(p[class]), weight+k, count+1
		if slices.Max(p) == p[class] {
			right++
		}
	})
	each(func(id int, class int32, p []float64, k float64) {
		for j := range p {
			grad[id*3+j] += k / weight * p[j]
		}
		grad[id*3+int(class)] -= k / weight
	})
	for _, parts := range []int{0, 4} { // in one, and accumulated
		c.Accumulate = parts
		state, r := train(t, g, info, c, d, &State{Params: Init(info, 2)}, 1)
		if math.Abs(r.Loss-loss/weight) > 1e-5 || math.Abs(r.Accuracy-right/count) > 1e-9 {
			t.Errorf("%d parts: loss %g, accuracy %g, want %g, %g", parts, r.Loss, r.Accuracy, loss/weight, right/count)
		}
		for i, v := range state.Params["logits"]["weight"].Float32s() {
			if want := float64(w[i]) - 0.5*grad[i]; math.Abs(float64(v)-want) > 1e-6 {
				t.Errorf("%d parts: weight %d is %g, want %g", parts, i, v, want)
			}
		}
	}
}

// TestSequenceResume: epochs in one go and in pieces give the same bits, with dropout and batches of several lengths.
func TestSequenceResume(t *testing.T) {
	l := graphtest.Layer
	layers := attentive(l("dense", "logits", "units", 3))
	layers[6].Attrs["dropout"] = 0.2 // of the weights of attention
	g, info := over(t, layers...)
	d := words(90, true)
	c := plain
	c.Batch = 16
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

// TestFullLength: a graph that is for one length alone gets all batches at that length.
func TestFullLength(t *testing.T) {
	l := graphtest.Layer
	g, info := over(t, l("embedding", "e", "vocabulary", 10, "units", 4, "inputs", "ids"), l("flatten", "f"), l("dense", "logits", "units", 2))
	d := words(50, false)
	src, err := newSource(g, d)
	if err != nil || src.free || src.lengths(d, []int{0})["text"] != 12 {
		t.Errorf("%+v, %v", src, err)
	}
	train(t, g, info, plain, d, &State{Params: Init(info, 1)}, 1)
	longer := graphtest.Tokens(16, 0, g.Layers...)
	if _, err := newSource(longer, d); err == nil || !strings.Contains(err.Error(), `input "ids" has another length than the dataset's, 12`) {
		t.Errorf("a longer model: %v", err)
	}
}

// TestWholeFeatures: numbers of a table may be ids, when they are whole and there is a row for each.
func TestWholeFeatures(t *testing.T) {
	l := graphtest.Layer
	g, info := over(t, l("embedding", "e", "vocabulary", 10, "units", 4, "init", "glorot_uniform", "inputs", "ids"), l("padding_mask", "m", "inputs", "ids"), l("sequence_pool", "p", "mode", "mean", "inputs", "e m"), l("dense", "logits", "units", 2))
	d := &dataset.Data{Rows: 64, Width: 12}
	r := mlx.NewRandom(1, "ids")
	for range d.Rows {
		c := int32(r.Below(2))
		d.Classes = append(d.Classes, c)
		for range 12 {
			d.Features = append(d.Features, float32(1+int(c)*4+int(r.Below(4))))
		}
	}
	if _, rec := train(t, g, info, plain, d, &State{Params: Init(info, 1)}, 20); rec.Accuracy < 0.99 {
		t.Errorf("accuracy %g", rec.Accuracy)
	}
	for _, v := range []float32{-1, 10, 0.5, float32(math.NaN())} {
		d.Features[30] = v
		_, err := newSource(g, d)
		var m *Misfit
		if !errors.As(err, &m) || !strings.Contains(err.Error(), `takes whole numbers from 0 to 9, and value 6 of row 2 of the data is`) {
			t.Errorf("%g: %v", v, err)
		}
	}
}

func TestSequenceMisfits(t *testing.T) {
	l := graphtest.Layer
	e := l("embedding", "e", "vocabulary", 10, "units", 4, "inputs", "ids")
	pool, logits := l("sequence_pool", "p", "mode", "mean"), l("dense", "logits", "units", 3)
	for _, c := range []struct {
		name   string
		tags   bool
		layers []graph.Layer
		change func(d *dataset.Data, c *Config)
		want   string
	}{
		{"one vector for tags", true, []graph.Layer{e, pool, logits}, nil, `the label "y" tags each token, and the model gives [batch, 3]`},
		{"vectors for one class", false, []graph.Layer{e, logits}, nil, `the model gives classes for each position, [batch, 12, 3], and the dataset has one label a row: add a layer "sequence_pool"`},
		{"small vocabulary", false, []graph.Layer{e, pool, logits}, func(d *dataset.Data, _ *Config) { d.Of.Sequences[0].VocabSize = 11 }, `the tokenizer of the dataset's sequence "text" has 11 tokens, and the model's input "ids" goes to an embedding of 10 rows`},
		{"another pad", false, []graph.Layer{e, l("padding_mask", "m", "inputs", "ids"), l("sequence_pool", "p", "mode", "mean", "inputs", "e m"), logits}, func(d *dataset.Data, _ *Config) { d.Of.Sequences[0].PadID = 1 }, `the layer "m" takes 0 for padding, and the tokenizer of the dataset pads with 1: set pad = 1 in the layer, or in the module`},
		{"no such input", false, []graph.Layer{e, l("sequence_pool", "p", "mode", "mean", "inputs", "e mask"), logits}, func(d *dataset.Data, _ *Config) { d.Of.Inputs[1].Name = "masks" }, `the model's input "mask" is no input of the dataset, which has "ids", "masks"; did you mean "masks"?`},
		{"longer rows", false, []graph.Layer{e, pool, logits}, func(d *dataset.Data, _ *Config) {
			d.Of.Sequences[0].MaxLength, d.Of.Sequences[0].Lengths = 20, []int{20}
			d.Of.Inputs[0].Shape, d.Of.Inputs[1].Shape = []int{20}, []int{20}
		}, `the model's input "ids" takes sequences of up to 12 positions, and the dataset's "ids" has up to 20`},
		{"a number", true, []graph.Layer{e, pool, l("dense", "logits", "units", 1)}, func(_ *dataset.Data, c *Config) { c.Loss = "mse" }, `the label "y" tags each token`},
	} {
		g, info := over(t, c.layers...)
		d, conf := words(40, c.tags), plain
		if c.change != nil {
			c.change(d, &conf)
		}
		_, err := NewTrainer(session(t), g, info, conf, d, &State{Params: Init(info, 1)}, nil)
		var m *Misfit
		if !errors.As(err, &m) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSequenceInit(t *testing.T) {
	l := graphtest.Layer
	_, info := over(t, l("embedding", "e", "vocabulary", 10000, "units", 4, "inputs", "ids"), l("lstm", "r", "units", 2))
	params := Init(info, 1)
	sum := 0.0
	for _, v := range params["e"]["weight"].Float32s() {
		sum += float64(v) * float64(v)
	}
	if dev := math.Sqrt(sum / 40000); math.Abs(dev-0.02) > 3e-4 {
		t.Errorf("deviation %g", dev)
	}
	if b := params["r"]["bias"].Float32s(); !slices.Equal(b, []float32{0, 0, 1, 1, 0, 0, 0, 0}) {
		t.Errorf("bias of an lstm begins as %v", b)
	}
}

// TestTwoSequences: two towers over texts of many lengths are padded to few of them, and give what they give at full length.
func TestTwoSequences(t *testing.T) {
	l := graphtest.Layer
	m := &dataset.Manifest{Label: &dataset.Label{Name: "y", Kind: "number"}}
	d := &dataset.Data{Of: m, Rows: 60, Tokens: map[string]*dataset.Tokens{}}
	r := mlx.NewRandom(8, "pairs")
	var layers []graph.Layer
	g := &graph.Graph{}
	for _, name := range []string{"q", "a"} {
		q := dataset.Sequence{Name: name, MaxLength: 20, VocabSize: 10}
		tokens := &dataset.Tokens{}
		for i := range 20 {
			q.Lengths = append(q.Lengths, i+1)
		}
		for range d.Rows {
			for range 1 + int(r.Below(20)) {
				tokens.IDs = append(tokens.IDs, int32(1+r.Below(9)))
			}
			tokens.Ends = append(tokens.Ends, int64(len(tokens.IDs)))
		}
		in := name + "_input_ids"
		m.Sequences, m.Inputs = append(m.Sequences, q), append(m.Inputs, dataset.Input{Name: in, Shape: []int{20}, DType: "I32", Sequence: name, Part: dataset.PartIDs})
		d.Tokens[name] = tokens
		g.Inputs = append(g.Inputs, graph.Input{Name: in, Shape: []int{20}, DType: graph.I32, Scale: 1})
		layers = append(layers, l("padding_mask", name+"m", "inputs", in), l("embedding", name+"e", "vocabulary", 10, "units", 4, "init", "glorot_uniform", "inputs", in),
			l("dropout", name+"d", "rate", 0.25), l("sequence_pool", name+"p", "mode", "mean", "inputs", name+"d "+name+"m"))
	}
	for range d.Rows {
		d.Numbers, d.Source = append(d.Numbers, float32(r.Below(2))), append(d.Source, 0)
	}
	g.Layers = append(layers, l("dot", "score", "inputs", "qp ap"))
	g.Connect()
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	src, err := newSource(g, d)
	if err != nil || !src.free || len(src.infos) != 64 || !slices.Equal(src.allowed["a"], []int{2, 5, 7, 10, 12, 15, 17, 20}) {
		t.Fatalf("%+v, %v", src, err)
	}
	c := plain
	c.Loss, c.Batch = "binary_cross_entropy", 8
	state, _ := train(t, g, info, c, d, &State{Params: Init(info, 1)}, 2)
	model := &bundle.Model{Graph: g, Info: info, Params: state.Params}
	got, err := Predict(context.Background(), session(t), model, d)
	if err != nil {
		t.Fatal(err)
	}
	rows, inputs := make([]int, d.Rows), map[string][]float32{}
	for i := range rows {
		rows[i] = i
	}
	for i := range m.Inputs {
		inputs[m.Inputs[i].Name] = floats(m.Pad(d, &m.Inputs[i], rows, 20))
	}
	want, err := reference.Forward(model, d.Rows, inputs)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want[0] {
		if math.Abs(float64(got[i]-v)) > 1e-5 {
			t.Errorf("row %d: %g, want %g", i, got[i], v)
		}
	}
}

func TestThin(t *testing.T) {
	for _, c := range []struct {
		n    int
		want []int
	}{{9, []int{3, 5, 8, 9}}, {4, []int{3, 5, 8, 9}}, {3, []int{3, 5, 9}}, {2, []int{5, 9}}, {1, []int{9}}} {
		if got := thin([]int{3, 5, 8, 9}, c.n); !slices.Equal(got, c.want) {
			t.Errorf("%d: %v", c.n, got)
		}
	}
}

// TestAttentionDropout: weights of attention are dropped by seed, step and layer: a batch in parts drops what the whole does, another
// seed drops others, and what is not training drops nothing.
func TestAttentionDropout(t *testing.T) {
	l := graphtest.Layer
	with := func(rate float64) (*graph.Graph, *graph.Info) {
		layers := attentive(l("dense", "logits", "units", 3))
		layers[2].Attrs["rate"], layers[6].Attrs["dropout"] = 0.0, rate
		return over(t, layers...)
	}
	d := words(64, true)
	c := plain
	c.Batch, c.Shuffle, c.Optimizer = 64, false, Optimizer{Type: "sgd", LR: 0.1}
	loss := func(rate float64, change func(*Config)) (float64, *Trainer) {
		g, info := with(rate)
		c := c
		change(&c)
		tr, err := NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := tr.Epoch(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return r.Loss, tr
	}
	same := func(*Config) {}
	none, _ := loss(0, same)
	whole, tr := loss(0.5, same)
	parts, _ := loss(0.5, func(c *Config) { c.Accumulate = 4 })
	if math.Abs(whole-parts) > 1e-5 || math.Abs(whole-none) < 1e-4 {
		t.Errorf("loss %g in one, %g in parts, %g without dropout", whole, parts, none)
	}
	again, _ := loss(0.5, same)
	if again != whole {
		t.Errorf("loss %g, and again %g", whole, again)
	}
	state, err := tr.State()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]float32
	for _, rate := range []float64{0, 0.5} {
		g, info := with(rate)
		y, err := Predict(context.Background(), session(t), &bundle.Model{Graph: g, Info: info, Params: state.Params}, d)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, y)
	}
	if !slices.Equal(out[0], out[1]) {
		t.Error("a model that is not trained drops something")
	}
}
