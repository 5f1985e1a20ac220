// Package conll is the kind `dataset conll`: sentences of tokens with tags.
//
// A row is a sentence; each column of the files but the tags is a column of tokens, and the tags are the label. Whatever scheme the
// files have, entities are read as conlleval reads them and written in the scheme asked for, so that tags of the dataset are sound.
package conll

import (
	"slices"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
)

// Kind is dataset.conll.
var Kind = shard.Kind(planner.Kind{Type: "conll", Version: 1, Schema: Schema}, read, lowerBlock)

// documentColumn is the name of what split.group may name beside columns.
const documentColumn = "document"

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	shard.CheckSplit(l, map[string]string{"valid": "valid_files", "test": "test_files"})
	readParams, joinParams := shard.Params(l, "files", "valid_files", "test_files")
	columns := []string{"token", "tag"}
	if list, ok := l.Attr("columns").([]any); ok {
		columns = nil
		for i, c := range list {
			if slices.Contains(columns, c.(string)) {
				l.Errorf("columns", "duplicate-column", "Duplicate column", "Two columns are called %q (position %d).", c, i)
			}
			columns = append(columns, c.(string))
		}
	}
	tagColumn, _ := l.Attr("tag_column").(string)
	checkColumn(l, "tag_column", tagColumn, columns)
	skip, _ := l.Attr("skip_columns").([]any)
	left := 0
	for _, c := range columns {
		if c != tagColumn && !slices.Contains(skip, any(c)) {
			left++
		}
	}
	for _, c := range skip {
		checkColumn(l, "skip_columns", c.(string), columns)
	}
	if left == 0 {
		l.Errorf("skip_columns", "no-features", "No tokens", "No column of tokens is left beside the tags.")
	}
	if l.Attr("scheme") == "none" && l.Attr("output_scheme") != nil {
		l.Errorf("output_scheme", "conflict", "Tags without a scheme", "Tags of scheme \"none\" stand for themselves and cannot be written in another. Say which scheme the files have.")
	}
	var names []any
	for _, c := range columns {
		names = append(names, c)
	}
	readParams["columns"] = names
	shard.ReadClasses(l, readParams)
	if n := l.Attr("max_sentences"); n != nil {
		readParams["max_rows"] = n
	}
	if group, ok := l.Attr("split.group").(string); ok {
		if group != documentColumn {
			checkColumn(l, "split.group", group, append(slices.Clone(columns), documentColumn))
		} else {
			readParams["documents"], joinParams["drop"] = true, []any{documentColumn}
		}
	}
	shard.Lower(l, shard.Spec{Read: readParams, Join: joinParams, Sources: shard.FileSources(l)})
	return l.Diagnostics()
}

func checkColumn(l *planner.Lowering, attr, name string, columns []string) {
	if slices.Contains(columns, name) {
		return
	}
	s := ""
	if near := schema.Nearest(name, columns); near != "" {
		s = "Did you mean \"" + near + "\"? "
	}
	l.Errorf(attr, "unknown-column", "Unknown column", "There is no column %q. %scolumns lists %s.", name, s, schema.Words(columns))
}
