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
	{Name: "layer", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Layers in order; the last is the model's output. Images are [height, width, channels], lines [length, channels].", MinItems: 1, Labels: []string{"type", "name"}, Elem: &schema.Type{Op: schema.Union, Tag: "type", Alts: []*schema.Type{
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"dense"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "units", Required: true, Type: &schema.Type{Op: schema.Int, Doc: "Number of outputs.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+07, Exclusive: false}}},
			{Name: "activation", Default: "linear", Type: &schema.Type{Op: schema.String, Enum: []any{"linear", "relu", "gelu", "gelu_tanh", "tanh", "sigmoid", "silu", "elu", "leaky_relu", "softplus", "softmax"}}},
			{Name: "use_bias", Default: true, Type: &schema.Type{Op: schema.Bool}},
			{Name: "init", Default: "glorot_uniform", Type: &schema.Type{Op: schema.String, Doc: "How weights begin.", Enum: []any{"glorot_uniform", "he_normal", "zeros"}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"conv1d"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "filters", Required: true, Type: &schema.Type{Op: schema.Int, Doc: "Number of output channels.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+07, Exclusive: false}}},
			{Name: "kernel", Required: true, Type: &schema.Type{Op: schema.Union, Doc: "Size of the kernel: one number, or one an axis.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "stride", Default: int64(1), Type: &schema.Type{Op: schema.Union, Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "padding", Default: "valid", Type: &schema.Type{Op: schema.String, Doc: "valid pads nothing; same pads with zeros to input / stride outputs, rounded up.", Enum: []any{"valid", "same"}}},
			{Name: "pads", Type: &schema.Type{Op: schema.List, Doc: "Zeros around the input instead, before and after on each axis in turn.", MinItems: 2, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}}},
			{Name: "dilation", Default: int64(1), Type: &schema.Type{Op: schema.Union, Doc: "Distance between the positions of the kernel.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "groups", Default: int64(1), Type: &schema.Type{Op: schema.Int, Doc: "Parts of the channels that do not see each other; as many as channels make the convolution depthwise.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
			{Name: "activation", Default: "linear", Type: &schema.Type{Op: schema.String, Enum: []any{"linear", "relu", "gelu", "gelu_tanh", "tanh", "sigmoid", "silu", "elu", "leaky_relu", "softplus", "softmax"}}},
			{Name: "use_bias", Default: true, Type: &schema.Type{Op: schema.Bool}},
			{Name: "init", Default: "glorot_uniform", Type: &schema.Type{Op: schema.String, Doc: "How weights begin.", Enum: []any{"glorot_uniform", "he_normal", "zeros"}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"conv2d"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "filters", Required: true, Type: &schema.Type{Op: schema.Int, Doc: "Number of output channels.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+07, Exclusive: false}}},
			{Name: "kernel", Required: true, Type: &schema.Type{Op: schema.Union, Doc: "Size of the kernel: one number, or one an axis.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "stride", Default: int64(1), Type: &schema.Type{Op: schema.Union, Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "padding", Default: "valid", Type: &schema.Type{Op: schema.String, Doc: "valid pads nothing; same pads with zeros to input / stride outputs, rounded up.", Enum: []any{"valid", "same"}}},
			{Name: "pads", Type: &schema.Type{Op: schema.List, Doc: "Zeros around the input instead, before and after on each axis in turn.", MinItems: 2, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}}},
			{Name: "dilation", Default: int64(1), Type: &schema.Type{Op: schema.Union, Doc: "Distance between the positions of the kernel.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "groups", Default: int64(1), Type: &schema.Type{Op: schema.Int, Doc: "Parts of the channels that do not see each other; as many as channels make the convolution depthwise.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
			{Name: "activation", Default: "linear", Type: &schema.Type{Op: schema.String, Enum: []any{"linear", "relu", "gelu", "gelu_tanh", "tanh", "sigmoid", "silu", "elu", "leaky_relu", "softplus", "softmax"}}},
			{Name: "use_bias", Default: true, Type: &schema.Type{Op: schema.Bool}},
			{Name: "init", Default: "glorot_uniform", Type: &schema.Type{Op: schema.String, Doc: "How weights begin.", Enum: []any{"glorot_uniform", "he_normal", "zeros"}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"conv1d_transpose"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "filters", Required: true, Type: &schema.Type{Op: schema.Int, Doc: "Number of output channels.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+07, Exclusive: false}}},
			{Name: "kernel", Required: true, Type: &schema.Type{Op: schema.Union, Doc: "Size of the kernel: one number, or one an axis.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "stride", Default: int64(1), Type: &schema.Type{Op: schema.Union, Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "padding", Default: "valid", Type: &schema.Type{Op: schema.String, Doc: "valid cuts nothing off the output; same makes it stride times as long as the input.", Enum: []any{"valid", "same"}}},
			{Name: "pads", Type: &schema.Type{Op: schema.List, Doc: "What is cut off instead, before and after on each axis in turn.", MinItems: 2, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}}},
			{Name: "output_padding", Default: int64(0), Type: &schema.Type{Op: schema.Union, Doc: "How much longer the output is at its end.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "dilation", Default: int64(1), Type: &schema.Type{Op: schema.Union, Doc: "Distance between the positions of the kernel.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "activation", Default: "linear", Type: &schema.Type{Op: schema.String, Enum: []any{"linear", "relu", "gelu", "gelu_tanh", "tanh", "sigmoid", "silu", "elu", "leaky_relu", "softplus", "softmax"}}},
			{Name: "use_bias", Default: true, Type: &schema.Type{Op: schema.Bool}},
			{Name: "init", Default: "glorot_uniform", Type: &schema.Type{Op: schema.String, Doc: "How weights begin.", Enum: []any{"glorot_uniform", "he_normal", "zeros"}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"conv2d_transpose"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "filters", Required: true, Type: &schema.Type{Op: schema.Int, Doc: "Number of output channels.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+07, Exclusive: false}}},
			{Name: "kernel", Required: true, Type: &schema.Type{Op: schema.Union, Doc: "Size of the kernel: one number, or one an axis.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "stride", Default: int64(1), Type: &schema.Type{Op: schema.Union, Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "padding", Default: "valid", Type: &schema.Type{Op: schema.String, Doc: "valid cuts nothing off the output; same makes it stride times as long as the input.", Enum: []any{"valid", "same"}}},
			{Name: "pads", Type: &schema.Type{Op: schema.List, Doc: "What is cut off instead, before and after on each axis in turn.", MinItems: 2, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}}},
			{Name: "output_padding", Default: int64(0), Type: &schema.Type{Op: schema.Union, Doc: "How much longer the output is at its end.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "dilation", Default: int64(1), Type: &schema.Type{Op: schema.Union, Doc: "Distance between the positions of the kernel.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "activation", Default: "linear", Type: &schema.Type{Op: schema.String, Enum: []any{"linear", "relu", "gelu", "gelu_tanh", "tanh", "sigmoid", "silu", "elu", "leaky_relu", "softplus", "softmax"}}},
			{Name: "use_bias", Default: true, Type: &schema.Type{Op: schema.Bool}},
			{Name: "init", Default: "glorot_uniform", Type: &schema.Type{Op: schema.String, Doc: "How weights begin.", Enum: []any{"glorot_uniform", "he_normal", "zeros"}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"max_pool"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "kernel", Required: true, Type: &schema.Type{Op: schema.Union, Doc: "Size of the window: one number, or one an axis.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "stride", Type: &schema.Type{Op: schema.Union, Doc: "The kernel, where nothing is said.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "padding", Default: "valid", Type: &schema.Type{Op: schema.String, Enum: []any{"valid", "same"}}},
			{Name: "pads", Type: &schema.Type{Op: schema.List, Doc: "Padding around the input instead, before and after on each axis in turn; it counts for nothing.", MinItems: 2, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"avg_pool"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "kernel", Required: true, Type: &schema.Type{Op: schema.Union, Doc: "Size of the window: one number, or one an axis.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "stride", Type: &schema.Type{Op: schema.Union, Doc: "The kernel, where nothing is said.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "padding", Default: "valid", Type: &schema.Type{Op: schema.String, Enum: []any{"valid", "same"}}},
			{Name: "pads", Type: &schema.Type{Op: schema.List, Doc: "Padding around the input instead, before and after on each axis in turn; it counts for nothing.", MinItems: 2, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 0, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"global_max_pool"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"global_avg_pool"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"upsample"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "factor", Required: true, Type: &schema.Type{Op: schema.Union, Doc: "How many times as long: one number, or one an axis.", Alts: []*schema.Type{
				&schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}},
				&schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1.048576e+06, Exclusive: false}}},
			}}},
			{Name: "mode", Default: "nearest", Type: &schema.Type{Op: schema.String, Doc: "nearest repeats elements; bilinear goes linearly from the middle of each to that of the next.", Enum: []any{"nearest", "bilinear"}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"activation"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "function", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"linear", "relu", "gelu", "gelu_tanh", "tanh", "sigmoid", "silu", "elu", "leaky_relu", "softplus", "softmax"}}},
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
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"group_norm"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "groups", Required: true, Type: &schema.Type{Op: schema.Int, Doc: "Parts of the channels, each with a mean and deviation of its own; as many as channels make instance normalisation.", Min: &schema.Bound{Value: 1, Exclusive: false}}},
			{Name: "epsilon", Default: float64(1e-05), Type: &schema.Type{Op: schema.Number, Min: &schema.Bound{Value: 0, Exclusive: true}}},
		}},
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"rms_norm"}}},
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
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Enum: []any{"reshape"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Type: &schema.Type{Op: schema.List, MinItems: 1, Elem: &schema.Type{Op: schema.String}}},
			{Name: "shape", Required: true, Type: &schema.Type{Op: schema.List, Doc: "Size of each dimension but the batch; one may be -1 and follows from the others.", MinItems: 1, Elem: &schema.Type{Op: schema.Int, Min: &schema.Bound{Value: -1, Exclusive: false}}}},
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
		&schema.Type{Op: schema.Struct, Fields: []schema.Field{
			{Name: "type", Required: true, Type: &schema.Type{Op: schema.String, Doc: "The product, element by element; axes of size 1 are repeated.", Enum: []any{"multiply"}}},
			{Name: "name", Required: true, Type: &schema.Type{Op: schema.String, Pattern: "^[A-Za-z_][A-Za-z0-9_-]*$"}},
			{Name: "inputs", Required: true, Type: &schema.Type{Op: schema.List, MinItems: 2, Elem: &schema.Type{Op: schema.String}}},
		}},
	}}}},
}}}
