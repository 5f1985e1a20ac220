// Package regression is the kind `eval regression`.
package regression

import (
	"fmt"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/eval"
	"mbuild.dev/mbuild/stdlib/metric"
)

// Kind is eval.regression.
var Kind = eval.Kind("regression", Schema, []string{"r2", "mse", "rmse", "mae", "max_error"}, measure)

func measure(r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error) {
	if label.Kind != "number" {
		return nil, fmt.Errorf("the label %q is a class; regression needs a number (use eval classification, or label_kind = \"number\")", label.Name)
	}
	if len(out) != d.Rows {
		return nil, fmt.Errorf("the model gives %d outputs a row; regression needs 1", len(out)/d.Rows)
	}
	m := metric.Regress(out, d.Numbers)
	r.Task = "regression"
	r.Metrics = map[string]float64{"r2": m.R2, "mse": m.MSE, "rmse": m.RMSE, "mae": m.MAE, "max_error": m.MaxError}
	return []safetensors.Tensor{{Name: "label", DType: "F32", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Numbers)}}, nil
}
