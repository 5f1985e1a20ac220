// Package classification is the kind `eval classification`.
package classification

import (
	"fmt"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/eval"
	"mbuild.dev/mbuild/stdlib/metric"
)

// Kind is eval.classification.
var Kind = eval.Kind("classification", Schema, []string{"accuracy", "macro_f1", "log_loss", "ece"}, measure)

func measure(r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error) {
	if label.Kind == "tags" {
		return tags(r, out, d, label)
	}
	if label.Kind != "class" {
		return nil, fmt.Errorf("the label %q is a number; classification needs classes (use eval regression)", label.Name)
	}
	if len(out) != d.Rows*len(label.Classes) {
		return nil, fmt.Errorf("the model gives %d outputs a row, and the label %q has %d classes", len(out)/d.Rows, label.Name, len(label.Classes))
	}
	c, predicted := metric.Classify(out, d.Classes, label.Classes)
	r.Task, r.PerClass, r.Confusion = "classification", c.PerClass, c.Confusion
	r.Metrics = map[string]float64{"accuracy": c.Accuracy, "macro_f1": c.MacroF1, "log_loss": c.LogLoss, "ece": c.ECE}
	return []safetensors.Tensor{
		{Name: "label", DType: "I32", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Classes)},
		{Name: "prediction", DType: "I32", Shape: []int{d.Rows}, Data: safetensors.Bytes(predicted)},
	}, nil
}

// tags measures a tagger token by token: those that have a label. What it keeps has all tokens, with dataset.NoLabel where there is
// none.
func tags(r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error) {
	k := len(label.Classes)
	if len(out) != len(d.Classes)*k {
		return nil, fmt.Errorf("the model gives %d numbers for %d tokens, and the label %q has %d classes", len(out), len(d.Classes), label.Name, k)
	}
	var logits []float32
	var labels []int32
	for i, c := range d.Classes {
		if c >= 0 {
			logits, labels = append(logits, out[i*k:(i+1)*k]...), append(labels, c)
		}
	}
	if len(labels) == 0 {
		return nil, fmt.Errorf("no token of the label %q has a class", label.Name)
	}
	c, predicted := metric.Classify(logits, labels, label.Classes)
	r.Task, r.PerClass, r.Confusion = "classification", c.PerClass, c.Confusion
	r.Metrics = map[string]float64{"accuracy": c.Accuracy, "macro_f1": c.MacroF1, "log_loss": c.LogLoss, "ece": c.ECE}
	all := make([]int32, len(d.Classes))
	for i, c := range d.Classes {
		if all[i] = dataset.NoLabel; c >= 0 {
			all[i], predicted = predicted[0], predicted[1:]
		}
	}
	return []safetensors.Tensor{
		{Name: "label", DType: "I32", Shape: []int{len(all)}, Data: safetensors.Bytes(d.Classes)},
		{Name: "prediction", DType: "I32", Shape: []int{len(all)}, Data: safetensors.Bytes(all)},
	}, nil
}
