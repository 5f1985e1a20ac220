package chain

import (
	"encoding/json"
	"fmt"
	"strings"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// position is where a training state stands.
type position struct {
	Epoch  int       `json:"epoch"`
	Step   int       `json:"step"`
	Scaler []float32 `json:"scaler,omitempty"`
}

// writeState writes what training keeps for parameters as "<layer>/<param>.<what>", and the position in the metadata.
func writeState(path string, s *learn.State) error {
	var ts []safetensors.Tensor
	for layer, ps := range s.Moments {
		for name, t := range ps {
			ts = append(ts, safetensors.Tensor{Name: layer + "/" + name, DType: string(t.DType), Shape: t.Shape, Data: t.Data})
		}
	}
	pos, err := json.Marshal(position{s.Epoch, s.Step, s.Scaler})
	if err != nil {
		return err
	}
	return safetensors.WriteFile(path, ts, map[string]string{"position": string(pos)})
}

// readState reads the same, for a model's parameters.
func readState(path string, params map[string]bundle.Params) (*learn.State, error) {
	ts, meta, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var pos position
	if err := json.Unmarshal([]byte(meta["position"]), &pos); err != nil {
		return nil, fmt.Errorf("training state: %w", err)
	}
	s := &learn.State{Epoch: pos.Epoch, Step: pos.Step, Scaler: pos.Scaler, Params: params, Moments: map[string]bundle.Params{}}
	for _, t := range ts {
		layer, name, _ := strings.Cut(t.Name, "/")
		if s.Moments[layer] == nil {
			s.Moments[layer] = bundle.Params{}
		}
		s.Moments[layer][name] = &bundle.Tensor{DType: graph.DType(t.DType), Shape: t.Shape, Data: t.Data}
	}
	return s, nil
}
