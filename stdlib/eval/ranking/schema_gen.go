// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package ranking

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of eval.ranking.
var Schema = &schema.Kind{Family: "eval", Type: "ranking", Version: 2, Doc: "Measures where a model puts what is relevant: mean reciprocal rank (mrr), and recall_at_K and ndcg_at_K for each K. With query, the model gives each row a score: rows of one query are its candidates, and the label says how relevant each is. Without, the model gives each row a vector: every row is a query, all others are its candidates, nearest first by the cosine, and those of the same class are relevant. Queries without a relevant candidate are left aside and counted.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
	{Name: "data", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"data"}}},
	{Name: "split", Default: "test", Type: &schema.Type{Op: schema.String, Doc: "Part of the data to measure on.", Enum: []any{"train", "valid", "test"}}},
	{Name: "query", Type: &schema.Type{Op: schema.String, Doc: "Column of text that is equal in rows of one query; absent of models that give vectors."}},
	{Name: "k", Type: &schema.Type{Op: schema.List, Doc: "How many candidates are looked at; 1, 5 and 10 when absent.", MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}}}},
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
