// Package safetensors is the kind `target safetensors`: all weights in one file.
package safetensors

import (
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/target"
)

// Kind is target.safetensors.
var Kind = target.Kind("safetensors", Schema, "application/vnd.safetensors", encode, map[string]string{
	"dynamic_int8":     int8Text,
	"weight_only_int8": int8Text,
})

const int8Text = "The file will hold int8 weights and their scales, which no common runtime executes by itself. Export to onnx, or take the model from before the quantization."

func encode(m *bundle.Model) ([]byte, error) {
	var ts []safetensors.Tensor
	for layer, ps := range m.Params {
		for name, t := range ps {
			ts = append(ts, safetensors.Tensor{Name: layer + "." + name, DType: string(t.DType), Shape: t.Shape, Data: t.Data})
		}
	}
	g, err := m.Graph.Encode()
	if err != nil {
		return nil, err
	}
	return safetensors.Encode(ts, map[string]string{"format": "mbuild", "graph": string(g)})
}
