// Package tagging is the kind `eval tagging`: entities that a tagger of words finds. Its models give logits for each token.
package tagging

import (
	"fmt"
	"slices"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/eval"
	"mbuild.dev/mbuild/stdlib/metric"
)

// Kind is eval.tagging.
var Kind = eval.KindWith("tagging", Schema, names, measure)

// names are the metrics of a block. Types are not known while planning, so a gate may name any f1_TYPE.
func names(l *planner.Lowering) []string {
	out := []string{"precision", "recall", "f1", "macro_f1", "accuracy"}
	gates, _ := l.Attr("gate").([]any)
	for _, g := range gates {
		m, _ := g.(map[string]any)
		name, _ := m["metric"].(string)
		name = eval.Base(name)
		if len(name) > len(typePrefix) && name[:len(typePrefix)] == typePrefix && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

const typePrefix = "f1_"

func measure(job *executor.Job, r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error) {
	t, k := d.Tokens[label.Of], len(label.Classes)
	switch {
	case label.Kind != "tags":
		return nil, fmt.Errorf("the label %q is one for each row; tagging needs one for each word (use eval classification)", label.Name)
	case t == nil:
		return nil, fmt.Errorf("the label %q tags words that are text: make tokens of them first, with dataset \"tokenized\"", label.Name)
	case len(out) != len(t.IDs)*k:
		return nil, fmt.Errorf("the model gives %d numbers for %d tokens, and the label %q has %d classes: it must give %d for each token", len(out), len(t.IDs), label.Name, k, k)
	}
	all := make([]int32, len(t.IDs))
	var right, predicted [][]string
	for row := range d.Rows {
		from, to := t.Span(row)
		var gold, guess []string
		for i := from; i < to; i++ {
			all[i] = largest(out[i*k : (i+1)*k])
			if c := d.Classes[i]; c >= 0 && (i == from || t.Words[i] != t.Words[i-1]) {
				gold, guess = append(gold, name(label, c)), append(guess, name(label, all[i]))
			}
		}
		right, predicted = append(right, gold), append(predicted, guess)
	}
	m := metric.Tag(predicted, right)
	if m.Words == 0 {
		return nil, fmt.Errorf("no word of the split has a label")
	}
	r.Task, r.PerClass = "tagging", m.PerType
	r.Metrics = map[string]float64{"precision": m.Precision, "recall": m.Recall, "f1": m.F1, "macro_f1": m.MacroF1, "accuracy": m.Accuracy}
	for _, c := range m.PerType {
		r.Metrics[typePrefix+c.Class] = c.F1
	}
	job.Metrics["words"], job.Metrics["entities"] = float64(m.Words), float64(m.Entities)
	return []safetensors.Tensor{
		{Name: "label", DType: "I32", Shape: []int{len(all)}, Data: safetensors.Bytes(d.Classes)},
		{Name: "prediction", DType: "I32", Shape: []int{len(all)}, Data: safetensors.Bytes(all)},
		{Name: "ends", DType: "I64", Shape: []int{d.Rows}, Data: safetensors.Bytes(t.Ends)},
	}, nil
}

// name is a class as a tag. Of a scheme none each class but O is a type of its own, of single words.
func name(l *dataset.Label, c int32) string {
	s := l.Classes[c]
	if l.Scheme == "none" && s != "O" {
		return "S-" + s
	}
	return s
}

// largest is the place of the largest number; of equals the first.
func largest(v []float32) int32 {
	best := 0
	for i, x := range v {
		if x > v[best] {
			best = i
		}
	}
	return int32(best)
}
