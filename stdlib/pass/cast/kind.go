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
	if g, _ := l.Static("from").(*graph.Graph); g != nil {
		pass.Provide(l, func() (*graph.Graph, error) { return compress.CastGraph(g, dtypeOf(l.Attr("dtype"))) })
	}
	return l.Diagnostics()
}

func run(job *executor.Job, m *bundle.Model) (*bundle.Model, string, error) {
	out, err := compress.Cast(m, dtypeOf(job.Params["dtype"]))
	return out, "16-bit storage saves bytes; computation stays in float32 and is no faster", err
}

// dtypeOf is the type that an attribute names.
func dtypeOf(name any) graph.DType {
	if name == "bfloat16" {
		return graph.BF16
	}
	return graph.F16
}
