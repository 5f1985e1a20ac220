package onnx

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/compress"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
)

// A sample is a model with weights, and rows to put through it. Together they have every op, activation, quantisation and
// storage type.
type sample struct {
	name      string
	model     *bundle.Model
	rows      int
	inputs    map[string][]float32
	operators []string // that ONNX must use, among others
}

func dense(name string, units int, more ...any) graph.Layer {
	return layer("dense", name, append([]any{"units", int64(units)}, more...)...)
}

func layer(op, name string, attrs ...any) graph.Layer {
	l := graph.Layer{Op: op, Name: name, Attrs: map[string]any{}}
	for i := 0; i < len(attrs); i += 2 {
		l.Attrs[attrs[i].(string)] = attrs[i+1]
	}
	return l
}

func join(op, name string, inputs ...string) graph.Layer {
	return graph.Layer{Op: op, Name: name, Inputs: inputs}
}

func quant(scheme string, layers ...graph.Layer) []graph.Layer {
	for i := range layers {
		if layers[i].Op == "dense" {
			layers[i].Quant = scheme
		}
	}
	return layers
}

func store(dtype graph.DType, layers ...graph.Layer) []graph.Layer {
	for i := range layers {
		layers[i].Store = dtype
	}
	return layers
}

func samples(t testing.TB) []sample {
	r := rand.New(rand.NewPCG(3, 5))
	var all []sample
	add := func(name string, shape []int, operators []string, layers ...graph.Layer) {
		g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: shape, DType: graph.F32, Scale: 1}}, Layers: layers}
		g.Connect()
		all = append(all, finish(t, r, name, g, operators))
	}
	mlp := func() []graph.Layer {
		return []graph.Layer{dense("a", 48, "activation", "relu"), dense("b", 32, "activation", "gelu"), dense("c", 10)}
	}
	add("mlp", []int{64}, []string{"Gemm", "Relu", "Gelu"}, mlp()...)
	add("wide", []int{700}, []string{"MatMul", "BatchNormalization"}, dense("a", 33, "use_bias", false), layer("batch_norm", "n", "epsilon", 1e-3), dense("b", 1))
	normal := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{4, 3}, DType: graph.F32, Scale: 1, Mean: []float64{0.5, -2, 1000}, Deviation: []float64{1, 0.25, 0.1}}},
		Layers: []graph.Layer{layer("flatten", "a"), dense("b", 3)}}
	normal.Connect()
	all = append(all, finish(t, r, "normalized", normal, []string{"Sub", "Div"}))
	for _, f := range graph.Activations {
		add("activation_"+f, []int{3, 5}, nil, layer("activation", "f", "function", f))
	}
	add("norms", []int{4, 6}, []string{"LayerNormalization", "Mul", "Add"}, layer("layer_norm", "l", "epsilon", 1e-12), layer("batch_norm", "b"))
	add("shapes", []int{4, 6}, []string{"Flatten", "Reshape"}, layer("flatten", "f"), layer("reshape", "r", "shape", []any{int64(2), int64(-1)}), layer("dropout", "d", "rate", 0.5))
	add("residual", []int{16}, []string{"Sum", "Concat"}, dense("a", 16, "activation", "silu"), join("add", "s", "x", "a", "x"),
		layer("layer_norm", "n"), join("concat", "c", "n", "a"), dense("o", 3, "activation", "softmax"))
	add("dynamic", []int{64}, []string{"DynamicQuantizeLinear", "MatMulInteger"}, quant(graph.DynamicInt8, dense("a", 48))...)
	add("dynamic_mlp", []int{64}, []string{"MatMulInteger"}, quant(graph.DynamicInt8, mlp()...)...)
	add("dynamic_shared", []int{8}, []string{"MatMulInteger"}, append(quant(graph.DynamicInt8, dense("a", 4, "use_bias", false, "activation", "tanh"),
		graph.Layer{Name: "b", Op: "dense", Inputs: []string{"x"}, Attrs: map[string]any{"units": int64(4)}}), join("add", "s", "a", "b"))...)
	add("weight_only", []int{64}, []string{"Cast", "Mul", "Gemm"}, quant(graph.WeightOnlyInt8, mlp()...)...)
	add("mixed", []int{64}, []string{"Cast", "MatMulInteger"}, store(graph.F16, quant(graph.DynamicInt8, dense("a", 9))...)...)
	add("half", []int{64}, []string{"Cast"}, store(graph.F16, append(mlp(), layer("batch_norm", "n"), layer("layer_norm", "m"))...)...)
	add("bfloat", []int{5, 64}, []string{"Cast"}, store(graph.BF16, append([]graph.Layer{layer("batch_norm", "n"), layer("layer_norm", "m"), layer("flatten", "f")}, mlp()...)...)...)
	g := &graph.Graph{Inputs: []graph.Input{{Name: "p", Shape: []int{4}, DType: graph.F32, Scale: 1.0 / 16, Shift: -0.5}, {Name: "q", Shape: []int{3}, DType: graph.F32, Scale: 1, Shift: 2}},
		Layers:  []graph.Layer{join("concat", "c", "q", "p"), dense("a", 2), {Name: "b", Op: "dense", Inputs: []string{"p"}, Attrs: map[string]any{"units": int64(2)}, Quant: graph.DynamicInt8}},
		Outputs: []string{"b", "a", "c"}}
	g.Connect()
	for _, c := range graphtest.Cases() {
		all = append(all, finish(t, r, c.Name, c.Graph, nil))
	}
	all = append(all, passes(t, r)...)
	all = append(all, finish(t, r, "inputs", g, []string{"Mul", "Add"}))
	return all
}

