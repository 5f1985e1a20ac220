// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package text

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of dataset.text.
var Schema = &schema.Kind{Family: "dataset", Type: "text", Version: 1, Doc: "Lines of text, gzipped or not, a row each.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "files", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Files of lines; more than one are read one after the other.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "valid_files", Type: &schema.Type{Op: schema.List, Doc: "Rows for validation in files of their own.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "test_files", Type: &schema.Type{Op: schema.List, Doc: "Rows to evaluate on in files of their own.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "column", Default: "text", Type: &schema.Type{Op: schema.String, Doc: "Name of the column that the lines make."}},
	{Name: "label_delimiter", Type: &schema.Type{Op: schema.String, Doc: "What stands between a label and the text on each line, such as \"\\t\"; without it lines have no label.", Pattern: "."}},
	{Name: "classes", Type: &schema.Type{Op: schema.List, Doc: "Classes in order; all that there are, sorted, when absent.", MinItems: 2, Elem: &schema.Type{Op: schema.String}}},
	{Name: "unit", Default: "line", Type: &schema.Type{Op: schema.String, Doc: "What a row is: a line, or the lines up to an empty one.", Enum: []any{"line", "paragraph"}}},
	{Name: "skip_empty", Default: true, Type: &schema.Type{Op: schema.Bool, Doc: "Whether empty lines are left out; else they are rows without text."}},
	{Name: "max_rows", Type: &schema.Type{Op: schema.Int, Doc: "Take so many rows at most, the first, of files and of each other list of files.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
	{Name: "leaks", Default: "warn", Type: &schema.Type{Op: schema.String, Doc: "What to do about rows of one split whose texts are in another split too.", Enum: []any{"warn", "error", "drop", "ignore"}}},
	{Name: "split", Type: &schema.Type{Op: schema.Struct, Doc: "Parts of the rows of files; without it they are one part that serves for everything, or for training where there are files for testing.", Fields: []schema.Field{
		{Name: "train", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Fraction of the rows to train on.", Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "valid", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to look at while training.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "test", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to evaluate on.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int, Doc: "Seed of what deals the rows out."}},
		{Name: "stratify", Default: false, Type: &schema.Type{Op: schema.Bool, Doc: "Whether each part gets the same mix of classes."}},
		{Name: "by", Default: "position", Type: &schema.Type{Op: schema.String, Doc: "What decides on a row: its position, by a permutation of all rows; or its content, so that equal rows stay together and a row keeps its part when others come or go.", Enum: []any{"position", "content"}}},
	}}},
}}}
