// Package fold is the kind `pass fold`: batch normalisation becomes part of the layer before it.
package fold

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/compress"
	"mbuild.dev/mbuild/stdlib/pass"
)

// Kind is pass.fold.
var Kind = &executor.Kind{
	Kind: planner.Kind{Family: "pass", Type: "fold", Version: 1, Schema: Schema, Determinism: planner.Bitwise, Outputs: pass.Outputs(), Lower: lowerBlock},
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

func run(_ *executor.Job, m *bundle.Model) (*bundle.Model, string, error) {
	out, folded, left, err := compress.Fold(m)
	if err != nil {
		return nil, "", err
	}
	note := fmt.Sprintf("folded %s", strings.Join(folded, ", "))
	if len(left) > 0 {
		note += "; as they were: " + strings.Join(left, "; ")
	}
	return out, note, nil
}