// passes are models as passes leave them.
func passes(t testing.TB, r *rand.Rand) []sample {
	table := map[string]func(*bundle.Model) (*bundle.Model, error){
		"fold": func(m *bundle.Model) (*bundle.Model, error) { m, _, _, err := compress.Fold(m); return m, err },
		"prune_channels": func(m *bundle.Model) (*bundle.Model, error) {
			m, _, err := compress.PruneChannels(m, 0.4, "l2", nil)
			return m, err
		},
		"weight_only": func(m *bundle.Model) (*bundle.Model, error) { return compress.Quantize(m, graph.WeightOnlyInt8, nil) },
		"dynamic": func(m *bundle.Model) (*bundle.Model, error) {
			return compress.Quantize(m, graph.DynamicInt8, []string{"stem", "a1"})
		},
		"all": func(m *bundle.Model) (*bundle.Model, error) {
			m, _, err := compress.PruneChannels(m, 0.4, "l1", nil)
			if err == nil {
				m, _, _, err = compress.Fold(m)
			}
			if err == nil {
				m, err = compress.Quantize(m, graph.WeightOnlyInt8, nil)
			}
			return m, err
		},
	}
	var all []sample
	for _, name := range slices.Sorted(maps.Keys(table)) {
		s := finish(t, r, "pass_"+name, graphtest.Over([]int{6, 6, 3}, slices.DeleteFunc(graphtest.Residual(), func(l graph.Layer) bool { return l.Op == "group_norm" })...), nil)
		var err error
		if s.model, err = table[name](s.model); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, s)
	}
	return all
}

// finish gives a graph random weights and rows.
func finish(t testing.TB, r *rand.Rand, name string, g *graph.Graph, operators []string) sample {
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	s := sample{name: name, model: &bundle.Model{Graph: g, Info: info, Params: map[string]bundle.Params{}}, rows: 7, operators: operators}
	for _, l := range g.Layers {
		for _, p := range info.Layers[l.Name].Params {
			if s.model.Params[l.Name] == nil {
				s.model.Params[l.Name] = bundle.Params{}
			}
			s.model.Params[l.Name][p.Name] = random(r, p)
		}
	}
	s.inputs = graphtest.Values(r, g, s.rows, r.NormFloat64)
	return s
}

// random makes a parameter: about normal, and above zero where it is a variance or scale.
func random(r *rand.Rand, p graph.Param) *bundle.Tensor {
	t := &bundle.Tensor{DType: p.DType, Shape: p.Shape}
	for range graph.Size(p.Shape) {
		v := float32(r.NormFloat64() / 4)
		switch p.Name {
		case "variance":
			v = 0.5 + r.Float32()
		case "weight_scale":
			v = (1 + r.Float32()) / 400
		}
		b := math.Float32bits(v)
		switch p.DType {
		case graph.F32:
			t.Data = append(t.Data, byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
		case graph.BF16:
			t.Data = append(t.Data, byte(b>>16), byte(b>>24))
		case graph.F16: // cut, not rounded: normal halves only
			h := b>>16&0x8000 | (max(b>>23&255, 113)-112)<<10 | b>>13&1023
			t.Data = append(t.Data, byte(h), byte(h>>8))
		case graph.I8:
			t.Data = append(t.Data, byte(r.IntN(255)-127))
		}
	}
	return t
}
