// Package supervised is the kind `train supervised`: training on examples with labels, a chain of epochs (package chain).
//
// What a spec can get wrong is found while planning as far as the graph is known then: a loss that does not fit the output, a
// group that matches nothing or freezes everything, an augmentation that rows have no shape for, a schedule that ends before it begins.
package supervised

import (
	"errors"
	"maps"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/chain"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// Kind is train.supervised.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "train", Type: "supervised", Version: 4, Schema: Schema, Determinism: planner.Bitwise,
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
	s := spec(l)
	g, _ := l.Static(at).(*graph.Graph)
	check(l, s, g)
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

// spec is the chain that the block asks for, but for its inputs.
func spec(l *planner.Lowering) chain.Spec {
	epochs, _ := l.Attr("epochs").(int64)
	mean, _ := l.Attr("average_epochs").(int64)
	pick, _ := l.Attr("select").(string)
	decay, _ := l.Attr("schedule.decay_epochs").(int64)
	s := chain.Spec{Prefix: "segment", Epochs: int(epochs), Decay: int(decay), Select: pick, Average: int(mean),
		Params: l.Params("graph", "from", "data", "epochs", "select", "average_epochs", "early_stopping")}
	s.Monitor, _ = l.Attr("early_stopping").(map[string]any)
	if schedule, ok := s.Params["schedule"].(map[string]any); ok && horizon(schedule) {
		schedule = maps.Clone(schedule)
		s.Params["schedule"] = schedule
		if schedule["epochs"] == nil {
			schedule["epochs"] = epochs
			if epochs > 1 {
				l.Warnf("schedule", "horizon", "Schedule depends on the number of epochs", "%s depends on the number of epochs: a change of epochs trains again from the start; constant, step, exponential and wsd do not. Give the schedule epochs of its own to fix its end.", schedule["type"])
			}
		}
	}
	return s
}

// horizon reports whether a schedule depends on how long training will be.
func horizon(schedule map[string]any) bool {
	name, _ := schedule["type"].(string)
	return learn.Schedule{Type: name}.DependsOnTotal()
}

// check holds the block against itself and, where it is known, against the graph.
func check(l *planner.Lowering, s chain.Spec, g *graph.Graph) {
	var c learn.Config
	if err := executor.BindParams(s.Params, &c); err != nil {
		l.Errorf("", "misfit", "Training cannot be configured", "%v.", err)
		return
	}
	blame(l, "Training cannot be configured", c.Check())
	switch {
	case c.Schedule.Type == "wsd" && float64(s.Epochs-s.Decay) < max(1, c.Schedule.WarmupEpochs):
		l.Errorf("schedule", "misfit", "Schedule does not fit", "the wsd schedule ends before it begins: its decay takes %d epochs and its warm-up %g, and epochs = %d leaves no stable epoch before the decay. Decay for less, or train for more epochs.", s.Decay, c.Schedule.WarmupEpochs, s.Epochs)
	case c.Schedule.Type != "wsd" && !c.Schedule.DependsOnTotal() && c.Schedule.WarmupEpochs > float64(s.Epochs):
		l.Errorf("schedule.warmup_epochs", "misfit", "Schedule does not fit", "the %s schedule ends before it begins: warm-up takes %.4g epochs, and training %d. Warm up for less, or train for more epochs.", c.Schedule.Type, c.Schedule.WarmupEpochs, s.Epochs)
	case s.Select == "ema" && c.EMA == nil:
		l.Errorf("select", "misfit", "Nothing to select", "select = \"ema\" gives out the moving average of the weights, which a block ema { } asks for.")
	case s.Select == "average" && s.Average > s.Epochs:
		l.Errorf("average_epochs", "misfit", "Nothing to select", "select = \"average\" takes the mean of the last %d epochs, and there are %d. Lower average_epochs.", s.Average, s.Epochs)
	}
	if g == nil {
		return
	}
	info, err := graph.Infer(g)
	if err != nil {
		return
	}
	blame(l, "Loss does not fit the model", learn.Losses[c.Loss].Fit(c.Loss, g.Outputs[0], info.Shapes[g.Outputs[0]]))
	blame(l, "Augmentation does not fit the model", c.CheckAugment(g))
	blame(l, "Groups do not fit the model", c.CheckGroups(g, info))
}

// blame reports a misfit at its attribute.
func blame(l *planner.Lowering, summary string, err error) {
	var m *learn.Misfit
	if errors.As(err, &m) {
		l.Errorf(m.Attr, "misfit", summary, "%s", m.Sentence())
	}
}
