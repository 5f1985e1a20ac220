// Package csv is the kind `dataset csv`: tables of comma-separated values as features and a label.
package csv

import (
	"strconv"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
)

// Kind is dataset.csv.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "dataset", Type: "csv", Version: 1, Schema: Schema, Determinism: planner.Bitwise,
		Outputs: []planner.Output{{Name: "data", Type: "data", MediaType: dataset.MediaType, Directory: true}},
		Lower:   lowerBlock,
	},
	Runs: map[string]executor.Run{"": {Func: run}},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	CheckSplit(l)
	if d, _ := l.Attr("delimiter").(string); utf8.RuneCountInString(d) != 1 || d == "\n" || d == "\"" {
		l.Errorf("delimiter", "bad-delimiter", "Invalid delimiter", "delimiter is %q; it must be one character, and not a quote or a line break.", d)
	}
	files, _ := l.Attr("files").([]any)
	params := l.Params("files")
	params["files"] = int64(len(files))
	a := planner.Action{Params: params, Outputs: []planner.OutputDecl{{Name: "data", MediaType: dataset.MediaType, Directory: true}}}
	for i, f := range files {
		a.Inputs = append(a.Inputs, l.File("file"+strconv.Itoa(i), f.(string), "files."+strconv.Itoa(i)))
	}
	l.Bind("data", l.Emit("", a), "data")
	return l.Diagnostics()
}

// CheckSplit reports fractions that do not sum to 1.
func CheckSplit(l *planner.Lowering) {
	if l.Attr("split") == nil {
		return
	}
	var f dataset.Fractions
	split, _ := l.Attr("split").(map[string]any)
	if err := executor.BindParams(split, &f); err != nil {
		return
	}
	if sum := f.Sum(); sum < 1-1e-9 || sum > 1+1e-9 {
		l.Errorf("split", "bad-split", "Split does not sum to 1", "train, valid and test are %v, %v and %v: together %.10g. They must sum to 1.", f.Train, f.Valid, f.Test, sum)
	}
}
