// Package graphtest has graphs for the tests of lowerings: every op of convolutional networks with every option, and random
// graphs. It knows neither weights nor backends; each lowering fills the graphs in its own way and holds the results against
// package reference.
//
// The nouns: Case (a graph with a name that may be a file's), Cases (all of them), Random (a graph of many layers).
package graphtest

import (
	"fmt"
	"strings"

	"mbuild.dev/mbuild/stdlib/graph"
)

// Case is a graph to be lowered.
type Case struct {
	Name  string // letters, digits and underscores
	Graph *graph.Graph
}

// Layer makes a layer from "key", value pairs; "inputs" takes names with spaces between them, and lists of int are whole numbers.
func Layer(op, name string, attrs ...any) graph.Layer {
	l := graph.Layer{Op: op, Name: name}
	for i := 0; i < len(attrs); i += 2 {
		key := attrs[i].(string)
		if key == "inputs" {
			l.Inputs = strings.Fields(attrs[i+1].(string))
			continue
		}
		if l.Attrs == nil {
			l.Attrs = map[string]any{}
		}
		switch v := attrs[i+1].(type) {
		case int:
			l.Attrs[key] = int64(v)
		case []int:
			list := []any{}
			for _, n := range v {
				list = append(list, int64(n))
			}
			l.Attrs[key] = list
		default:
			l.Attrs[key] = v
		}
	}
	return l
}

// Over makes a connected graph of layers over the input x of a shape.
func Over(shape []int, layers ...graph.Layer) *graph.Graph {
	g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: shape, DType: graph.F32, Scale: 1}}, Layers: layers}
	g.Connect()
	return g
}

type cases []Case

func (cs *cases) add(name string, shape []int, layers ...graph.Layer) {
	*cs = append(*cs, Case{strings.NewReplacer(" ", "_", "-", "_").Replace(name), Over(shape, layers...)})
}

// one adds a graph of a single layer.
func (cs *cases) one(name, op string, shape []int, attrs ...any) {
	cs.add(op+" "+name, shape, Layer(op, "l", attrs...))
}

// Cases returns a graph for every op of this family and every option of each, alone and together.
func Cases() []Case {
	var cs cases
	cs.convolutions()
	cs.transposed()
	cs.pools()
	cs.others()
	cs.stored()
	cs.networks()
	cs.sequences()
	return cs
}

func (cs *cases) convolutions() {
	for _, c := range []struct {
		name  string
		shape []int
		attrs []any
	}{
		{"plain", []int{5, 6, 2}, []any{"kernel", 3}},
		{"pointwise", []int{3, 4, 5}, []any{"kernel", 1}},
		{"pointwise strided", []int{5, 4, 5}, []any{"kernel", 1, "stride", 2}},
		{"whole input", []int{3, 4, 2}, []any{"kernel", []int{3, 4}}},
		{"oblong", []int{7, 6, 2}, []any{"kernel", []int{3, 2}, "stride", []int{2, 3}}},
		{"same", []int{5, 6, 2}, []any{"kernel", 3, "padding", "same"}},
		{"same even", []int{5, 6, 2}, []any{"kernel", []int{2, 4}, "padding", "same"}},
		{"same strided", []int{7, 8, 3}, []any{"kernel", 3, "stride", 2, "padding", "same"}},
		{"same wide stride", []int{7, 8, 3}, []any{"kernel", 2, "stride", 3, "padding", "same"}},
		{"pads", []int{4, 5, 2}, []any{"kernel", 3, "pads", []int{0, 2, 1, 3}}},
		{"wide pads", []int{2, 3, 2}, []any{"kernel", 2, "stride", 2, "pads", []int{3, 0, 0, 4}}},
		{"dilated", []int{7, 8, 2}, []any{"kernel", 3, "dilation", []int{2, 3}}},
		{"dilated same strided", []int{7, 8, 2}, []any{"kernel", 3, "dilation", 2, "stride", 2, "padding", "same"}},
		{"groups", []int{4, 5, 6}, []any{"kernel", 3, "groups", 2, "padding", "same"}},
		{"groups of one filter", []int{4, 5, 6}, []any{"kernel", 2, "groups", 3, "filters", 3}},
		{"groups pointwise", []int{4, 5, 6}, []any{"kernel", 1, "groups", 2, "stride", 2}},
		{"depthwise", []int{5, 6, 6}, []any{"kernel", 3, "groups", 6, "padding", "same", "stride", 2}},
		{"depthwise twice", []int{5, 4, 3}, []any{"kernel", 2, "groups", 3, "dilation", 2}},
		{"no bias", []int{4, 4, 2}, []any{"kernel", 2, "use_bias", false, "activation", "tanh"}},
		{"activation", []int{4, 4, 2}, []any{"kernel", 2, "activation", "relu", "init", "he_normal"}},
	} {
		attrs := append([]any{"filters", 6}, c.attrs...)
		cs.one(c.name, "conv2d", c.shape, attrs...)
	}
	for _, c := range []struct {
		name  string
		attrs []any
	}{
		{"plain", []any{"kernel", 3}}, {"same strided", []any{"kernel", []int{4}, "stride", 3, "padding", "same"}},
		{"pads dilated", []any{"kernel", 3, "dilation", 2, "pads", []int{3, 1}}}, {"groups", []any{"kernel", 2, "groups", 2}},
		{"depthwise", []any{"kernel", 5, "groups", 4, "use_bias", false, "padding", "same"}},
	} {
		cs.one(c.name, "conv1d", []int{9, 4}, append([]any{"filters", 8}, c.attrs...)...)
	}
}

