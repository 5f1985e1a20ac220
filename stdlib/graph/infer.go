package graph

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// Info is what follows from a Graph.
type Info struct {
	Shapes map[string][]int      // by input or layer, without the batch dimension
	DTypes map[string]DType      // by input or layer
	Layers map[string]*LayerInfo // by layer

	Parameters int64 // elements of all parameters; a quantised weight counts with its scales
	Trainable  int64 // of these, the ones that training changes
	Bytes      int64 // of all parameters, as they are stored
	FLOPs      int64 // for one example, forward; a multiplication and an addition count as two
}

// LayerInfo is what follows for one layer.
type LayerInfo struct {
	In     [][]int // shapes of its inputs, without the batch dimension
	Types  []DType // types of its inputs
	Out    []int   // shape of its output, without the batch dimension
	DType  DType   // type of its output
	Params []Param // in the op's order; quantised and stored as the layer says
	FLOPs  int64   // for one example
	Peak   int     // elements of the largest tensor that it makes on the way; 0 where that is its output

	tied [2]int // shape of the weight that it shares

	shared *Layer // the layer that it is, with another input
	width  int    // of the last axis of that layer's input
}

// Param is a parameter of a layer.
type Param struct {
	Name      string
	Shape     []int
	DType     DType
	Init      Init
	Trainable bool
}

// Init says how a parameter begins: Kind is one of Inits, or "ones", or "forget" (zeros, but ones in the second of four parts).
// The fans are those of a weight.
type Init struct {
	Kind          string
	FanIn, FanOut int
}

// Infer checks a graph and derives shapes, types, parameters and costs. Its errors are *Error.
func Infer(g *Graph) (*Info, error) {
	info := &Info{Shapes: map[string][]int{}, DTypes: map[string]DType{}, Layers: map[string]*LayerInfo{}}
	if len(g.Inputs) == 0 {
		return nil, &Error{Needs: "an input", Got: "it has none", Fix: `add input "NAME" { shape = [ … ] }`}
	}
	if len(g.Layers) == 0 {
		return nil, &Error{Needs: "a layer", Got: "it has none", Fix: `add layer "TYPE" "NAME" { … }`}
	}
	for i := range g.Inputs {
		if err := info.input(&g.Inputs[i]); err != nil {
			return nil, err
		}
	}
	for i := range g.Layers {
		if err := info.layer(g, i); err != nil {
			return nil, err
		}
	}
	if len(g.Outputs) == 0 {
		return nil, &Error{Needs: "an output", Got: "it has none"}
	}
	for i, out := range g.Outputs {
		if info.Layers[out] == nil {
			return nil, &Error{Needs: "outputs that are layers", Got: fmt.Sprintf("there is no layer %q", out), At: out}
		}
		if slices.Contains(g.Outputs[:i], out) {
			return nil, &Error{Needs: "each output once", Got: fmt.Sprintf("%q is named twice", out), At: out}
		}
	}
	return info, read(g)
}

// read checks that everything is read by somebody: an input or a layer that is not is a mistake in the layers after it.
func read(g *Graph) error {
	seen := map[string]bool{}
	for _, out := range g.Outputs {
		seen[out] = true
	}
	for i := range g.Layers {
		for _, in := range g.Layers[i].Inputs {
			seen[in] = true
		}
	}
	for i := range g.Inputs {
		if in := g.Inputs[i].Name; !seen[in] {
			return &Error{Input: in, Needs: "a layer that takes it", Got: "none does", Fix: "name it in the inputs of a layer, or leave it out"}
		}
	}
	for i := range g.Layers {
		if l := &g.Layers[i]; !seen[l.Name] {
			return &Error{Layer: l.Name, Op: l.Op, Needs: "a layer that takes it", Got: "none does, and it is no output", Fix: "name it in the inputs of a layer, or leave it out"}
		}
	}
	return nil
}

// name checks the name of an input or a layer.
func (info *Info) name(s string) error {
	if !CheckName(s) {
		return &Error{Needs: "names of letters, digits, underscores and hyphens that do not begin with a digit or hyphen", Got: fmt.Sprintf("there is %q", s)}
	}
	if info.Shapes[s] != nil {
		return &Error{Needs: "layers and inputs with names of their own", Got: fmt.Sprintf("the name %q is used twice", s), At: s}
	}
	return nil
}

