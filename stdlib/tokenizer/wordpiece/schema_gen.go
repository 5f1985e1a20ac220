// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package wordpiece

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of tokenizer.wordpiece.
var Schema = &schema.Kind{Family: "tokenizer", Type: "wordpiece", Version: 1, Doc: "A WordPiece tokenizer with the pipeline of BERT, trained on text: pairs of tokens are joined by how often they occur. The result depends on the texts, not on their order, and not on the machine.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "data", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"data"}}},
	{Name: "columns", Type: &schema.Type{Op: schema.List, Doc: "Columns of text to learn from; the only one there is when absent.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "split", Default: "train", Type: &schema.Type{Op: schema.String, Doc: "Split whose rows are learnt from; of a dataset that is not split, all."}},
	{Name: "vocab_size", Default: int64(8192), Type: &schema.Type{Op: schema.Int, Doc: "Tokens at most, special tokens and single characters among them.", Min: &schema.Bound{Value: 16, Exclusive: false}, Max: &schema.Bound{Value: 4e+06, Exclusive: false}}},
	{Name: "min_frequency", Default: int64(2), Type: &schema.Type{Op: schema.Int, Doc: "How often a pair of tokens must occur to be joined.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
	{Name: "limit_alphabet", Default: int64(6000), Type: &schema.Type{Op: schema.Int, Doc: "Characters that become tokens, the most frequent. Words with others are the unknown token.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
	{Name: "lowercase", Default: true, Type: &schema.Type{Op: schema.Bool, Doc: "Whether text becomes lower case."}},
	{Name: "strip_accents", Type: &schema.Type{Op: schema.Bool, Doc: "Whether accents are removed; as lowercase when absent."}},
	{Name: "split_chinese", Default: true, Type: &schema.Type{Op: schema.Bool, Doc: "Whether each Chinese character is a word of its own."}},
	{Name: "special_tokens", Type: &schema.Type{Op: schema.List, Doc: "Special tokens beside [PAD], [UNK], [CLS], [SEP] and [MASK], which are ids 0 to 4.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "max_length", Type: &schema.Type{Op: schema.Int, Doc: "The longest input of the models that it is for; written down in tokenizer_config.json.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
}}}
