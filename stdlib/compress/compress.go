// Package compress holds what the passes do to the weights of a model, as functions from model to model.
package compress

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Effect is what a pass changed.
type Effect struct {
	Before bundle.Counts `json:"before"`
	After  bundle.Counts `json:"after"`
	Layers []LayerEffect `json:"layers"`
	Note   string        `json:"note,omitempty"` // what the pass does not do for the target

	// Operations for one example, where the pass changed them.
	FLOPsBefore int64 `json:"flops_before,omitempty"`
	FLOPsAfter  int64 `json:"flops_after,omitempty"`
}

// LayerEffect is what a pass changed in one layer.
type LayerEffect struct {
	Layer  string        `json:"layer"`
	Before bundle.Counts `json:"before"`
	After  bundle.Counts `json:"after"`
}

// EffectOf compares two models layer by layer.
func EffectOf(before, after *bundle.Model, note string) Effect {
	e := Effect{Before: before.Count(), After: after.Count(), Note: note}
	for _, l := range after.Graph.Layers {
		if len(after.Params[l.Name]) > 0 {
			e.Layers = append(e.Layers, LayerEffect{l.Name, before.Count(l.Name), after.Count(l.Name)})
		}
	}
	for _, l := range before.Graph.Layers {
		if len(before.Params[l.Name]) > 0 && after.Graph.Layer(l.Name) == nil {
			e.Layers = append(e.Layers, LayerEffect{l.Name, before.Count(l.Name), bundle.Counts{}})
		}
	}
	if before.Info.FLOPs != after.Info.FLOPs {
		e.FLOPsBefore, e.FLOPsAfter = before.Info.FLOPs, after.Info.FLOPs
	}
	return e
}

// copyModel copies a model so that the copy's tensors may be replaced.
func copyModel(m *bundle.Model) *bundle.Model {
	c := &bundle.Model{Graph: m.Graph.Clone(), Params: map[string]bundle.Params{}}
	for layer, ps := range m.Params {
		c.Params[layer] = bundle.Params{}
		for name, t := range ps {
			c.Params[layer][name] = t
		}
	}
	return c
}

// weight is one prunable weight.
type weight struct {
	layer string
	index int
	abs   float32
}

// Prune sets the smallest weights of dense layers and convolutions to zero (magnitude pruning; Han et al. 2015): floor(sparsity n) of all
// layers together, or of each. Of equal magnitudes the one that comes first, by layer in the order of the graph and then by
// index, goes first. Biases and norms stay. The result keeps its shape and size: zeros save nothing until something packs them.
func Prune(m *bundle.Model, sparsity float64, global bool) (*bundle.Model, error) {
	out := copyModel(m)
	var all []weight
	for _, l := range m.Graph.Layers {
		if !graph.Ops[l.Op].Quantizable || l.Op == "embedding" { // small rows are rare tokens, not unimportant ones
			continue
		}
		t := m.Params[l.Name]["weight"]
		if t.DType != graph.F32 {
			return nil, fmt.Errorf("layer %q is %s: prune before quantizing or casting", l.Name, t.DType)
		}
		values := slices.Clone(t.Float32s())
		out.Params[l.Name]["weight"] = bundle.Float32(t.Shape, values)
		var ws []weight
		for i, v := range values {
			ws = append(ws, weight{l.Name, i, float32(math.Abs(float64(v)))})
		}
		if global {
			all = append(all, ws...)
		} else {
			zero(out, ws, sparsity)
		}
	}
	zero(out, all, sparsity)
	var err error
	out.Info, err = graph.Infer(out.Graph)
	return out, err
}

func zero(m *bundle.Model, ws []weight, sparsity float64) {
	sort.SliceStable(ws, func(i, j int) bool { return ws[i].abs < ws[j].abs })
	for _, w := range ws[:int(sparsity*float64(len(ws)))] {
		m.Params[w.layer]["weight"].Float32s()[w.index] = 0
	}
}

// Quantize stores the weights of dense layers, convolutions and embeddings as int8, symmetric, with a scale for each output: scale = max|w| / 127,
// q = round(w / scale), halves to even. An output whose weights are all zero gets scale 1.
func Quantize(m *bundle.Model, scheme string, skip []string) (*bundle.Model, error) {
	g, err := QuantizeGraph(m.Graph, scheme, skip)
	if err != nil {
		return nil, err
	}
	out := copyModel(m)
	out.Graph = g
	for i, l := range g.Layers {
		if l.Quant != "" && m.Graph.Layers[i].Quant == "" {
			ps := out.Params[l.Name]
			ps["weight"], ps["weight_scale"] = quantizeColumns(m.Params[l.Name]["weight"])
		}
	}
	out.Info, err = graph.Infer(g)
	return out, err
}

