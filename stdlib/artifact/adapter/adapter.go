// Package adapter reads and writes adapters: what training has changed of a model or put beside its layers, without the model
// itself, which is known by its digest. A directory with three files:
//
//	adapter.json          what it is: type, sizes, layers, and the digest of the base (Config, Base)
//	graph.json            the architecture with the adapter's layers in it (package graph)
//	adapter.safetensors   the parameters that are not the base's, as LAYER/PARAMETER
//
// It does not know how layers are put into a graph or merged away (package adapt). The nouns: Adapter, Config, Foreign. The
// invariant: what Over returns is a whole model, whose parameters are the adapter's where it has them and else those of the base;
// and an adapter goes over no model but the one it was trained on. Equal adapters give equal bytes.
package adapter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
)

// MediaType is the media type of an adapter.
const MediaType = "application/vnd.mbuild.adapter.v1"

// The names in an adapter's directory.
const (
	configFile = "adapter.json"
	graphFile  = "graph.json"
	paramsFile = "adapter.safetensors"
)

// The types of adapters.
const (
	LoRA       = "lora"       // the product of two small matrices beside a dense layer (Hu et al. 2021)
	Bottleneck = "bottleneck" // two dense layers behind a layer, with what they were given added (Houlsby et al. 2019)
)

// Config says what an adapter is. Targets and ModulesToSave are names of layers of the base, in its order.
type Config struct {
	Type          string   `json:"type"`
	Targets       []string `json:"targets"`
	Rank          int      `json:"rank,omitempty"`       // lora
	Alpha         float64  `json:"alpha,omitempty"`      // lora
	RSLoRA        bool     `json:"rslora,omitempty"`     // lora
	Width         int      `json:"width,omitempty"`      // bottleneck
	Activation    string   `json:"activation,omitempty"` // bottleneck
	Dropout       float64  `json:"dropout,omitempty"`
	Bias          string   `json:"bias,omitempty"` // which biases of the base are trained too: none, all, or lora_only, those of the targets
	ModulesToSave []string `json:"modules_to_save,omitempty"`
}

// Adapter is an adapter.
type Adapter struct {
	Config Config
	Base   string                   // digest of the model that it is of
	Graph  *graph.Graph             // with the adapter's layers
	Params map[string]bundle.Params // by layer; only what is not the base's
}

// Foreign is an adapter that was made for another model.
type Foreign struct{ Adapter, Base string }

func (f *Foreign) Error() string {
	return fmt.Sprintf("the adapter is of the base model %s, and this model is %s", f.Adapter, f.Base)
}

// manifest is adapter.json.
type manifest struct {
	Config
	Base string `json:"base"`
}

// Is reports whether a directory is an adapter's, and not that of a model.
func Is(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, configFile))
	return err == nil
}

// Write writes an adapter into an existing directory.
func Write(dir string, a *Adapter) error {
	g, err := a.Graph.Encode()
	if err != nil {
		return err
	}
	m, err := json.MarshalIndent(manifest{a.Config, a.Base}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, graphFile), g, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, configFile), append(m, '\n'), 0o644); err != nil {
		return err
	}
	var ts []safetensors.Tensor
	for layer, ps := range a.Params {
		for name, t := range ps {
			ts = append(ts, safetensors.Tensor{Name: layer + "/" + name, DType: string(t.DType), Shape: t.Shape, Data: t.Data})
		}
	}
	return safetensors.WriteFile(filepath.Join(dir, paramsFile), ts, nil)
}

// Read reads an adapter. Each of its parameters is one of its graph, of just that shape.
func Read(dir string) (*Adapter, error) {
	b, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		return nil, err
	}
	var m manifest
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
	}
	if m.Type != LoRA && m.Type != Bottleneck {
		return nil, fmt.Errorf("%s: there is no adapter of type %q", configFile, m.Type)
	}
	a := &Adapter{Config: m.Config, Base: m.Base, Params: map[string]bundle.Params{}}
	if b, err = os.ReadFile(filepath.Join(dir, graphFile)); err != nil {
		return nil, err
	}
	g, info, err := graph.Decode(b)
	if err != nil {
		return nil, err
	}
	a.Graph = g
	ts, _, err := safetensors.ReadFile(filepath.Join(dir, paramsFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", paramsFile, err)
	}
	for _, t := range ts {
		if err := a.put(info, t); err != nil {
			return nil, fmt.Errorf("%s: %w", paramsFile, err)
		}
	}
	return a, nil
}

// put takes a tensor in.
func (a *Adapter) put(info *graph.Info, t safetensors.Tensor) error {
	layer, name, _ := strings.Cut(t.Name, "/")
	li := info.Layers[layer]
	if li == nil {
		return fmt.Errorf("the tensor %q belongs to no layer", t.Name)
	}
	i := slices.IndexFunc(li.Params, func(p graph.Param) bool { return p.Name == name })
	if i < 0 || !slices.Equal(li.Params[i].Shape, t.Shape) || string(li.Params[i].DType) != t.DType {
		return fmt.Errorf("the tensor %q, %s%v, is no parameter of its layer", t.Name, t.DType, t.Shape)
	}
	if a.Params[layer] == nil {
		a.Params[layer] = bundle.Params{}
	}
	a.Params[layer][name] = &bundle.Tensor{DType: graph.DType(t.DType), Shape: t.Shape, Data: t.Data}
	return nil
}

// Over puts an adapter over its base, whose digest is given: the whole model, which shares the tensors of both. Over another model
// than its own it is a *Foreign.
func (a *Adapter) Over(base *bundle.Model, digest string) (*bundle.Model, error) {
	if a.Base != digest {
		return nil, &Foreign{a.Base, digest}
	}
	m := &bundle.Model{Graph: a.Graph, Params: map[string]bundle.Params{}}
	var err error
	if m.Info, err = graph.Infer(a.Graph); err != nil {
		return nil, err
	}
	for _, of := range []map[string]bundle.Params{base.Params, a.Params} {
		for layer, ps := range of {
			if m.Params[layer] == nil {
				m.Params[layer] = bundle.Params{}
			}
			maps.Copy(m.Params[layer], ps)
		}
	}
	return m, m.Check()
}
