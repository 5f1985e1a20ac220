package graph

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// tokens makes a graph over ids, a mask and x, [5, 6], of which the layers take some.
func tokens(layers ...Layer) *Graph {
	g := &Graph{Layers: layers}
	for _, in := range []Input{{Name: "ids", Shape: []int{5}, DType: I32, Scale: 1}, {Name: "mask", Shape: []int{5}, DType: I64, Scale: 1}, {Name: "x", Shape: []int{5, 6}, DType: F32, Scale: 1}, {Name: "short", Shape: []int{4}, DType: F32, Scale: 1}} {
		if slices.ContainsFunc(layers, func(l Layer) bool { return slices.Contains(l.Inputs, in.Name) }) {
			g.Inputs = append(g.Inputs, in)
		}
	}
	g.Connect()
	return g
}

func TestInferSequences(t *testing.T) {
	e := layer("embedding", "e", "vocabulary", 10, "units", 6, "inputs", "ids")
	for _, c := range []struct {
		name       string
		layers     []Layer
		shape      []int
		parameters int64
		flops      int64
	}{
		{"embedding", []Layer{e}, []int{5, 6}, 60, 0},
		{"positions", []Layer{e, layer("position_embedding", "p", "positions", 7, "offset", 2)}, []int{5, 6}, 60 + 42, 30},
		{"types", []Layer{layer("type_embedding", "t", "types", 3, "inputs", "x ids")}, []int{5, 6}, 18, 30},
		{"tied", []Layer{e, layer("tied_dense", "t", "embedding", "e")}, []int{5, 10}, 60 + 10, 2*5*6*10 + 5*10},
		{"dense", []Layer{layer("dense", "d", "units", 3, "inputs", "x")}, []int{5, 3}, 6*3 + 3, 5 * (2*6*3 + 3)},
		{"attention", []Layer{layer("attention", "a", "heads", 3, "inputs", "x x x mask")}, []int{5, 6}, 0, 4*5*5*6 + 6*3*5*5},
		{"lstm", []Layer{layer("lstm", "l", "units", 2, "inputs", "x mask")}, []int{5, 2}, 4 * (6*2 + 2*2 + 2), 5*2*4*2*(6+2) + 10*5*2*4},
		{"gru", []Layer{layer("gru", "l", "units", 2, "bidirectional", true, "returns", "state", "inputs", "x")}, []int{4}, 2 * (3*(6*2+2*2+2) + 2), 5*4*3*2*(6+2) + 10*5*4*3},
		{"pool", []Layer{layer("sequence_pool", "p", "mode", "mean", "inputs", "x mask")}, []int{6}, 0, 60},
		{"dot", []Layer{layer("dot", "d", "inputs", "x x")}, []int{5, 1}, 0, 60},
	} {
		g := tokens(c.layers...)
		info, err := Infer(g)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := info.Shapes[g.Outputs[0]]; !slices.Equal(got, c.shape) || info.Parameters != c.parameters || info.FLOPs != c.flops {
			t.Errorf("%s: shape %v, %d parameters, %d FLOPs; want %v, %d, %d", c.name, got, info.Parameters, info.FLOPs, c.shape, c.parameters, c.flops)
		}
	}
}

