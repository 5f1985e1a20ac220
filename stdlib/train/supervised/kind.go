// Package supervised is the kind `train supervised`: training on examples with labels, a chain of epochs (package chain).
package supervised

import (
	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/chain"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/train"
)

// Kind is train.supervised.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "train", Type: "supervised", Version: 3, Schema: Schema, Determinism: planner.Bitwise,
		Outputs: []planner.Output{
			{Name: "model", Type: "model", MediaType: bundle.MediaType, Directory: true},
			{Name: "history", Type: "history", MediaType: chain.HistoryMediaType},
		},
		Lower: lowerBlock,
	},
	Runs: chain.Runs(),
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	start, at := "graph", "graph"
	hasGraph, hasFrom := l.Attr("graph") != nil, l.Attr("from") != nil
	switch {
	case hasGraph && hasFrom:
		l.Errorf("from", "conflict", "graph and from", "Give graph to train from scratch, or from to go on training a model, not both.")
		return l.Diagnostics()
	case hasFrom:
		start, at = "model", "from"
	case !hasGraph:
		l.Errorf("", "missing-attribute", "Missing attribute", "\"graph\" is required: an architecture to train from scratch; or \"from\", a model to go on with.")
		return l.Diagnostics()
	}
	s := train.Spec(l, "graph", "from")
	g, _ := l.Static(at).(*graph.Graph)
	train.Check(l, s, g)
	if l.Diagnostics().HasErrors() {
		return l.Diagnostics()
	}
	in, ok1 := l.Input(start, at)
	data, ok2 := l.Input("data", "data")
	if !ok1 || !ok2 {
		return l.Diagnostics()
	}
	s.Start, s.Data, s.Graph = in, data, g
	r := chain.Lower(l, s)
	l.Bind("model", r.Model, r.ModelOutput)
	l.Bind("history", r.History, r.HistoryOutput)
	l.Provide("model", l.Static(at))
	return l.Diagnostics()
}
