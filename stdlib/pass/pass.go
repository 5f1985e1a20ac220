// Package pass is what the kinds of the family pass share: a run from model to model that reports its effect.
package pass

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/compress"
	"mbuild.dev/mbuild/stdlib/graph"
)

// EffectMediaType is the media type of a pass's effect.
const EffectMediaType = "application/vnd.mbuild.effect.v1+json"

// Outputs are the outputs of every pass.
func Outputs() []planner.Output {
	return []planner.Output{
		{Name: "model", Type: "model", MediaType: bundle.MediaType, Directory: true},
		{Name: "effect", Type: "effect", MediaType: EffectMediaType},
	}
}

// Decls are the outputs of an action that does a pass.
func Decls() []planner.OutputDecl {
	return []planner.OutputDecl{{Name: "model", MediaType: bundle.MediaType, Directory: true}, {Name: "effect", MediaType: EffectMediaType}}
}

// Provide publishes the architecture that a pass makes, for the planning of what takes the model. What a pass cannot do to a model is
// reported.
func Provide(l *planner.Lowering, made func() (*graph.Graph, error)) {
	g, err := made()
	if err != nil {
		l.Errorf("from", "misfit", "Pass does not fit the model", "%s.", err)
		return
	}
	l.Provide("model", g)
}

// Run makes the run of a pass out of a function on models. note says in the effect what the pass does not do. An error is blamed on the
// model, unless it is a *executor.Failure.
func Run(f func(job *executor.Job, m *bundle.Model) (out *bundle.Model, note string, err error)) executor.Run {
	return executor.Run{InProcess: true, Func: func(_ context.Context, job *executor.Job) error {
		m, err := bundle.Read(job.In("model"))
		if err != nil {
			return err
		}
		out, note, err := f(job, m)
		var failure *executor.Failure
		if errors.As(err, &failure) {
			return failure
		} else if err != nil {
			return &executor.Failure{Code: "misfit", Summary: "Pass does not fit the model", Attr: "from", Detail: err.Error() + "."}
		}
		if err := bundle.Write(job.Out("model"), out); err != nil {
			return err
		}
		e := compress.EffectOf(m, out, note)
		job.Metrics["parameters"] = float64(e.After.Parameters)
		job.Metrics["nonzeros_before"], job.Metrics["nonzeros"] = float64(e.Before.NonZeros), float64(e.After.NonZeros)
		job.Metrics["bytes_before"], job.Metrics["bytes"] = float64(e.Before.Bytes), float64(e.After.Bytes)
		if e.FLOPsBefore != e.FLOPsAfter {
			job.Metrics["flops_before"], job.Metrics["flops"] = float64(e.FLOPsBefore), float64(e.FLOPsAfter)
		}
		enc, err := json.MarshalIndent(e, "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(job.Out("effect"), append(enc, '\n'), 0o644)
	}}
}
