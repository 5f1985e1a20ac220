// Package similarity is the kind `eval similarity`: how well a model's number orders rows.
package similarity

import (
	"fmt"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/eval"
	"mbuild.dev/mbuild/stdlib/metric"
)

// Kind is eval.similarity.
var Kind = eval.Kind("similarity", Schema, []string{"spearman", "pearson"}, measure)

func measure(r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error) {
	if label.Kind != "number" {
		return nil, fmt.Errorf("the label %q is no number; similarity needs one (use eval classification, or label_kind = \"number\")", label.Name)
	}
	if len(out) != d.Rows {
		return nil, fmt.Errorf("the model gives %d outputs a row; similarity needs 1", len(out)/d.Rows)
	}
	x, y := make([]float64, d.Rows), make([]float64, d.Rows)
	for i := range x {
		x[i], y[i] = float64(out[i]), float64(d.Numbers[i])
	}
	r.Task = "similarity"
	r.Metrics = map[string]float64{"spearman": metric.Spearman(x, y), "pearson": metric.Pearson(x, y)}
	return []safetensors.Tensor{{Name: "label", DType: "F32", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Numbers)}}, nil
}
