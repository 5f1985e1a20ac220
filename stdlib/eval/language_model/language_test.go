package languagemodel

import (
	"context"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// The tokens: 0 pads, 1 and 2 stand around a row, 3 is the mask, others are words.
const vocabulary, maskID = 9, 3

// bigrams is a model whose logits are a row of a table, that of the token at hand.
func bigrams(t *testing.T) *bundle.Model {
	g := &graph.Graph{Inputs: []graph.Input{{Name: "input_ids", Shape: []int{8}, DType: graph.I32, Scale: 1}}, Outputs: []string{"logits"},
		Layers: []graph.Layer{{Name: "logits", Op: "embedding", Inputs: []string{"input_ids"}, Attrs: map[string]any{"vocabulary": int64(vocabulary), "units": int64(vocabulary), "init": "glorot_uniform"}}}}
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	return &bundle.Model{Graph: g, Info: info, Params: learn.Init(info, 1)}
}

func text() *dataset.Data {
	mask := maskID
	rows := [][]int32{{1, 4, 5, 6, 2}, {1, 7, 2}, {1, 2}, {1, 8, 8, 4, 5, 6, 7, 2}, {5}}
	m := &dataset.Manifest{Splits: []dataset.Split{{Name: "test", Rows: len(rows)}},
		Sequences: []dataset.Sequence{{Name: "text", MaxLength: 8, Lengths: []int{4, 8}, VocabSize: vocabulary, MaskID: &mask, Special: []int{1, 2, 3}, Bytes: map[string]int64{"test": 40}}},
		Inputs:    []dataset.Input{{Name: "input_ids", Shape: []int{8}, DType: "I32", Sequence: "text", Part: dataset.PartIDs}}}
	tok := &dataset.Tokens{}
	d := &dataset.Data{Of: m, Rows: len(rows), Tokens: map[string]*dataset.Tokens{"text": tok}}
	for i, r := range rows {
		tok.IDs = append(tok.IDs, r...)
		tok.Ends, d.Source = append(tok.Ends, int64(len(tok.IDs))), append(d.Source, int64(i))
	}
	return d
}

func run(t *testing.T, objective string, d *dataset.Data) (*report.Report, []float32, *dataset.Data, error) {
	t.Helper()
	job := &executor.Job{Params: map[string]any{"objective": objective, "mask_probability": 0.25, "seed": int64(3)}, Log: io.Discard, Metrics: map[string]float64{}, Progress: func(int64, int64, map[string]float64) {}}
	out, v, err := predict(context.Background(), job, mlxtest.Open(t), bigrams(t), d)
	if err != nil {
		return nil, nil, nil, err
	}
	r := &report.Report{Split: "test"}
	_, err = measure(job, r, out, v, v.Of.Label)
	return r, out, v, err
}

// TestByHand: every token that is asked for, against plain loops over the table. What a masked model sees in the place of each word
// is the mask, whatever is hidden beside it.
func TestByHand(t *testing.T) {
	d := text()
	w := bigrams(t).Params["logits"]["weight"].Float32s()
	tok := d.Tokens["text"]
	for _, objective := range []string{learn.CausalLM, learn.MaskedLM} {
		sum, n, hits := 0.0, 0.0, 0.0
		for row := range d.Rows {
			from, to := tok.Span(row)
			for i := from; i < to; i++ {
				sees, says := int32(maskID), tok.IDs[i]
				if objective == learn.CausalLM {
					if i+1 == to {
						continue
					}
					sees, says = says, tok.IDs[i+1]
				} else if says < 4 {
					continue
				}
				z := w[int(sees)*vocabulary:][:vocabulary]
				e := 0.0
				for _, v := range z {
					e += math.Exp(float64(v))
				}
				sum += math.Log(e) - float64(z[says])
				if slices.Index(z, slices.Max(z)) == int(says) {
					hits++
				}
				n++
			}
		}
		r, out, v, err := run(t, objective, d)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]float64{"loss": sum / n, "perplexity": math.Exp(sum / n), "accuracy": hits / n, "bits_per_byte": sum / math.Ln2 / 40} {
			if got := r.Metrics[name]; math.Abs(got-want) > 1e-5*want {
				t.Errorf("%s: %s is %g, want %g", objective, name, got, want)
			}
		}
		if len(out) != width*len(tok.IDs) || v.Of.Label.Kind != "tags" || r.Task != "language_model" {
			t.Errorf("%s: %d numbers, %+v", objective, len(out), v.Of.Label)
		}
		part := *v // a slice has no bytes
		part.Rows = 2
		short := *tok
		short.IDs, short.Ends = tok.IDs[:8], tok.Ends[:2]
		part.Tokens, part.Classes, part.Source = map[string]*dataset.Tokens{"text": &short}, v.Classes[:8], v.Source[:2]
		of := report.Report{Split: "test"}
		if _, err := measure(&executor.Job{Metrics: map[string]float64{}}, &of, out[:16], &part, v.Of.Label); err != nil || len(of.Metrics) != 3 {
			t.Errorf("%+v, %v", of, err)
		}
	}
}

func TestErrors(t *testing.T) {
	d := text()
	d.Of.Sequences[0].MaskID = nil
	if _, _, _, err := run(t, learn.MaskedLM, d); err == nil || !strings.Contains(err.Error(), "needs a mask token") {
		t.Error(err)
	}
	d = text()
	d.Of.Sequences[0].VocabSize = 12
	if _, _, _, err := run(t, learn.CausalLM, d); err == nil || !strings.Contains(err.Error(), "the model gives 9 logits at each position, and the tokenizer of the dataset has 12 tokens") {
		t.Error(err)
	}
}

// TestBytesOfRows: of data that keeps the bytes of each row, bits per byte are per those of the rows that are measured; the parts of a
// split weigh with theirs to the whole.
func TestBytesOfRows(t *testing.T) {
	d := text()
	whole, out, v, err := run(t, learn.CausalLM, d)
	if err != nil {
		t.Fatal(err)
	}
	d.Of.Sequences[0].RowBytes, d.Tokens["text"].Bytes = true, []int32{17, 3, 2, 13, 5}
	kept, _, _, err := run(t, learn.CausalLM, d)
	if err != nil || kept.Metrics["bits_per_byte"] != whole.Metrics["bits_per_byte"] {
		t.Errorf("%v and %v, %v", kept.Metrics, whole.Metrics, err)
	}
	// the first two rows alone: the sum of their losses, by hand, over 20 bytes
	end := int(d.Tokens["text"].Ends[1])
	nll := 0.0
	for i, c := range v.Classes[:end] {
		if c >= 0 {
			nll += float64(out[width*i])
		}
	}
	part := *v
	part.Rows, part.Classes = 2, v.Classes[:end]
	tok := *v.Tokens["text"]
	tok.IDs, tok.Ends, tok.Bytes = tok.IDs[:end], tok.Ends[:2], []int32{17, 3}
	part.Tokens = map[string]*dataset.Tokens{"text": &tok}
	of := *v.Of
	of.Sequences = slices.Clone(of.Sequences)
	of.Sequences[0].RowBytes = true
	part.Of = &of
	r := &report.Report{Split: "test"}
	if _, err := measure(&executor.Job{Metrics: map[string]float64{}}, r, out[:width*end], &part, v.Of.Label); err != nil {
		t.Fatal(err)
	}
	if want := nll / math.Ln2 / 20; math.Abs(r.Metrics["bits_per_byte"]-want) > 1e-12 || want == 0 {
		t.Errorf("%v, want %g", r.Metrics, want)
	}
}
