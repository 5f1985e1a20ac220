// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package languagemodel

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of eval.language_model.
var Schema = &schema.Kind{Family: "eval", Type: "language_model", Version: 2, Doc: "Measures a language model on text without labels: loss (the mean of -ln p of the tokens that are asked for), perplexity (e to the loss), accuracy (the share of tokens that were the most likely) and bits_per_byte (the loss of all tokens in bits, over the bytes of UTF-8 that they are of; models of different vocabularies compare by it). A causal model is asked for every token but the first of a row. A masked one is asked for every token that is not special once, in as many passes as hide about mask_probability of a row each, always behind the mask token; its perplexity is what Salazar et al. (2020) call pseudo-perplexity, with more than one token hidden at a time. Slices have all four. Logits are computed in pieces.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
	{Name: "data", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"data"}}},
	{Name: "objective", Required: true, Type: &schema.Type{Op: schema.String, Doc: "How the model is asked; causal_lm or masked_lm as it was trained.", Enum: []any{"masked_lm", "causal_lm"}}},
	{Name: "mask_probability", Default: float64(0.15), Type: &schema.Type{Op: schema.Number, Doc: "Share of a row that is hidden at a time.", Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 0.5, Exclusive: false}}},
	{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int, Doc: "Seed of which tokens are hidden together."}},
	{Name: "split", Default: "test", Type: &schema.Type{Op: schema.String, Doc: "Part of the data to measure on.", Enum: []any{"train", "valid", "test"}}},
	{Name: "slice", Type: &schema.Type{Op: schema.Struct, Doc: "Measures the rows of each value of a column apart, too. lowest_METRIC and highest_METRIC are those of the slices.", Fields: []schema.Field{
		{Name: "column", Required: true, Type: &schema.Type{Op: schema.String, Doc: "Column of text."}},
		{Name: "min_rows", Default: int64(10), Type: &schema.Type{Op: schema.Int, Doc: "Slices of fewer rows are not measured.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
	}}},
	{Name: "gate", Type: &schema.Type{Op: schema.List, Doc: "Conditions on the metrics. A gate \"METRIC_drop\" bounds how much METRIC falls from a baseline, \"METRIC_rise\" how much it rises.", Labels: []string{"metric"}, Elem: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
		{Name: "metric", Required: true, Type: &schema.Type{Op: schema.String}},
		{Name: "min", Type: &schema.Type{Op: schema.Number}},
		{Name: "max", Type: &schema.Type{Op: schema.Number}},
		{Name: "baseline", Type: &schema.Type{Op: schema.Ref, Doc: "Report to compare with.", RefTypes: []string{"report"}}},
	}}}},
}}}
