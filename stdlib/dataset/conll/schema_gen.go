// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package conll

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of dataset.conll.
var Schema = &schema.Kind{Family: "dataset", Type: "conll", Version: 1, Doc: "Tokens with tags in columns, a token a line and an empty line between sentences, as in the CoNLL shared tasks; gzipped or not.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "files", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Files of tokens; more than one are read one after the other.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "valid_files", Type: &schema.Type{Op: schema.List, Doc: "Rows for validation in files of their own.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "test_files", Type: &schema.Type{Op: schema.List, Doc: "Rows to evaluate on in files of their own.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "columns", Type: &schema.Type{Op: schema.List, Doc: "Columns from the left, by name; each line must have as many, separated by white space. All but the tags become columns of tokens. \"token\" and \"tag\" when absent.", MinItems: 2, Elem: &schema.Type{Op: schema.String}}},
	{Name: "tag_column", Default: "tag", Type: &schema.Type{Op: schema.String, Doc: "Column with the tags."}},
	{Name: "skip_columns", Type: &schema.Type{Op: schema.List, Doc: "Columns to leave out.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "delimiter", Default: "space", Type: &schema.Type{Op: schema.String, Doc: "What stands between columns: white space of any length, or tabs, where tokens may hold spaces.", Enum: []any{"space", "tab"}}},
	{Name: "scheme", Default: "iob2", Type: &schema.Type{Op: schema.String, Doc: "How tags mark entities in the files: iob1 (B- only between two of one type), iob2 (B- at each beginning), bioes (E- at the end, S- for a single token), or none (any tag stands for itself).", Enum: []any{"iob1", "iob2", "bioes", "none"}}},
	{Name: "output_scheme", Type: &schema.Type{Op: schema.String, Doc: "How tags mark entities in the dataset; as in the files when absent.", Enum: []any{"iob1", "iob2", "bioes"}}},
	{Name: "repair", Default: "conlleval", Type: &schema.Type{Op: schema.String, Doc: "What to do with a tag that cannot follow the one before it, such as I-PER after O: take it for the beginning of an entity, as conlleval does, and count it, or refuse the file.", Enum: []any{"conlleval", "error"}}},
	{Name: "document_marker", Default: "-DOCSTART-", Type: &schema.Type{Op: schema.String, Doc: "Lines that begin a new document have this first token. They are no rows; documents are what split.group = \"document\" keeps together."}},
	{Name: "comment", Default: "", Type: &schema.Type{Op: schema.String, Doc: "Lines that begin with this are left out; empty for none."}},
	{Name: "classes", Type: &schema.Type{Op: schema.List, Doc: "Tags in order; all that there are, sorted, when absent.", MinItems: 2, Elem: &schema.Type{Op: schema.String}}},
	{Name: "max_sentences", Type: &schema.Type{Op: schema.Int, Doc: "Take so many sentences at most, the first, of files and of each other list of files.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
	{Name: "leaks", Default: "warn", Type: &schema.Type{Op: schema.String, Doc: "What to do about sentences of one split whose tokens are in another split too.", Enum: []any{"warn", "error", "drop", "ignore"}}},
	{Name: "split", Type: &schema.Type{Op: schema.Struct, Doc: "Parts of the sentences of files; without it they are one part that serves for everything, or for training where there are files for testing.", Fields: []schema.Field{
		{Name: "train", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Fraction of the sentences to train on.", Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "valid", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to look at while training.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "test", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Fraction to evaluate on.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int, Doc: "Seed of what deals the sentences out."}},
		{Name: "by", Default: "position", Type: &schema.Type{Op: schema.String, Doc: "What decides on a sentence: its position, by a permutation of all sentences; or its content, so that equal sentences stay together and a sentence keeps its part when others come or go.", Enum: []any{"position", "content"}}},
		{Name: "group", Type: &schema.Type{Op: schema.String, Doc: "\"document\", or a column of the files, whose equal values stay in one part: all sentences of one author, patient, or thread. Values are dealt out by their digest, so they keep their part when others come or go."}},
	}}},
}}}
