// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package prune

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of pass.prune.
var Schema = &schema.Kind{Family: "pass", Type: "prune", Version: 4, Doc: "Sets the smallest weights to zero, and optionally trains the rest on.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
	{Name: "sparsity", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Fraction of the weights to set to zero.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
	{Name: "scope", Default: "global", Type: &schema.Type{Op: schema.String, Doc: "Whether the fraction is of all layers together or of each.", Enum: []any{"global", "layer"}}},
	{Name: "finetune", Type: &schema.Type{Op: schema.Struct, Doc: "Training after pruning; what is zero stays zero.", Fields: []schema.Field{
		{Name: "data", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"data"}}},
		{Name: "loss", Required: true, Type: &schema.Type{Op: schema.String, Doc: "As in train \"supervised\".", Enum: []any{"cross_entropy", "binary_cross_entropy", "kl", "mse", "mae", "huber"}}},
		{Name: "epochs", Required: true, Type: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+06, Exclusive: false}}},
		{Name: "batch", Default: int64(32), Type: &schema.Type{Op: schema.Int, Doc: "Rows in a step.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+06, Exclusive: false}}},
		{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int}},
		{Name: "augment", Type: &schema.Type{Op: schema.List, Doc: "What becomes of rows of the train split, anew in each epoch, as in train \"supervised\".", Labels: []string{"type"}, Elem: &schema.Type{Op: schema.Union, Tag: "type", Alts: []*schema.Type{
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"flip"}}},
				{Name: "axis", Default: "horizontal", Type: &schema.Type{Op: schema.String, Doc: "Mirrors images, left to right (horizontal) or top to bottom.", Enum: []any{"horizontal", "vertical"}}},
				{Name: "probability", Default: float64(0.5), Type: &schema.Type{Op: schema.Number, Doc: "Share of the rows that are mirrored.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: false}}},
			}},
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"crop"}}},
				{Name: "padding", Required: true, Type: &schema.Type{Op: schema.Int, Doc: "Pads images by so many pixels on all sides, and cuts a piece of the old size out.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
				{Name: "fill", Default: "zero", Type: &schema.Type{Op: schema.String, Doc: "What the padding holds: zeros, or the image mirrored.", Enum: []any{"zero", "reflect"}}},
			}},
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"shift"}}},
				{Name: "max", Required: true, Type: &schema.Type{Op: schema.Int, Doc: "Moves images, or series along their first dimension, by at most so many elements; the edge is repeated.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
			}},
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"noise"}}},
				{Name: "deviation", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Adds normal noise of this deviation, in units of the data, before the model's own scale.", Min: &schema.Bound{Value: 0, Exclusive: true}}},
			}},
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"mixup"}}},
				{Name: "alpha", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Mixes each row and its label with another row, w and 1-w, w from Beta(alpha, alpha) (Zhang et al. 2018).", Min: &schema.Bound{Value: 0, Exclusive: true}}},
			}},
		}}}},
		{Name: "optimizer", Required: true, Type: &schema.Type{Op: schema.Union, Labels: []string{"type"}, Tag: "type", Alts: []*schema.Type{
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"sgd"}}},
				{Name: "lr", Default: float64(0.01), Type: &schema.Type{Op: schema.Number, Doc: "Learning rate.", Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "weight_decay", Default: int64(0), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}}},
			}},
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"momentum"}}},
				{Name: "lr", Default: float64(0.01), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "momentum", Default: float64(0.9), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
				{Name: "weight_decay", Default: int64(0), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}}},
			}},
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"nesterov"}}},
				{Name: "lr", Default: float64(0.01), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "momentum", Default: float64(0.9), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
				{Name: "weight_decay", Default: int64(0), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}}},
			}},
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"adam"}}},
				{Name: "lr", Default: float64(0.001), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "beta1", Default: float64(0.9), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
				{Name: "beta2", Default: float64(0.999), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
				{Name: "epsilon", Default: float64(1e-08), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "weight_decay", Default: int64(0), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}}},
			}},
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"adamw"}}},
				{Name: "lr", Default: float64(0.001), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "beta1", Default: float64(0.9), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
				{Name: "beta2", Default: float64(0.999), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
				{Name: "epsilon", Default: float64(1e-08), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "weight_decay", Default: float64(0.01), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}}},
			}},
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"lamb"}}},
				{Name: "lr", Default: float64(0.001), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "beta1", Default: float64(0.9), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
				{Name: "beta2", Default: float64(0.999), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
				{Name: "epsilon", Default: float64(1e-06), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "weight_decay", Default: float64(0.01), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}}},
			}},
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"lion"}}},
				{Name: "lr", Default: float64(0.0001), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "beta1", Default: float64(0.9), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
				{Name: "beta2", Default: float64(0.99), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
				{Name: "weight_decay", Default: float64(0.01), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}}},
			}},
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"adafactor"}}},
				{Name: "lr", Default: float64(0.01), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "decay", Default: float64(0.8), Type: &schema.Type{Op: schema.Number, Doc: "The second moment decays with 1 - step ^ -decay.", Min: &schema.Bound{Value: 0, Exclusive: true}, Max: &schema.Bound{Value: 1, Exclusive: false}}},
				{Name: "epsilon", Default: float64(1e-30), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "clip_threshold", Default: int64(1), Type: &schema.Type{Op: schema.Number, Doc: "Largest root mean square of a step before the learning rate; 0 for no limit.", Min: &schema.Bound{Value: 0, Exclusive: false}}},
				{Name: "scale_parameter", Default: true, Type: &schema.Type{Op: schema.Bool, Doc: "Whether steps are scaled with the root mean square of their parameter."}},
				{Name: "factor_from", Default: int64(128), Type: &schema.Type{Op: schema.Int, Doc: "Matrices whose sides are both at least this keep row and column means only.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
				{Name: "weight_decay", Default: int64(0), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}}},
			}},
			&schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"rmsprop"}}},
				{Name: "lr", Default: float64(0.001), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "decay", Default: float64(0.99), Type: &schema.Type{Op: schema.Number, Doc: "Share of the mean square that a step leaves.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
				{Name: "momentum", Default: int64(0), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
				{Name: "epsilon", Default: float64(1e-08), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
				{Name: "weight_decay", Default: int64(0), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: false}}},
			}},
		}}},
	}}},
}}}
