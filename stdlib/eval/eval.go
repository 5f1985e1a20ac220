// Package eval is what the kinds of the family eval share: an action that measures a model on data, and an action for each
// bound of each gate that judges a report.
package eval

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/learn"
)

// Kind makes a kind of the family from its schema, the metrics it reports, and what measures.
func Kind(typ string, table *schema.Kind, metrics []string, measure Measure) *executor.Kind {
	return KindWith(typ, table, func(*planner.Lowering) []string { return metrics }, func(_ *executor.Job, r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error) {
		return measure(r, out, d, label)
	})
}

// KindWith makes a kind of the family whose metrics, and how it measures, depend on attributes of the block.
func KindWith(typ string, table *schema.Kind, metrics func(*planner.Lowering) []string, measure MeasureJob) *executor.Kind {
	return kind(typ, table, metrics, predict, measure, false)
}

// KindOf makes a kind of the family that has its own way to bring model and data together.
func KindOf(typ string, table *schema.Kind, metrics func(*planner.Lowering) []string, predict Predict, measure MeasureJob) *executor.Kind {
	return kind(typ, table, metrics, predict, measure, false)
}

// KindUnlabelled makes a kind of the family that measures classes: gates may be on the metrics of each (report.Report.Of), and measure
// is also given data without a label, which is nil then.
func KindUnlabelled(typ string, table *schema.Kind, metrics []string, measure MeasureJob) *executor.Kind {
	return kind(typ, table, func(*planner.Lowering) []string { return metrics }, predictAny, measure, true)
}

func kind(typ string, table *schema.Kind, metrics func(*planner.Lowering) []string, predict Predict, measure MeasureJob, classes bool) *executor.Kind {
	return &executor.Kind{
		Kind: planner.Kind{
			Family: "eval", Type: typ, Version: table.Version, Schema: table, Determinism: planner.Bitwise,
			Outputs: []planner.Output{
				{Name: "report", Type: "report", MediaType: report.MediaType},
				{Name: "predictions", Type: "predictions", MediaType: report.PredictionsMediaType},
			},
			Lower: func(l *planner.Lowering) hcl.Diagnostics { return lowerBlock(l, sliced(l, metrics(l)), classes) },
		},
		Runs: map[string]executor.Run{
			"evaluate": {Func: func(ctx context.Context, job *executor.Job) error { return evaluate(ctx, job, predict, measure) }},
			"gate":     {Func: gate, InProcess: true},
		},
	}
}

// Predict brings a model and a split together: numbers of each row ([rows, width]), or of each token where the labels tag tokens
// ([tokens, width]), and the data with the labels to hold them against. What does not fit is a *learn.Misfit.
type Predict func(ctx context.Context, job *executor.Job, s *mlx.Session, m *bundle.Model, d *dataset.Data) ([]float32, *dataset.Data, error)

// predict gives what the model gives, and the data as it is.
func predict(ctx context.Context, job *executor.Job, s *mlx.Session, m *bundle.Model, d *dataset.Data) ([]float32, *dataset.Data, error) {
	if d.Of.Label == nil {
		return nil, nil, errors.New("the dataset has no label: set label in its block")
	}
	return predictAny(ctx, job, s, m, d)
}

// predictAny also takes data without a label.
func predictAny(ctx context.Context, _ *executor.Job, s *mlx.Session, m *bundle.Model, d *dataset.Data) ([]float32, *dataset.Data, error) {
	out, err := learn.Predict(ctx, s, m, d)
	return out, d, err
}

// Measure fills in a report, which says what was asked for, from the model's outputs ([rows, width]) and returns the tensors to
// keep for each row. A *learn.Misfit is blamed on its attribute, any other error on the data.
type Measure func(r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error)

// MeasureJob is a Measure that sees the parameters of its job.
type MeasureJob func(job *executor.Job, r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error)

