// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package classification

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of eval.classification.
var Schema = &schema.Kind{Family: "eval", Type: "classification", Version: 4, Doc: "Measures a classifier: accuracy, macro F1, log loss and calibration, each class, and every prediction. Of two classes, also\nprecision, recall, F1 and the area under the ROC curve. The model has an output for each class, or one for two: the logit of the second class.\nGates may also be on precision_CLASS, recall_CLASS, f1_CLASS and share_CLASS, the share of the rows that are predicted as a class. Of data without\na label there are the shares alone: set classes.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
	{Name: "data", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"data"}}},
	{Name: "split", Default: "test", Type: &schema.Type{Op: schema.String, Doc: "Part of the data to measure on.", Enum: []any{"train", "valid", "test"}}},
	{Name: "positive", Type: &schema.Type{Op: schema.String, Doc: "Of two classes, the one that precision, recall, f1 and auc are of; the second if left out. Classes are in alphabetical order, where the dataset does not name them."}},
	{Name: "threshold", Type: &schema.Type{Op: schema.Number, Doc: "Of two classes, the probability of the positive one above which it is predicted; the more likely one is, if left out.", Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
	{Name: "classes", Type: &schema.Type{Op: schema.List, Doc: "Of data without a label, the names of the model's outputs, in order.", Elem: &schema.Type{Op: schema.String}}},
	{Name: "reject", Type: &schema.Type{Op: schema.Struct, Doc: "Tells rows that are of none of the classes that the model knows.", Fields: []schema.Field{
		{Name: "class", Required: true, Type: &schema.Type{Op: schema.String, Doc: "Class that is predicted for them. The model may have an output for it, and need not."}},
		{Name: "threshold", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Probability of the most likely class below which a row is rejected.", Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
	}}},
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
