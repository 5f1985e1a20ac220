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

// The tokens of sentences: 0 pads, 1 begins a row, 2 ends it, 3 is the mask; all others are words.
const (
	vocabulary = 20
	maskID     = 3
)

// sentences makes rows of 1 to 12 tokens without a label: special tokens around words that often follow each other.
func sentences(rows int) *dataset.Data {
	r := mlx.NewRandom(7, "sentences")
	mask := maskID
	m := &dataset.Manifest{
		Sequences: []dataset.Sequence{{Name: "text", MaxLength: 12, Lengths: []int{4, 8, 12}, VocabSize: vocabulary, MaskID: &mask, Special: []int{1, 2, 3}}},
		Inputs: []dataset.Input{{Name: "ids", Shape: []int{12}, DType: "I32", Sequence: "text", Part: dataset.PartIDs},
			{Name: "mask", Shape: []int{12}, DType: "I32", Sequence: "text", Part: dataset.PartMask}},
		Splits: []dataset.Split{{Name: "train", Rows: rows}},
	}
	t := &dataset.Tokens{}
	d := &dataset.Data{Of: m, Rows: rows, Tokens: map[string]*dataset.Tokens{"text": t}}
	for row := range rows {
		t.IDs = append(t.IDs, 1)
		if row%10 != 0 { // each tenth row is special tokens alone
			id := int32(4 + r.Below(16))
			for range 1 + r.Below(10) {
				t.IDs = append(t.IDs, id)
				if id = 4 + (id-4+1)%16; r.Below(4) == 0 {
					id = int32(4 + r.Below(16))
				}
			}
		}
		t.IDs = append(t.IDs, 2)
		t.Ends, d.Source = append(t.Ends, int64(len(t.IDs))), append(d.Source, int64(row))
	}
	return d
}

func speaking(objective string) Config {
	c := plain
	c.Objective = objective
	if objective == MaskedLM {
		c.MaskProbability = 0.15
	}
	return c
}

// head is some rows of data, from the first.
func head(d *dataset.Data, rows int) *dataset.Data {
	out, t := *d, *d.Tokens["text"]
	_, to := t.Span(rows - 1)
	t.IDs, t.Ends = slices.Clone(t.IDs[:to]), t.Ends[:rows]
	out.Rows, out.Source, out.Tokens = rows, d.Source[:rows], map[string]*dataset.Tokens{"text": &t}
	return &out
}

// TestMasks: shares, what is left alone, and that a mask depends on seed, epoch, row and position alone.
func TestMasks(t *testing.T) {
	d := sentences(6000)
	given := slices.Clone(d.Tokens["text"].IDs)
	v := masked(d, 5, "0", 0.15)
	ids := v.Tokens["text"].IDs
	words, asked, replaced, other, same := 0.0, 0.0, 0.0, 0.0, 0.0
	for i, id := range given {
		if id < 4 {
			if ids[i] != id || v.Classes[i] != dataset.NoLabel {
				t.Fatalf("special token %d became %d, label %d", id, ids[i], v.Classes[i])
			}
			continue
		}
		words++
		if v.Classes[i] == dataset.NoLabel {
			if ids[i] != id {
				t.Fatalf("token %d is not asked for and became %d", id, ids[i])
			}
			continue
		}
		if asked++; v.Classes[i] != id {
			t.Fatalf("label %d of token %d", v.Classes[i], id)
		}
		switch {
		case ids[i] == maskID:
			replaced++
		case ids[i] < 4:
			t.Fatalf("a random token is the special one %d", ids[i])
		case ids[i] == id:
			same++ // kept, or the random token is itself, 1 in 16
		default:
			other++
		}
	}
	near := func(what string, got, n, p float64) {
		if dev := math.Sqrt(n * p * (1 - p)); math.Abs(got-n*p) > 5*dev {
			t.Errorf("%s: %g of %g, want about %g", what, got, n, n*p)
		}
	}
	near("asked for", asked, words, 0.15)
	near("masked", replaced, asked, 0.8)
	near("replaced by another", other, asked, 0.1*15/16)
	near("kept", same, asked, 0.1+0.1/16)
	if !slices.Equal(d.Tokens["text"].IDs, given) || d.Of.Label != nil || d.Classes != nil {
		t.Error("the data was changed")
	}

	if w := masked(d, 5, "0", 0.15); !slices.Equal(w.Tokens["text"].IDs, ids) || !slices.Equal(w.Classes, v.Classes) {
		t.Error("the same again is another")
	}
	for what, w := range map[string]*dataset.Data{"epoch": masked(d, 5, "1", 0.15), "seed": masked(d, 6, "0", 0.15)} {
		both := 0.0
		for i, c := range w.Classes {
			if c >= 0 && v.Classes[i] >= 0 {
				both++
			}
		}
		near("asked for in either "+what, both, words, 0.15*0.15)
	}
	few := masked(head(d, 40), 5, "0", 0.15)
	if n := len(few.Classes); !slices.Equal(few.Classes, v.Classes[:n]) || !slices.Equal(few.Tokens["text"].IDs, ids[:n]) {
		t.Error("masks depend on the rows after them")
	}
	_, to := d.Tokens["text"].Span(3) // another token in front changes no mask behind it
	from, _ := d.Tokens["text"].Span(3)
	changed := head(d, 40)
	changed.Tokens["text"].IDs[from+1] = 2
	w := masked(changed, 5, "0", 0.15)
	if !slices.Equal(w.Classes[from+2:to], v.Classes[from+2:to]) {
		t.Error("masks depend on the tokens before them")
	}
	more := masked(d, 5, "0", 0.5)
	for i, c := range v.Classes {
		if c >= 0 && more.Classes[i] < 0 {
			t.Fatal("a larger share does not hold the smaller one")
		}
	}
}

