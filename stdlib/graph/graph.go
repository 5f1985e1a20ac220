// Package graph is the architecture of a model as data: named layers over named inputs, with the shapes and parameters that
// follow from them. It is what `model layers` writes, what training, passes and evaluation read, and what the lowerings
// (GoMLX in graph/mlx, ONNX in graph/onnx, plain loops in graph/reference) translate.
//
// It does not know weights, backends or files. The nouns: Graph, Input, Layer (an op of the table Ops), Param, Info (what
// Infer derives), Error (why a graph does not fit together).
//
// The invariant: of a Graph that Infer accepts, every layer stands after what it takes, every name is a name (CheckName), and
// every shape, type and parameter is known and of a bounded size. A lowering needs nothing but the graph and its Info, and
// checks nothing again.
//
// To add an op, add a row to Ops and a case to each lowering; their tests go over the whole table. Read next: ops.go for the
// table, infer.go for what is derived, codec.go for the JSON.
package graph

import (
	"fmt"
	"slices"
	"strings"
)

// MediaType is the media type of an encoded Graph.
const MediaType = "application/vnd.mbuild.graph.v1+json"

// The quantisation schemes of a layer's weight. Both keep the weight as int8, symmetric, with one scale for each output
// column: w[i][j] = weight[i][j] * weight_scale[j]. The bias stays as it is.
const (
	DynamicInt8    = "dynamic_int8"     // activations are quantised to uint8 as they come, and int8 multiplies uint8
	WeightOnlyInt8 = "weight_only_int8" // the weight is scaled back before use; computation in float32
)

// Graph is an architecture: a directed graph without cycles, in an order that is already topological.
type Graph struct {
	Inputs  []Input  `json:"inputs"`
	Layers  []Layer  `json:"layers"`
	Outputs []string `json:"outputs"` // names of layers
}

// Input is a tensor that the model is given: [batch, Shape...]. The model sees x*Scale + Shift; the two are 1 and 0 for
// inputs of whole numbers.
type Input struct {
	Name  string  `json:"name"`
	Shape []int   `json:"shape"` // without the batch dimension; at least one dimension, none below 1
	DType DType   `json:"dtype"`
	Scale float64 `json:"scale"`
	Shift float64 `json:"shift"`

	// Mean and Deviation, where they are there, have a number for each element of the last axis: the model sees
	// (x - Mean) / Deviation, and Scale and Shift are 1 and 0.
	Mean      []float64 `json:"mean,omitempty"`
	Deviation []float64 `json:"deviation,omitempty"`
}

// Layer is one operation. Its parameters are named in the weights by layer and parameter.
type Layer struct {
	Name   string         `json:"name"`
	Op     string         `json:"op"`              // a name of Ops
	Inputs []string       `json:"inputs"`          // names of inputs, or of layers that come before
	Attrs  map[string]any `json:"attrs,omitempty"` // those of the op's row, in normal form (package value)
	Quant  string         `json:"quant,omitempty"` // scheme of the weight, "" for none
	Store  DType          `json:"store,omitempty"` // F16 or BF16: what float parameters are kept in, "" for F32; computation is in F32
}

// Float returns a number attribute, or dflt.
func (l *Layer) Float(name string, dflt float64) float64 {
	switch v := l.Attrs[name].(type) {
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case float64:
		return v
	}
	return dflt
}

// Int returns a whole attribute, or 0.
func (l *Layer) Int(name string) int {
	v, _ := l.Attrs[name].(int64)
	return int(v)
}

// Ints returns an attribute that is a list of whole numbers, or nil.
func (l *Layer) Ints(name string) []int {
	list, _ := l.Attrs[name].([]any)
	var out []int
	for _, v := range list {
		n, _ := v.(int64)
		out = append(out, int(n))
	}
	return out
}

// Text returns a string attribute, or dflt.
func (l *Layer) Text(name, dflt string) string {
	if v, ok := l.Attrs[name].(string); ok {
		return v
	}
	return dflt
}

// Flag returns a boolean attribute, or dflt.
func (l *Layer) Flag(name string, dflt bool) bool {
	if v, ok := l.Attrs[name].(bool); ok {
		return v
	}
	return dflt
}

// Layer returns the layer called name, or nil. It points into the graph.
func (g *Graph) Layer(name string) *Layer {
	for i := range g.Layers {
		if g.Layers[i].Name == name {
			return &g.Layers[i]
		}
	}
	return nil
}

// Clone returns a copy that shares nothing but attribute values, which nobody changes.
func (g *Graph) Clone() *Graph {
	c := &Graph{Inputs: slices.Clone(g.Inputs), Layers: slices.Clone(g.Layers), Outputs: slices.Clone(g.Outputs)}
	for i := range c.Inputs {
		in := &c.Inputs[i]
		in.Shape, in.Mean, in.Deviation = slices.Clone(in.Shape), slices.Clone(in.Mean), slices.Clone(in.Deviation)
	}
	for i := range c.Layers {
		l := &c.Layers[i]
		l.Inputs = slices.Clone(l.Inputs)
		if l.Attrs != nil {
			attrs := make(map[string]any, len(l.Attrs))
			for k, v := range l.Attrs {
				attrs[k] = v
			}
			l.Attrs = attrs
		}
	}
	return c
}

// Connect fills in what a graph may leave out: a layer that names no inputs takes the one before it, the first layer the first
// input; a graph that names no outputs gives its last layer.
func (g *Graph) Connect() {
	last := ""
	if len(g.Inputs) > 0 {
		last = g.Inputs[0].Name
	}
	for i := range g.Layers {
		l := &g.Layers[i]
		if len(l.Inputs) == 0 && last != "" {
			l.Inputs = []string{last}
		}
		last = l.Name
	}
	if len(g.Outputs) == 0 && len(g.Layers) > 0 {
		g.Outputs = []string{last}
	}
}

// maxName keeps a layer's file name below what file systems take.
const maxName = 200

// CheckName reports whether s may name an input or a layer: a letter or underscore, then letters, digits, underscores and
// hyphens, at most 200 bytes. Such a name is also a file name, and the part of a tensor's name before a dot or slash.
func CheckName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '-')) {
			return false
		}
	}
	return true
}

// ShapeText prints a shape with its batch dimension: [batch, 28, 28].
func ShapeText(shape []int) string {
	parts := []string{"batch"}
	for _, d := range shape {
		parts = append(parts, fmt.Sprint(d))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
