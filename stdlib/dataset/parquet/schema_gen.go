// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package parquet

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of dataset.parquet.
var Schema = &schema.Kind{Family: "dataset", Type: "parquet", Version: 1, Doc: "Tables in Parquet files: flat columns of numbers and text.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "files", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Files of the table; more than one are read one after the other.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "valid_files", Type: &schema.Type{Op: schema.List, Doc: "Rows for validation in files of their own.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "test_files", Type: &schema.Type{Op: schema.List, Doc: "Rows to evaluate on in files of their own.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "features", Type: &schema.Type{Op: schema.List, Doc: "Columns of numbers that the model sees, in this order.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "text", Type: &schema.Type{Op: schema.List, Doc: "Columns of text, kept as they are for what makes numbers of them. Nested columns and lists cannot be read.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "label", Type: &schema.Type{Op: schema.String, Doc: "Column to predict."}},
	{Name: "label_kind", Default: "class", Type: &schema.Type{Op: schema.String, Doc: "Whether the label is one of a set of classes or a number.", Enum: []any{"class", "number"}}},
	{Name: "classes", Type: &schema.Type{Op: schema.List, Doc: "Classes in order; all that there are, sorted, when absent.", MinItems: 2, Elem: &schema.Type{Op: schema.String}}},
	{Name: "rename", Type: &schema.Type{Op: schema.Map, Doc: "Other names for columns: from the name in the file to the name wanted.", Elem: &schema.Type{Op: schema.String}}},
	{Name: "missing", Default: "error", Type: &schema.Type{Op: schema.String, Doc: "What to do with a row in which a value is missing or null: refuse it, or leave the row out.", Enum: []any{"error", "skip"}}},
	{Name: "input", Default: "features", Type: &schema.Type{Op: schema.String, Doc: "Name of the input that the features make."}},
	{Name: "max_rows", Type: &schema.Type{Op: schema.Int, Doc: "Take so many rows at most, the first, of files and of each other list of files.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
	{Name: "leaks", Default: "warn", Type: &schema.Type{Op: schema.String, Doc: "What to do about rows of one split whose features and texts are in another split too.", Enum: []any{"warn", "error", "drop", "ignore"}}},
	{Name: "split", Type: &schema.Type{Op: schema.Struct, Doc: "Parts of the rows of files; without it they are one part that serves for everything, or for training where there are files for testing.", Fields: []schema.Field{
		{Name: "train", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Fraction of the rows to train on.", Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "valid", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to look at while training.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "test", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to evaluate on.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int, Doc: "Seed of what deals the rows out."}},
		{Name: "stratify", Default: false, Type: &schema.Type{Op: schema.Bool, Doc: "Whether each part gets the same mix of classes."}},
		{Name: "by", Default: "position", Type: &schema.Type{Op: schema.String, Doc: "What decides on a row: its position, by a permutation of all rows; or its content, so that equal rows stay together and a row keeps its part when others come or go.", Enum: []any{"position", "content"}}},
		{Name: "group", Type: &schema.Type{Op: schema.String, Doc: "Column whose equal values stay in one part: all rows of one author, patient, or thread. Values are dealt out by their digest, so they keep their part when others come or go."}},
	}}},
}}}
