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
		{Name: "loss", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"cross_entropy", "mse"}}},
		{Name: "epochs", Required: true, Type: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+06, Exclusive: false}}},
		{Name: "batch", Default: int64(32), Type: &schema.Type{Op: schema.Int, Doc: "Rows in a step.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+06, Exclusive: false}}},
		{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int}},
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
		}}},
	}}},
}}}
