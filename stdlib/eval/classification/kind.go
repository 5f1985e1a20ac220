// Package classification is the kind `eval classification`.
package classification

import (
	"fmt"
	"slices"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/eval"
	"mbuild.dev/mbuild/stdlib/learn"
	"mbuild.dev/mbuild/stdlib/metric"
)

// Kind is eval.classification.
var Kind = eval.Kind("classification", Schema, []string{"accuracy", "macro_f1", "log_loss", "ece", "precision", "recall", "f1", "auc"}, measure)

func measure(r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error) {
	if label.Kind == "tags" {
		return nil, fmt.Errorf("the label %q is one for each token; classification needs one for each row (use eval tagging)", label.Name)
	}
	if label.Kind != "class" {
		return nil, fmt.Errorf("the label %q is a number; classification needs classes (use eval regression)", label.Name)
	}
	logits, err := perClass(out, d.Rows, label)
	if err != nil {
		return nil, err
	}
	cut, err := cutOf(r, label)
	if err != nil {
		return nil, err
	}
	c, predicted := metric.Classify(logits, d.Classes, label.Classes, cut)
	r.Task, r.PerClass, r.Confusion = "classification", c.PerClass, c.Confusion
	r.Metrics = map[string]float64{"accuracy": c.Accuracy, "macro_f1": c.MacroF1, "log_loss": c.LogLoss, "ece": c.ECE}
	if len(label.Classes) == 2 {
		p := slices.Index(label.Classes, r.Positive)
		r.Metrics["precision"], r.Metrics["recall"], r.Metrics["f1"] = c.PerClass[p].Precision, c.PerClass[p].Recall, c.PerClass[p].F1
		r.Metrics["auc"] = metric.AUC(logits, d.Classes, p)
	}
	return []safetensors.Tensor{
		{Name: "label", DType: "I32", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Classes)},
		{Name: "prediction", DType: "I32", Shape: []int{d.Rows}, Data: safetensors.Bytes(predicted)},
	}, nil
}

// perClass gives a logit for each class: one logit z of two classes is 0 for the first and z for the second, for softmax(0, z) is
// (1 - sigmoid(z), sigmoid(z)).
func perClass(out []float32, rows int, label *dataset.Label) ([]float32, error) {
	switch width := len(out) / max(rows, 1); {
	case width == len(label.Classes):
		return out, nil
	case width == 1 && len(label.Classes) == 2:
		logits := make([]float32, 2*rows)
		for i, z := range out {
			logits[2*i+1] = z
		}
		return logits, nil
	case width == 1:
		return nil, fmt.Errorf("the model gives one output a row, which tells two classes apart, and the label %q has %d", label.Name, len(label.Classes))
	default:
		return nil, fmt.Errorf("the model gives %d outputs a row, and the label %q has %d classes", width, label.Name, len(label.Classes))
	}
}

// cutOf is how one of two classes is predicted, and completes what the report says of it.
func cutOf(r *report.Report, label *dataset.Label) (*metric.Cut, error) {
	if len(label.Classes) != 2 {
		for attr, set := range map[string]bool{"positive": r.Positive != "", "threshold": r.Threshold != 0} {
			if set {
				return nil, &learn.Misfit{Attr: attr, Text: fmt.Sprintf("%s is for labels of two classes, and the label %q has %d. Leave it out", attr, label.Name, len(label.Classes))}
			}
		}
		return nil, nil
	}
	if r.Positive == "" {
		r.Positive = label.Classes[1]
	}
	p := slices.Index(label.Classes, r.Positive)
	if p < 0 {
		hint := ""
		if s := schema.Nearest(r.Positive, label.Classes); s != "" {
			hint = fmt.Sprintf("; did you mean %q?", s)
		}
		return nil, &learn.Misfit{Attr: "positive", Text: fmt.Sprintf("positive is %q, which is no class: the label %q has %q and %q%s", r.Positive, label.Name, label.Classes[0], label.Classes[1], hint)}
	}
	if r.Threshold == 0 {
		r.Threshold = 0.5
		return nil, nil
	}
	return &metric.Cut{Positive: p, Threshold: r.Threshold}, nil
}
