// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package peft

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of model.peft.
var Schema = &schema.Kind{Family: "model", Type: "peft", Version: 1, Doc: "An adapter of LoRA that the PEFT library has saved: adapter_config.json beside adapter_model.safetensors. It goes over the model that it was trained on, which must be one of transformers: a model \"pretrained\", or of layers that are called and built alike.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, Doc: "The model that the adapter was trained on.", RefTypes: []string{"model"}}},
	{Name: "files", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Files of the directory, most often of fileset(\"DIR/*\"). What is read is adapter_config.json and adapter_model.safetensors.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
}}}
