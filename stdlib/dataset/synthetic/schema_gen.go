// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package synthetic

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of dataset.synthetic.
var Schema = &schema.Kind{Family: "dataset", Type: "synthetic", Version: 1, Doc: "Data made from a seed, for tests, tutorials and benchmarks.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "shape", Required: true, Type: &schema.Type{Op: schema.String, Doc: "What to make: gaussian blobs, two spirals, xor of two signs, or a noisy linear function.", Enum: []any{"blobs", "spirals", "xor", "linear"}}},
	{Name: "rows", Default: int64(1000), Type: &schema.Type{Op: schema.Int, Doc: "Number of rows.", Min: &schema.Bound{Value: 2, Exclusive: false}, Max: &schema.Bound{Value: 1e+08, Exclusive: false}}},
	{Name: "features", Default: int64(2), Type: &schema.Type{Op: schema.Int, Doc: "Number of features.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 100000, Exclusive: false}}},
	{Name: "classes", Default: int64(2), Type: &schema.Type{Op: schema.Int, Doc: "Number of classes of blobs. Spirals and xor have 2, linear has none.", Min: &schema.Bound{Value: 2, Exclusive: false}, Max: &schema.Bound{Value: 10000, Exclusive: false}}},
	{Name: "noise", Default: float64(0.1), Type: &schema.Type{Op: schema.Number, Doc: "Deviation of the noise.", Min: &schema.Bound{Value: 0, Exclusive: false}}},
	{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int}},
	{Name: "input", Default: "features", Type: &schema.Type{Op: schema.String, Doc: "Name of the input that the features make."}},
	{Name: "split", Type: &schema.Type{Op: schema.Struct, Doc: "Parts of the rows; without it all rows are one part that serves for everything.", Fields: []schema.Field{
		{Name: "train", Required: true, Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "valid", Default: int64(0), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "test", Default: int64(0), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int}},
		{Name: "stratify", Default: false, Type: &schema.Type{Op: schema.Bool}},
	}}},
}}}
