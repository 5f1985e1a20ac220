// Package train is what the kinds of the family train share: a block becomes a chain of cached epochs (package chain), which begins
// from an architecture, from a model, or from an architecture with the weights of a model where their layers are the same.
//
// What a spec can get wrong is found while planning as far as the graph is known then: a loss that does not fit the output, a
// group that matches nothing or freezes everything, an augmentation that rows have no shape for, a schedule that ends before it begins.
package train

import (
	"errors"
	"maps"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/chain"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"

	"github.com/hashicorp/hcl/v2"
)

// Kind makes a kind of the family of its schema and what it emits for a block.
func Kind(typ string, table *schema.Kind, lower func(*Block)) *executor.Kind {
	return &executor.Kind{
		Kind: planner.Kind{
			Family: "train", Type: typ, Version: table.Version, Schema: table, Determinism: planner.Bitwise,
			Outputs: []planner.Output{
				{Name: "model", Type: "model", MediaType: bundle.MediaType, Directory: true},
				{Name: "history", Type: "history", MediaType: chain.HistoryMediaType},
			},
			Lower: func(l *planner.Lowering) hcl.Diagnostics {
				lower(&Block{Lowering: l})
				return l.Diagnostics()
			},
		},
		Runs: chain.Runs(),
	}
}

// Block is a block of the family under lowering.
type Block struct {
	*planner.Lowering
	Spec   chain.Spec   // Read makes it
	Config learn.Config // of a segment
	Info   *graph.Info  // of Spec.Graph, where that is known
}

// own are the attributes that are no parameters of a segment.
var own = []string{"graph", "from", "data", "epochs", "select", "average_epochs", "early_stopping"}

// Read makes the chain that the block asks for, and checks the block against itself and, where it is known, against the graph. more
// are parameters of a segment that the block does not write, without are attributes that are none. It reports whether all is well.
func (b *Block) Read(more map[string]any, without ...string) bool {
	if b.Attr("graph") == nil && b.Attr("from") == nil {
		b.Errorf("", "missing-attribute", "Missing attribute", "\"graph\" is required: an architecture to train from scratch; or \"from\", a model to go on with; or both, for an architecture that takes the weights of the model's layers.")
		return false
	}
	b.Spec = b.chain(more, append(without, own...))
	at := "from"
	if b.Attr("graph") != nil {
		at = "graph"
	}
	b.Spec.Graph, _ = b.Static(at).(*graph.Graph)
	b.check()
	if b.Diagnostics().HasErrors() {
		return false
	}
	data, ok := b.Input("data", "data")
	start, known := b.start()
	b.Spec.Data, b.Spec.Start = data, start
	return ok && known
}

// start is what the first epoch begins from.
func (b *Block) start() (planner.Input, bool) {
	switch {
	case b.Attr("from") == nil:
		return b.Input("graph", "graph")
	case b.Attr("graph") == nil:
		return b.Input("model", "from")
	}
	g, ok1 := b.Input("graph", "graph")
	m, ok2 := b.Input("model", "from")
	if !ok1 || !ok2 {
		return g, false
	}
	if from, _ := b.Static("from").(*graph.Graph); from != nil && b.Spec.Graph != nil {
		if _, _, err := chain.Shared(b.Spec.Graph, from); err != nil {
			b.Errorf("from", "misfit", "Model and graph do not fit", "%v.", err)
			return g, false
		}
	}
	a := b.Emit("transfer", planner.Action{Verb: "transfer", Params: map[string]any{"seed": b.Config.Seed}, Inputs: []planner.Input{g, m},
		Outputs: []planner.OutputDecl{{Name: "model", MediaType: bundle.MediaType, Directory: true}}})
	return planner.Input{Name: "model", Source: planner.Source{Action: a, Output: "model"}}, true
}

// Lower emits the chain and gives its results out.
func (b *Block) Lower() {
	r := chain.Lower(b.Lowering, b.Spec)
	b.Bind("model", r.Model, r.ModelOutput)
	b.Bind("history", r.History, r.HistoryOutput)
	if b.Spec.Graph != nil {
		b.Provide("model", b.Spec.Graph)
	}
}

