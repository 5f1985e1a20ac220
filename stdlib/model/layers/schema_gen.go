// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package layers

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of model.layers.
var Schema = &schema.Kind{Family: "model", Type: "layers", Version: 1, Doc: "An architecture written out layer by layer. Each layer takes the one before it, unless it names its inputs.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "input", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Tensors that the model is given, without the batch dimension.", MinItems: 1, Labels: []string{"name"}, Elem: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
		{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
		{Name: "shape", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Size of each dimension but the batch.", MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}}}},
		{Name: "scale", Default: int64(1), Type: &schema.Type{Op: schema.Number, Doc: "The model sees x * scale + shift."}},
		{Name: "shift", Default: int64(0), Type: &schema.Type{Op: schema.Number}},
		{Name: "normalize", Type: &schema.Type{Op: schema.Ref, Doc: "Dataset by whose train split the input is normalised: the model sees (x - mean) / deviation, with mean and deviation of each element of the last axis (a feature, or the channel of an image). They become part of the model, and of what is exported.", RefTypes: []string{"data"}}},
	}}}},
	{Name: "layer", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Layers in order; the last is the model's output.", MinItems: 1, Labels: []string{"type", "name"}, Elem: &schema.Type{Op: schema.Union, Tag: "type", Alts: []*schema.Type{
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"dense"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "units", Required: true, Type: &schema.Type{Op: schema.Int, Doc: "Number of outputs.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+07, Exclusive: false}}},
			{Name: "activation", Default: "linear", Type: &schema.Type{Op: schema.String, Enum: []any{"linear", "relu", "gelu", "tanh", "sigmoid", "silu", "elu", "leaky_relu", "softplus", "softmax"}}},
			{Name: "use_bias", Default: true, Type: &schema.Type{Op: schema.Bool}},
			{Name: "init", Default: "glorot_uniform", Type: &schema.Type{Op: schema.String, Doc: "How weights begin.", Enum: []any{"glorot_uniform", "he_normal", "zeros"}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"activation"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "function", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"linear", "relu", "gelu", "tanh", "sigmoid", "silu", "elu", "leaky_relu", "softplus", "softmax"}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"dropout"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "rate", Required: true, Type: &schema.Type{Op: schema.Number, Doc: "Probability of an element to be dropped while training.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"batch_norm"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "momentum", Default: float64(0.9), Type: &schema.Type{Op: schema.Number, Doc: "Share of the old running statistics that is kept at each step.", Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1, Exclusive: true}}},
			{Name: "epsilon", Default: float64(1e-05), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"layer_norm"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "epsilon", Default: float64(1e-05), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"flatten"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"add"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Required: true, Type: &schema.Type{Op: schema.List, MinItems: 2, Elem: &schema.Type{Op: schema.String}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"concat"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Required: true, Type: &schema.Type{Op: schema.List, MinItems: 2, Elem: &schema.Type{Op: schema.String}}},
		}},
	}}}},
}}}
