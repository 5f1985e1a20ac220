// Package safetensors is the kind `target safetensors`: all weights in one file.
package safetensors

import (
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/target"
)

// Kind is target.safetensors.
var Kind = target.Kind("safetensors", Schema, "application/vnd.safetensors", encode)

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
