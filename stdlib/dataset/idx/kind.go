// Package idx is the kind `dataset idx`: arrays in the format of MNIST and its successors.
//
//	2 bytes   zero
//	1 byte    element type: 08 uint8, 09 int8, 0b int16, 0c int32, 0d float32, 0e float64
//	1 byte    number of dimensions
//	4 bytes   each dimension, big-endian; the first is the number of rows
//	data      row-major, big-endian
package idx

import (
	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
)

// Kind is dataset.idx.
var Kind = shard.Kind(planner.Kind{Type: "idx", Version: 1, Schema: Schema}, read, lowerBlock)

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	shard.CheckSplit(l, map[string]string{"valid": "valid", "test": "test"})
	readParams, joinParams := shard.Params(l, "images", "labels", "valid", "test")
	if classes := l.Attr("classes"); classes != nil {
		readParams["classes"] = classes
	}
	if n := l.Attr("max_rows"); n != nil {
		readParams["max_rows"] = n
	}
	s := shard.Spec{Read: readParams, Join: joinParams, Sources: []shard.Source{pair(l, "", 0)}}
	for split, name := range []string{"", "valid", "test"} {
		if name == "" || l.Attr(name) == nil {
			continue
		}
		if has, want := l.Attr(name+".labels") != nil, l.Attr("labels") != nil; has != want {
			l.Errorf(name, "conflict", "Labels for some rows only", "Either all of images, valid and test have labels beside them, or none.")
		}
		s.Sources = append(s.Sources, pair(l, name+".", split))
	}
	shard.Lower(l, s)
	return l.Diagnostics()
}

// pair is a file of rows and one of labels.
func pair(l *planner.Lowering, prefix string, split int) shard.Source {
	src := shard.Source{Split: split}
	for _, name := range []string{"images", "labels"} {
		if f, ok := l.Attr(prefix + name).(string); ok {
			src.Inputs = append(src.Inputs, l.File(name, f, prefix+name))
		}
	}
	return src
}
