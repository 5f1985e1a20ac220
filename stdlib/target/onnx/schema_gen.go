// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.

package onnx

import "mbuild.dev/mbuild/lang/schema"

// Schema is the table of target.onnx.
var Schema = &schema.Kind{Family: "target", Type: "onnx", Version: 2, Doc: "The model as an ONNX file (opset 21) that ONNX Runtime executes, int8 layers with its integer operators.", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
	{Name: "from", Required: true, Type: &schema.Type{Op: schema.Ref, RefTypes: []string{"model"}}},
	{Name: "gates", Type: &schema.Type{Op: schema.List, Doc: "Reports all of whose gates must have passed before the file is written.", Elem: &schema.Type{Op: schema.Ref, RefTypes: []string{"report"}}}},
	{Name: "path", Required: true, Type: &schema.Type{Op: schema.String, Doc: "Where the file goes, relative to the spec and inside its directory."}},
}}}
