// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package similarity

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of eval.similarity.
var Schema = &schema.Kind{Family: "eval", Type: "similarity", Version: 2, Doc: "Measures a model of one number by how well it puts rows in order, whatever its scale: Spearman's rank correlation with the label, which is how similarity of texts is measured, and Pearson's.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
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
