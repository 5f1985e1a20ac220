// Package prunechannels is the kind `pass prune_channels`: structured pruning.
package prunechannels

import (
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/compress"
	"mbuild.dev/mbuild/stdlib/pass"
)

// Kind is pass.prune_channels.
var Kind = &executor.Kind{
	Kind: planner.Kind{Family: "pass", Type: "prune_channels", Version: 1, Schema: Schema, Determinism: planner.Bitwise, Outputs: pass.Outputs(), Lower: lowerBlock},
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
	l.Provide("model", l.Static("from")) // its outputs keep their shapes, which is what others look at
	return l.Diagnostics()
}

func run(job *executor.Job, m *bundle.Model) (*bundle.Model, string, error) {
	var p struct {
		Ratio float64  `json:"ratio"`
		Norm  string   `json:"norm"`
		Skip  []string `json:"skip"`
	}
	if err := job.Bind(&p); err != nil {
		return nil, "", err
	}
	out, left, err := compress.PruneChannels(m, p.Ratio, p.Norm, p.Skip)
	return out, strings.Join(left, "; "), err
}