func (cs *cases) transposed() {
	for _, c := range []struct {
		name  string
		attrs []any
	}{
		{"plain", []any{"kernel", 3}},
		{"strided", []any{"kernel", 3, "stride", 2}},
		{"kernel is stride", []any{"kernel", 2, "stride", 2}},
		{"gaps", []any{"kernel", 2, "stride", 3}},
		{"same", []any{"kernel", []int{3, 4}, "stride", []int{2, 1}, "padding", "same"}},
		{"same with gaps", []any{"kernel", 1, "stride", 2, "padding", "same"}},
		{"pads", []any{"kernel", 4, "stride", 2, "pads", []int{1, 2, 3, 0}}},
		{"dilated", []any{"kernel", []int{3, 2}, "stride", 2, "dilation", []int{2, 3}}},
		{"output padding", []any{"kernel", 3, "stride", []int{2, 3}, "output_padding", []int{1, 2}, "pads", []int{1, 1, 0, 1}}},
		{"no bias", []any{"kernel", 2, "stride", 2, "use_bias", false, "activation", "relu"}},
	} {
		cs.one(c.name, "conv2d_transpose", []int{3, 4, 2}, append([]any{"filters", 3}, c.attrs...)...)
	}
	cs.one("plain", "conv1d_transpose", []int{5, 2}, "filters", 3, "kernel", 3)
	cs.one("same strided", "conv1d_transpose", []int{5, 2}, "filters", 3, "kernel", 5, "stride", 3, "padding", "same")
	cs.one("all", "conv1d_transpose", []int{4, 2}, "filters", 3, "kernel", 3, "stride", 2, "dilation", 3, "output_padding", 1, "pads", []int{2, 1}, "activation", "elu")
}

func (cs *cases) pools() {
	for _, op := range []string{"max_pool", "avg_pool"} {
		for _, c := range []struct {
			name  string
			attrs []any
		}{
			{"tiles", []any{"kernel", 2}},
			{"tiles with rest", []any{"kernel", []int{3, 4}}},
			{"overlapping", []any{"kernel", 3, "stride", []int{2, 1}}},
			{"gaps", []any{"kernel", 1, "stride", 2}},
			{"same", []any{"kernel", 3, "stride", 2, "padding", "same"}},
			{"same tiles", []any{"kernel", []int{4, 2}, "padding", "same"}},
			{"pads", []any{"kernel", 3, "stride", 1, "pads", []int{2, 0, 1, 2}}},
		} {
			cs.one(c.name, op, []int{6, 7, 3}, c.attrs...)
		}
		cs.one("line tiles", op, []int{7, 3}, "kernel", 2)
		cs.one("line same", op, []int{7, 3}, "kernel", 3, "stride", 2, "padding", "same")
	}
	for _, op := range []string{"global_max_pool", "global_avg_pool"} {
		cs.one("plane", op, []int{3, 4, 5})
		cs.one("line", op, []int{4, 5})
	}
	for _, mode := range graph.UpsampleModes {
		cs.one(mode, "upsample", []int{3, 4, 2}, "factor", 2, "mode", mode)
		cs.one(mode+" oblong", "upsample", []int{2, 3, 2}, "factor", []int{3, 4}, "mode", mode)
		cs.one(mode+" one way", "upsample", []int{2, 3, 2}, "factor", []int{1, 5}, "mode", mode)
		cs.one(mode+" line", "upsample", []int{4, 3}, "factor", 3, "mode", mode)
		cs.one(mode+" of one", "upsample", []int{1, 1, 3}, "factor", 2, "mode", mode)
	}
}

