// Package graph is the architecture of a model as data: named layers over named inputs, with the shapes and parameters that
// follow from them. It is what `model layers` writes, what training, passes and evaluation read, and what the lowerings
// (GoMLX in graph/mlx, ONNX in graph/onnx) translate.
//
// It does not know weights, backends or files. The nouns: Graph, Input, Layer (one row of the table of ops), Param, Info
// (what Infer derives). The invariant: a Graph that Infer accepts can be lowered; everything a lowering needs is in its Info.
//
// To add an op, add a row to ops and a case to each lowering; their tests go over the whole table.
package graph

import (
	"encoding/json"
	"fmt"
	"strings"

	"mbuild.dev/mbuild/lang/value"
)

// MediaType is the media type of an encoded Graph.
const MediaType = "application/vnd.mbuild.graph.v1+json"

// DType is the type of a tensor's elements, in the words of safetensors.
type DType string

// The element types.
const (
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I8   DType = "I8"
	I32  DType = "I32"
	I64  DType = "I64"
)

// Size is the size of one element in bytes.
func (d DType) Size() int {
	switch d {
	case I8:
		return 1
	case F16, BF16:
		return 2
	case I64:
		return 8
	}
	return 4
}

// The quantisation schemes of a layer's weight.
const (
	DynamicInt8    = "dynamic_int8"     // int8 weights, activations quantised to uint8 as they come
	WeightOnlyInt8 = "weight_only_int8" // int8 weights, computation in float32
)

// Graph is an architecture.
type Graph struct {
	Inputs  []Input  `json:"inputs"`
	Layers  []Layer  `json:"layers"`
	Outputs []string `json:"outputs"` // names of layers
}

// Input is a tensor that the model is given: [batch, Shape...]. The model sees x*Scale + Shift.
type Input struct {
	Name  string  `json:"name"`
	Shape []int   `json:"shape"`
	DType DType   `json:"dtype"`
	Scale float64 `json:"scale"`
	Shift float64 `json:"shift"`
}

// Layer is one operation.
type Layer struct {
	Name   string         `json:"name"`
	Op     string         `json:"op"`
	Inputs []string       `json:"inputs"` // names of inputs or layers
	Attrs  map[string]any `json:"attrs,omitempty"`
	Quant  string         `json:"quant,omitempty"` // scheme of the weight, "" for none
	Store  DType          `json:"store,omitempty"` // type that float parameters are kept in, "" for F32; computation is in F32
}

// Param is a parameter of a layer.
type Param struct {
	Name      string
	Shape     []int
	DType     DType
	Init      Init
	Trainable bool
}

// Init says how a parameter begins.
type Init struct {
	Kind          string // zeros, ones, glorot_uniform, he_normal
	FanIn, FanOut int
}

// Size is the number of elements of a shape.
func Size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Float returns a float attribute, or dflt.
func (l *Layer) Float(name string, dflt float64) float64 {
	switch v := l.Attrs[name].(type) {
	case int64:
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

// Encode returns the graph as canonical JSON.
func (g *Graph) Encode() ([]byte, error) {
	enc, err := json.Marshal(g)
	if err != nil {
		return nil, err
	}
	v, err := value.Decode(enc)
	if err != nil {
		return nil, err
	}
	return value.Canonical(v)
}

// Decode reads what Encode wrote and infers it, so that what it returns is sound.
func Decode(b []byte) (*Graph, *Info, error) {
	g := new(Graph)
	if err := json.Unmarshal(b, g); err != nil {
		return nil, nil, fmt.Errorf("decoding a graph: %w", err)
	}
	for i := range g.Layers {
		if g.Layers[i].Attrs != nil {
			n, err := value.Norm(g.Layers[i].Attrs)
			if err != nil {
				return nil, nil, fmt.Errorf("decoding a graph: %w", err)
			}
			g.Layers[i].Attrs = n.(map[string]any)
		}
	}
	info, err := Infer(g)
	return g, info, err
}

// Clone returns a deep copy but for attribute values, which nobody changes.
func (g *Graph) Clone() *Graph {
	c := &Graph{Inputs: append([]Input(nil), g.Inputs...), Layers: append([]Layer(nil), g.Layers...), Outputs: append([]string(nil), g.Outputs...)}
	return c
}

// Layer returns the layer called name, or nil.
func (g *Graph) Layer(name string) *Layer {
	for i := range g.Layers {
		if g.Layers[i].Name == name {
			return &g.Layers[i]
		}
	}
	return nil
}

// Error is an architecture that does not fit together.
type Error struct {
	Layer, Op string
	Needs     string // "rank 2"
	Got       string // `"conv1" gives [batch, 28, 28, 16]`
	Fix       string // `add layer "flatten" before it`
}

func (e *Error) Error() string {
	s := fmt.Sprintf("layer %q %q needs %s, but %s", e.Op, e.Layer, e.Needs, e.Got)
	if e.Fix != "" {
		s += ": " + e.Fix
	}
	return s
}

// ShapeText prints a shape with its batch dimension: [batch, 28, 28].
func ShapeText(shape []int) string {
	parts := []string{"batch"}
	for _, d := range shape {
		parts = append(parts, fmt.Sprint(d))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