func lowerBlock(l *planner.Lowering, metrics []string, classes bool) hcl.Diagnostics {
	gates, _ := l.Attr("gate").([]any)
	for i, g := range gates {
		checkGate(l, i, g.(map[string]any), metrics, classes)
	}
	model, ok1 := l.Input("model", "from")
	data, ok2 := l.Input("data", "data")
	if !ok1 || !ok2 || l.Diagnostics().HasErrors() {
		return l.Diagnostics()
	}
	suffix := ""
	if len(gates) > 0 {
		suffix = "evaluate"
	}
	a := l.Emit(suffix, planner.Action{Verb: "evaluate", Params: l.Params("from", "data", "gate"), Inputs: []planner.Input{model, data}, Compute: true,
		Outputs: []planner.OutputDecl{{Name: "report", MediaType: report.MediaType}, {Name: "predictions", MediaType: report.PredictionsMediaType}}})
	l.Bind("report", a, "report")
	l.Bind("predictions", a, "predictions")
	for i, g := range gates {
		emitGates(l, i, g.(map[string]any), a)
	}
	return l.Diagnostics()
}

// split takes a gate's name apart: "accuracy_drop" bounds accuracy against a baseline.
func split(name string) (metric, change string) {
	for _, c := range []string{"drop", "rise"} {
		if m, ok := strings.CutSuffix(name, "_"+c); ok {
			return m, c
		}
	}
	return name, ""
}

func checkGate(l *planner.Lowering, i int, g map[string]any, metrics []string, classes bool) {
	at := fmt.Sprintf("gate.%d", i)
	name, _ := g["metric"].(string)
	m, change := split(name)
	if _, class := report.OfClass(m); !slices.Contains(metrics, m) && !(classes && class != "") {
		s := schema.Nearest(name, metrics)
		if s != "" {
			s = fmt.Sprintf("Did you mean %q? ", s)
		}
		l.Errorf(at+".metric", "unknown-metric", "Unknown metric", "There is no metric %q here. %sAllowed are %s, and each with _drop or _rise after it.", name, s, schema.Words(metrics))
	}
	if change != "" && g["baseline"] == nil {
		l.Errorf(at, "missing-attribute", "Missing attribute", "Gate %q compares with another report: baseline is required.", name)
	}
	if change == "" && g["baseline"] != nil {
		l.Errorf(at+".baseline", "conflict", "Baseline without comparison", "Gate %q looks at this report only. Name it %q or %q to compare with a baseline.", name, name+"_drop", name+"_rise")
	}
	if g["min"] == nil && g["max"] == nil {
		l.Errorf(at, "missing-attribute", "Missing attribute", "Gate %q needs min, or max, or both.", name)
	}
}

func emitGates(l *planner.Lowering, i int, g map[string]any, evaluated *planner.Action) {
	name, _ := g["metric"].(string)
	for _, bound := range []string{"min", "max"} {
		if g[bound] == nil {
			continue
		}
		suffix := fmt.Sprintf("gate[%s]", name)
		if g["min"] != nil && g["max"] != nil {
			suffix = fmt.Sprintf("gate[%s.%s]", name, bound)
		}
		a := planner.Action{Verb: "gate", Params: map[string]any{"metric": name, "bound": bound, "limit": g[bound]},
			Gate:    &planner.Gate{Metric: name, Bound: bound},
			Inputs:  []planner.Input{{Name: "report", Source: planner.Source{Action: evaluated, Output: "report"}}},
			Outputs: []planner.OutputDecl{{Name: "verdict", MediaType: report.VerdictMediaType}}}
		if g["baseline"] != nil {
			base, ok := l.Input("baseline", fmt.Sprintf("gate.%d.baseline", i))
			if !ok {
				return
			}
			a.Inputs = append(a.Inputs, base)
		}
		l.Emit(suffix, a)
	}
}

