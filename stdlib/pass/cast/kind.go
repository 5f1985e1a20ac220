// Package cast is the kind `pass cast`: parameters stored in 16 bits.
package cast

import (
	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/compress"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/pass"
)

// Kind is pass.cast.
var Kind = &executor.Kind{
	Kind: planner.Kind{Family: "pass", Type: "cast", Version: 1, Schema: Schema, Determinism: planner.Bitwise, Outputs: pass.Outputs(), Lower: lowerBlock},
	Runs: map[string]executor.Run{"": pass.Run(run)},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	in, ok := l.Input("model", "from")
	if !ok {
		return l.Diagnostics()
	}
	a := l.Emit("", planner.Action{Params: l.Params("from"), Inputs: []planner.Input{in}, Outputs: pass.Decls()})
	l.Bind("model", a, "model")
	l.Bind("effect", a, "effect")
	return l.Diagnostics()
}

func run(job *executor.Job, m *bundle.Model) (*bundle.Model, string, error) {
	dtype := graph.F16
	if job.Params["dtype"] == "bfloat16" {
		dtype = graph.BF16
	}
	out, err := compress.Cast(m, dtype)
	return out, "16-bit storage saves bytes; computation stays in float32 and is no faster", err
}
