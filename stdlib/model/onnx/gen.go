package onnx

//go:generate go run mbuild.dev/mbuild/lang/schema/gen/cmd -family model -type onnx
