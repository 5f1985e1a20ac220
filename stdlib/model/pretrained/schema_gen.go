// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package pretrained

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of model.pretrained.
var Schema = &schema.Kind{Family: "model", Type: "pretrained", Version: 1, Doc: "A model with its weights, in the layout of Hugging Face's transformers: config.json beside tensors in safetensors files. Dropout of attention weights is not computed. Of types bert, distilbert, roberta (also xlm-roberta and camembert) and gpt2. Inputs are input_ids and attention_mask, whole numbers; layers are called as in std/bert.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "files", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Files of the directory, most often of fileset(\"DIR/*\"). What is read is config.json and, beside it, files of tensors and their index.", MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
	{Name: "length", Type: &schema.Type{Op: schema.Int, Doc: "Length of sequences at most; the longest that the model has positions for when absent.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+07, Exclusive: false}}},
	{Name: "token_types", Default: false, Type: &schema.Type{Op: schema.Bool, Doc: "Whether an input token_type_ids says which of two texts a token is of."}},
	{Name: "head", Type: &schema.Type{Op: schema.Union, Doc: "What stands on the body instead of what the files have.", Labels: []string{"type"}, Tag: "type", Alts: []*schema.Type{
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Doc: "The vector of each position.", Enum: []any{"hidden"}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Doc: "One vector of a text.", Enum: []any{"embedding"}}},
			{Name: "pool", Default: "mean", Type: &schema.Type{Op: schema.String, Enum: []any{"first", "last", "mean", "max"}}},
			{Name: "normalize", Default: false, Type: &schema.Type{Op: schema.Bool, Doc: "Whether the vector has length 1."}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Doc: "Logits of a text.", Enum: []any{"classification"}}},
			{Name: "outputs", Required: true, Type: &schema.Type{Op: schema.Int, Doc: "Number of classes, or 1 for a number.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+07, Exclusive: false}}},
			{Name: "pool", Type: &schema.Type{Op: schema.String, Doc: "Without it, the first position and a dense layer before the last one, as the model was trained for; of GPT-2 the last position.", Enum: []any{"first", "last", "mean", "max"}}},
			{Name: "dropout", Type: &schema.Type{Op: schema.Number, Doc: "That of config.json when absent.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Doc: "Logits of each position.", Enum: []any{"tagging"}}},
			{Name: "outputs", Required: true, Type: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+07, Exclusive: false}}},
			{Name: "dropout", Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Doc: "Logits of each token of the vocabulary, at each position.", Enum: []any{"language_model"}}},
		}},
	}}},
	{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int, Doc: "Seed of parameters that the files do not have."}},
}}}
