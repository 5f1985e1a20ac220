// Package tokenized is the kind `dataset tokenized`: text as token ids, an action of its own, so that it is done once for all that train
// and evaluate on it.
package tokenized

import (
	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
)

// Kind is dataset.tokenized.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "dataset", Type: "tokenized", Version: 1, Schema: Schema, Determinism: planner.Bitwise, Lower: lowerBlock,
		Outputs: []planner.Output{{Name: "data", Type: "data", MediaType: dataset.MediaType, Directory: true}},
	},
	Runs: map[string]executor.Run{"": {Func: run}},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	pair, second, pack := l.Attr("pair"), l.Attr("second"), l.Attr("pack") == true
	switch {
	case pair != nil && pair == l.Attr("text"):
		l.Errorf("pair", "duplicate-column", "Duplicate column", "pair is %q, and so is text. They are two columns.", pair)
	case second != nil && second == l.Attr("text"):
		l.Errorf("second", "duplicate-column", "Duplicate column", "second is %q, and so is text. They are two columns.", second)
	case (pair != nil || second != nil) && l.Attr("text") == nil:
		l.Errorf("", "missing-attribute", "Missing attribute", "text must say which column is the first, where there is a second.")
	case pair != nil && second != nil:
		l.Errorf("second", "conflict", "Pair and second input", "pair puts two texts into one input, and second gives an input of its own. Remove one of them.")
	case pack && (pair != nil || second != nil):
		l.Errorf("pack", "conflict", "Pairs in packed rows", "Packed rows are one text after the other. Remove pack, or pair and second.")
	case l.Attr("stride") != nil && (pair != nil || second != nil || pack):
		l.Errorf("stride", "conflict", "Windows of more than a text", "stride makes windows of long texts, and rows of pair, second and pack are of more than one text. Remove stride, or the others.")
	case l.Attr("stride") != nil && l.Attr("truncation") == "error":
		l.Errorf("stride", "conflict", "Windows of texts that are refused", "truncation = \"error\" refuses long texts, and stride makes windows of them. Remove one of them.")
	case pack && l.Attr("keep") != nil:
		l.Errorf("keep", "conflict", "Columns of packed rows", "Packed rows are of many texts, so no column can stand beside them. Remove pack, or keep.")
	case pack && l.Attr("truncation") == "error":
		l.Errorf("truncation", "conflict", "Truncation of packed rows", "Packed rows are never cut: a text goes on in the next. Remove truncation.")
	}
	if t := l.Attr("truncation"); pair == nil && (t == "only_second") {
		l.Errorf("truncation", "conflict", "Truncation of one text", "truncation = \"only_second\" cuts the second text of a pair. Set pair, or truncation = \"longest_first\".")
	}
	if n, ok := l.Attr("stride").(int64); ok && n >= l.Attr("max_length").(int64) {
		l.Errorf("stride", "misfit", "Windows do not move", "stride is %d and max_length %d: a window must have more tokens than it shares with the one before.", n, l.Attr("max_length"))
	}
	data, ok1 := l.Input("data", "from")
	tok, ok2 := l.Input("tokenizer", "vocab")
	if !ok1 || !ok2 || l.Diagnostics().HasErrors() {
		return l.Diagnostics()
	}
	params := l.Params("from", "vocab")
	if params["keep"] != nil { // evaluations slice by what is kept, and count the bytes of a slice
		params["row_bytes"] = true
	}
	a := l.Emit("", planner.Action{Params: params, Inputs: []planner.Input{data, tok},
		Outputs: []planner.OutputDecl{{Name: "data", MediaType: dataset.MediaType, Directory: true}}})
	l.Bind("data", a, "data")
	return l.Diagnostics()
}
