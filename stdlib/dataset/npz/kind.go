// Package npz is the kind `dataset npz`: arrays in NumPy's archives, which are zip files of .npy files (NumPy's format.py, versions
// 1 to 3 of the format).
//
// It reads no pickles: arrays of objects are refused. Rows are read one at a time; an array in Fortran order goes through a file,
// a block of rows at a time.
package npz

import (
	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
)

// Kind is dataset.npz.
var Kind = shard.Kind(planner.Kind{Type: "npz", Version: 1, Schema: Schema}, read, lowerBlock)

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	shard.CheckSplit(l, map[string]string{"valid": "valid_files", "test": "test_files"})
	readParams, joinParams := shard.Params(l, "files", "valid_files", "test_files")
	for _, n := range []string{"classes", "max_rows"} {
		if v := l.Attr(n); v != nil {
			readParams[n] = v
		}
	}
	if l.Attr("classes") != nil && l.Attr("label") == nil {
		l.Errorf("classes", "conflict", "Classes without a label", "classes names the values of the label, and there is none. Set label.")
	}
	shard.Lower(l, shard.Spec{Read: readParams, Join: joinParams, Sources: shard.FileSources(l)})
	return l.Diagnostics()
}