// TestMaskedRounds: the rounds ask for each word once, and hide about the share of each.
func TestMaskedRounds(t *testing.T) {
	d := sentences(2000)
	ids := d.Tokens["text"].IDs
	rounds := MaskedRounds(d, 1, 0.15)
	if len(rounds) != 7 {
		t.Fatalf("%d rounds", len(rounds))
	}
	asked := make([]int, len(ids))
	words := 0
	for _, id := range ids {
		if id >= 4 {
			words++
		}
	}
	for k, v := range rounds {
		n := 0
		for i, c := range v.Classes {
			switch got := v.Tokens["text"].IDs[i]; {
			case c >= 0:
				asked[i]++
				n++
				if c != ids[i] || got != maskID {
					t.Fatalf("token %d is asked for as %d behind %d", ids[i], c, got)
				}
			case got != ids[i]:
				t.Fatalf("token %d is not asked for and became %d", ids[i], got)
			}
		}
		if share := float64(n) / float64(words); share < 0.12 || share > 0.17 {
			t.Errorf("round %d asks for %g of the words", k, share)
		}
	}
	for i, n := range asked {
		if want := ids[i] >= 4; want != (n == 1) || n > 1 {
			t.Fatalf("token %d is asked for %d times", ids[i], n)
		}
	}
}

// TestLanguageByHand: loss, accuracy and one step of sgd against plain loops, for a model whose logits are the row of a table that
// the token at hand picks.
func TestLanguageByHand(t *testing.T) {
	l := graphtest.Layer
	g, info := over(t, l("embedding", "logits", "vocabulary", vocabulary, "units", vocabulary, "init", "glorot_uniform", "inputs", "ids"))
	d := sentences(48)
	for _, objective := range []string{MaskedLM, CausalLM} {
		c := speaking(objective)
		c.Batch, c.Optimizer = 48, Optimizer{Type: "sgd", LR: 0.5}
		type pair struct{ sees, says int32 }
		var pairs []pair
		tokens := d.Tokens["text"]
		m := masked(d, c.Seed, "0", 0.15)
		for row := range d.Rows {
			from, to := tokens.Span(row)
			for i := from; i < to; i++ {
				switch {
				case objective == CausalLM && i+1 < to:
					pairs = append(pairs, pair{tokens.IDs[i], tokens.IDs[i+1]})
				case objective == MaskedLM && m.Classes[i] >= 0:
					pairs = append(pairs, pair{m.Tokens["text"].IDs[i], tokens.IDs[i]})
				}
			}
		}
		params := Init(info, 2)
		w := params["logits"]["weight"].Float32s()
		grad := make([]float64, len(w))
		loss, right := 0.0, 0.0
		for _, p := range pairs {
			z := w[int(p.sees)*vocabulary:][:vocabulary]
			sum, best := 0.0, 0
			for j, v := range z {
				sum += math.Exp(float64(v))
				if v > z[best] {
					best = j
				}
			}
			loss += math.Log(sum) - float64(z[p.says])
			if best == int(p.says) {
				right++
			}
			for j, v := range z {
				grad[int(p.sees)*vocabulary+j] += math.Exp(float64(v)) / sum / float64(len(pairs))
			}
			grad[int(p.sees)*vocabulary+int(p.says)] -= 1 / float64(len(pairs))
		}
		n := float64(len(pairs))
		for _, parts := range []int{0, 4} {
			c.Accumulate = parts
			state, r := train(t, g, info, c, d, &State{Params: Init(info, 2)}, 1)
			if math.Abs(r.Loss-loss/n) > 1e-5 || math.Abs(r.Accuracy-right/n) > 1e-9 {
				t.Errorf("%s, %d parts: loss %g, accuracy %g, want %g, %g", objective, parts, r.Loss, r.Accuracy, loss/n, right/n)
			}
			for i, v := range state.Params["logits"]["weight"].Float32s() {
				if want := float64(w[i]) - 0.5*grad[i]; math.Abs(float64(v)-want) > 1e-6 {
					t.Fatalf("%s, %d parts: weight %d is %g, want %g", objective, parts, i, v, want)
				}
			}
		}
	}
}

