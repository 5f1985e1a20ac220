// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package pretrained

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of tokenizer.pretrained.
var Schema = &schema.Kind{Family: "tokenizer", Type: "pretrained", Version: 1, Doc: "A tokenizer that comes with a model: a tokenizer.json of the tokenizers library, a vocab.txt of BERT, or a model of the sentencepiece library. What a tokenizer.json says of truncation and padding is left aside: dataset tokenized decides on them.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "file", Required: true, Type: &schema.Type{Op: schema.String, Doc: "tokenizer.json, vocab.txt, or a sentencepiece model (*.model, *.spm)."}},
	{Name: "config", Type: &schema.Type{Op: schema.String, Doc: "tokenizer_config.json: special tokens by role, the longest input, lower case."}},
	{Name: "special_tokens_map", Type: &schema.Type{Op: schema.String, Doc: "special_tokens_map.json: special tokens by role."}},
	{Name: "lowercase", Type: &schema.Type{Op: schema.Bool, Doc: "Of vocab.txt: whether text becomes lower case and loses its accents. As config says when absent, else true."}},
}}}