// QuantizeGraph is the architecture of what Quantize makes.
func QuantizeGraph(g *graph.Graph, scheme string, skip []string) (*graph.Graph, error) {
	out := g.Clone()
	done := 0
	for i := range out.Layers {
		l := &out.Layers[i]
		if !graph.Ops[l.Op].Quantizable || slices.Contains(skip, l.Name) {
			continue
		}
		if l.Quant != "" {
			return nil, fmt.Errorf("layer %q is quantized already", l.Name)
		}
		if l.Quant = scheme; l.Op == "embedding" {
			l.Quant = graph.WeightOnlyInt8
		}
		done++
	}
	if done == 0 {
		return nil, fmt.Errorf("the model has no layer to quantize")
	}
	for _, s := range skip {
		if out.Layer(s) == nil {
			return nil, fmt.Errorf("skip names %q, which is no layer", s)
		}
	}
	return out, nil
}

func quantizeColumns(t *bundle.Tensor) (q, scale *bundle.Tensor) {
	w, cols := t.Float32s(), t.Shape[len(t.Shape)-1]
	scales := make([]float32, cols)
	for i, v := range w {
		scales[i%cols] = max(scales[i%cols], float32(math.Abs(float64(v))))
	}
	for i := range scales {
		scales[i] /= 127
		if scales[i] == 0 {
			scales[i] = 1
		}
	}
	data := make([]byte, len(w))
	for i, v := range w {
		data[i] = byte(int8(max(-127, min(127, math.RoundToEven(float64(v/scales[i%cols]))))))
	}
	return &bundle.Tensor{DType: graph.I8, Shape: t.Shape, Data: data}, bundle.Float32([]int{cols}, scales)
}

// Cast stores float32 parameters in 16 bits, rounded to nearest, halves to even.
func Cast(m *bundle.Model, dtype graph.DType) (*bundle.Model, error) {
	g, err := CastGraph(m.Graph, dtype)
	if err != nil {
		return nil, err
	}
	out := copyModel(m)
	out.Graph = g
	for layer, ps := range out.Params {
		for name, t := range ps {
			if t.DType != graph.F32 {
				return nil, fmt.Errorf("layer %q is stored as %s already", layer, t.DType)
			}
			data := make([]byte, 0, len(t.Data)/2)
			for _, v := range t.Float32s() {
				h := toBF16(v)
				if dtype == graph.F16 {
					h = toF16(v)
				}
				data = binary.LittleEndian.AppendUint16(data, h)
			}
			ps[name] = &bundle.Tensor{DType: dtype, Shape: t.Shape, Data: data}
		}
	}
	out.Info, err = graph.Infer(g)
	return out, err
}

// CastGraph is the architecture of what Cast makes.
func CastGraph(g *graph.Graph, dtype graph.DType) (*graph.Graph, error) {
	info, err := graph.Infer(g)
	if err != nil {
		return nil, err
	}
	out := g.Clone()
	for i := range out.Layers {
		l := &out.Layers[i]
		switch {
		case len(info.Layers[l.Name].Params) == 0:
		case l.Quant != "":
			return nil, fmt.Errorf("layer %q is quantized: cast before quantizing", l.Name)
		case l.Store != "":
			return nil, fmt.Errorf("layer %q is stored as %s already", l.Name, l.Store)
		default:
			l.Store = dtype
		}
	}
	return out, nil
}

func toBF16(f float32) uint16 {
	b := math.Float32bits(f)
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

func toF16(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	abs := float64(math.Abs(float64(f)))
	switch {
	case abs >= 65520: // beyond the largest half, rounded
		return sign | 0x7c00
	case abs < 1.0/(1<<14): // subnormal: a multiple of 2^-24
		return sign | uint16(math.RoundToEven(abs*(1<<24)))
	}
	frac, exp := math.Frexp(abs) // abs = frac 2^exp, frac in [0.5, 1)
	m := uint16(math.RoundToEven(frac * 2048))
	if m == 2048 {
		m, exp = 1024, exp+1
	}
	return sign | uint16(exp+14)<<10 | m&0x3ff
}