func (info *Info) input(in *Input) error {
	if err := info.name(in.Name); err != nil {
		return err
	}
	fail := func(needs, got string, a ...any) error {
		return &Error{Input: in.Name, Needs: needs, Got: fmt.Sprintf(got, a...)}
	}
	whole := in.DType == I32 || in.DType == I64
	switch {
	case len(in.Shape) == 0 || !bounded(in.Shape):
		return fail("a shape of dimensions from 1, of at most 2^40 elements", "it has %v", in.Shape)
	case !whole && in.DType != F32:
		return fail("type F32, I32 or I64", "it has %q", in.DType)
	case in.Scale == 0 || in.Scale-in.Scale != 0: // zero, infinite or NaN
		return fail("a scale other than 0", "it has %g", in.Scale)
	case in.Shift-in.Shift != 0:
		return fail("a finite shift", "it has %g", in.Shift)
	case whole && (in.Scale != 1 || in.Shift != 0):
		return fail("scale 1 and shift 0, being of whole numbers", "it has %g and %g", in.Scale, in.Shift)
	}
	if needs := in.normalized(); needs != "" {
		return fail(needs, "it has %d and %d", len(in.Mean), len(in.Deviation))
	}
	info.Shapes[in.Name], info.DTypes[in.Name] = in.Shape, in.DType
	return nil
}

// layer infers the i-th layer, those before it being done.
func (info *Info) layer(g *Graph, i int) error {
	l := &g.Layers[i]
	if err := info.name(l.Name); err != nil {
		return err
	}
	li := &LayerInfo{DType: F32}
	err := info.fit(g, i, li)
	if err == nil {
		err = Ops[l.Op].Infer(l, li)
	}
	if err == nil && !bounded(li.Out) {
		err = &Error{Needs: "an output of at most 2^40 elements", Got: "it gives " + ShapeText(li.Out)}
	}
	if err == nil {
		err = info.room(li.Params)
	}
	if err != nil {
		if e, ok := err.(*Error); ok {
			e.Layer, e.Op = l.Name, l.Op
			if e.Got == "" {
				e.Got = fmt.Sprintf("%q gives %s", l.Inputs[0], ShapeText(li.In[0]))
			}
		}
		return err
	}
	li.Params = stored(l, li.Params)
	info.Shapes[l.Name], info.DTypes[l.Name], info.Layers[l.Name] = li.Out, li.DType, li
	if info.FLOPs += li.FLOPs; info.FLOPs >= huge {
		return &Error{Layer: l.Name, Op: l.Op, Needs: "a model of less than 2^60 operations an example", Got: "it has more up to here"}
	}
	for _, p := range li.Params {
		n := int64(Size(p.Shape))
		info.Parameters += n
		info.Bytes += n * int64(p.DType.Size())
		if p.Trainable {
			info.Trainable += n
		}
	}
	return nil
}

// maxParameters bounds the parameters of a model: 400 GB in float32.
const maxParameters = 100_000_000_000

// room checks that a layer's parameters fit into a model, before anything multiplies their dimensions.
func (info *Info) room(params []Param) error {
	total := big.NewInt(info.Parameters)
	for _, p := range params {
		n := big.NewInt(1)
		for _, d := range p.Shape {
			n.Mul(n, big.NewInt(int64(d)))
		}
		total.Add(total, n)
	}
	if total.Cmp(big.NewInt(maxParameters)) > 0 {
		return &Error{Needs: fmt.Sprintf("a model of at most %d parameters", maxParameters), Got: fmt.Sprintf("with this layer it has %d", total)}
	}
	return nil
}

// fit checks the i-th layer against the row of its op and looks up its inputs' shapes.
func (info *Info) fit(g *Graph, i int, li *LayerInfo) error {
	l := &g.Layers[i]
	op := Ops[l.Op]
	if l.Op == "shared" {
		if err := info.share(g, i, li); err != nil {
			return err
		}
	}
	if op == nil {
		return &Error{Needs: "a known type", Got: fmt.Sprintf("there is no layer type %q", l.Op)}
	}
	for _, k := range slices.Sorted(maps.Keys(l.Attrs)) {
		v := l.Attrs[k]
		if want, ok := op.Attrs[k]; !ok {
			return &Error{Needs: "attributes of its type", Got: fmt.Sprintf("%s has no attribute %q", l.Op, k)}
		} else if !want.holds(v) {
			return &Error{Needs: fmt.Sprintf("%s for %q", want, k), Got: fmt.Sprintf("it has %v", v)}
		}
	}
	if err := l.weights(op); err != nil {
		return err
	}
	if len(l.Inputs) < op.MinInputs || op.MaxInputs > 0 && len(l.Inputs) > op.MaxInputs {
		return &Error{Needs: op.inputsText(), Got: fmt.Sprintf("it has %d", len(l.Inputs))}
	}
	if li.shared != nil {
		op = Ops[li.shared.Op]
	}
	for k, in := range l.Inputs {
		shape := info.Shapes[in]
		if shape == nil {
			return missing(g, i, in)
		}
		steps := op.Steps > 0 && k >= op.Steps
		switch t, r := info.DTypes[in], len(shape)+1; {
		case steps && r != 2:
			return &Error{Needs: "one number for each position in its " + ordinal(k) + " input", Got: fmt.Sprintf("%q gives %s", in, ShapeText(shape))}
		case steps:
		case op.Whole && t == F32:
			return &Error{Needs: "whole numbers", Got: fmt.Sprintf("%q gives %s", in, t), Fix: fmt.Sprintf("give the input dtype = %q", "int32")}
		case !op.Whole && t != F32:
			return &Error{Needs: "inputs of type F32", Got: fmt.Sprintf("%q gives %s", in, t), Fix: wholeFix(op)}
		case op.Rank > 0 && (r < op.Rank || r > max(op.Rank, op.MaxRank)):
			return rank(op, in, shape)
		}
		li.In, li.Types = append(li.In, shape), append(li.Types, info.DTypes[in])
	}
	return info.refer(g, i, li)
}

