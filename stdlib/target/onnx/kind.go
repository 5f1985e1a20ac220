// Package onnx is the kind `target onnx`.
package onnx

import (
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph/onnx"
	"mbuild.dev/mbuild/stdlib/target"
)

// Kind is target.onnx.
var Kind = target.Kind("onnx", Schema, onnx.MediaType, func(m *bundle.Model) ([]byte, error) { return onnx.Export(m, nil) }, nil)
