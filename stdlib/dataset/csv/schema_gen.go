// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package csv

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of dataset.csv.
var Schema = &schema.Kind{Family: "dataset", Type: "csv", Version: 1, Doc: "A table of numbers and categories in comma-separated text, gzipped or not, as features and a label.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "files", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Files of the table, relative to the spec; more than one are read one after the other and must have the same columns.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "header", Default: true, Type: &schema.Type{Op: schema.Bool, Doc: "Whether the first line of each file names the columns."}},
	{Name: "delimiter", Default: ",", Type: &schema.Type{Op: schema.String, Doc: "What stands between cells: one character."}},
	{Name: "names", Type: &schema.Type{Op: schema.List, Doc: "Names of all columns, in order, where there is no header; without them columns are named c0, c1, and so on.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "rename", Type: &schema.Type{Op: schema.Map, Doc: "Other names for columns: from the name in the file to the name wanted.", Elem: &schema.Type{Op: schema.String}}},
	{Name: "features", Type: &schema.Type{Op: schema.List, Doc: "Columns that the model sees, in this order; all but the label when absent.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "label", Type: &schema.Type{Op: schema.Union, Doc: "Column to predict: a name, or a position from 0, or from the end with -1 for the last.", Alts: []*schema.Type{
		&schema.Type{Op: schema.String},
		&schema.Type{Op: schema.Int},
	}}},
	{Name: "label_kind", Type: &schema.Type{Op: schema.String, Doc: "Whether the label is one of a set of classes or a number; inferred when absent: whole numbers of up to 1000 different values, and text, are classes.", Enum: []any{"class", "number"}}},
	{Name: "types", Type: &schema.Type{Op: schema.Map, Doc: "Types of columns, number or category; inferred when absent. A category becomes one 0/1 column for each of its values.", Elem: &schema.Type{Op: schema.String, Enum: []any{"number", "category"}}}},
	{Name: "standardize", Default: false, Type: &schema.Type{Op: schema.Bool, Doc: "Whether to scale each number to mean 0 and deviation 1 over the rows of the train split."}},
	{Name: "input", Default: "features", Type: &schema.Type{Op: schema.String, Doc: "Name of the input that the features make."}},
	{Name: "split", Type: &schema.Type{Op: schema.Struct, Doc: "Parts of the rows; without it all rows are one part that serves for everything.", Fields: []schema.Field{
		{Name: "train", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Fraction of the rows to train on.", Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "valid", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to look at while training.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "test", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to evaluate on.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int, Doc: "Seed of the permutation that deals the rows out."}},
		{Name: "stratify", Default: false, Type: &schema.Type{Op: schema.Bool, Doc: "Whether each part gets the same mix of classes."}},
	}}},
}}}
