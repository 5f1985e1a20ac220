package graph

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// layer makes a layer from "key", value pairs.
func layer(op, name string, attrs ...any) Layer {
	l := Layer{Op: op, Name: name}
	for i := 0; i < len(attrs); i += 2 {
		if attrs[i] == "inputs" {
			l.Inputs = strings.Fields(attrs[i+1].(string))
			continue
		}
		if l.Attrs == nil {
			l.Attrs = map[string]any{}
		}
		v := attrs[i+1]
		if n, ok := v.(int); ok {
			v = int64(n)
		}
		l.Attrs[attrs[i].(string)] = v
	}
	return l
}

// over makes a graph of layers over the input x of a shape.
func over(shape []int, layers ...Layer) *Graph {
	g := &Graph{Inputs: []Input{{Name: "x", Shape: shape, DType: F32, Scale: 1}}, Layers: layers}
	g.Connect()
	return g
}

func TestInferMLP(t *testing.T) {
	info, err := Infer(over([]int{8, 8},
		layer("flatten", "flat"),
		layer("dense", "hidden", "units", 128, "activation", "relu"),
		layer("batch_norm", "norm"),
		layer("dropout", "drop", "rate", 0.5),
		layer("dense", "logits", "units", 10, "use_bias", false)))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]int{"x": {8, 8}, "flat": {64}, "hidden": {128}, "norm": {128}, "drop": {128}, "logits": {10}}
	if !reflect.DeepEqual(info.Shapes, want) {
		t.Errorf("shapes %v, want %v", info.Shapes, want)
	}
	if info.Parameters != 64*128+128+4*128+1280 || info.Trainable != info.Parameters-2*128 || info.Bytes != 4*info.Parameters {
		t.Errorf("%d parameters, %d trainable, %d bytes", info.Parameters, info.Trainable, info.Bytes)
	}
	if f := info.Layers["hidden"].FLOPs; f != 2*64*128+128 {
		t.Errorf("dense 64 to 128 has %d FLOPs", f)
	}
	if f := info.Layers["logits"].FLOPs; f != 2*128*10 {
		t.Errorf("dense 128 to 10 without bias has %d FLOPs", f)
	}
	names := []string{}
	for _, p := range info.Layers["norm"].Params {
		names = append(names, p.Name)
		if trains := p.Name == "gamma" || p.Name == "beta"; p.Trainable != trains {
			t.Errorf("%s: trainable is %v", p.Name, p.Trainable)
		}
	}
	if !slices.Equal(names, []string{"gamma", "beta", "mean", "variance"}) {
		t.Errorf("parameters of batch_norm: %v", names)
	}
	if p := info.Layers["hidden"].Params[0]; p.Init != (Init{Kind: "glorot_uniform", FanIn: 64, FanOut: 128}) {
		t.Errorf("the weight begins as %+v", p.Init)
	}
}

