// Package pretrain is the kind `train pretrain`: language models, trained on text without labels.
package pretrain

import "mbuild.dev/mbuild/stdlib/train"

// Kind is train.pretrain.
var Kind = train.Kind("pretrain", Schema, func(b *train.Block) {
	var without []string
	if b.Attr("objective") != "masked_lm" {
		without = append(without, "mask_probability")
	}
	if b.Read(map[string]any{"loss": "cross_entropy"}, without...) {
		b.Lower()
	}
})
