// Package droplayers is the kind `pass drop_layers`: a transformer with fewer blocks.
package droplayers

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/compress"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/pass"
)

// Kind is pass.drop_layers.
var Kind = &executor.Kind{
	Kind: planner.Kind{Family: "pass", Type: "drop_layers", Version: Schema.Version, Schema: Schema, Determinism: planner.Bitwise, Outputs: pass.Outputs(), Lower: lowerBlock},
	Runs: map[string]executor.Run{"": pass.Run(run)},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	in, ok := l.Input("model", "from")
	if !ok {
		return l.Diagnostics()
	}
	keep, _ := l.Attr("keep").([]any)
	count, _ := l.Attr("blocks").(int64)
	strategy, _ := l.Attr("strategy").(string)
	switch {
	case keep == nil && count == 0:
		l.Errorf("from", "missing-attribute", "Nothing says what stays", "Set blocks, how many of them stay, or keep, their numbers.")
	case keep != nil && count != 0:
		l.Errorf("keep", "conflict", "Two ways to say what stays", "keep numbers the blocks that stay, and blocks says how many; remove one.")
	case keep != nil && strategy != "top":
		l.Errorf("strategy", "conflict", "Strategy without a choice", "keep numbers the blocks that stay: there is nothing for strategy to choose. Remove one.")
	}
	if l.Diagnostics().HasErrors() {
		return l.Diagnostics()
	}
	params := l.Params("from")
	if keep != nil {
		delete(params, "strategy")
	}
	a := l.Emit("", planner.Action{Params: params, Inputs: []planner.Input{in}, Outputs: pass.Decls()})
	l.Bind("model", a, "model")
	l.Bind("effect", a, "effect")
	if g, ok := l.Static("from").(*graph.Graph); ok && g != nil {
		d := compress.Drop{Count: int(count), Strategy: strategy}
		for _, k := range keep {
			n, _ := k.(int64)
			d.Keep = append(d.Keep, int(n))
		}
		smaller, _, _, err := compress.DropGraph(g, d)
		if err != nil {
			l.Errorf("from", "misfit", "Pass does not fit the model", "%s.", err)
			return l.Diagnostics()
		}
		l.Provide("model", smaller)
	}
	return l.Diagnostics()
}

func run(job *executor.Job, m *bundle.Model) (*bundle.Model, string, error) {
	var p struct {
		Keep     []int  `json:"keep"`
		Blocks   int    `json:"blocks"`
		Strategy string `json:"strategy"`
	}
	if err := job.Bind(&p); err != nil {
		return nil, "", err
	}
	out, kept, err := compress.DropBlocks(m, compress.Drop{Keep: p.Keep, Count: p.Blocks, Strategy: p.Strategy})
	if err != nil {
		return nil, "", err
	}
	return out, "blocks that stayed, in order: " + strings.Trim(fmt.Sprint(kept), "[]"), nil
}
