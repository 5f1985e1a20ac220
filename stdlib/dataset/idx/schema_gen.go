// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package idx

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of dataset.idx.
var Schema = &schema.Kind{Family: "dataset", Type: "idx", Version: 1, Doc: "Arrays in the idx format of MNIST and Fashion-MNIST, gzipped or not: a file of rows, and one of labels.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "images", Required: true, Type: &schema.Type{Op: schema.String, Doc: "File of the rows: of rank 3 (rows, height, width) or 4 (and channels) for images, 2 for vectors. Unsigned bytes are stored as such."}},
	{Name: "labels", Type: &schema.Type{Op: schema.String, Doc: "File of the labels, a number for each row: whole numbers are classes, others are numbers. Without it there is no label."}},
	{Name: "valid", Type: &schema.Type{Op: schema.Struct, Doc: "Rows for validation in files of their own.", Fields: []schema.Field{
		{Name: "images", Required: true, Type: &schema.Type{Op: schema.String}},
		{Name: "labels", Type: &schema.Type{Op: schema.String}},
	}}},
	{Name: "test", Type: &schema.Type{Op: schema.Struct, Doc: "Rows to evaluate on in files of their own.", Fields: []schema.Field{
		{Name: "images", Required: true, Type: &schema.Type{Op: schema.String}},
		{Name: "labels", Type: &schema.Type{Op: schema.String}},
	}}},
	{Name: "classes", Type: &schema.Type{Op: schema.List, Doc: "Names of the classes 0, 1, and so on; the numbers themselves when absent.", MinItems: 2, Elem: &schema.Type{Op: schema.String}}},
	{Name: "flatten", Default: false, Type: &schema.Type{Op: schema.Bool, Doc: "Whether a row is one vector, not an image of shape (height, width, channels)."}},
	{Name: "input", Default: "pixels", Type: &schema.Type{Op: schema.String, Doc: "Name of the input that the rows make."}},
	{Name: "max_rows", Type: &schema.Type{Op: schema.Int, Doc: "Take so many rows at most, the first, of images and of each pair of files.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
	{Name: "leaks", Default: "warn", Type: &schema.Type{Op: schema.String, Doc: "What to do about rows of one split whose inputs are in another split too.", Enum: []any{"warn", "error", "drop", "ignore"}}},
	{Name: "split", Type: &schema.Type{Op: schema.Struct, Doc: "Parts of the rows of images; without it they are one part that serves for everything, or for training where there are files for testing.", Fields: []schema.Field{
		{Name: "train", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Fraction of the rows to train on.", Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "valid", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to look at while training.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "test", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to evaluate on.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int, Doc: "Seed of what deals the rows out."}},
		{Name: "stratify", Default: false, Type: &schema.Type{Op: schema.Bool, Doc: "Whether each part gets the same mix of classes."}},
		{Name: "by", Default: "position", Type: &schema.Type{Op: schema.String, Doc: "What decides on a row: its position, by a permutation of all rows; or its content, so that equal rows stay together and a row keeps its part when others come or go.", Enum: []any{"position", "content"}}},
	}}},
}}}
