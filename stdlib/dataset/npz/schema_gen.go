// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package npz

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of dataset.npz.
var Schema = &schema.Kind{Family: "dataset", Type: "npz", Version: 1, Doc: "Arrays in NumPy's archives: one for the rows and one for the labels. Types are f2, f4, f8, signed and unsigned integers and bool; unsigned bytes are stored as such, all else as 32-bit floating point.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "files", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Archives (.npz); more than one are read one after the other and must have rows of one shape.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "valid_files", Type: &schema.Type{Op: schema.List, Doc: "Rows for validation in files of their own.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "test_files", Type: &schema.Type{Op: schema.List, Doc: "Rows to evaluate on in files of their own.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "features", Required: true, Type: &schema.Type{Op: schema.String, Doc: "Array with the rows: its first dimension counts them, the others are the shape of the input."}},
	{Name: "label", Type: &schema.Type{Op: schema.String, Doc: "Array with the labels, one for each row. Whole numbers, booleans and text are classes, others are numbers."}},
	{Name: "label_kind", Type: &schema.Type{Op: schema.String, Doc: "Whether the label is one of a set of classes or a number; by its type when absent.", Enum: []any{"class", "number"}}},
	{Name: "classes", Type: &schema.Type{Op: schema.List, Doc: "Names of the classes 0, 1, and so on, of labels that are whole numbers.", MinItems: 2, Elem: &schema.Type{Op: schema.String}}},
	{Name: "flatten", Default: false, Type: &schema.Type{Op: schema.Bool, Doc: "Whether a row is one vector."}},
	{Name: "input", Default: "features", Type: &schema.Type{Op: schema.String, Doc: "Name of the input that the rows make."}},
	{Name: "max_rows", Type: &schema.Type{Op: schema.Int, Doc: "Take so many rows at most, the first, of files and of each other list of files.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
	{Name: "leaks", Default: "warn", Type: &schema.Type{Op: schema.String, Doc: "What to do about rows of one split whose inputs are in another split too.", Enum: []any{"warn", "error", "drop", "ignore"}}},
	{Name: "split", Type: &schema.Type{Op: schema.Struct, Doc: "Parts of the rows of files; without it they are one part that serves for everything, or for training where there are files for testing.", Fields: []schema.Field{
		{Name: "train", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Fraction of the rows to train on.", Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "valid", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to look at while training.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "test", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to evaluate on.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int, Doc: "Seed of what deals the rows out."}},
		{Name: "stratify", Default: false, Type: &schema.Type{Op: schema.Bool, Doc: "Whether each part gets the same mix of classes."}},
		{Name: "by", Default: "position", Type: &schema.Type{Op: schema.String, Doc: "What decides on a row: its position, by a permutation of all rows; or its content, so that equal rows stay together and a row keeps its part when others come or go.", Enum: []any{"position", "content"}}},
	}}},
}}}
