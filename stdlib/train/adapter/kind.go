// Package adapter is the kind `train adapter`: bottleneck adapters (package adapt), trained as a chain of epochs (package chain).
package adapter

import (
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/train"
)

// Kind is train.adapter.
var Kind = train.AdapterKind("adapter", Schema, []string{"placement", "targets", "width", "activation", "modules_to_save"}, config)

// places are the patterns that a placement stands for.
var places = map[string][]string{"houlsby": {"layer*_output", "layer*_outer"}, "pfeiffer": {"layer*_outer"}}

func config(l *planner.Lowering) adapter.Config {
	placement, _ := l.Attr("placement").(string)
	width, _ := l.Attr("width").(int64)
	activation, _ := l.Attr("activation").(string)
	return adapter.Config{Type: adapter.Bottleneck, Targets: train.Texts(l, "targets", places[placement]...), ModulesToSave: train.Texts(l, "modules_to_save"),
		Width: int(width), Activation: activation}
}
