// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package prunechannels

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of pass.prune_channels.
var Schema = &schema.Kind{Family: "pass", Type: "prune_channels", Version: 1, Doc: "Removes whole channels of convolutions and units of dense layers, those with the smallest weights: shapes shrink, and so do\nfiles and computation. Train the result on with `train supervised { from = … }`.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
	{Name: "ratio", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Fraction of the channels of each layer to remove; at least one stays.", Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
	{Name: "norm", Default: "l1", Type: &schema.Type{Op: schema.String, Doc: "What ranks channels: the mean of |w| or of w^2 over the weights that make them.", Enum: []any{"l1", "l2"}}},
	{Name: "skip", Type: &schema.Type{Op: schema.List, Doc: "Layers whose outputs stay as they are.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
}}}
