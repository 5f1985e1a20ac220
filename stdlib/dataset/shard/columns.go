package shard

import (
	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
)

// LowerColumns lowers a block of a kind whose rows have named values: features, text, label and split.group name them.
func LowerColumns(l *planner.Lowering) hcl.Diagnostics {
	CheckSplit(l, map[string]string{"valid": "valid_files", "test": "test_files"})
	read, join := Params(l, "files", "valid_files", "test_files")
	if n := l.Attr("max_rows"); n != nil {
		read["max_rows"] = n
	}
	ReadClasses(l, read)
	if l.Attr("features") == nil && l.Attr("text") == nil {
		l.Errorf("", "missing-attribute", "Missing attribute", "features or text must say which columns to take: columns of numbers, or of text.")
	}
	if l.Attr("classes") != nil && (l.Attr("label") == nil || l.Attr("label_kind") == "number") {
		l.Errorf("classes", "conflict", "Classes without a label", "classes lists the values of a label that is a class. Set label, and no label_kind, or remove classes.")
	}
	checkTwice(l)
	if group, ok := l.Attr("split.group").(string); ok {
		read["group"] = group
		join["split"], join["drop"] = groupNamed(l, group)
	}
	Lower(l, Spec{Read: read, Join: join, Sources: FileSources(l)})
	return l.Diagnostics()
}

// ReadClasses gives what the block says of its classes to what reads its files, which can say where another one is.
func ReadClasses(l *planner.Lowering, read map[string]any) {
	if v := l.Attr("classes"); v != nil {
		read["classes"] = v
	}
}

// checkTwice reports a column that is listed twice, and one that would have the name of another.
func checkTwice(l *planner.Lowering) {
	names := map[string]string{}
	rename, _ := l.Attr("rename").(map[string]any)
	for _, attr := range []string{"features", "text"} {
		list, _ := l.Attr(attr).([]any)
		for _, v := range list {
			name := v.(string)
			if to, ok := rename[name].(string); ok {
				name = to
			}
			if at := names[name]; at != "" {
				l.Errorf(attr, "duplicate-column", "Duplicate column", "The column %q is there twice, in %s.", name, schema.Words([]string{at, attr}))
			}
			names[name] = attr
		}
	}
}

// groupNamed is split with the name that the column of the group has in shards, and that name if the dataset should not have it.
func groupNamed(l *planner.Lowering, group string) (split map[string]any, drop []any) {
	name := group
	if rename, _ := l.Attr("rename").(map[string]any); rename[group] != nil {
		name, _ = rename[group].(string)
	}
	split = map[string]any{}
	old, _ := l.Attr("split").(map[string]any)
	for k, v := range old {
		split[k] = v
	}
	split["group"] = name
	text, _ := l.Attr("text").([]any)
	for _, t := range text {
		if t == group {
			return split, nil
		}
	}
	return split, []any{name}
}
