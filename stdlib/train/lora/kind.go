// Package lora is the kind `train lora`: low-rank adapters (package adapt), trained as a chain of epochs (package chain).
package lora

import (
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/train"
)

// Kind is train.lora.
var Kind = train.AdapterKind("lora", Schema, []string{"targets", "rank", "alpha", "rslora", "dropout", "bias", "modules_to_save"}, config)

func config(l *planner.Lowering) adapter.Config {
	rank, _ := l.Attr("rank").(int64)
	rs, _ := l.Attr("rslora").(bool)
	bias, _ := l.Attr("bias").(string)
	return adapter.Config{Type: adapter.LoRA, Targets: train.Texts(l, "targets", "*_query", "*_value"), ModulesToSave: train.Texts(l, "modules_to_save"),
		Rank: int(rank), Alpha: train.Number(l, "alpha"), RSLoRA: rs, Dropout: train.Number(l, "dropout"), Bias: bias}
}
