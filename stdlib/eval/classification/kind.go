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
		return nil, fmt.Errorf("the label %q is one for each token; classification needs one for each row (use eval tagging)", label.Name)
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