func TestInferSequenceErrors(t *testing.T) {
	e := layer("embedding", "e", "vocabulary", 10, "units", 6, "inputs", "ids")
	for _, c := range []struct {
		layers []Layer
		want   string
	}{
		{[]Layer{layer("embedding", "e", "vocabulary", 10, "units", 6, "inputs", "short")}, `layer "embedding" "e" needs whole numbers, but "short" gives F32: give the input dtype = "int32"`},
		{[]Layer{layer("embedding", "e", "vocabulary", 0, "units", 6, "inputs", "ids")}, `layer "embedding" "e" needs a vocabulary of 1 to 2^24 and units of at least 1, but it has 0 and 6`},
		{[]Layer{layer("attention", "a", "heads", 2, "inputs", "ids ids ids")}, `layer "attention" "a" needs inputs of type F32, but "ids" gives I32: add a layer "embedding" before it`},
		{[]Layer{layer("dense", "d", "units", 2, "inputs", "ids")}, `layer "dense" "d" needs inputs of type F32, but "ids" gives I32`},
		{[]Layer{e, layer("position_embedding", "p", "positions", 6, "offset", 2)}, `layer "position_embedding" "p" needs positions for the whole sequence, 5 and offset = 2 before them, but it has 6: raise positions, or shorten the input`},
		{[]Layer{layer("type_embedding", "t", "types", 2, "inputs", "x short")}, `layer "type_embedding" "t" needs types that are whole numbers, but "short" gives F32`},
		{[]Layer{layer("tied_dense", "t", "embedding", "e", "inputs", "x")}, `layer "tied_dense" "t" needs the name of a layer "embedding" before it in "embedding", but there is none called "e"`},
		{[]Layer{layer("tied_dense", "t", "inputs", "x")}, `layer "tied_dense" "t" needs the name of a layer "embedding" before it in "embedding", but there is none called ""`},
		{[]Layer{e, layer("dense", "d", "units", 4), layer("tied_dense", "t", "embedding", "e")}, `layer "tied_dense" "t" needs as many features as the embedding has units, 6, but "d" gives [batch, 5, 4]`},
		{[]Layer{layer("attention", "a", "heads", 4, "inputs", "x x x")}, `layer "attention" "a" needs heads that divide its features, but there are 4 heads, "x" gives 6 features and "x" 6`},
		{[]Layer{layer("attention", "a", "heads", 2, "rotary", true, "inputs", "x x x")}, `layer "attention" "a" needs an even number of features a head, being rotary, but there are 2 heads of 3`},
		{[]Layer{layer("attention", "a", "heads", 2, "inputs", "x x x short")}, `layer "attention" "a" needs inputs of one length, but "x" gives [batch, 5, 6] and "short" gives [batch, 4]`},
		{[]Layer{layer("attention", "a", "heads", 2, "inputs", "x x x x")}, `layer "attention" "a" needs one number for each position in its fourth input, but "x" gives [batch, 5, 6]`},
		{[]Layer{layer("attention", "a", "heads", 2, "inputs", "x x")}, `layer "attention" "a" needs 3 to 4 inputs, but it has 2`},
		{[]Layer{layer("lstm", "l", "units", 0, "inputs", "x")}, `layer "lstm" "l" needs units of at least 1, but it has 0`},
		{[]Layer{layer("gru", "l", "units", 2, "returns", "all", "inputs", "x")}, `layer "gru" "l" needs a known returns, but it has "all": take one of ["sequence" "state"]`},
		{[]Layer{layer("sequence_pool", "p", "mode", "first", "inputs", "x mask")}, `layer "sequence_pool" "p" needs no mask for the first position, but it takes "mask"`},
		{[]Layer{e, layer("sequence_pool", "p", "mode", "mean"), layer("lstm", "l", "units", 2)}, `layer "lstm" "l" needs rank 3, but "p" gives [batch, 6]: add a layer "reshape" before it`},
		{[]Layer{layer("dot", "d", "scale", 0, "inputs", "x x")}, `layer "dot" "d" needs a finite scale other than 0, but it has another`},
	} {
		_, err := Infer(tokens(c.layers...))
		if err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}

func TestVocabulary(t *testing.T) {
	g := tokens(layer("embedding", "e", "vocabulary", 10, "units", 6, "inputs", "ids"), layer("embedding", "f", "vocabulary", 8, "units", 6, "inputs", "ids"), layer("add", "s", "inputs", "e f"),
		layer("sequence_pool", "p", "mode", "max", "inputs", "s mask"))
	if v := g.Vocabulary(); len(v) != 1 || v["ids"] != 8 {
		t.Errorf("%v", v)
	}
}

func TestAtLengths(t *testing.T) {
	e := layer("embedding", "e", "vocabulary", 10, "units", 6, "inputs", "ids")
	for _, c := range []struct {
		name   string
		layers []Layer
		want   [][]string
	}{
		{"pool", []Layer{e, layer("sequence_pool", "p", "mode", "mean", "inputs", "e mask")}, [][]string{{"ids", "mask"}}},
		{"positions", []Layer{e, layer("position_embedding", "p", "positions", 7)}, [][]string{{"ids"}}},
		{"apart", []Layer{e, layer("sequence_pool", "p", "mode", "max"), layer("embedding", "f", "vocabulary", 10, "units", 6, "inputs", "mask"), layer("sequence_pool", "q", "mode", "max"), layer("dot", "d", "inputs", "p q")}, [][]string{{"ids"}, {"mask"}}},
		{"flatten", []Layer{e, layer("flatten", "f")}, [][]string{{"ids"}}},
		{"dense of a length", []Layer{e, layer("flatten", "f"), layer("dense", "d", "units", 2)}, nil},
		{"added to another", []Layer{e, layer("add", "a", "inputs", "e x")}, nil},
	} {
		g := tokens(c.layers...)
		if got := g.Elastic(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	g := tokens(e, layer("flatten", "f"), layer("dense", "d", "units", 2))
	if _, _, err := g.AtLengths(map[string]int{"ids": 3}); err == nil || !strings.Contains(err.Error(), `layer "dense" "d" needs sequences of one length, but lengths of map[ids:3] give it other parameters`) {
		t.Error(err)
	}
}
