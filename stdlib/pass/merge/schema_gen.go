// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package merge

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of pass.merge.
var Schema = &schema.Kind{Family: "pass", Type: "merge", Version: 1, Doc: "Puts an adapter that train \"lora\" made into the weights of its model: one model, of the model's architecture, which computes what the two did.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, Doc: "The model that the adapter was trained on, with the same weights.", RefTypes: []string{"model"}}},
	{Name: "adapter", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"adapter"}}},
}}}
