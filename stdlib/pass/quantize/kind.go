// Package quantize is the kind `pass quantize`: int8 weights.
package quantize

import (
	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/compress"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/pass"
)

// Kind is pass.quantize.
var Kind = &executor.Kind{
	Kind: planner.Kind{Family: "pass", Type: "quantize", Version: 1, Schema: Schema, Determinism: planner.Bitwise, Outputs: pass.Outputs(), Lower: lowerBlock},
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
		var skip []string
		list, _ := l.Attr("skip").([]any)
		for _, v := range list {
			s, _ := v.(string)
			skip = append(skip, s)
		}
		scheme, _ := l.Attr("scheme").(string)
		pass.Provide(l, func() (*graph.Graph, error) { return compress.QuantizeGraph(g, scheme, skip) })
	}
	return l.Diagnostics()
}

func run(job *executor.Job, m *bundle.Model) (*bundle.Model, string, error) {
	var p struct {
		Scheme string   `json:"scheme"`
		Skip   []string `json:"skip"`
	}
	if err := job.Bind(&p); err != nil {
		return nil, "", err
	}
	note := ""
	if p.Scheme == "weight_only_int8" {
		note = "weight_only_int8 saves bytes; computation stays in float32 and is no faster"
	}
	out, err := compress.Quantize(m, p.Scheme, p.Skip)
	return out, note, err
}
