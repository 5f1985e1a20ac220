// Package merge is the kind `pass merge`: an adapter becomes part of the weights of its base.
package merge

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/adapt"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/pass"
)

// Kind is pass.merge.
var Kind = &executor.Kind{
	Kind: planner.Kind{Family: "pass", Type: "merge", Version: 1, Schema: Schema, Determinism: planner.Bitwise, Outputs: pass.Outputs(), Lower: lowerBlock},
	Runs: map[string]executor.Run{"": pass.Run(run)},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	if p := l.Producer(l.Block, "adapter"); p != nil && p.Family == "train" && p.Type == "adapter" {
		l.Errorf("adapter", "misfit", "Adapter cannot be merged", "%s makes a bottleneck adapter, which no weight can stand for: there is an activation between its layers. Take %s.model, which is base and adapter as one model.", p.Addr, p.Addr)
		return l.Diagnostics()
	}
	in, ok1 := l.Input("model", "from")
	a, ok2 := l.Input("adapter", "adapter")
	if !ok1 || !ok2 {
		return l.Diagnostics()
	}
	act := l.Emit("", planner.Action{Inputs: []planner.Input{in, a}, Outputs: pass.Decls()})
	l.Bind("model", act, "model")
	l.Bind("effect", act, "effect")
	l.Provide("model", l.Static("from"))
	return l.Diagnostics()
}

func run(job *executor.Job, m *bundle.Model) (*bundle.Model, string, error) {
	a, err := adapter.Read(job.In("adapter"))
	if err != nil {
		return nil, "", err
	}
	out, err := adapt.Merge(m, job.Inputs["model"].Digest, a)
	var f *adapter.Foreign
	if errors.As(err, &f) {
		return nil, "", &executor.Failure{Code: "misfit", Summary: "Adapter of another model", Attr: "adapter", Detail: err.Error() + ". Merge into the model that it was trained on."}
	}
	return out, fmt.Sprintf("merged matrices of rank %d into %d layers", a.Config.Rank, len(a.Config.Targets)), err
}
