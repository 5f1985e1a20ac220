package layers

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Inputs that say normalize have an action of their own, data -> statistics, from which the graph takes means and deviations. Its
// key knows the data alone, so all models over one dataset share it.

// lowerStatistics emits the actions that measure datasets, and returns what the graph takes of them: nil without any, false when a
// dataset could not be lowered.
func lowerStatistics(l *planner.Lowering) ([]planner.Input, bool) {
	var out []planner.Input
	inputs, _ := l.Attr("input").([]any)
	for i, v := range inputs {
		in := v.(map[string]any)
		if in["normalize"] == nil {
			continue
		}
		at := "input." + strconv.Itoa(i) + ".normalize"
		if number(in["scale"]) != 1 || number(in["shift"]) != 0 {
			l.Errorf(at, "conflict", "Scaled twice", "The input %q has normalize and scale or shift. Remove one: normalize brings it to mean 0 and deviation 1.", in["name"])
			return nil, false
		}
		if d := text(in["dtype"]); dtypes[d] != graph.F32 {
			l.Errorf(at, "conflict", "Whole numbers are not normalised", "The input %q has dtype %q, and normalize makes fractions. Remove one.", in["name"], d)
			return nil, false
		}
		data, ok := l.Input("data", at)
		if !ok {
			return nil, false
		}
		name := text(in["name"])
		a := l.Emit("statistics["+name+"]", planner.Action{Verb: "statistics", Inputs: []planner.Input{data},
			Outputs: []planner.OutputDecl{{Name: "statistics", MediaType: dataset.StatisticsMediaType}}})
		out = append(out, planner.Input{Name: name, Source: planner.Source{Action: a, Output: "statistics"}})
	}
	return out, true
}

// plainInputs are the inputs without references, which are no parameters.
func plainInputs(l *planner.Lowering) []any {
	inputs, _ := l.Attr("input").([]any)
	out := make([]any, len(inputs))
	for i, v := range inputs {
		in := map[string]any{}
		for k, a := range v.(map[string]any) {
			if k != "normalize" {
				in[k] = a
			}
		}
		out[i] = in
	}
	return out
}

// statistics measures the train split of a dataset.
func statistics(ctx context.Context, job *executor.Job) error {
	s, err := dataset.Measure(ctx, job.In("data"), "train")
	var none *dataset.ErrNoSplit
	if errors.As(err, &none) || errors.Is(err, dataset.ErrNoInput) {
		return &executor.Failure{Code: "misfit", Summary: "Model and data do not fit", Attr: "input", Detail: fmt.Sprintf("normalize: %v.", err)}
	}
	if err != nil {
		return err
	}
	job.Metrics["rows"] = float64(s.Rows)
	enc, err := s.Encode()
	if err != nil {
		return err
	}
	return job.WriteOutput("statistics", enc)
}

// normalize gives the inputs of a graph the means and deviations that were measured for them.
func normalize(job *executor.Job, g *graph.Graph) error {
	for i := range g.Inputs {
		in := &g.Inputs[i]
		if !job.Has(in.Name) {
			continue
		}
		b, err := job.ReadInput(in.Name)
		if err != nil {
			return err
		}
		s, err := dataset.DecodeStatistics(b)
		if err != nil {
			return err
		}
		if n := in.Shape[len(in.Shape)-1]; n != len(s.Mean) {
			return &executor.Failure{Code: "misfit", Summary: "Model and data do not fit", Attr: "input." + strconv.Itoa(i) + ".normalize",
				Detail: fmt.Sprintf("The last axis of input %q has %d elements (shape %s), and that of the dataset's input %d.", in.Name, n, graph.ShapeText(in.Shape), len(s.Mean))}
		}
		in.Mean, in.Deviation = s.Mean, s.Deviation
	}
	return nil
}
