// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package tagging

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of eval.tagging.
var Schema = &schema.Kind{Family: "eval", Type: "tagging", Version: 2, Doc: "Measures a tagger of words by the entities it finds, exactly as conlleval does: precision, recall and f1 over all types, the mean of f1 over types (macro_f1), f1 of each type (f1_TYPE), and accuracy over words. Tags of a scheme none are entities of one word. A word's prediction is that of its first token.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
	{Name: "data", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"data"}}},
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
