// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package huggingface

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of target.huggingface.
var Schema = &schema.Kind{Family: "target", Type: "huggingface", Version: 2, Doc: "The model as a directory that Hugging Face's transformers loads: config.json and model.safetensors, tensors named and laid out as there; with a tokenizer, all that AutoModel and AutoTokenizer need. For models \"pretrained\", std/bert and std/transformer_decoder (as GPT-2), with what transformers has on top of them; int8 layers have no place in it.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
	{Name: "tokenizer", Type: &schema.Type{Op: schema.Ref, Doc: "The tokenizer that goes with the model; its files are put beside the others.", RefTypes: []string{"tokenizer"}}},
	{Name: "labels", Type: &schema.Type{Op: schema.List, Doc: "Names of the outputs of a classifier, in order.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "gates", Type: &schema.Type{Op: schema.List, Doc: "Reports all of whose gates must have passed before the directory is written.", Elem: &schema.Type{Op: schema.Ref, RefTypes: []string{"report"}}}},
	{Name: "path", Required: true, Type: &schema.Type{Op: schema.String, Doc: "Where the directory goes, relative to the spec and inside its directory."}},
}}}
