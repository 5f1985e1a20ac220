// Package prune is the kind `pass prune`: magnitude pruning, with fine-tuning that keeps zeros zero.
package prune

import (
	"cmp"
	"context"
	"errors"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/chain"
	"mbuild.dev/mbuild/stdlib/compress"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
	"mbuild.dev/mbuild/stdlib/pass"
)

// Kind is pass.prune.
var Kind = &executor.Kind{
	Kind: planner.Kind{Family: "pass", Type: "prune", Version: 4, Schema: Schema, Determinism: planner.Bitwise, Outputs: pass.Outputs(), Lower: lowerBlock},
	Runs: runs(),
}

func runs() map[string]executor.Run {
	r := chain.Runs()
	r["prune"] = pass.Run(run)
	segment := r["segment"]
	r["segment"] = executor.Run{Func: func(ctx context.Context, job *executor.Job) error {
		err := segment.Func(ctx, job)
		var f *executor.Failure
		if errors.As(err, &f) && f.Attr != "" {
			if f.Attr != "from" {
				f.Attr = "finetune." + f.Attr
			}
		}
		return err
	}}
	return r
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	in, ok := l.Input("model", "from")
	if !ok {
		return l.Diagnostics()
	}
	l.Provide("model", l.Static("from"))
	tuned := l.Attr("finetune") != nil
	suffix := ""
	if tuned {
		suffix = "prune"
	}
	a := l.Emit(suffix, planner.Action{Verb: "prune", Params: l.Params("from", "finetune"), Inputs: []planner.Input{in}, Outputs: pass.Decls()})
	l.Bind("effect", a, "effect")
	if !tuned {
		l.Bind("model", a, "model")
		return l.Diagnostics()
	}
	data, ok := l.Input("data", "finetune.data")
	if !ok {
		return l.Diagnostics()
	}
	params := map[string]any{"keep_zeros": true, "shuffle": true, "clip_norm": int64(0)}
	for k, v := range l.Attr("finetune").(map[string]any) {
		if k != "data" && k != "epochs" {
			params[k] = v
		}
	}
	epochs, _ := l.Attr("finetune.epochs").(int64)
	g, _ := l.Static("from").(*graph.Graph)
	if check(l, params, g); l.Diagnostics().HasErrors() {
		return l.Diagnostics()
	}
	start := planner.Input{Name: "model", Source: planner.Source{Action: a, Output: "model"}}
	r := chain.Lower(l, chain.Spec{Graph: g, Prefix: "finetune", Params: params, Start: start, Data: data, Epochs: int(epochs)})
	l.Bind("model", r.Model, r.ModelOutput)
	return l.Diagnostics()
}

// check holds the training against itself and, where it is known, against the graph.
func check(l *planner.Lowering, params map[string]any, g *graph.Graph) {
	var c learn.Config
	err := executor.BindParams(params, &c)
	if err == nil {
		err = c.Check()
	}
	if err == nil && g != nil {
		if info, broken := graph.Infer(g); broken == nil {
			err = cmp.Or(learn.Trainable(g), learn.Losses[c.Loss].Fit(c.Loss, g.Outputs[0], info.Shapes[g.Outputs[0]]), c.CheckAugment(g))
		}
	}
	var m *learn.Misfit
	switch {
	case errors.As(err, &m) && (m.Attr == "graph" || m.Attr == "from"):
		l.Errorf("from", "misfit", "Training does not fit the model", "%s", m.Sentence())
	case errors.As(err, &m):
		l.Errorf("finetune."+m.Attr, "misfit", "Training does not fit the model", "%s", m.Sentence())
	case err != nil:
		l.Errorf("", "misfit", "Training cannot be configured", "%v.", err)
	}
}

func run(job *executor.Job, m *bundle.Model) (*bundle.Model, string, error) {
	var p struct {
		Sparsity float64 `json:"sparsity"`
		Scope    string  `json:"scope"`
	}
	if err := job.Bind(&p); err != nil {
		return nil, "", err
	}
	out, err := compress.Prune(m, p.Sparsity, p.Scope == "global")
	return out, "zeros are stored like other numbers: files get smaller only when they are compressed, and computation is no faster", err
}
