package compress

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
	lower "mbuild.dev/mbuild/stdlib/graph/mlx"
	"mbuild.dev/mbuild/stdlib/graph/reference"
)

// filled gives a graph random weights, and statistics as training leaves them.
func filled(t *testing.T, g *graph.Graph) *bundle.Model {
	t.Helper()
	g.Connect()
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	m := &bundle.Model{Graph: g, Info: info, Params: map[string]bundle.Params{}}
	r := rand.New(rand.NewPCG(1, 2))
	for _, l := range g.Layers {
		for _, p := range info.Layers[l.Name].Params {
			v := make([]float32, graph.Size(p.Shape))
			for i := range v {
				v[i] = float32(r.NormFloat64() / 3)
				if p.Name == "variance" || p.Name == "gamma" {
					v[i] = float32(0.3 + r.Float64())
				}
			}
			if m.Params[l.Name] == nil {
				m.Params[l.Name] = bundle.Params{}
			}
			m.Params[l.Name][p.Name] = bundle.Float32(p.Shape, v)
		}
	}
	return m
}

// outputs computes a model on random rows, always the same ones, by plain loops.
func outputs(t *testing.T, m *bundle.Model) [][]float32 {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	y, err := reference.Forward(m, 3, graphtest.Values(r, m.Graph, 3, r.NormFloat64))
	if err != nil {
		t.Fatal(err)
	}
	return y
}

func distance(t *testing.T, got, want [][]float32) float64 {
	t.Helper()
	worst := 0.0
	for i := range want {
		if len(got[i]) != len(want[i]) {
			t.Fatalf("output %d has %d numbers, want %d", i, len(got[i]), len(want[i]))
		}
		for j := range want[i] {
			worst = max(worst, math.Abs(float64(got[i][j]-want[i][j]))/max(1, math.Abs(float64(want[i][j]))))
		}
	}
	return worst
}