// wholeFix is what to do with whole numbers before a layer that takes others.
func wholeFix(op *Op) string {
	if op.Rank == 3 {
		return `add a layer "embedding" before it`
	}
	return ""
}

func ordinal(k int) string { return [...]string{"first", "second", "third", "fourth"}[k] }

// refer looks up the layer that the i-th one shares its weight with.
func (info *Info) refer(g *Graph, i int, li *LayerInfo) error {
	l := &g.Layers[i]
	name, ok := l.Attrs["embedding"].(string)
	if l.Op != "tied_dense" {
		return nil
	}
	for k := range g.Layers[:i] {
		if e := &g.Layers[k]; ok && e.Name == name && e.Op == "embedding" {
			li.tied = [2]int{e.Int("vocabulary"), e.Int("units")}
			return nil
		}
	}
	return &Error{Needs: "the name of a layer \"embedding\" before it in \"embedding\"", Got: fmt.Sprintf("there is none called %q", name)}
}

// missing says what is wrong with an input that is nowhere before the i-th layer.
func missing(g *Graph, i int, in string) error {
	if path := cycle(g, g.Layers[i].Name, in); path != nil {
		return &Error{Needs: "inputs that do not depend on it", Got: "there is a cycle: " + quoted(append([]string{g.Layers[i].Name}, path...), " takes "), Fix: "leave one of these inputs out"}
	}
	e := &Error{Needs: "inputs that come before it", Got: fmt.Sprintf("there is no layer or input %q before it", in)}
	if g.Layer(in) != nil {
		e.Fix = fmt.Sprintf("move %q before it", in)
	}
	return e
}

// cycle is how the inputs of a layer, and theirs, lead to the layer called goal; nil when they do not.
func cycle(g *Graph, goal, from string) []string {
	byName := map[string]*Layer{}
	for i := range g.Layers {
		byName[g.Layers[i].Name] = &g.Layers[i]
	}
	seen := map[string]bool{}
	var walk func(at string) []string
	walk = func(at string) []string {
		if at == goal {
			return []string{at}
		}
		l := byName[at]
		if l == nil || seen[at] {
			return nil
		}
		seen[at] = true
		for _, in := range l.Inputs {
			if path := walk(in); path != nil {
				return append([]string{at}, path...)
			}
		}
		return nil
	}
	return walk(from)
}

func rank(op *Op, in string, shape []int) error {
	e := &Error{Needs: op.ranks(), Got: fmt.Sprintf("%q gives %s", in, ShapeText(shape))}
	if op.Whole {
		return e
	}
	if len(shape)+1 > op.Rank && op.Rank == 2 {
		e.Fix = `add a layer "flatten" before it`
	} else {
		e.Fix = `add a layer "reshape" before it`
	}
	return e
}

// weights checks how the layer keeps its parameters.
func (l *Layer) weights(op *Op) error {
	switch {
	case l.Quant != "" && l.Quant != DynamicInt8 && l.Quant != WeightOnlyInt8:
		return &Error{Needs: "a known quantisation", Got: fmt.Sprintf("it has %q", l.Quant)}
	case l.Quant != "" && !op.Quantizable:
		return &Error{Needs: "no quantisation", Got: fmt.Sprintf("it has %q", l.Quant)}
	case l.Quant == DynamicInt8 && op.Whole:
		return &Error{Needs: "quantisation " + WeightOnlyInt8 + ", having no activations", Got: fmt.Sprintf("it has %q", l.Quant)}
	case l.Store != "" && l.Store != F16 && l.Store != BF16:
		return &Error{Needs: "parameters stored as F16 or BF16, or as they are", Got: fmt.Sprintf("it has %q", l.Store)}
	}
	return nil
}

// stored applies the layer's quantisation and storage type to its parameters. A quantised weight is no longer trainable.
func stored(l *Layer, params []Param) []Param {
	var out []Param
	for _, p := range params {
		switch {
		case l.Quant != "" && p.Name == "weight":
			cols := p.Shape[len(p.Shape)-1]
			out = append(out, Param{Name: "weight", Shape: p.Shape, DType: I8},
				Param{Name: "weight_scale", Shape: []int{cols}, DType: F32})
		case l.Store != "" && p.DType == F32:
			p.DType = l.Store
			out = append(out, p)
		default:
			out = append(out, p)
		}
	}
	return out
}

func quoted(names []string, between string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(out, between)
}