// chain is the chain that the block asks for, but for its inputs.
func (b *Block) chain(more map[string]any, without []string) chain.Spec {
	epochs, _ := b.Attr("epochs").(int64)
	mean, _ := b.Attr("average_epochs").(int64)
	pick, _ := b.Attr("select").(string)
	decay, _ := b.Attr("schedule.decay_epochs").(int64)
	s := chain.Spec{Prefix: "segment", Epochs: int(epochs), Decay: int(decay), Select: pick, Average: int(mean), Params: b.Params(without...)}
	maps.Copy(s.Params, more)
	s.Monitor, _ = b.Attr("early_stopping").(map[string]any)
	if schedule, ok := s.Params["schedule"].(map[string]any); ok && horizon(schedule) {
		schedule = maps.Clone(schedule)
		s.Params["schedule"] = schedule
		if schedule["epochs"] == nil {
			schedule["epochs"] = epochs
			if epochs > 1 {
				b.Warnf("schedule", "horizon", "Schedule depends on the number of epochs", "%s depends on the number of epochs: a change of epochs trains again from the start; constant, step, exponential and wsd do not. Give the schedule epochs of its own to fix its end.", schedule["type"])
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
func (b *Block) check() {
	s, c := b.Spec, &b.Config
	if err := executor.BindParams(s.Params, c); err != nil {
		b.Errorf("", "misfit", "Training cannot be configured", "%v.", err)
		return
	}
	b.Blame("Training cannot be configured", c.Check())
	switch {
	case c.Schedule.Type == "wsd" && float64(s.Epochs-s.Decay) < max(1, c.Schedule.WarmupEpochs):
		b.Errorf("schedule", "misfit", "Schedule does not fit", "the wsd schedule ends before it begins: its decay takes %d epochs and its warm-up %g, and epochs = %d leaves no stable epoch before the decay. Decay for less, or train for more epochs.", s.Decay, c.Schedule.WarmupEpochs, s.Epochs)
	case c.Schedule.Type != "wsd" && !c.Schedule.DependsOnTotal() && c.Schedule.WarmupEpochs > float64(s.Epochs):
		b.Errorf("schedule.warmup_epochs", "misfit", "Schedule does not fit", "the %s schedule ends before it begins: warm-up takes %.4g epochs, and training %d. Warm up for less, or train for more epochs.", c.Schedule.Type, c.Schedule.WarmupEpochs, s.Epochs)
	case s.Select == "ema" && c.EMA == nil:
		b.Errorf("select", "misfit", "Nothing to select", "select = \"ema\" gives out the moving average of the weights, which a block ema { } asks for.")
	case s.Select == "average" && s.Average > s.Epochs:
		b.Errorf("average_epochs", "misfit", "Nothing to select", "select = \"average\" takes the mean of the last %d epochs, and there are %d. Lower average_epochs.", s.Average, s.Epochs)
	}
	g := s.Graph
	if g == nil {
		return
	}
	info, err := graph.Infer(g)
	if err != nil {
		return
	}
	b.Info = info
	b.Blame("Loss does not fit the model", learn.Losses[c.Loss].Fit(c.Loss, g.Outputs[0], info.Shapes[g.Outputs[0]]))
	b.Blame("Objective does not fit the model", c.CheckLanguage(g, info))
	b.Blame("Augmentation does not fit the model", c.CheckAugment(g))
	b.Blame("Groups do not fit the model", c.CheckGroups(g, info))
}

// Blame reports a misfit at its attribute.
func (b *Block) Blame(summary string, err error) {
	var m *learn.Misfit
	if errors.As(err, &m) {
		at := m.Attr
		if at == "graph" && b.Attr("graph") == nil {
			at = "from"
		}
		b.Errorf(at, "misfit", summary, "%s", m.Sentence())
	}
}
