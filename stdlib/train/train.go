// Package train is what the kinds of the family train share: from the attributes of train.cue to a chain of epochs (package chain),
// which begins from an architecture, from a model, or from an architecture with the weights of a model where their layers are the same.
//
// What a spec can get wrong is found while planning as far as the graph is known then: a loss that does not fit the output, a
// group that matches nothing or freezes everything, an augmentation that rows have no shape for, a schedule that ends before it begins.
package train

import (
	"errors"
	"maps"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/chain"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// Spec is the chain that a block asks for, but for its inputs. without are the attributes that are no part of how it trains.
func Spec(l *planner.Lowering, without ...string) chain.Spec {
	epochs, _ := l.Attr("epochs").(int64)
	mean, _ := l.Attr("average_epochs").(int64)
	pick, _ := l.Attr("select").(string)
	decay, _ := l.Attr("schedule.decay_epochs").(int64)
	s := chain.Spec{Prefix: "segment", Epochs: int(epochs), Decay: int(decay), Select: pick, Average: int(mean),
		Params: l.Params(append(without, "data", "epochs", "select", "average_epochs", "early_stopping")...)}
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

// Check holds a block against itself and against the graph that is trained, nil where it is not known. only are the parameters that
// are trained; none for all.
func Check(l *planner.Lowering, s chain.Spec, g *graph.Graph, only ...string) {
	var c learn.Config
	if err := executor.BindParams(s.Params, &c); err != nil {
		l.Errorf("", "misfit", "Training cannot be configured", "%v.", err)
		return
	}
	c.Only = only
	Blame(l, "Training cannot be configured", c.Check())
	switch {
	case c.Schedule.Type == "wsd" && float64(s.Epochs-s.Decay) < max(1, c.Schedule.WarmupEpochs):
		l.Errorf("schedule", "misfit", "Schedule does not fit", "the wsd schedule ends before it begins: its decay takes %d epochs and its warm-up %g, and epochs = %d leaves no stable epoch before the decay. Decay for less, or train for more epochs.", s.Decay, c.Schedule.WarmupEpochs, s.Epochs)
	case c.Schedule.Type != "wsd" && !c.Schedule.DependsOnTotal() && c.Schedule.WarmupEpochs > float64(s.Epochs):
		l.Errorf("schedule.warmup_epochs", "misfit", "Schedule does not fit", "the %s schedule ends before it begins: warm-up takes %.4g epochs, and training %d. Warm up for less, or train for more epochs.", c.Schedule.Type, c.Schedule.WarmupEpochs, s.Epochs)
	case s.Select == "ema" && c.EMA == nil:
		l.Errorf("select", "misfit", "Nothing to select", "select = \"ema\" gives out the moving average of the weights, which a block ema { } asks for.")
	case s.Select == "average" && s.Average > s.Epochs:
		at := "average_epochs"
		if l.Block.RangeOf(at, false) == l.Block.RangeOf("", false) {
			at = "select"
		}
		l.Errorf(at, "misfit", "Nothing to select", "select = \"average\" takes the mean of the last %d epochs, and there are %d. Lower average_epochs.", s.Average, s.Epochs)
	}
	if schedule := c.Schedule; schedule.DependsOnTotal() && schedule.Epochs > 0 && schedule.Epochs < float64(s.Epochs) {
		l.Warnf("schedule.epochs", "misfit", "Schedule ends before training", "the %s schedule ends after %.4g epochs, and training takes %d: in the rest the learning rate stays at %.4g of lr. Let the schedule take as many, or say what is left in final.", schedule.Type, schedule.Epochs, s.Epochs, schedule.Final)
	}
	if g == nil {
		return
	}
	info, err := graph.Infer(g)
	if err != nil {
		return
	}
	Blame(l, "Model cannot be trained", learn.Trainable(g))
	Blame(l, "Loss does not fit the model", learn.Losses[c.Loss].Fit(c.Loss, g.Outputs[0], info.Shapes[g.Outputs[0]]))
	Blame(l, "Objective does not fit the model", c.CheckLanguage(g, info))
	Blame(l, "Augmentation does not fit the model", c.CheckAugment(g))
	Blame(l, "Groups do not fit the model", c.CheckGroups(g, info))
	Blame(l, "Layer decay does not fit the model", c.CheckLayerDecay(g))
}

// Blame reports a *learn.Misfit at its attribute.
func Blame(l *planner.Lowering, summary string, err error) {
	var m *learn.Misfit
	if errors.As(err, &m) {
		at := m.Attr
		if at == "graph" && l.Attr("graph") == nil {
			at = "from"
		}
		l.Errorf(at, "misfit", summary, "%s", m.Sentence())
	}
}
