package train

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/adapt"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/chain"
	"mbuild.dev/mbuild/stdlib/graph"
)

// AdapterKind makes a kind that trains an adapter of the model at "from". config is the adapter that a block asks for, and own the
// attributes that say so.
func AdapterKind(typ string, table *schema.Kind, own []string, config func(*planner.Lowering) adapter.Config) *executor.Kind {
	return &executor.Kind{
		Kind: planner.Kind{
			Family: "train", Type: typ, Version: table.Version, Schema: table, Determinism: planner.Bitwise,
			Outputs: []planner.Output{
				{Name: "adapter", Type: "adapter", MediaType: adapter.MediaType, Directory: true},
				{Name: "model", Type: "model", MediaType: bundle.MediaType, Directory: true},
				{Name: "history", Type: "history", MediaType: chain.HistoryMediaType},
			},
			Lower: func(l *planner.Lowering) hcl.Diagnostics { return lowerAdapter(l, own, config(l)) },
		},
		Runs: chain.Runs(),
	}
}

func lowerAdapter(l *planner.Lowering, own []string, c adapter.Config) hcl.Diagnostics {
	s := Spec(l, append(own, "from")...)
	base, _ := l.Static("from").(*graph.Graph)
	var g *graph.Graph
	var only []string
	if base != nil {
		var resolved *adapter.Config
		var err error
		if g, resolved, err = adapt.Attach(base, c); err != nil {
			Blame(l, "Adapter does not fit the model", err)
		} else if only, err = adapt.Trained(g, resolved); err != nil {
			return l.Diagnostics()
		}
		if passed := adapt.Passed(base, c); g != nil && len(passed) > 0 {
			more := ""
			if n := len(passed) - 3; n > 0 {
				passed, more = passed[:3], fmt.Sprintf("; and %d more", n)
			}
			l.Warnf("targets", "misfit", "Layers without adapter", "targets also match layers that get none and stay as they are: %s%s. Name fewer layers, or what shall be trained as a whole in modules_to_save.", strings.Join(passed, "; "), more)
		}
	}
	Check(l, s, g, only...)
	in, ok1 := l.Input("base", "from")
	data, ok2 := l.Input("data", "data")
	if l.Diagnostics().HasErrors() || !ok1 || !ok2 {
		return l.Diagnostics()
	}
	params := map[string]any{"seed": l.Attr("seed"), "type": c.Type, "targets": texts(c.Targets), "modules_to_save": texts(c.ModulesToSave),
		"rank": int64(c.Rank), "alpha": c.Alpha, "rslora": c.RSLoRA, "width": int64(c.Width), "activation": c.Activation, "dropout": c.Dropout, "bias": c.Bias}
	s.Start, s.Base, s.Data, s.Graph = chain.Attach(l, in, params), &in, data, g
	r := chain.Lower(l, s)
	l.Bind("adapter", r.Model, r.ModelOutput)
	l.Bind("history", r.History, r.HistoryOutput)
	l.Bind("model", chain.Apply(l, in, r), "model")
	if g != nil {
		l.Provide("model", g)
	}
	return l.Diagnostics()
}

func texts(list []string) []any {
	out := []any{}
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

// Texts is an attribute that is a list of strings, or what it is where it is not there.
func Texts(l *planner.Lowering, attr string, dflt ...string) []string {
	list, ok := l.Attr(attr).([]any)
	if !ok {
		return dflt
	}
	var out []string
	for _, v := range list {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}

// Number is an attribute that is a number.
func Number(l *planner.Lowering, attr string) float64 {
	switch v := l.Attr(attr).(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}
