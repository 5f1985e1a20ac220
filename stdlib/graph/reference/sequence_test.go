package reference

import (
	"math"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// sequence computes one layer over two rows of two positions of two features, a mask and ids; by hand is what comes out.
func sequence(t *testing.T, params bundle.Params, layers ...graph.Layer) []float32 {
	t.Helper()
	g := &graph.Graph{Layers: layers}
	inputs := map[string][]float32{"x": {1, 0, 0, 2, 3, 1, -1, 5}, "mask": {1, 1, 1, 0}, "ids": {2, 0, 1, 1}}
	for _, in := range []graph.Input{{Name: "x", Shape: []int{2, 2}, DType: graph.F32, Scale: 1}, {Name: "mask", Shape: []int{2}, DType: graph.I64, Scale: 1}, {Name: "ids", Shape: []int{2}, DType: graph.I32, Scale: 1}} {
		for _, l := range layers {
			for _, name := range l.Inputs {
				if name == in.Name && (len(g.Inputs) == 0 || g.Inputs[len(g.Inputs)-1].Name != name) {
					g.Inputs = append(g.Inputs, in)
				}
			}
		}
	}
	g.Connect()
	all := map[string]bundle.Params{}
	if params != nil {
		all[layers[0].Name] = params
	}
	out, err := Forward(&bundle.Model{Graph: g, Params: all}, 2, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

func TestEmbeddings(t *testing.T) {
	w := bundle.Params{"weight": f32([]int{3, 2}, 1, 2, 3, 4, 5, 6)}
	l := graph.Layer{Name: "l", Op: "embedding", Inputs: []string{"ids"}, Attrs: map[string]any{"vocabulary": int64(3), "units": int64(2)}}
	near(t, "embedding", sequence(t, w, l), []float32{5, 6, 1, 2, 3, 4, 3, 4}, 0)
	l = graph.Layer{Name: "l", Op: "position_embedding", Inputs: []string{"x"}, Attrs: map[string]any{"positions": int64(3), "offset": int64(1)}}
	near(t, "positions", sequence(t, w, l), []float32{4, 4, 5, 8, 6, 5, 4, 11}, 0)
	l = graph.Layer{Name: "l", Op: "type_embedding", Inputs: []string{"x", "ids"}, Attrs: map[string]any{"types": int64(3)}}
	near(t, "types", sequence(t, w, l), []float32{6, 6, 1, 4, 6, 5, 2, 9}, 0)
	l.Inputs = []string{"x"}
	near(t, "no types", sequence(t, w, l), []float32{2, 2, 1, 4, 4, 3, 0, 7}, 0)
	near(t, "padding_mask", sequence(t, nil, graph.Layer{Name: "l", Op: "padding_mask", Inputs: []string{"ids"}, Attrs: map[string]any{"pad": int64(1)}}), []float32{1, 1, 0, 0}, 0)

	g := &graph.Graph{Inputs: []graph.Input{{Name: "ids", Shape: []int{1}, DType: graph.I32, Scale: 1}}, Layers: []graph.Layer{{Name: "l", Op: "embedding", Attrs: map[string]any{"vocabulary": int64(3), "units": int64(2)}}}}
	g.Connect()
	for _, id := range []float32{-1, 3, 0.5, float32(math.NaN())} {
		if _, err := Forward(&bundle.Model{Graph: g, Params: map[string]bundle.Params{"l": w}}, 1, map[string][]float32{"ids": {id}}); err == nil {
			t.Errorf("row %v is taken", id)
		}
	}
}

// TestAttention: of one head of two features with itself. Row 0: queries (1,0) and (0,2); scores over sqrt 2.
func TestAttention(t *testing.T) {
	soft := func(a, b float64) (float32, float32) {
		return float32(1 / (1 + math.Exp(b-a))), float32(1 / (1 + math.Exp(a-b)))
	}
	a0, a1 := soft(1/math.Sqrt2, 0)
	b0, b1 := soft(0, 4/math.Sqrt2)
	c0, c1 := soft(10/math.Sqrt2, 2/math.Sqrt2)
	d0, d1 := soft(2/math.Sqrt2, 26/math.Sqrt2)
	l := graph.Layer{Name: "l", Op: "attention", Inputs: []string{"x", "x", "x"}, Attrs: map[string]any{"heads": int64(1)}}
	near(t, "attention", sequence(t, nil, l), []float32{a0, 2 * a1, b0, 2 * b1, 3*c0 - c1, c0 + 5*c1, 3*d0 - d1, d0 + 5*d1}, 1e-6)
	l.Attrs["causal"] = true
	near(t, "causal", sequence(t, nil, l), []float32{1, 0, b0, 2 * b1, 3, 1, 3*d0 - d1, d0 + 5*d1}, 1e-6)
	l.Attrs["causal"], l.Inputs = false, []string{"x", "x", "x", "mask"}
	near(t, "masked", sequence(t, nil, l), []float32{a0, 2 * a1, b0, 2 * b1, 3, 1, 3, 1}, 1e-6)
	// rotary leaves position 0, and turns position 1 by 1: (0,2) becomes (-2 sin 1, 2 cos 1)
	l.Inputs, l.Attrs["rotary"] = []string{"x", "x", "x"}, true
	r0, r1 := soft(1/math.Sqrt2, -2*math.Sin(1)/math.Sqrt2)
	s0, s1 := soft(-2*math.Sin(1)/math.Sqrt2, 4/math.Sqrt2)
	near(t, "rotary", sequence(t, nil, l)[:4], []float32{r0, 2 * r1, s0, 2 * s1}, 1e-6)
}

// TestRecurrent: one unit that sees the sum of the features.
func TestRecurrent(t *testing.T) {
	sig := func(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
	ps := bundle.Params{"weight": f32([]int{2, 4}, 1, 1, 1, 1, 1, 1, 1, 1), "recurrent": f32([]int{1, 4}, 0.5, 0.25, -1, 2), "bias": f32([]int{4}, 0, 1, 0, -1)}
	c1 := sig(1) * math.Tanh(1)
	h1 := sig(0) * math.Tanh(c1)
	c2 := sig(3+0.25*h1)*c1 + sig(2+0.5*h1)*math.Tanh(2-h1)
	h2 := sig(1+2*h1) * math.Tanh(c2)
	g1 := sig(3) * math.Tanh(sig(4)*math.Tanh(4))
	l := graph.Layer{Name: "l", Op: "lstm", Inputs: []string{"x", "mask"}, Attrs: map[string]any{"units": int64(1)}}
	near(t, "lstm", sequence(t, ps, l), []float32{float32(h1), float32(h2), float32(g1), 0}, 1e-6)
	l.Attrs["returns"] = "state"
	near(t, "lstm state", sequence(t, ps, l), []float32{float32(h2), float32(g1)}, 1e-6)

	ps = bundle.Params{"weight": f32([]int{2, 3}, 1, 1, 1, 1, 1, 1), "recurrent": f32([]int{1, 3}, 0.5, 0.25, -1), "bias": f32([]int{3}, 0, 1, 0.5), "recurrent_bias": f32([]int{1}, 2)}
	h1 = (1 - sig(2)) * math.Tanh(1.5+sig(1)*2)
	z2 := sig(3 + 0.25*h1)
	h2 = (1-z2)*math.Tanh(2.5+sig(2+0.5*h1)*(2-h1)) + z2*h1
	l = graph.Layer{Name: "l", Op: "gru", Inputs: []string{"x", "mask"}, Attrs: map[string]any{"units": int64(1)}}
	near(t, "gru", sequence(t, ps, l)[:2], []float32{float32(h1), float32(h2)}, 1e-6)

	// backwards: the padded end is not seen, so the one position of row 1 is the first; what goes back comes second
	ps = bundle.Params{"weight": f32([]int{2, 4}, 1, 1, 1, 1, 1, 1, 1, 1), "recurrent": f32([]int{1, 4}, 0, 0, 0, 0), "bias": f32([]int{4}, 0, 0, 0, 0)}
	for _, name := range []string{"weight", "recurrent", "bias"} {
		ps[name+"_reverse"] = ps[name]
	}
	l = graph.Layer{Name: "l", Op: "lstm", Inputs: []string{"x", "mask"}, Attrs: map[string]any{"units": int64(1), "bidirectional": true}}
	one := sig(4) * math.Tanh(sig(4)*math.Tanh(4))
	near(t, "both ways", sequence(t, ps, l)[4:], []float32{float32(one), float32(one), 0, 0}, 1e-6)
}

func TestSequencePool(t *testing.T) {
	for _, c := range []struct {
		mode        string
		bare, under []float32
	}{
		{"first", []float32{1, 0, 3, 1}, nil}, {"last", []float32{0, 2, -1, 5}, []float32{0, 2, 3, 1}},
		{"mean", []float32{0.5, 1, 1, 3}, []float32{0.5, 1, 3, 1}}, {"max", []float32{1, 2, 3, 5}, []float32{1, 2, 3, 1}},
	} {
		l := graph.Layer{Name: "l", Op: "sequence_pool", Inputs: []string{"x"}, Attrs: map[string]any{"mode": c.mode}}
		near(t, c.mode, sequence(t, nil, l), c.bare, 1e-6)
		if c.under != nil {
			l.Inputs = []string{"x", "mask"}
			near(t, c.mode+" under a mask", sequence(t, nil, l), c.under, 1e-6)
		}
	}
	l := graph.Layer{Name: "l", Op: "l2_normalize", Inputs: []string{"x"}}
	near(t, "l2_normalize", sequence(t, nil, l), []float32{1, 0, 0, 1, 0.9486833, 0.31622777, -0.19611613, 0.98058068}, 1e-6)
	l = graph.Layer{Name: "l", Op: "dot", Inputs: []string{"x", "x"}, Attrs: map[string]any{"scale": int64(2)}}
	near(t, "dot", sequence(t, nil, l), []float32{2, 8, 20, 52}, 0)
}
