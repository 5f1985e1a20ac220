// Package supervised is the kind `train supervised`: training on examples with labels, a chain of epochs (package chain).
package supervised

import (
	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/chain"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Kind is train.supervised.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "train", Type: "supervised", Version: 1, Schema: Schema, Determinism: planner.Bitwise,
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
	if g, ok := l.Static(at).(*graph.Graph); ok {
		checkLoss(l, g)
	}
	in, ok1 := l.Input(start, at)
	data, ok2 := l.Input("data", "data")
	if !ok1 || !ok2 {
		return l.Diagnostics()
	}
	epochs, _ := l.Attr("epochs").(int64)
	s := chain.Spec{Prefix: "segment", Params: l.Params("graph", "from", "data", "epochs", "select", "early_stopping"),
		Start: in, Data: data, Epochs: int(epochs), Best: l.Attr("select") == "best"}
	s.Monitor, _ = l.Attr("early_stopping").(map[string]any)
	r := chain.Lower(l, s)
	l.Bind("model", r.Model, r.ModelOutput)
	l.Bind("history", r.History, r.HistoryOutput)
	l.Provide("model", l.Static(at))
	return l.Diagnostics()
}

// checkLoss holds the loss against the model's output.
func checkLoss(l *planner.Lowering, g *graph.Graph) {
	info, err := graph.Infer(g)
	if err != nil {
		return
	}
	out := info.Shapes[g.Outputs[0]]
	switch n := graph.Size(out); {
	case l.Attr("loss") == "mse" && n != 1:
		l.Errorf("loss", "misfit", "Loss does not fit the model", "mse needs one output, but %q gives %s. End the model with a dense layer of 1 unit, or use cross_entropy.", g.Outputs[0], graph.ShapeText(out))
	case l.Attr("loss") == "cross_entropy" && (len(out) != 1 || n < 2):
		l.Errorf("loss", "misfit", "Loss does not fit the model", "cross_entropy needs one output for each class, at least 2, but %q gives %s.", g.Outputs[0], graph.ShapeText(out))
	}
}