func (cs *cases) others() {
	cs.one("groups", "group_norm", []int{3, 4, 6}, "groups", 3, "epsilon", 1e-3)
	cs.one("instance", "group_norm", []int{3, 4, 6}, "groups", 6)
	cs.one("one", "group_norm", []int{5, 6}, "groups", 1)
	cs.one("vector", "group_norm", []int{8}, "groups", 2)
	cs.one("plane", "rms_norm", []int{3, 4, 6}, "epsilon", 1e-3)
	cs.one("vector", "rms_norm", []int{6})
	cs.one("plane", "batch_norm", []int{3, 4, 6})
	cs.one("line", "batch_norm", []int{4, 6})
	cs.one("plane", "layer_norm", []int{3, 4, 6})
	cs.add("multiply", []int{2, 3, 4}, Layer("activation", "a", "function", "tanh"), Layer("multiply", "m", "inputs", "a x a"))
	cs.add("multiply gate", []int{3, 4, 6}, Layer("conv2d", "c", "filters", 6, "kernel", 1), Layer("global_avg_pool", "p"), Layer("dense", "d", "units", 6, "activation", "sigmoid"),
		Layer("reshape", "r", "shape", []int{1, 1, 6}), Layer("multiply", "m", "inputs", "c r"))
	for _, f := range graph.Activations {
		cs.add("conv2d then "+f, []int{4, 5, 2}, Layer("conv2d", "c", "filters", 3, "kernel", 2), Layer("activation", "a", "function", f), Layer("conv2d", "o", "filters", 2, "kernel", 2))
	}
}

// Convolutional is a network of two blocks with batch normalisation and a dense head.
func Convolutional() []graph.Layer {
	return []graph.Layer{
		Layer("conv2d", "c1", "filters", 4, "kernel", 3, "padding", "same", "use_bias", false), Layer("batch_norm", "n1"), Layer("activation", "a1", "function", "relu"),
		Layer("max_pool", "p1", "kernel", 2),
		Layer("conv2d", "c2", "filters", 6, "kernel", 3, "groups", 2, "activation", "silu"), Layer("avg_pool", "p2", "kernel", 2),
		Layer("flatten", "f"), Layer("dropout", "d", "rate", 0.25), Layer("dense", "o", "units", 5),
	}
}

// Residual is a network of two residual blocks, the second with a projection around it. Its activations are smooth, so that
// finite differences have something to agree with.
func Residual() []graph.Layer {
	return []graph.Layer{
		Layer("conv2d", "stem", "filters", 4, "kernel", 3, "padding", "same", "activation", "elu"),
		Layer("conv2d", "a1", "filters", 4, "kernel", 3, "padding", "same", "use_bias", false), Layer("batch_norm", "a2"), Layer("activation", "a3", "function", "silu"),
		Layer("conv2d", "a4", "filters", 4, "kernel", 3, "padding", "same", "use_bias", false), Layer("batch_norm", "a5"),
		Layer("add", "a6", "inputs", "stem a5"), Layer("activation", "a7", "function", "gelu_tanh"),
		Layer("conv2d", "b1", "filters", 6, "kernel", 3, "padding", "same", "stride", 2), Layer("group_norm", "b2", "groups", 3), Layer("activation", "b3", "function", "gelu"),
		Layer("conv2d", "b4", "filters", 6, "kernel", 3, "padding", "same"),
		Layer("conv2d", "around", "filters", 6, "kernel", 1, "stride", 2, "padding", "same", "inputs", "a7"),
		Layer("add", "b5", "inputs", "b4 around"), Layer("global_avg_pool", "pool"), Layer("dense", "o", "units", 3),
	}
}

