// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package quantize

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of pass.quantize.
var Schema = &schema.Kind{Family: "pass", Type: "quantize", Version: 1, Doc: "Stores the weights of dense layers, convolutions and token embeddings as int8 with a scale for each output. Embeddings have nothing to multiply with: both schemes save their space only.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
	{Name: "scheme", Required: true, Type: &schema.Type{Op: schema.String, Doc: "dynamic_int8 computes in int8, with inputs quantised as they come; weight_only_int8 computes in float32 and saves space only.", Enum: []any{"dynamic_int8", "weight_only_int8"}}},
	{Name: "skip", Type: &schema.Type{Op: schema.List, Doc: "Layers to leave as they are.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
}}}
