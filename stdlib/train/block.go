package train

import (
	"maps"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/chain"
	"mbuild.dev/mbuild/stdlib/graph"
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
	Spec   chain.Spec          // Read makes it
	Finish func(*chain.Result) // what comes behind the chain; nil for nothing
}

// Read makes the chain that the block asks for, and checks the block against itself and, where it is known, against the graph. more
// are parameters of a segment that the block does not write, without are attributes that are none. It reports whether all is well.
func (b *Block) Read(more map[string]any, without ...string) bool {
	if b.Attr("graph") == nil && b.Attr("from") == nil {
		b.Errorf("", "missing-attribute", "Missing attribute", "\"graph\" is required: an architecture to train from scratch; or \"from\", a model to go on with; or both, for an architecture that takes the weights of the model's layers.")
		return false
	}
	b.Spec = Spec(b.Lowering, append(without, "graph", "from")...)
	maps.Copy(b.Spec.Params, more)
	at := "from"
	if b.Attr("graph") != nil {
		at = "graph"
	}
	b.Spec.Graph, _ = b.Static(at).(*graph.Graph)
	Check(b.Lowering, b.Spec, b.Spec.Graph)
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
	a := b.Emit("transfer", planner.Action{Verb: "transfer", Params: map[string]any{"seed": b.Attr("seed")}, Inputs: []planner.Input{g, m},
		Outputs: []planner.OutputDecl{{Name: "model", MediaType: bundle.MediaType, Directory: true}}})
	return planner.Input{Name: "model", Source: planner.Source{Action: a, Output: "model"}}, true
}

// Lower emits the chain and gives its results out.
func (b *Block) Lower() {
	r := chain.Lower(b.Lowering, b.Spec)
	if b.Finish != nil {
		b.Finish(&r)
	}
	b.Bind("model", r.Model, r.ModelOutput)
	b.Bind("history", r.History, r.HistoryOutput)
	if b.Spec.Graph != nil {
		b.Provide("model", b.Spec.Graph)
	}
}

// Blame reports a misfit at its attribute.
func (b *Block) Blame(summary string, err error) { Blame(b.Lowering, summary, err) }