func (cs *cases) networks() {
	cs.add("net convolutional", []int{10, 8, 2}, Convolutional()...)
	cs.add("net residual", []int{6, 6, 3}, Residual()...)
	cs.add("net decoder", []int{3, 4, 2}, Layer("conv2d_transpose", "t", "filters", 4, "kernel", 3, "stride", 2, "padding", "same", "activation", "leaky_relu"),
		Layer("upsample", "u", "factor", 2, "mode", "bilinear"), Layer("layer_norm", "n"), Layer("conv2d", "c", "filters", 1, "kernel", 3, "padding", "same", "activation", "sigmoid"))
	cs.add("net branches", []int{8, 8, 2}, Layer("conv2d", "a", "filters", 3, "kernel", 1, "activation", "elu"), Layer("conv2d", "b", "filters", 2, "kernel", 3, "padding", "same", "inputs", "x"),
		Layer("max_pool", "p", "kernel", 3, "stride", 1, "padding", "same", "inputs", "x"), Layer("concat", "j", "inputs", "a b p x"), Layer("activation", "s", "function", "softmax"),
		Layer("flatten", "f"), Layer("layer_norm", "n"), Layer("dense", "o", "units", 4))
	cs.add("net sequence", []int{12, 3}, Layer("conv1d", "a", "filters", 8, "kernel", 3, "padding", "same", "activation", "gelu_tanh"), Layer("rms_norm", "n"), Layer("max_pool", "p", "kernel", 2),
		Layer("conv1d", "b", "filters", 8, "kernel", 3, "dilation", 2, "groups", 8), Layer("flatten", "f"), Layer("activation", "t", "function", "tanh"), Layer("dense", "o", "units", 2))
	for _, f := range []string{"relu", "leaky_relu", "tanh"} { // which a lowering may put off until after the pooling
		cs.add("net pool after "+f, []int{6, 6, 2}, Layer("conv2d", "c", "filters", 3, "kernel", 3, "padding", "same", "activation", f), Layer("max_pool", "p", "kernel", 2),
			Layer("activation", "a", "function", f), Layer("max_pool", "q", "kernel", 2, "stride", 1, "padding", "same"), Layer("flatten", "f"), Layer("dense", "o", "units", 2))
		cs.add("net pool around "+f, []int{6, 6, 2}, Layer("activation", "a", "function", f), Layer("max_pool", "p", "kernel", 3, "stride", 1, "padding", "same"), Layer("add", "s", "inputs", "a p"))
	}
	outs := Over([]int{4, 4, 1}, Layer("conv2d", "c", "filters", 2, "kernel", 2), Layer("flatten", "f"), Layer("dense", "d", "units", 3), Layer("add", "s", "inputs", "f f"))
	outs.Outputs = []string{"s", "c", "d", "f"}
	*cs = append(*cs, Case{"net_many_outputs", outs})
}

// stored adds quantised and 16-bit layers.
func (cs *cases) stored() {
	for _, c := range []struct {
		name string
		l    graph.Layer
	}{
		{"plain", Layer("conv2d", "l", "filters", 5, "kernel", 3, "padding", "same", "stride", 2)},
		{"groups", Layer("conv2d", "l", "filters", 4, "kernel", 2, "groups", 2, "use_bias", false, "activation", "relu")},
		{"depthwise", Layer("conv2d", "l", "filters", 8, "kernel", 3, "groups", 4, "dilation", 2, "padding", "same")},
		{"pads", Layer("conv2d", "l", "filters", 3, "kernel", 2, "pads", []int{1, 0, 0, 2})},
		{"line", Layer("conv1d", "l", "filters", 3, "kernel", 3, "stride", 2, "padding", "same")},
	} {
		for _, q := range []string{graph.DynamicInt8, graph.WeightOnlyInt8} {
			l, shape := c.l, []int{6, 5, 4}
			if l.Op == "conv1d" {
				shape = []int{9, 4}
			}
			l.Quant = q
			cs.add(fmt.Sprintf("%s %s", q, c.name), shape, l)
		}
	}
	for _, store := range []graph.DType{graph.F16, graph.BF16} {
		layers := append(Convolutional(), Layer("reshape", "r", "shape", []int{1, 1, 5}), Layer("conv2d_transpose", "t", "filters", 2, "kernel", 2, "stride", 2),
			Layer("group_norm", "g", "groups", 2), Layer("rms_norm", "m"))
		for i := range layers {
			layers[i].Store = store
		}
		cs.add("stored "+string(store), []int{10, 8, 2}, layers...)
	}
	whole := Convolutional()
	for i := range whole {
		if graph.Ops[whole[i].Op].Quantizable {
			whole[i].Quant = graph.WeightOnlyInt8
		}
	}
	cs.add("weight only net", []int{10, 8, 2}, whole...)
	chain := []graph.Layer{Layer("conv2d", "a", "filters", 4, "kernel", 3, "use_bias", false), Layer("max_pool", "p", "kernel", 2), Layer("flatten", "f"), Layer("dense", "d", "units", 3)}
	chain[0].Quant, chain[3].Quant = graph.DynamicInt8, graph.DynamicInt8
	cs.add("dynamic net", []int{6, 6, 2}, chain...)
}