// TestFold: a folded model computes what the model did; the norms are gone, and with them parameters and operations.
func TestFold(t *testing.T) {
	l := graphtest.Layer
	for name, c := range map[string]struct {
		g      *graph.Graph
		folded string
		left   []string
	}{
		"dense":      {graphtest.Over([]int{5}, l("dense", "d", "units", 4), l("batch_norm", "n", "epsilon", 1e-2), l("activation", "a", "function", "relu"), l("dense", "o", "units", 2)), "n", nil},
		"conv":       {graphtest.Over([]int{6, 5, 2}, l("conv2d", "d", "filters", 4, "kernel", 3, "padding", "same", "use_bias", false), l("batch_norm", "n"), l("flatten", "f")), "n", nil},
		"depthwise":  {graphtest.Over([]int{6, 5, 2}, l("conv2d", "d", "filters", 4, "groups", 2, "kernel", 3), l("batch_norm", "n"), l("flatten", "f")), "n", nil},
		"line":       {graphtest.Over([]int{6, 2}, l("conv1d", "d", "filters", 4, "kernel", 3), l("batch_norm", "n"), l("flatten", "f")), "n", nil},
		"transposed": {graphtest.Over([]int{3, 3, 2}, l("conv2d_transpose", "d", "filters", 4, "kernel", 3, "stride", 2), l("batch_norm", "n"), l("flatten", "f")), "n", nil},
		"output":     {graphtest.Over([]int{5}, l("dense", "d", "units", 4), l("batch_norm", "n")), "n", nil},
		"two":        {graphtest.Over([]int{5}, l("dense", "d", "units", 4), l("batch_norm", "n"), l("batch_norm", "m"), l("dense", "o", "units", 2)), "n m", nil},
		"residual":   {graphtest.Over([]int{6, 6, 3}, graphtest.Residual()...), "a2 a5", nil},
		"some": {graphtest.Over([]int{5}, l("batch_norm", "first"), l("dense", "d", "units", 4, "activation", "relu"), l("batch_norm", "second"), l("dense", "e", "units", 4), l("batch_norm", "third"),
			l("dense", "g", "units", 4), l("batch_norm", "fourth"), l("add", "s", "inputs", "g fourth")), "third",
			[]string{`"first" follows an input`, `"second" follows the activation of "d"`, `"fourth" follows "g", which "s" takes too`}},
	} {
		m := filled(t, c.g)
		out, folded, left, err := Fold(m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Join(folded, " ") != c.folded || !slices.Equal(left, c.left) {
			t.Errorf("%s: folded %v, left %q", name, folded, left)
		}
		if err := out.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := distance(t, outputs(t, out), outputs(t, m)); d > 1e-5 {
			t.Errorf("%s: it computes something else, off by %g", name, d)
		}
		if !slices.Equal(out.Graph.Outputs, m.Graph.Outputs) {
			t.Errorf("%s: outputs are called %v, and were %v", name, out.Graph.Outputs, m.Graph.Outputs)
		}
		if e := EffectOf(m, out, ""); e.FLOPsAfter >= e.FLOPsBefore || e.After.Parameters >= e.Before.Parameters {
			t.Errorf("%s: effect %+v", name, e)
		}
	}
}

func TestFoldErrors(t *testing.T) {
	l := graphtest.Layer
	half := filled(t, graphtest.Over([]int{5}, l("dense", "d", "units", 4), l("batch_norm", "n")))
	cast, err := Cast(half, graph.F16)
	if err != nil {
		t.Fatal(err)
	}
	for want, m := range map[string]*bundle.Model{
		"the model has no batch_norm": filled(t, graphtest.Over([]int{5}, l("dense", "d", "units", 4))),
		`no batch_norm can be folded: "n" follows a layer "max_pool", which has no weight`: filled(t, graphtest.Over([]int{4, 4, 2}, l("max_pool", "p", "kernel", 2), l("batch_norm", "n"))),
		`"n" is quantized or cast: fold before that`:                                       cast,
	} {
		if _, _, _, err := Fold(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// masked is the model with the units that a smaller one has no more set to zero, in every layer: what it computes behind them is
// zero wherever activations keep zero, so the smaller model must compute the same.
func masked(t *testing.T, m *bundle.Model, ratio float64, norm string, skip []string) *bundle.Model {
	t.Helper()
	tied := &ties{model: m, units: map[string][]int{}, why: map[int]string{}}
	tied.walk(skip)
	gone, _ := tied.choose(ratio, norm)
	out := copyModel(m)
	for _, l := range m.Graph.Layers {
		units := tied.units[l.Name]
		for name, p := range out.Params[l.Name] {
			v := slices.Clone(p.Float32s())
			for i := range v {
				if gone[tied.root(units[i%len(units)])] && name != "variance" {
					v[i] = 0
				}
			}
			out.Params[l.Name][name] = bundle.Float32(p.Shape, v)
		}
	}
	out.Info = m.Info
	return out
}

// TestPruneChannels: shapes shrink as said, and the smaller model computes what the large one does with those channels zero.
func TestPruneChannels(t *testing.T) {
	l := graphtest.Layer
	for name, c := range map[string]struct {
		g    *graph.Graph
		want map[string]int // last axis by layer
		left []string
	}{
		"dense": {graphtest.Over([]int{5}, l("dense", "a", "units", 8, "activation", "relu"), l("dense", "b", "units", 6, "activation", "tanh"), l("dense", "o", "units", 3)),
			map[string]int{"a": 4, "b": 3, "o": 3}, []string{`"o" stays whole, for it makes the output "o"`}},
		"flatten": {graphtest.Over([]int{6, 5, 2}, l("conv2d", "a", "filters", 4, "kernel", 3, "activation", "relu"), l("max_pool", "p", "kernel", 2), l("batch_norm", "n"), l("flatten", "f"), l("dense", "o", "units", 3)),
			map[string]int{"a": 2, "f": 4, "o": 3}, []string{`"o" stays whole, for it makes the output "o"`}},
		"depthwise": {graphtest.Over([]int{6, 5, 2}, l("conv2d", "a", "filters", 4, "kernel", 1), l("conv2d", "d", "filters", 8, "kernel", 3, "groups", 4), l("conv2d", "b", "filters", 6, "kernel", 1), l("global_avg_pool", "g"), l("dense", "o", "units", 2)),
			map[string]int{"a": 2, "d": 4, "b": 3, "g": 3, "o": 2}, []string{`"o" stays whole, for it makes the output "o"`}},
		"grouped": {graphtest.Over([]int{6, 5, 2}, l("conv2d", "a", "filters", 4, "kernel", 1), l("conv2d", "d", "filters", 8, "kernel", 3, "groups", 2), l("conv2d", "b", "filters", 6, "kernel", 1), l("global_avg_pool", "g"), l("dense", "o", "units", 2)),
			map[string]int{"a": 4, "d": 8, "b": 3}, []string{`"a" stays whole, for "d" is a convolution in 2 groups of it`, `"d" stays whole, for "d" is a convolution in 2 groups`, `"o" stays whole, for it makes the output "o"`}},
		"concat": {graphtest.Over([]int{4, 4, 2}, l("conv2d", "a", "filters", 4, "kernel", 1), l("conv2d", "b", "filters", 6, "kernel", 1, "inputs", "x"), l("concat", "c", "inputs", "a x b"), l("flatten", "f"), l("dense", "o", "units", 2)),
			map[string]int{"a": 2, "b": 3, "c": 7, "f": 7 * 16}, nil},
		"transposed": {graphtest.Over([]int{3, 3, 2}, l("conv2d", "a", "filters", 4, "kernel", 1), l("conv2d_transpose", "t", "filters", 4, "kernel", 2, "stride", 2), l("upsample", "u", "factor", 2), l("conv2d", "o", "filters", 1, "kernel", 1)),
			map[string]int{"a": 2, "t": 2, "o": 1}, nil},
		"gate": {graphtest.Over([]int{4, 4, 2}, l("conv2d", "a", "filters", 4, "kernel", 1), l("global_avg_pool", "g"), l("dense", "e", "units", 4), l("reshape", "r", "shape", []int{1, 1, 4}), l("multiply", "m", "inputs", "a r"), l("conv2d", "o", "filters", 2, "kernel", 1)),
			map[string]int{"a": 2, "e": 2, "r": 2, "m": 2}, nil},
		"residual": {graphtest.Over([]int{6, 6, 3}, l("conv2d", "stem", "filters", 4, "kernel", 3, "padding", "same", "activation", "relu"),
			l("conv2d", "a", "filters", 8, "kernel", 3, "padding", "same"), l("batch_norm", "n"), l("activation", "r", "function", "relu"), l("conv2d", "b", "filters", 4, "kernel", 1), l("add", "s", "inputs", "stem b"),
			l("conv2d", "c", "filters", 6, "kernel", 3), l("conv2d", "d", "filters", 6, "kernel", 3, "inputs", "s"), l("add", "s2", "inputs", "c d"), l("flatten", "f"), l("dense", "o", "units", 3)),
			map[string]int{"stem": 2, "a": 4, "n": 4, "b": 2, "s": 2, "c": 3, "d": 3, "s2": 3}, nil},
		"residual of the input": {graphtest.Over([]int{6, 6, 3}, l("conv2d", "a", "filters", 8, "kernel", 3, "padding", "same"), l("conv2d", "b", "filters", 3, "kernel", 1), l("add", "s", "inputs", "x b"), l("flatten", "f"), l("dense", "o", "units", 3)),
			map[string]int{"a": 4, "b": 3}, []string{`"b" stays whole, for it is tied to the input "x"`, `"o" stays whole, for it makes the output "o"`}},
		"norms and softmax": {graphtest.Over([]int{6, 6, 3}, l("conv2d", "a", "filters", 4, "kernel", 3), l("group_norm", "n", "groups", 2), l("conv2d", "b", "filters", 4, "kernel", 1), l("activation", "s", "function", "softmax"), l("conv2d", "c", "filters", 4, "kernel", 1), l("reshape", "r", "shape", []int{-1, 2}), l("flatten", "f"),
			l("dense", "d", "units", 4), l("dense", "o", "units", 3)), map[string]int{"a": 4, "b": 4, "c": 4, "d": 2},
			[]string{`"a" stays whole, for "n" has groups of it`, `"b" stays whole, for "s" is a softmax over it`, `"c" stays whole, for "r" mixes it`, `"o" stays whole, for it makes the output "o"`}},
	} {
		for _, norm := range []string{"l1", "l2"} {
			m := filled(t, c.g.Clone())
			out, left, err := PruneChannels(m, 0.5, norm, nil)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if err := out.Check(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for layer, n := range c.want {
				if s := out.Info.Shapes[layer]; s[len(s)-1] != n {
					t.Errorf("%s: layer %q gives %v, want %d channels", name, layer, s, n)
				}
			}
			if c.left != nil && !slices.Equal(left, c.left) {
				t.Errorf("%s: left %q", name, left)
			}
			if d := distance(t, outputs(t, out), outputs(t, masked(t, m, 0.5, norm, nil))); d > 1e-5 {
				t.Errorf("%s: it computes something else, off by %g", name, d)
			}
			if e := EffectOf(m, out, ""); e.FLOPsAfter >= e.FLOPsBefore || e.After.Bytes >= e.Before.Bytes {
				t.Errorf("%s: effect %+v", name, e)
			}
		}
	}
}

// TestPruneChannelsChooses: the smallest go, by either norm; skip and narrow layers are respected.
func TestPruneChannelsChooses(t *testing.T) {
	l := graphtest.Layer
	g := graphtest.Over([]int{2}, l("dense", "a", "units", 4), l("dense", "o", "units", 1))
	m := filled(t, g)
	m.Params["a"]["weight"] = bundle.Float32([]int{2, 4}, []float32{3, 2, 0.1, 4, 0, 2, 5, 4}) // mean |w|: 1.5, 2, 2.55, 4; mean w^2: 4.5, 4, 12.5, 16
	m.Params["a"]["bias"] = bundle.Float32([]int{4}, []float32{0, 1, 2, 3})
	for norm, want := range map[string][]float32{"l1": {1, 2, 3}, "l2": {0, 2, 3}} {
		out, _, err := PruneChannels(m, 0.3, norm, nil)
		if err != nil || !slices.Equal(out.Params["a"]["bias"].Float32s(), want) || out.Params["o"]["weight"].Shape[0] != 3 {
			t.Errorf("%s keeps %v, %v", norm, out, err)
		}
	}
	if out, _, err := PruneChannels(m, 0.999, "l1", nil); err != nil || out.Info.Shapes["a"][0] != 1 {
		t.Errorf("nearly all: %v", err)
	}
	quantized, err := Quantize(m, graph.DynamicInt8, nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, try := range map[string]func() error{
		"skip names \"z\", which is no layer":                           func() error { _, _, err := PruneChannels(m, 0.5, "l1", []string{"z"}); return err },
		`no channel can go: "a" stays whole, for skip names "a"; "o"`:   func() error { _, _, err := PruneChannels(m, 0.5, "l1", []string{"a"}); return err },
		"a ratio of 0.2 removes nothing from layers as narrow as these": func() error { _, _, err := PruneChannels(m, 0.2, "l1", nil); return err },
		`layer "a" is quantized or cast: remove channels before that`:   func() error { _, _, err := PruneChannels(quantized, 0.5, "l1", nil); return err },
		`no channel can go: "o" stays whole, for it makes the output "o"`: func() error {
			_, _, err := PruneChannels(filled(t, graphtest.Over([]int{2}, l("dense", "o", "units", 3))), 0.5, "l1", nil)
			return err
		},
	} {
		if err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestPruneRandomGraphs: whatever the graph, what comes out is sound.
func TestPruneRandomGraphs(t *testing.T) {
	done := 0
	for seed := range uint64(150) {
		g := graphtest.Random(rand.New(rand.NewPCG(seed, 11)), 12)
		for i, name := range g.Outputs { // a head behind each, so that the rest is no output
			flat, head := fmt.Sprintf("flat%d", i), fmt.Sprintf("head%d", i)
			g.Layers = append(g.Layers, graphtest.Layer("flatten", flat, "inputs", name), graphtest.Layer("dense", head, "units", 2, "inputs", flat))
			g.Outputs[i] = head
		}
		m := filled(t, g)
		out, _, err := PruneChannels(m, 0.5, "l1", nil)
		if err != nil {
			continue // nothing can go
		}
		done++
		if err := out.Check(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		outputs(t, out)
		if e := EffectOf(m, out, ""); e.After.Parameters >= e.Before.Parameters {
			t.Errorf("seed %d: effect %+v", seed, e)
		}
	}
	if done < 50 {
		t.Errorf("only %d graphs were pruned", done)
	}
}

// TestQuantizeConvolutions: each filter has a scale, and both schemes compute nearly what the model did, on the backend too.
func TestQuantizeConvolutions(t *testing.T) {
	m := filled(t, graphtest.Over([]int{10, 8, 2}, graphtest.Convolutional()...))
	want := outputs(t, m)
	s, err := mlx.Open(mlx.Go)
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{graph.WeightOnlyInt8, graph.DynamicInt8} {
		q, err := Quantize(m, scheme, nil)
		if err != nil {
			t.Fatal(err)
		}
		if sc := q.Params["c2"]["weight_scale"]; sc == nil || !slices.Equal(sc.Shape, []int{6}) || q.Params["c2"]["weight"].DType != graph.I8 {
			t.Errorf("%s: c2 has %+v", scheme, q.Params["c2"])
		}
		got := outputs(t, q)
		if d := distance(t, got, want); d == 0 || d > 0.1 {
			t.Errorf("%s: off by %g", scheme, d)
		}
		p, err := lower.Load(s, q)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, 160)
		for i := range x {
			x[i] = float32(math.Sin(float64(i)))
		}
		there, err := p.Forward(1, map[string][]float32{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		here, err := reference.Forward(q, 1, map[string][]float32{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		if d := distance(t, there, here); d > 0.02 {
			t.Errorf("%s: the backend is off by %g", scheme, d)
		}
		if fmt.Sprint(q.Graph.Layer("p1").Quant) != "" {
			t.Errorf("%s: a pool is quantized", scheme)
		}
	}
}

// TestPruneTransformer: of a block the inner units go, and what goes around it stays; units that are zero are not missed.
func TestPruneTransformer(t *testing.T) {
	m := filled(t, graphtest.Encoder())
	for _, name := range []string{"a_inner", "b_inner"} {
		for _, p := range m.Params[name] {
			for i := range p.Float32s() {
				if i%2 == 0 { // of 16 units
					p.Float32s()[i] = 0
				}
			}
		}
	}
	out, left, err := PruneChannels(m, 0.5, "l2", []string{"head"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"a_inner": 8, "b_inner": 8, "a_outer": 8, "a_q": 8, "a_attention": 8, "norm": 8} {
		if s := out.Info.Shapes[name]; s[len(s)-1] != want {
			t.Errorf("%s gives %v", name, s)
		}
	}
	if d := distance(t, outputs(t, out), outputs(t, m)); d > 1e-5 {
		t.Errorf("zeros were missed: %g", d)
	}
	if text := strings.Join(left, "; "); !strings.Contains(text, `"a_q" stays whole, for "a_attention" takes all of it`) {
		t.Errorf("left: %s", text)
	}
}

// TestTransformerPasses: pruning, both quantisations and a cast of a transformer leave about what it computes.
func TestTransformerPasses(t *testing.T) {
	m := filled(t, graphtest.Encoder())
	want := outputs(t, m)
	for name, pass := range map[string]func() (*bundle.Model, error){
		"prune":       func() (*bundle.Model, error) { return Prune(m, 0.05, true) },
		"weight only": func() (*bundle.Model, error) { return Quantize(m, graph.WeightOnlyInt8, nil) },
		"dynamic":     func() (*bundle.Model, error) { return Quantize(m, graph.DynamicInt8, []string{"logits"}) },
		"cast":        func() (*bundle.Model, error) { return Cast(m, graph.F16) },
	} {
		out, err := pass()
		if err == nil {
			err = out.Check()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := distance(t, outputs(t, out), want); d > 0.1 || d == 0 {
			t.Errorf("%s moves the outputs by %g", name, d)
		}
	}
}
