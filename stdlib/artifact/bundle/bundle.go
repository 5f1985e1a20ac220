// Package bundle reads and writes model bundles: a directory with graph.json and one safetensors file for each layer that has
// parameters. One file a layer, so that a pass that touches two layers of forty shares the rest by digest.
//
//	graph.json                     the architecture (package graph), canonical JSON
//	layers/<layer>.safetensors     the layer's parameters by name, as graph.Infer says: weight, bias, …
//
// It does not know how a model came about: pruned weights are zeros, a cast or quantised layer says so in the graph. The nouns:
// Model, Params, Tensor, Counts. The invariant: what Read returns and what Write takes satisfies Check, so nobody after them
// looks for a parameter that is missing or of another shape. Equal models give equal bytes.
package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
)

// The names in a bundle's directory.
const (
	graphFile = "graph.json"
	layersDir = "layers"
	suffix    = ".safetensors"
)

// MediaType is the media type of a model bundle.
const MediaType = "application/vnd.mbuild.model.v1"

// Model is an architecture with its weights.
type Model struct {
	Graph  *graph.Graph
	Info   *graph.Info       // what graph.Infer says of Graph
	Params map[string]Params // by layer; none for a layer without parameters

	mapped map[string]func() // by layer, of a model that Map made: what gives its memory back
}

// Params is the parameters of a layer by name.
type Params map[string]*Tensor

// Counts sums up a model's parameters.
type Counts struct {
	Parameters int64 `json:"parameters"`
	NonZeros   int64 `json:"nonzeros"`
	Bytes      int64 `json:"bytes"`
}

// Count counts the parameters of a model, or of some layers. A value is zero when its bits mean zero, of either sign; scales of
// quantised weights count as parameters.
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

// Write checks a model and writes it as a bundle into an existing directory.
func Write(dir string, m *Model) error {
	if err := m.Check(); err != nil {
		return fmt.Errorf("writing a model bundle: %w", err)
	}
	g, err := m.Graph.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, graphFile), g, 0o644); err != nil {
		return err
	}
	return WriteParams(filepath.Join(dir, layersDir), m.Params)
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
		if err := safetensors.WriteFile(filepath.Join(dir, layer+suffix), ts, nil); err != nil {
			return fmt.Errorf("layer %q: %w", layer, err)
		}
	}
	return nil
}

// Check reports what of a model's weights is not what its graph asks for.
func (m *Model) Check() error {
	info, err := graph.Infer(m.Graph)
	if err != nil {
		return err
	}
	for i := range m.Graph.Layers {
		name := m.Graph.Layers[i].Name
		if err := check(info.Layers[name].Params, m.Params[name]); err != nil {
			return fmt.Errorf("layer %q: %w", name, err)
		}
	}
	for name := range m.Params {
		if info.Layers[name] == nil {
			return fmt.Errorf("there are parameters for %q, which is no layer", name)
		}
	}
	return nil
}

func check(want []graph.Param, have Params) error {
	for _, p := range want {
		t := have[p.Name]
		if t == nil {
			return fmt.Errorf("parameter %q is missing", p.Name)
		}
		if t.DType != p.DType || !slices.Equal(t.Shape, p.Shape) || len(t.Data) != graph.Size(p.Shape)*p.DType.Size() {
			return fmt.Errorf("parameter %q should be %s%v, but is %s%v of %d bytes", p.Name, p.DType, p.Shape, t.DType, t.Shape, len(t.Data))
		}
	}
	if len(have) != len(want) {
		return fmt.Errorf("there are %d parameters, but its graph has %d", len(have), len(want))
	}
	return nil
}

// Read reads a bundle and checks that the weights are those its graph asks for. A file for what is no layer is an error, as is
// anything else in the directory of layers: a bundle has one form.
func Read(dir string) (*Model, error) { return read(dir, (*Model).read) }

// Map is Read for who only looks at the weights, once: they are mapped into memory, and what is not looked at is not read. They may
// not be written, and are gone after Release or Close.
func Map(dir string) (*Model, error) { return read(dir, (*Model).mapLayer) }

// Release gives back the memory of a layer's parameters, and the parameters are gone, where the model was made by Map. Of any other
// model they stay.
func (m *Model) Release(layer string) {
	if f := m.mapped[layer]; f != nil {
		delete(m.Params, layer)
		delete(m.mapped, layer)
		f()
	}
}

// Close releases all layers.
func (m *Model) Close() {
	for layer := range m.mapped {
		m.Release(layer)
	}
}

func (m *Model) read(layer, path string) (err error) {
	m.Params[layer], err = ReadParams(path)
	return err
}

func (m *Model) mapLayer(layer, path string) error {
	ts, _, release, err := safetensors.Map(path)
	if err != nil {
		return err
	}
	m.Params[layer], m.mapped[layer] = paramsOf(ts), release
	return nil
}

func read(dir string, layer func(m *Model, layer, path string) error) (*Model, error) {
	b, err := os.ReadFile(filepath.Join(dir, graphFile))
	if err != nil {
		return nil, err
	}
	m := &Model{Params: map[string]Params{}, mapped: map[string]func(){}}
	if m.Graph, m.Info, err = graph.Decode(b); err != nil {
		return nil, err
	}
	files, err := os.ReadDir(filepath.Join(dir, layersDir))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), suffix)
		if !ok || m.Info.Layers[name] == nil {
			m.Close()
			return nil, fmt.Errorf("model bundle: %s/%s belongs to no layer", layersDir, f.Name())
		}
		if err := layer(m, name, filepath.Join(dir, layersDir, f.Name())); err != nil {
			m.Close()
			return nil, fmt.Errorf("layer %q: %w", name, err)
		}
	}
	if err := m.Check(); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// ReadParams reads the parameters of one layer.
func ReadParams(path string) (Params, error) {
	ts, _, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return paramsOf(ts), nil
}

func paramsOf(ts []safetensors.Tensor) Params {
	ps := Params{}
	for _, t := range ts {
		ps[t.Name] = &Tensor{DType: graph.DType(t.DType), Shape: t.Shape, Data: t.Data}
	}
	return ps
}
