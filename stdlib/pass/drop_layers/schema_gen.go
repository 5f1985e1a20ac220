// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package droplayers

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of pass.drop_layers.
var Schema = &schema.Kind{Family: "pass", Type: "drop_layers", Version: 1, Doc: "Removes whole blocks of a transformer, the layers that are called layer0_…, layer1_… as in models \"pretrained\" and the modules of transformers; those that stay are numbered anew. Train the result on with `train supervised { from = … }` or `train distill`.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
	{Name: "blocks", Type: &schema.Type{Op: schema.Int, Doc: "How many blocks stay.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 100000, Exclusive: false}}},
	{Name: "strategy", Default: "top", Type: &schema.Type{Op: schema.String, Doc: "Which blocks go where blocks says how many stay: the last (top), the first (bottom), those between the first and the last (middle), or by turns (alternate: of six, 0, 2 and 4 stay).", Enum: []any{"top", "bottom", "middle", "alternate"}}},
	{Name: "keep", Type: &schema.Type{Op: schema.List, Doc: "Numbers of the blocks that stay, from 0; instead of blocks.", MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 100000, Exclusive: false}}}},
}}}