// TestLanguageLearns: both objectives learn what follows what, to about what the sentences hold.
func TestLanguageLearns(t *testing.T) {
	l := graphtest.Layer
	for objective, epochs := range map[string]int{MaskedLM: 40, CausalLM: 12} {
		layers := attentive(l("tied_dense", "tokens", "embedding", "e"))
		layers[0].Attrs["vocabulary"] = int64(vocabulary)
		g, info := over(t, layers...)
		if objective == CausalLM {
			g.Layer("a").Attrs["causal"] = true
		}
		d, c := sentences(400), speaking(objective)
		c.Batch = 16
		state, r := train(t, g, info, c, d, &State{Params: Init(info, 1)}, epochs)
		if r.Accuracy < 0.4 { // 1/16 is what chance has
			t.Errorf("%s: accuracy %g after training", objective, r.Accuracy)
		}
		tr, err := NewTrainer(session(t), g, info, c, d, state, nil)
		if err != nil {
			t.Fatal(err)
		}
		var seen []Metrics
		for range 2 {
			m, err := tr.Evaluate(context.Background(), d, false)
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, m)
		}
		if seen[0] != seen[1] || seen[0].Loss > 2 {
			t.Errorf("%s: unseen data gives %+v", objective, seen)
		}
	}
}

// TestLanguageResume: epochs in one go and in pieces give the same bits; each epoch masks others.
func TestLanguageResume(t *testing.T) {
	l := graphtest.Layer
	layers := attentive(l("tied_dense", "tokens", "embedding", "e"))
	layers[0].Attrs["vocabulary"] = int64(vocabulary)
	g, info := over(t, layers...)
	d, c := sentences(90), speaking(MaskedLM)
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

// TestNothingToSay: batches of rows without a word teach nothing, and harm nothing.
func TestNothingToSay(t *testing.T) {
	l := graphtest.Layer
	g, info := over(t, l("embedding", "logits", "vocabulary", vocabulary, "units", vocabulary, "init", "glorot_uniform", "inputs", "ids"))
	d, c := sentences(20), speaking(MaskedLM)
	c.Batch, c.Shuffle, c.Optimizer = 1, false, Optimizer{Type: "sgd", LR: 0.5}
	state, r := train(t, g, info, c, d, &State{Params: Init(info, 2)}, 3)
	if math.IsNaN(r.Loss) || slices.ContainsFunc(state.Params["logits"]["weight"].Float32s(), func(v float32) bool { return v != v }) {
		t.Errorf("%+v", r)
	}
}

func TestLanguageErrors(t *testing.T) {
	l := graphtest.Layer
	table := func(units int) []graph.Layer {
		return []graph.Layer{l("embedding", "logits", "vocabulary", vocabulary, "units", units, "inputs", "ids")}
	}
	for want, f := range map[string]func() (layers []graph.Layer, d *dataset.Data, c Config){
		`the model gives 19 logits at each position, and the tokenizer of the dataset has 20 tokens. Set the vocabulary of the graph to 20`: func() ([]graph.Layer, *dataset.Data, Config) {
			return table(19), sentences(40), speaking(MaskedLM)
		},
		`the tokenizer of the dataset's sequence "text" has 20 tokens, and the model's input "ids" goes to an embedding of 15 rows`: func() ([]graph.Layer, *dataset.Data, Config) {
			return []graph.Layer{l("embedding", "logits", "vocabulary", 15, "units", 20, "inputs", "ids")}, sentences(40), speaking(CausalLM)
		},
		`masked_lm needs a mask token, and the tokenizer of the dataset has none`: func() ([]graph.Layer, *dataset.Data, Config) {
			d := sentences(40)
			d.Of.Sequences[0].MaskID = nil
			return table(20), d, speaking(MaskedLM)
		},
		`all 4 tokens of the split are special ones`: func() ([]graph.Layer, *dataset.Data, Config) {
			d := head(sentences(40), 2)
			d.Tokens["text"].IDs, d.Tokens["text"].Ends = []int32{1, 2, 1, 2}, []int64{2, 4}
			return table(20), d, speaking(MaskedLM)
		},
		`each row of the dataset has one token, and causal_lm asks for those that follow another`: func() ([]graph.Layer, *dataset.Data, Config) {
			d := head(sentences(40), 2)
			d.Tokens["text"].IDs, d.Tokens["text"].Ends = []int32{5, 6}, []int64{1, 2}
			return table(20), d, speaking(CausalLM)
		},
		`the train split has one row, of 2 tokens, and a language model learns from many`: func() ([]graph.Layer, *dataset.Data, Config) {
			d := head(sentences(40), 1)
			d.Tokens["text"].IDs[1] = 7
			return table(20), d, speaking(MaskedLM)
		},
		`masked_lm is about one sequence of tokens, and the dataset has 0`: func() ([]graph.Layer, *dataset.Data, Config) {
			return table(20), &dataset.Data{Rows: 2, Width: 12, Features: make([]float32, 24)}, speaking(MaskedLM)
		},
		`masked_lm asks for tokens at each position, and "pool" gives [batch, 20]`: func() ([]graph.Layer, *dataset.Data, Config) {
			return append(table(20), l("sequence_pool", "pool", "mode", "mean")), sentences(40), speaking(MaskedLM)
		},
		`causal_lm asks for the next token, and attention "a" sees it: set causal = true`: func() ([]graph.Layer, *dataset.Data, Config) {
			return attentive(l("dense", "logits", "units", 20)), sentences(40), speaking(CausalLM)
		},
		`causal_lm asks for the next token, and gru "r" goes through the sequence backwards`: func() ([]graph.Layer, *dataset.Data, Config) {
			return append(table(8), l("gru", "r", "units", 10, "bidirectional", true)), sentences(40), speaking(CausalLM)
		},
		`causal_lm asks for the next token, and conv1d "c" may see it`: func() ([]graph.Layer, *dataset.Data, Config) {
			return append(table(8), l("conv1d", "c", "filters", 20, "kernel", 3, "padding", "same")), sentences(40), speaking(CausalLM)
		},
		`there is no objective "prefix"`: func() ([]graph.Layer, *dataset.Data, Config) {
			return table(20), sentences(40), speaking("prefix")
		},
		`mask_probability is 1; it is above 0 and below 1`: func() ([]graph.Layer, *dataset.Data, Config) {
			c := speaking(MaskedLM)
			c.MaskProbability = 1
			return table(20), sentences(40), c
		},
		`the objective causal_lm is about tokens, and needs cross_entropy`: func() ([]graph.Layer, *dataset.Data, Config) {
			c := speaking(CausalLM)
			c.Loss = "focal"
			return table(20), sentences(40), c
		},
	} {
		layers, d, c := f()
		g, info := over(t, layers...)
		c.Batch = 1
		_, err := NewTrainer(session(t), g, info, c, d, &State{Params: Init(info, 1)}, nil)
		var m *Misfit
		if !errors.As(err, &m) || !strings.Contains(err.Error(), want) || m.Attr == "" {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// a model of another vocabulary at evaluation
	g, info := over(t, table(20)...)
	d := sentences(10)
	d.Of.Sequences[0].VocabSize = 30
	if _, err := NewPredictor(session(t), &bundle.Model{Graph: g, Info: info, Params: Init(info, 1)}, d); err == nil || !strings.Contains(err.Error(), "embedding of 20 rows") {
		t.Error(err)
	}
}
