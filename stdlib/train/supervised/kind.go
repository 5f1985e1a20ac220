// Package supervised is the kind `train supervised`: training on examples with labels.
package supervised

import "mbuild.dev/mbuild/stdlib/train"

// Kind is train.supervised.
var Kind = train.Kind("supervised", Schema, func(b *train.Block) {
	if b.Read(nil) {
		b.Lower()
	}
})
