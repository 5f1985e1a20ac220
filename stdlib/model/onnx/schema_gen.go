// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package onnx

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of model.onnx.
var Schema = &schema.Kind{Family: "model", Type: "onnx", Version: 1, Doc: "A model with its weights, in an ONNX file: one that target \"onnx\" wrote, or an encoder, a convolutional or another network as PyTorch exports it. Images have their channels last in the model, where the file has them first; dynamically quantised layers and rotary attention are not read.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "file", Required: true, Type: &schema.Type{Op: schema.String, Doc: "The file, relative to the spec."}},
	{Name: "length", Type: &schema.Type{Op: schema.Int, Doc: "Length of sequences at most, where the file leaves it open.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+06, Exclusive: false}}},
}}}
