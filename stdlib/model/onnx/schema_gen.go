// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package onnx

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of model.onnx.
var Schema = &schema.Kind{Family: "model", Type: "onnx", Version: 2, Doc: "A model with its weights, in an ONNX file: one that target \"onnx\" wrote, or an encoder, a decoder, a convolutional, recurrent or another network as PyTorch (both of its exporters) and TensorFlow export it. Images have their channels last in the model, where the file has them first. Queries, keys and values of one product become layers of their own. Products with DynamicQuantizeLinear, which onnxruntime's quantize_dynamic writes, become layers with dynamic_int8 where their weights are int8 around 0 or uint8 around 128; other quantised weights are read as float32, and values that quantize_static gives a fixed range (QuantizeLinear, DequantizeLinear) are not quantised: the log of the action says so. What is not read is an error that names the operator.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "file", Required: true, Type: &schema.Type{Op: schema.String, Doc: "The file, relative to the spec."}},
	{Name: "external_data", Type: &schema.Type{Op: schema.List, Doc: "Files beside it, or in directories below, that hold the data of its tensors, where it keeps them outside (\"model.onnx.data\", as PyTorch's exporter writes it).", Elem: &schema.Type{Op: schema.String}}},
	{Name: "length", Type: &schema.Type{Op: schema.Int, Doc: "Length of sequences at most, where the file leaves it open.", Min: &schema.Bound{Value: 1, Exclusive: false}, Max: &schema.Bound{Value: 1e+06, Exclusive: false}}},
}}}
