// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package bpe

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of tokenizer.bpe.
var Schema = &schema.Kind{Family: "tokenizer", Type: "bpe", Version: 1, Doc: "A byte-level BPE tokenizer, as of GPT-2 and RoBERTa, trained on text: every text is tokens, none is unknown, and tokens give back the text. The result depends on the texts, not on their order, and not on the machine.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "data", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"data"}}},
	{Name: "columns", Type: &schema.Type{Op: schema.List, Doc: "Columns of text to learn from; the only one there is when absent.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "split", Default: "train", Type: &schema.Type{Op: schema.String, Doc: "Split whose rows are learnt from; of a dataset that is not split, all."}},
	{Name: "vocab_size", Default: int64(8192), Type: &schema.Type{Op: schema.Int, Doc: "Tokens at most, special tokens and the 256 of single bytes among them.", Min: &schema.Bound{Value: 261, Exclusive: false}, Max: &schema.Bound{Value: 4e+06, Exclusive: false}}},
	{Name: "min_frequency", Default: int64(2), Type: &schema.Type{Op: schema.Int, Doc: "How often a pair of tokens must occur to be joined.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
	{Name: "normalize", Default: "none", Type: &schema.Type{Op: schema.String, Doc: "Normal form of Unicode that text is brought into first; none leaves it, so that tokens give back each byte.", Enum: []any{"none", "NFC", "NFKC"}}},
	{Name: "template", Default: "roberta", Type: &schema.Type{Op: schema.String, Doc: "What stands around a text: <s> and </s> (roberta, for encoders), </s> after it (gpt2, for decoders), or nothing.", Enum: []any{"roberta", "gpt2", "none"}}},
	{Name: "special_tokens", Type: &schema.Type{Op: schema.List, Doc: "Special tokens beside <s>, <pad>, </s>, <unk> and <mask>, which are ids 0 to 4.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "max_length", Type: &schema.Type{Op: schema.Int, Doc: "The longest input of the models that it is for; written down in tokenizer_config.json.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
}}}
