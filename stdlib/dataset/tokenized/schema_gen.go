// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package tokenized

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of dataset.tokenized.
var Schema = &schema.Kind{Family: "dataset", Type: "tokenized", Version: 1, Doc: "The text of another dataset as token ids, ready for a model: cut to a length, with special tokens around it, rows of about one length together in a batch, labels of words brought to their tokens. Splits, labels and their names stay as they are.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, Doc: "Dataset with text.", RefTypes: []string{"data"}}},
	{Name: "vocab", Required: true, Type: &schema.Type{Op: schema.Ref, Doc: "Tokenizer; its digest is part of the key of everything that is made of the tokens.", RefTypes: []string{"tokenizer"}}},
	{Name: "text", Type: &schema.Type{Op: schema.String, Doc: "Column of text, or of words (dataset conll); the only one there is when absent."}},
	{Name: "pair", Type: &schema.Type{Op: schema.String, Doc: "Column with a second text, which goes into one input with the first."}},
	{Name: "second", Type: &schema.Type{Op: schema.String, Doc: "A second input from a text of its own, for models of two towers: its tokens are the inputs NAME_input_ids and NAME_attention_mask, those of text TEXT_input_ids and so on. NAME and TEXT are the columns."}},
	{Name: "max_length", Default: int64(128), Type: &schema.Type{Op: schema.Int, Doc: "Tokens of a row at most, special tokens among them.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 65536, Exclusive: false}}},
	{Name: "truncation", Default: "longest_first", Type: &schema.Type{Op: schema.String, Doc: "Which text loses tokens where there are too many: of a pair the longer, the first or the second; or refuse such rows.", Enum: []any{"longest_first", "only_first", "only_second", "error"}}},
	{Name: "stride", Type: &schema.Type{Op: schema.Int, Doc: "Makes windows of texts that are too long, instead of cutting them: rows that share so many tokens, or a few more, with the one before. A window is a row with the label of its text, and training sees windows; eval classification and regression measure texts, by the mean over their windows (windows). Of tags, each word has its label, and is measured, in one window, where the two have about as much around it, and no entity is cut where that can be.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 65536, Exclusive: true}}},
	{Name: "lengths", Default: int64(20), Type: &schema.Type{Op: schema.Int, Doc: "Lengths that batches are padded to, at most so many, chosen so that there is as little padding as may be. Each is compiled once.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 64, Exclusive: false}}},
	{Name: "special_tokens", Default: true, Type: &schema.Type{Op: schema.Bool, Doc: "Whether the special tokens that the tokenizer has for it stand around texts."}},
	{Name: "token_types", Type: &schema.Type{Op: schema.Bool, Doc: "Whether there is an input that tells the texts of a pair apart; as pair when absent."}},
	{Name: "pack", Default: false, Type: &schema.Type{Op: schema.Bool, Doc: "Whether texts follow each other, with the tokenizer's end of text after each, in rows that are full: for language models."}},
	{Name: "word_labels", Default: "first", Type: &schema.Type{Op: schema.String, Doc: "Which tokens of a word take its label: the first, or all.", Enum: []any{"first", "all"}}},
	{Name: "keep", Type: &schema.Type{Op: schema.List, Doc: "Columns of text that are passed on, such as the query that a row answers, which eval ranking groups by.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "empty", Default: "skip", Type: &schema.Type{Op: schema.String, Doc: "What to do with rows without a token: leave them out, or refuse the data.", Enum: []any{"skip", "error"}}},
}}}
