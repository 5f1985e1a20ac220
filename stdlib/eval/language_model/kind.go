// Package languagemodel is the kind `eval language_model`: how well a model says what tokens a text has.
package languagemodel

import (
	"context"
	"fmt"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/eval"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
	"mbuild.dev/mbuild/stdlib/metric"
)

// Kind is eval.language_model.
var Kind = eval.KindOf("language_model", Schema, names, predict, measure)

func names(l *planner.Lowering) []string {
	objective, _ := l.Attr("objective").(string)
	if g, _ := l.Static("from").(*graph.Graph); g != nil {
		if info, err := graph.Infer(g); err == nil {
			if err := learn.FitsLanguage(objective, g, info); err != nil {
				l.Errorf("from", "misfit", "Objective does not fit the model", "%v.", err)
			}
		}
	}
	return []string{"loss", "perplexity", "bits_per_byte", "accuracy"}
}

// params say what is asked.
type params struct {
	Objective       string  `json:"objective"`
	MaskProbability float64 `json:"mask_probability"`
	Seed            int64   `json:"seed"`
}

// width is the numbers that are kept of a token: its loss, and the token that is the most likely.
const width = 2

// predict gives two numbers for each token, and data whose labels are the tokens that are asked for. The logits of a piece are
// let go of before the next is computed.
func predict(ctx context.Context, job *executor.Job, s *mlx.Session, m *bundle.Model, d *dataset.Data) ([]float32, *dataset.Data, error) {
	var p params
	if err := job.Bind(&p); err != nil {
		return nil, nil, err
	}
	if err := learn.FitsLanguage(p.Objective, m.Graph, m.Info); err != nil {
		return nil, nil, &learn.Misfit{Attr: "from", Text: err.Error()}
	}
	out := m.Info.Shapes[m.Graph.Outputs[0]]
	if err := learn.FitsTokens(p.Objective, d, out); err != nil {
		return nil, nil, err
	}
	views := []*dataset.Data{learn.NextTokens(d)}
	if p.Objective == learn.MaskedLM {
		views = learn.MaskedRounds(d, p.Seed, p.MaskProbability)
	}
	model, err := learn.NewPredictor(s, m, d)
	if err != nil {
		return nil, nil, err
	}
	defer model.Close()
	t := d.Tokens[d.Of.Sequences[0].Name]
	kept := make([]float32, width*len(t.IDs))
	labels := make([]int32, len(t.IDs))
	for i := range labels {
		labels[i] = dataset.NoLabel
	}
	for k, v := range views {
		done := 0
		err := model.Each(ctx, v, func(rows []int, y [][]float32) error {
			vocabulary := out[1]
			length := len(y[0]) / len(rows) / vocabulary
			for i, r := range rows {
				from, to := t.Span(r)
				for at := from; at < to; at++ {
					right := v.Classes[at]
					if right < 0 {
						continue
					}
					logits := y[0][(i*length+at-from)*vocabulary:][:vocabulary]
					loss, best := metric.Surprise(logits, int(right))
					labels[at], kept[width*at], kept[width*at+1] = right, float32(loss), float32(best)
				}
			}
			done += len(rows)
			job.Progress(int64(k*d.Rows+done), int64(len(views)*d.Rows), nil)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	views[0].Classes = labels
	return kept, views[0], nil
}

// measure sums up what predict has found.
func measure(job *executor.Job, r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error) {
	s := d.Of.Sequence(label.Of)
	t := d.Tokens[s.Name]
	var l metric.Language
	best := make([]int32, len(t.IDs))
	for i, c := range d.Classes {
		if best[i] = dataset.NoLabel; c < 0 {
			continue
		}
		best[i] = int32(out[width*i+1])
		l.Seen(float64(out[width*i]), best[i] == c)
	}
	if l.Tokens == 0 {
		return nil, fmt.Errorf("no token of the rows is asked for")
	}
	r.Task = "language_model"
	r.Metrics = map[string]float64{"loss": l.Loss(), "perplexity": l.Perplexity(), "accuracy": l.Accuracy()}
	if l.Bytes = bytesOf(d, s, r.Split); l.Bytes > 0 {
		r.Metrics["bits_per_byte"] = l.BitsPerByte()
	}
	job.Metrics["tokens"], job.Metrics["text_bytes"] = float64(l.Tokens), float64(l.Bytes)
	return []safetensors.Tensor{
		{Name: "label", DType: "I32", Shape: []int{len(best)}, Data: safetensors.Bytes(d.Classes)},
		{Name: "prediction", DType: "I32", Shape: []int{len(best)}, Data: safetensors.Bytes(best)},
		{Name: "ends", DType: "I64", Shape: []int{d.Rows}, Data: safetensors.Bytes(t.Ends)},
	}, nil
}

// bytesOf is the bytes of text of a split, or of a part of it; 0 where they are not known, as of a part of data that has them of whole
// splits alone.
func bytesOf(d *dataset.Data, s *dataset.Sequence, split string) (sum int64) {
	if s.RowBytes {
		for _, n := range d.Tokens[s.Name].Bytes {
			sum += int64(n)
		}
		return sum
	}
	for _, have := range d.Of.Splits {
		if (have.Name == split || have.Name == dataset.All) && have.Rows == d.Rows {
			return s.Bytes[have.Name]
		}
	}
	return 0
}
