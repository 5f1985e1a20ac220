// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package peft

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of target.peft.
var Schema = &schema.Kind{Family: "target", Type: "peft", Version: 1, Doc: "An adapter as a directory that the PEFT library loads: adapter_config.json and adapter_model.safetensors, tensors named and laid out as there. For adapters of LoRA over models of transformers: a model \"pretrained\", or of layers that are called and built alike.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"adapter"}}},
	{Name: "base_model", Type: &schema.Type{Op: schema.String, Doc: "Where PEFT finds the model that the adapter goes over: a name of the Hub, or a path."}},
	{Name: "gates", Type: &schema.Type{Op: schema.List, Doc: "Reports all of whose gates must have passed before the directory is written.", Elem: &schema.Type{Op: schema.Ref, RefTypes: []string{"report"}}}},
	{Name: "path", Required: true, Type: &schema.Type{Op: schema.String, Doc: "Where the directory goes, relative to the spec and inside its directory."}},
}}}