func evaluate(ctx context.Context, job *executor.Job, predict Predict, measure MeasureJob) error {
	m, err := bundle.Map(job.In("model"))
	if err != nil {
		return err
	}
	defer m.Close()
	manifest, err := dataset.ReadManifest(job.In("data"))
	if err != nil {
		return err
	}
	r := &report.Report{Metrics: map[string]float64{}}
	if err := job.Bind(r); err != nil { // what was asked for: split, positive, threshold
		return err
	}
	d, err := dataset.Read(job.In("data"), manifest, r.Split)
	if err != nil {
		return misfit("split", err)
	}
	s, err := mlx.Open(job.Backend)
	if err != nil {
		return err
	}
	out, d, err := predict(ctx, job, s, m, d)
	if err != nil {
		return blamed(err)
	}
	label := d.Of.Label
	var p struct {
		Slice   *sliceParams `json:"slice"`
		Windows string       `json:"windows"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	rows := d.Rows
	out, d, windows := documents(p.Windows, out, d, label)
	if windows != nil {
		fmt.Fprintf(job.Log, "%d windows are of %d texts, which are measured (windows = %q)\n", rows, d.Rows, p.Windows)
	}
	r.Rows = d.Rows
	keep, err := measure(job, r, out, d, label)
	if err != nil {
		return blamed(err)
	}
	if p.Slice != nil {
		part := *job
		part.Metrics, part.Log = map[string]float64{}, io.Discard // those of the whole stand
		if err := p.Slice.slice(r, out, d, label, job.Log, func(r *report.Report, out []float32, d *dataset.Data) error {
			if err := job.Bind(r); err != nil {
				return err
			}
			_, err := measure(&part, r, out, d, label)
			return err
		}); err != nil {
			return misfit("slice", err)
		}
	}
	for k, v := range r.Metrics {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(r.Metrics, k) // not a number: gates on it are inconclusive
			continue
		}
		job.Metrics[k] = v
	}
	n := d.Rows
	if label != nil && label.Kind == "tags" { // one for each token
		n = len(d.Classes)
	}
	keep = append(keep, safetensors.Tensor{Name: "row", DType: "I64", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Source)},
		safetensors.Tensor{Name: "output", DType: "F32", Shape: []int{n, len(out) / n}, Data: safetensors.Bytes(out)})
	if windows != nil {
		keep = append(keep, safetensors.Tensor{Name: "windows", DType: "I32", Shape: []int{d.Rows}, Data: safetensors.Bytes(windows)})
	}
	if err := safetensors.WriteFile(job.Out("predictions"), keep, nil); err != nil {
		return err
	}
	return report.Write(job.Out("report"), r)
}

// blamed points at the attribute at fault.
func blamed(err error) error {
	var m *learn.Misfit
	if errors.As(err, &m) && m.Attr != "" {
		return misfit(m.Attr, err)
	}
	return misfit("data", err)
}

func misfit(attr string, err error) error {
	return &executor.Failure{Code: "misfit", Summary: "Model and data do not fit", Attr: attr, Detail: err.Error() + "."}
}

// gate judges a report. The metrics of its result are what the planner and the executor read.
func gate(_ context.Context, job *executor.Job) error {
	var p struct {
		Metric string  `json:"metric"`
		Bound  string  `json:"bound"`
		Limit  float64 `json:"limit"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	r, err := report.Read(job.In("report"))
	if err != nil {
		return err
	}
	name, change := split(p.Metric)
	if known := r.Classes(); known != nil {
		if _, class := report.OfClass(name); class != "" && !slices.Contains(known, class) {
			hint := ""
			if s := schema.Nearest(class, known); s != "" {
				hint = fmt.Sprintf("Did you mean %q? ", s)
			}
			return &executor.Failure{Code: "unknown-metric", Summary: "Unknown class", Attr: "gate", Detail: fmt.Sprintf("Gate %q is on a class %q. %sThere are %s.", p.Metric, class, hint, schema.Words(known))}
		}
	}
	v := valueOf(r, name)
	if change != "" {
		base, err := report.Read(job.In("baseline"))
		if err != nil {
			return err
		}
		v -= valueOf(base, name)
		if change == "drop" {
			v = -v
		}
		if v == 0 {
			v = 0 // not -0
		}
	}
	j := report.Judge(p.Metric, p.Bound, p.Limit, v)
	job.Metrics["value"], job.Metrics["bound"], job.Metrics["margin"] = j.Value, j.Limit, j.Margin
	job.Metrics["verdict"] = map[string]float64{"pass": 1, "fail": -1, "inconclusive": 0}[j.Verdict]
	return report.Write(job.Out("verdict"), j)
}

func valueOf(r *report.Report, name string) float64 {
	if v, ok := r.Metrics[name]; ok {
		return v
	}
	return r.Of(name)
}

// Base is the metric that the name of a gate speaks of, without _drop and _rise, lowest_ and highest_.
func Base(name string) string {
	m, _ := split(name)
	return withoutSlice(m)
}
