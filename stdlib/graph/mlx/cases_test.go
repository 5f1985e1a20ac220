package mlx

import (
	"math"
	"math/rand/v2"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
)

// A sample is a model with weights, and rows to put through it.
type sample struct {
	name   string
	model  *bundle.Model
	rows   int
	inputs map[string][]float32
}

func layer(op, name string, attrs ...any) graph.Layer {
	l := graph.Layer{Op: op, Name: name, Attrs: map[string]any{}}
	for i := 0; i < len(attrs); i += 2 {
		l.Attrs[attrs[i].(string)] = attrs[i+1]
	}
	return l
}

func dense(name string, units int, attrs ...any) graph.Layer {
	return layer("dense", name, append([]any{"units", int64(units)}, attrs...)...)
}

func join(op, name string, inputs ...string) graph.Layer {
	return graph.Layer{Op: op, Name: name, Inputs: inputs}
}

// as gives layers a quantisation and a storage type; without effect on layers that have no weight.
func as(quant string, store graph.DType, layers ...graph.Layer) []graph.Layer {
	for i := range layers {
		if graph.Ops[layers[i].Op].Quantizable {
			layers[i].Quant = quant
		}
		layers[i].Store = store
	}
	return layers
}

// samples together have every op, activation, quantisation and storage type; a test holds that.
func samples(t testing.TB) []sample {
	var all []sample
	add := func(name string, rows int, shape []int, layers ...graph.Layer) {
		g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: shape, DType: graph.F32, Scale: 1}}, Layers: layers}
		all = append(all, fill(t, name, rows, g))
	}
	mlp := func() []graph.Layer {
		return []graph.Layer{dense("a", 48, "activation", "relu"), dense("b", 32, "activation", "gelu"), dense("c", 10)}
	}
	add("mlp", 33, []int{64}, mlp()...)
	add("one row", 1, []int{64}, mlp()...)
	add("no bias", 7, []int{5}, dense("a", 3, "use_bias", false))
	all = append(all, fill(t, "normalized", 6, &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{4, 3}, DType: graph.F32, Scale: 1, Mean: []float64{0.5, -2, 1000}, Deviation: []float64{1, 0.25, 0.1}}},
		Layers: []graph.Layer{layer("activation", "a", "function", "linear")}}))
	for _, f := range graph.Activations {
		add("activation "+f, 7, []int{3, 5}, layer("activation", "f", "function", f))
	}
	add("norms", 9, []int{4, 6}, layer("layer_norm", "l", "epsilon", 1e-12), layer("batch_norm", "b", "epsilon", 1e-3, "momentum", 0.5))
	add("shapes", 4, []int{4, 6}, layer("flatten", "f"), layer("reshape", "r", "shape", []any{int64(2), int64(-1)}), layer("dropout", "d", "rate", 0.5))
	add("residual", 6, []int{16}, dense("a", 16, "activation", "silu"), join("add", "s", "x", "a", "x"),
		layer("layer_norm", "n"), join("concat", "c", "n", "a"), dense("o", 3, "activation", "softmax"))
	for _, store := range []graph.DType{"", graph.F16, graph.BF16} {
		add("float "+string(store), 5, []int{3, 64}, as("", store, append([]graph.Layer{layer("batch_norm", "n"), layer("layer_norm", "m"), layer("flatten", "f")}, mlp()...)...)...)
		for _, q := range []string{graph.DynamicInt8, graph.WeightOnlyInt8} {
			add(q+" "+string(store), 5, []int{64}, as(q, store, mlp()...)...)
		}
	}
	g := &graph.Graph{Inputs: []graph.Input{{Name: "p", Shape: []int{4}, DType: graph.F32, Scale: 1.0 / 16, Shift: -0.5}, {Name: "q", Shape: []int{3}, DType: graph.F32, Scale: 1, Shift: 2}},
		Layers:  []graph.Layer{join("concat", "c", "q", "p"), dense("a", 2), {Name: "b", Op: "dense", Inputs: []string{"p"}, Attrs: map[string]any{"units": int64(2)}, Quant: graph.DynamicInt8}},
		Outputs: []string{"b", "a", "c"}}
	for _, c := range graphtest.Cases() {
		all = append(all, fill(t, c.Name, 3, c.Graph))
	}
	return append(all, fill(t, "two inputs, three outputs", 6, g))
}

// fill gives a graph random weights and rows.
func fill(t testing.TB, name string, rows int, g *graph.Graph) sample {
	g.Connect()
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	s := sample{name: name, model: &bundle.Model{Graph: g, Info: info, Params: map[string]bundle.Params{}}, rows: rows}
	r := mlx.NewRandom(5, name)
	for _, l := range g.Layers {
		for _, p := range info.Layers[l.Name].Params {
			if s.model.Params[l.Name] == nil {
				s.model.Params[l.Name] = bundle.Params{}
			}
			s.model.Params[l.Name][p.Name] = random(t, r, p)
		}
	}
	s.inputs = graphtest.Values(rand.New(rand.NewPCG(uint64(len(name)), 11)), g, rows, r.Normal)
	return s
}

// random makes a parameter: about normal, and above zero where it is a variance or scale.
func random(t testing.TB, r *mlx.Random, p graph.Param) *bundle.Tensor {
	out := &bundle.Tensor{DType: p.DType, Shape: p.Shape}
	for range graph.Size(p.Shape) {
		v := float32(r.Normal() / 4)
		switch p.Name {
		case "variance":
			v = float32(0.5 + r.Float64())
		case "weight_scale":
			v = float32(1+r.Float64()) / 400
		}
		switch p.DType {
		case graph.I8:
			out.Data = append(out.Data, byte(r.Below(256)))
		case graph.F32:
			out.Data = append(out.Data, bundle.Float32([]int{1}, []float32{v}).Data...)
		case graph.BF16:
			out.Data = append(out.Data, bundle.Float32([]int{1}, []float32{v}).Data[2:]...)
		case graph.F16: // any of 0.25 to 0.5, with the sign of v
			out.Data = append(out.Data, byte(r.Below(256)), byte(0x34+r.Below(4))|byte(math.Float32bits(v)>>31<<7))
		default:
			t.Fatalf("no random parameter of type %s", p.DType)
		}
	}
	return out
}

// session opens the backend that MBUILD_TEST_BACKEND names, or the Go one: the whole suite runs on any.
func session(t testing.TB) *mlx.Session {
	return mlxtest.Open(t)
}
