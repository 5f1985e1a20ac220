// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package supervised

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of train.supervised.
var Schema = &schema.Kind{Family: "train", Type: "supervised", Version: 1, Doc: "Training on examples with labels, as a chain of epochs that are cached one by one.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "graph", Type: &schema.Type{Op: schema.Ref, Doc: "Architecture to train from scratch.", RefTypes: []string{"graph"}}},
	{Name: "from", Type: &schema.Type{Op: schema.Ref, Doc: "Model to go on training; instead of graph.", RefTypes: []string{"model"}}},
	{Name: "data", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"data"}}},
	{Name: "loss", Required: true, Type: &schema.Type{Op: schema.String, Doc: "cross_entropy of softmax(logits) for classes, mse for a number.", Enum: []any{"cross_entropy", "mse"}}},
	{Name: "epochs", Required: true, Type: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+06, Exclusive: false}}},
	{Name: "batch", Default: int64(32), Type: &schema.Type{Op: schema.Int, Doc: "Rows in a step.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+06, Exclusive: false}}},
	{Name: "seed", Default: int64(0), Type: &schema.Type{Op: schema.Int, Doc: "Seed of initial weights, order of rows and dropout."}},
	{Name: "shuffle", Default: true, Type: &schema.Type{Op: schema.Bool, Doc: "Whether each epoch has an order of its own."}},
	{Name: "clip_norm", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "Largest L2 norm of all gradients together; 0 for no limit.", Min: &schema.Bound{Value: 0, Exclusive: false}}},
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
	{Name: "select", Default: "last", Type: &schema.Type{Op: schema.String, Doc: "Which epoch's model to give out: the last, or the one with the lowest loss on the valid split.", Enum: []any{"last", "best"}}},
	{Name: "early_stopping", Type: &schema.Type{Op: schema.Struct, Doc: "Stop when the loss on the valid split has not fallen for a while.", Fields: []schema.Field{
		{Name: "patience", Required: true, Type: &schema.Type{Op: schema.Int, Doc: "Epochs without improvement after which to stop.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
		{Name: "min_delta", Default: int64(0), Type: &schema.Type{Op: schema.Number, Doc: "By how much the loss must fall to count.", Min: &schema.Bound{Value: 0, Exclusive: false}}},
	}}},
}}}
