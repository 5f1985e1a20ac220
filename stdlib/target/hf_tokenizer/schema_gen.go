// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package hftokenizer

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of target.hf_tokenizer.
var Schema = &schema.Kind{Family: "target", Type: "hf_tokenizer", Version: 1, Doc: "A tokenizer as a directory that Hugging Face's libraries load: tokenizer.json, tokenizer_config.json, special_tokens_map.json, and the vocabulary as vocab.txt (WordPiece) or vocab.json and merges.txt (BPE).", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"tokenizer"}}},
	{Name: "gates", Type: &schema.Type{Op: schema.List, Doc: "Reports all of whose gates must have passed before the directory is written.", Elem: &schema.Type{Op: schema.Ref, RefTypes: []string{"report"}}}},
	{Name: "path", Required: true, Type: &schema.Type{Op: schema.String, Doc: "Where the directory goes, relative to the spec and inside its directory."}},
}}}
