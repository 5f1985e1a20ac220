// Package bundle reads and writes model bundles: a directory with graph.json and one safetensors file for each layer that has
// parameters. One file a layer, so that a pass that touches two layers of forty shares the rest by digest.
//
//	graph.json                     the architecture (package graph), canonical JSON
//	layers/<layer>.safetensors     the layer's parameters by name, as graph.Infer says: weight, bias, …
package bundle

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
)

// MediaType is the media type of a model bundle.
const MediaType = "application/vnd.mbuild.model.v1"

// Model is an architecture with its weights.
type Model struct {
	Graph  *graph.Graph
	Info   *graph.Info
	Params map[string]Params // by layer
}

// Params is the parameters of a layer by name.
type Params map[string]*Tensor

// Tensor is an array in row-major order, little-endian.
type Tensor struct {
	DType graph.DType
	Shape []int
	Data  []byte
}

// Float32 makes a tensor of float32 values, which it shares.
func Float32(shape []int, v []float32) *Tensor {
	return &Tensor{DType: graph.F32, Shape: shape, Data: safetensors.Bytes(v)}
}

// Float32s returns the values as float32: a view for F32, converted for F16 and BF16, the plain numbers for I8.
func (t *Tensor) Float32s() []float32 {
	n := graph.Size(t.Shape)
	out := make([]float32, n)
	switch t.DType {
	case graph.F32:
		return safetensors.View[float32](t.Data)
	case graph.BF16:
		for i := range out {
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Data[2*i:])) << 16)
		}
	case graph.F16:
		for i := range out {
			out[i] = fromF16(binary.LittleEndian.Uint16(t.Data[2*i:]))
		}
	case graph.I8:
		for i := range out {
			out[i] = float32(int8(t.Data[i]))
		}
	}
	return out
}

// fromF16 converts an IEEE 754 half to a float32, exactly.
func fromF16(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, frac := uint32(h>>10&31), uint32(h&1023)
	switch {
	case exp == 0:
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	case exp == 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// Counts sums up a model's parameters.
type Counts struct {
	Parameters int64 `json:"parameters"`
	NonZeros   int64 `json:"nonzeros"`
	Bytes      int64 `json:"bytes"`
}

// Count counts the parameters of a model, or of one layer.
func (m *Model) Count(layers ...string) Counts {
	var c Counts
	for name, ps := range m.Params {
		if len(layers) > 0 && !slices.Contains(layers, name) {
			continue
		}
		for _, t := range ps {
			c.Parameters += int64(graph.Size(t.Shape))
			c.Bytes += int64(len(t.Data))
			for _, v := range t.Float32s() {
				if v != 0 {
					c.NonZeros++
				}
			}
		}
	}
	return c
}

// Write writes a bundle into an existing directory.
func Write(dir string, m *Model) error {
	g, err := m.Graph.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "graph.json"), g, 0o644); err != nil {
		return err
	}
	return WriteParams(filepath.Join(dir, "layers"), m.Params)
}

// WriteParams writes one safetensors file a layer into a directory, which it makes.
func WriteParams(dir string, params map[string]Params) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for layer, ps := range params {
		var ts []safetensors.Tensor
		for name, t := range ps {
			ts = append(ts, safetensors.Tensor{Name: name, DType: string(t.DType), Shape: t.Shape, Data: t.Data})
		}
		if len(ts) == 0 {
			continue
		}
		if err := safetensors.WriteFile(filepath.Join(dir, layer+".safetensors"), ts, nil); err != nil {
			return fmt.Errorf("layer %q: %w", layer, err)
		}
	}
	return nil
}

// Read reads a bundle and checks that the weights are those its graph asks for.
func Read(dir string) (*Model, error) {
	b, err := os.ReadFile(filepath.Join(dir, "graph.json"))
	if err != nil {
		return nil, err
	}
	m := &Model{Params: map[string]Params{}}
	if m.Graph, m.Info, err = graph.Decode(b); err != nil {
		return nil, err
	}
	for name, li := range m.Info.Layers {
		if len(li.Params) == 0 {
			continue
		}
		ps, err := ReadParams(filepath.Join(dir, "layers", name+".safetensors"))
		if err != nil {
			return nil, fmt.Errorf("layer %q: %w", name, err)
		}
		for _, want := range li.Params {
			t := ps[want.Name]
			if t == nil || t.DType != want.DType || !slices.Equal(t.Shape, want.Shape) {
				return nil, fmt.Errorf("layer %q: parameter %q should be %s%v", name, want.Name, want.DType, want.Shape)
			}
		}
		if len(ps) != len(li.Params) {
			return nil, fmt.Errorf("layer %q has %d parameters in its file; its graph has %d", name, len(ps), len(li.Params))
		}
		m.Params[name] = ps
	}
	return m, nil
}

// ReadParams reads the parameters of one layer.
func ReadParams(path string) (Params, error) {
	ts, _, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	ps := Params{}
	for _, t := range ts {
		ps[t.Name] = &Tensor{DType: graph.DType(t.DType), Shape: t.Shape, Data: t.Data}
	}
	return ps, nil
}