func TestInferShapes(t *testing.T) {
	for _, c := range []struct {
		name   string
		in     []int
		layers []Layer
		want   []int
	}{
		{"residual", []int{4}, []Layer{layer("dense", "a", "units", 4), layer("add", "s", "inputs", "a x x")}, []int{4}},
		{"concat", []int{2, 4}, []Layer{layer("activation", "a", "function", "relu"), layer("concat", "s", "inputs", "x a x")}, []int{2, 12}},
		{"reshape", []int{24}, []Layer{layer("reshape", "r", "shape", []any{int64(2), int64(-1), int64(3)})}, []int{2, 4, 3}},
		{"reshape all", []int{2, 3}, []Layer{layer("reshape", "r", "shape", []any{int64(6)})}, []int{6}},
		{"layer_norm", []int{2, 3}, []Layer{layer("layer_norm", "n", "epsilon", 1e-12)}, []int{2, 3}},
		{"flatten of a vector", []int{7}, []Layer{layer("flatten", "f")}, []int{7}},
	} {
		g := over(c.in, c.layers...)
		info, err := Infer(g)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := info.Shapes[g.Outputs[0]]; !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestInferStored(t *testing.T) {
	g := over([]int{3}, layer("dense", "a", "units", 2), layer("batch_norm", "n"), layer("dense", "b", "units", 2))
	g.Layers[0].Quant, g.Layers[1].Store, g.Layers[2].Store = DynamicInt8, BF16, F16
	info, err := Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	want := []Param{{Name: "weight", Shape: []int{3, 2}, DType: I8}, {Name: "weight_scale", Shape: []int{2}, DType: F32},
		{Name: "bias", Shape: []int{2}, DType: F32, Init: Init{Kind: "zeros"}, Trainable: true}}
	if got := info.Layers["a"].Params; !reflect.DeepEqual(got, want) {
		t.Errorf("quantised: %+v", got)
	}
	for _, p := range info.Layers["n"].Params {
		if p.DType != BF16 {
			t.Errorf("%s is %s, want BF16", p.Name, p.DType)
		}
	}
	if want := int64(6 + 8 + 8 + 4*2*2 + (4+2)*2); info.Bytes != want {
		t.Errorf("%d bytes, want %d", info.Bytes, want)
	}
}

func TestInferErrors(t *testing.T) {
	bad := func(f func(g *Graph)) *Graph {
		g := over([]int{4}, layer("dense", "a", "units", 4))
		f(g)
		return g
	}
	for _, c := range []struct {
		g    *Graph
		want string
	}{
		{over([]int{28, 28, 16}, layer("dense", "logits", "units", 10)),
			`layer "dense" "logits" needs rank 2 to 3, but "x" gives [batch, 28, 28, 16]: add a layer "flatten" before it`},
		{over([]int{4}, layer("dense", "a")), `layer "dense" "a" needs units of at least 1, but it has 0`},
		{over([]int{4}, layer("dense", "a", "units", "4")), `layer "dense" "a" needs a whole number for "units", but it has 4`},
		{over([]int{4}, layer("dense", "a", "units", 1, "z", 1, "b", 1)), `layer "dense" "a" needs attributes of its type, but dense has no attribute "b"`},
		{over([]int{4}, layer("dense", "a", "units", 1, "activation", "rleu")), `needs a known activation, but it has "rleu": take one of ["linear" "relu"`},
		{over([]int{4}, layer("dense", "a", "units", 1, "init", "x")), `needs a known init, but it has "x": take one of ["glorot_uniform"`},
		{over([]int{1 << 35}, layer("dense", "a", "units", 1<<35)), `layer "dense" "a" needs a model of at most 100000000000 parameters, but with this layer it has 1180591620751771041792`},
		{over([]int{4}, layer("flatten", "a", "inputs", "a")), `layer "flatten" "a" needs inputs that do not depend on it, but there is a cycle: "a" takes "a"`},
		{over([]int{4}, layer("add", "a", "inputs", "x c"), layer("flatten", "b", "inputs", "a"), layer("flatten", "c", "inputs", "b")),
			`there is a cycle: "a" takes "c" takes "b" takes "a": leave one of these inputs out`},
		{bad(func(g *Graph) { g.Inputs = append(g.Inputs, Input{Name: "y", Shape: []int{2}, DType: F32, Scale: 1}) }),
			`input "y" needs a layer that takes it, but none does: name it in the inputs of a layer, or leave it out`},
		{over([]int{4}, layer("flatten", "a"), layer("flatten", "b", "inputs", "x")), `layer "flatten" "a" needs a layer that takes it, but none does, and it is no output`},
		{over([]int{1000}, layer("dense", "a", "units", 1_000_000_000)), `layer "dense" "a" needs a model of at most 100000000000 parameters, but with this layer it has 1001000000000`},
		{over([]int{4}, layer("activation", "a")), `layer "activation" "a" needs a known function, but it has ""`},
		{over([]int{4}, layer("dropout", "a", "rate", 1)), `needs a rate from 0 to below 1, but it has 1`},
		{over([]int{4}, layer("scale", "a")), `needs a finite factor, but it has <nil>`},
		{over([]int{4}, layer("scale", "a", "factor", math.Inf(1))), `needs a finite factor, but it has +Inf`},
		{over([]int{4}, layer("dropout", "a", "rate", math.NaN())), `needs a rate from 0 to below 1, but it has NaN`},
		{over([]int{4}, layer("layer_norm", "a", "epsilon", 0)), `needs an epsilon above 0, but it has 0`},
		{over([]int{4}, layer("layer_norm", "a", "momentum", 0.5)), `layer_norm has no attribute "momentum"`},
		{over([]int{4}, layer("batch_norm", "a", "momentum", 1.5)), `needs a momentum from 0 to 1, but it has 1.5`},
		{over([]int{6}, layer("reshape", "a", "shape", []any{int64(4), int64(-1)})), `layer "reshape" "a" needs 4 elements for [batch, 4, -1], but "x" gives [batch, 6]`},
		{over([]int{6}, layer("reshape", "a")), `needs 1 elements for [batch]`},
		{over([]int{6}, layer("reshape", "a", "shape", []any{int64(-1), int64(-1)})), `a shape of whole numbers from 1, one of which may be -1, but it has [-1 -1]`},
		{over([]int{6}, layer("reshape", "a", "shape", []any{int64(1 << 40), int64(1 << 40)})), `a shape of whole numbers`},
		{over([]int{6}, layer("reshape", "a", "shape", []any{"6"})), `needs a list of whole numbers for "shape"`},
		{over([]int{4}, layer("dense", "a", "units", 3), layer("add", "s", "inputs", "x a")),
			`layer "add" "s" needs inputs of one shape, but "x" gives [batch, 4] and "a" gives [batch, 3]`},
		{over([]int{2, 4}, layer("flatten", "a"), layer("concat", "s", "inputs", "x a")), `inputs that differ in the last axis only`},
		{over([]int{4}, layer("add", "s")), `layer "add" "s" needs at least 2 inputs, but it has 1`},
		{over([]int{4}, layer("flatten", "s", "inputs", "x x")), `layer "flatten" "s" needs one input, but it has 2`},
		{over([]int{4}, layer("flatten", "a", "inputs", "y")), `needs inputs that come before it, but there is no layer or input "y" before it`},
		{over([]int{4}, layer("flatten", "a", "inputs", "b"), layer("flatten", "b", "inputs", "x")), `before it: move "b" before it`},
		{over([]int{4}, layer("flaten", "a")), `there is no layer type "flaten"`},
		{over([]int{4}, layer("flatten", "x")), `the model needs layers and inputs with names of their own, but the name "x" is used twice`},
		{over([]int{4}, layer("flatten", "../x")), `there is "../x"`},
		{over([]int{0}, layer("flatten", "a")), `input "x" needs a shape of dimensions from 1, of at most 2^40 elements, but it has [0]`},
		{over([]int{-1, -4}, layer("flatten", "a")), `input "x" needs a shape`},
		{over([]int{1 << 33, 1 << 31}, layer("flatten", "a")), `input "x" needs a shape`},
		{over(nil, layer("flatten", "a")), `input "x" needs a shape`},
		{over([]int{4}), `the model needs a layer, but it has none`},
		{&Graph{Layers: []Layer{layer("flatten", "a")}}, `the model needs an input, but it has none: add input`},
		{bad(func(g *Graph) { g.Outputs = []string{"x"} }), `needs outputs that are layers, but there is no layer "x"`},
		{bad(func(g *Graph) { g.Outputs = []string{"a", "a"} }), `"a" is named twice`},
		{bad(func(g *Graph) { g.Outputs = nil }), `the model needs an output`},
		{bad(func(g *Graph) { g.Inputs[0].DType = F16 }), `input "x" needs type F32, I32 or I64, but it has "F16"`},
		{bad(func(g *Graph) { g.Inputs[0].DType = I32 }), `layer "dense" "a" needs inputs of type F32, but "x" gives I32`},
		{bad(func(g *Graph) { g.Inputs[0].DType, g.Inputs[0].Shift = I32, 1 }), `needs scale 1 and shift 0`},
		{bad(func(g *Graph) { g.Inputs[0].Scale = 0 }), `input "x" needs a scale other than 0, but it has 0`},
		{bad(func(g *Graph) { g.Inputs[0].Scale = math.Inf(1) }), `needs a scale other than 0, but it has +Inf`},
		{bad(func(g *Graph) { g.Inputs[0].Shift = math.NaN() }), `needs a finite shift, but it has NaN`},
		{bad(func(g *Graph) { g.Inputs[0].Mean = []float64{1} }), `needs a mean and a deviation for each element of its last axis, but it has 1 and 0`},
		{bad(func(g *Graph) { g.Inputs[0].Mean, g.Inputs[0].Deviation = make([]float64, 4), make([]float64, 4) }), `needs deviations above 0`},
		{bad(func(g *Graph) {
			g.Inputs[0].Mean, g.Inputs[0].Deviation = make([]float64, 4), []float64{1, 1, math.Inf(1), 1}
		}), `needs finite means and deviations`},
		{bad(func(g *Graph) { g.Inputs[0].Mean, g.Inputs[0].Scale = []float64{}, 2 }), `having means and deviations`},
		{bad(func(g *Graph) { g.Layers[0].Quant = "int4" }), `needs a known quantisation, but it has "int4"`},
		{bad(func(g *Graph) { g.Layers[0].Store = F32 }), `needs parameters stored as F16 or BF16, or as they are, but it has "F32"`},
		{bad(func(g *Graph) { g.Layers[0] = layer("flatten", "a", "inputs", "x"); g.Layers[0].Quant = DynamicInt8 }), `layer "flatten" "a" needs no quantisation`},
	} {
		_, err := Infer(c.g)
		var e *Error
		switch {
		case err == nil:
			t.Errorf("accepted; want %s", c.want)
		case !strings.Contains(err.Error(), c.want):
			t.Errorf("got  %v\nwant %s", err, c.want)
		case !errors.As(err, &e) || e.Needs == "" || e.Got == "":
			t.Errorf("%v is no complete *Error", err)
		}
	}
}

// TestOpsRows holds the table against a smallest layer of each op, so that a new row is tested or refused here.
func TestOpsRows(t *testing.T) {
	least := map[string]Layer{
		"dense": layer("dense", "l", "units", 3), "activation": layer("activation", "l", "function", "tanh"), "dropout": layer("dropout", "l"), "scale": layer("scale", "l", "factor", 2),
		"batch_norm": layer("batch_norm", "l"), "layer_norm": layer("layer_norm", "l"), "rms_norm": layer("rms_norm", "l"), "group_norm": layer("group_norm", "l", "groups", 2),
		"flatten": layer("flatten", "l"), "reshape": layer("reshape", "l", "shape", []any{int64(-1)}),
		"add": layer("add", "l", "inputs", "x x"), "multiply": layer("multiply", "l", "inputs", "x x"), "concat": layer("concat", "l", "inputs", "x x"),
		"upsample": layer("upsample", "l", "factor", 2), "global_avg_pool": layer("global_avg_pool", "l"), "global_max_pool": layer("global_max_pool", "l"),
		"max_pool": layer("max_pool", "l", "kernel", 2), "avg_pool": layer("avg_pool", "l", "kernel", 2),
	}
	for name, l := range map[string]Layer{
		"position_embedding": layer("position_embedding", "l", "positions", 9), "type_embedding": layer("type_embedding", "l", "types", 2), "attention": layer("attention", "l", "heads", 2, "inputs", "x x x"),
		"lstm": layer("lstm", "l", "units", 2), "gru": layer("gru", "l", "units", 2), "sequence_pool": layer("sequence_pool", "l", "mode", "max"), "l2_normalize": layer("l2_normalize", "l"),
		"dot": layer("dot", "l", "inputs", "x x"), "embedding": layer("embedding", "l", "vocabulary", 5, "units", 2), "padding_mask": layer("padding_mask", "l"),
		"tied_dense": layer("tied_dense", "l", "embedding", "e"),
	} {
		least[name] = l
	}
	for _, op := range []string{"conv1d", "conv2d", "conv1d_transpose", "conv2d_transpose"} {
		least[op] = layer(op, "l", "filters", 3, "kernel", 2)
	}
	for name, op := range Ops {
		l, ok := least[name]
		if !ok {
			t.Errorf("no test layer for op %q", name)
			continue
		}
		shape := []int{4}
		for len(shape)+1 < op.Rank {
			shape = append([]int{3}, shape...)
		}
		g := over(shape, l)
		if op.Whole {
			g.Inputs[0].DType = I32
		}
		if name == "tied_dense" {
			g = over([]int{4}, layer("embedding", "e", "vocabulary", 5, "units", 2), l)
			g.Inputs[0].DType = I32
		}
		info, err := Infer(g)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out := info.Layers["l"].Out
		columns := slices.ContainsFunc(info.Layers["l"].Params, func(p Param) bool {
			return p.Name == "weight" && p.DType == F32 && p.Shape[len(p.Shape)-1] == out[len(out)-1]
		})
		if op.Quantizable && !columns {
			t.Errorf("%s: Quantizable, but there is no weight [.., out]", name)
		}
		for _, a := range op.Attrs {
			if !slices.Contains([]Attr{Whole, Number, Text, Flag, Wholes, Extents}, a) {
				t.Errorf("%s: unknown attribute type %q", name, a)
			}
		}
	}
}
