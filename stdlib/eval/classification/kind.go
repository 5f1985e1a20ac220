// Package classification is the kind `eval classification`.
package classification

import (
	"fmt"
	"math"
	"slices"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/eval"
	"mbuild.dev/mbuild/stdlib/learn"
	"mbuild.dev/mbuild/stdlib/metric"
)

// Kind is eval.classification.
var Kind = eval.KindUnlabelled("classification", Schema, []string{"accuracy", "macro_f1", "log_loss", "ece", "precision", "recall", "f1", "auc"},
	func(job *executor.Job, r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error) {
		var p params
		if err := job.Bind(&p); err != nil {
			return nil, err
		}
		return measure(p, r, out, d, label)
	})

// params are what a block says of classes.
type params struct {
	Classes []string `json:"classes"`
	Reject  *struct {
		Class     string  `json:"class"`
		Threshold float64 `json:"threshold"`
	} `json:"reject"`
}

func measure(p params, r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error) {
	if label == nil {
		return monitor(p, r, out, d)
	}
	if p.Classes != nil {
		return nil, &learn.Misfit{Attr: "classes", Text: fmt.Sprintf("classes is for data without a label, and the label %q has %d classes. Leave it out", label.Name, len(label.Classes))}
	}
	if label.Kind == "tags" {
		return nil, fmt.Errorf("the label %q is one for each token; classification needs one for each row (use eval tagging)", label.Name)
	}
	if label.Kind != "class" {
		return nil, fmt.Errorf("the label %q is a number; classification needs classes (use eval regression)", label.Name)
	}
	out, label, reject := p.rejection(out, d.Rows, label)
	logits, err := perClass(out, d.Rows, label)
	if err != nil {
		return nil, err
	}
	cut, err := cutOf(r, label)
	if err != nil {
		return nil, err
	}
	c, predicted := metric.Classify(logits, d.Classes, label.Classes, cut, reject)
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

// monitor measures what is predicted of rows without a label: the share of each class.
func monitor(p params, r *report.Report, out []float32, d *dataset.Data) ([]safetensors.Tensor, error) {
	if len(p.Classes) == 0 {
		return nil, &learn.Misfit{Attr: "classes", Text: "the dataset has no label. Name the model's outputs in classes to have the share of each, or set label in the dataset's block"}
	}
	out, label, reject := p.rejection(out, d.Rows, &dataset.Label{Name: "classes", Kind: "class", Classes: p.Classes})
	logits, err := perClass(out, d.Rows, label)
	if err != nil {
		return nil, &learn.Misfit{Attr: "classes", Text: err.Error()}
	}
	cut, err := cutOf(r, label)
	if err != nil {
		return nil, err
	}
	predicted := metric.Predict(logits, len(label.Classes), cut, reject)
	r.Task, r.Metrics = "classification", map[string]float64{}
	counts := make([]int, len(label.Classes))
	for _, c := range predicted {
		counts[c]++
	}
	for i, name := range label.Classes {
		r.Metrics["share_"+name] = float64(counts[i]) / float64(d.Rows)
	}
	return []safetensors.Tensor{{Name: "prediction", DType: "I32", Shape: []int{d.Rows}, Data: safetensors.Bytes(predicted)}}, nil
}

// rejection is how rows are rejected, or nil; and outputs and label with the class that is predicted for them, to which a model that
// has no output for it gives the logit -Inf.
func (p params) rejection(out []float32, rows int, label *dataset.Label) ([]float32, *dataset.Label, *metric.Reject) {
	if p.Reject == nil {
		return out, label, nil
	}
	at := slices.Index(label.Classes, p.Reject.Class)
	if at < 0 {
		l := *label
		at, l.Classes = len(l.Classes), append(slices.Clone(l.Classes), p.Reject.Class)
		label = &l
	}
	if width := len(out) / max(rows, 1); width == len(label.Classes)-1 {
		wide := make([]float32, 0, rows*(width+1))
		for i := range rows {
			row := out[i*width : (i+1)*width]
			wide = append(append(append(wide, row[:at]...), float32(math.Inf(-1))), row[at:]...)
		}
		out = wide
	}
	return out, label, &metric.Reject{Class: at, Threshold: p.Reject.Threshold}
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
