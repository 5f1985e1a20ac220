package mlx

import (
	"math"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/reference"
)

// TestForward compares every op, activation, quantisation and storage type with plain loops. The tolerance is that of float32
// sums; dynamically quantised models may differ by a quantum where a float sum before them rounded to another half.
func TestForward(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range samples(t) {
		want, err := reference.Forward(s.model, s.rows, s.inputs)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		p, err := Load(session(t), s.model)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		got, err := p.Forward(s.rows, s.inputs)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		for i := range want {
			if d := distance(t, got[i], want[i]); d > 1e-5 {
				t.Errorf("%s: output %d is off by %g", s.name, i, d)
			}
		}
		if again, err := p.Forward(s.rows, s.inputs); err != nil || !slices.EqualFunc(got, again, slices.Equal[[]float32]) {
			t.Errorf("%s: the second time it gives something else, %v", s.name, err)
		}
		p.Close()
		for _, l := range s.model.Graph.Layers {
			seen[l.Op], seen[l.Quant], seen[string(l.Store)] = true, true, true
			seen[l.Text("function", "")] = true
		}
	}
	for op := range graph.Ops {
		if !seen[op] {
			t.Errorf("no sample has the op %s", op)
		}
	}
	for _, v := range append(slices.Clone(graph.Activations), graph.DynamicInt8, graph.WeightOnlyInt8, string(graph.F16), string(graph.BF16)) {
		if !seen[v] {
			t.Errorf("no sample has %s", v)
		}
	}
}

// distance is the largest difference, relative where numbers are above 1.
func distance(t *testing.T, got, want []float32) float64 {
	t.Helper()
	if len(got) != len(want) || len(got) == 0 {
		t.Fatalf("%d numbers, want %d", len(got), len(want))
	}
	worst := 0.0
	for i := range got {
		d := math.Abs(float64(got[i])-float64(want[i])) / max(1, math.Abs(float64(want[i])))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		worst = max(worst, d)
	}
	return worst
}

// TestIntegers: a dynamically quantised layer gives the bits of ONNX's operators, also where sums pass 2^24, the end of the
// whole numbers in float32, and where each position of a sequence is a row.
func TestIntegers(t *testing.T) {
	for _, shape := range [][]int{{1}, {exactRows - 1}, {exactRows}, {exactRows + 1}, {2*exactRows + 7}, {3000}, {2, exactRows}, {5, 2*exactRows + 7}, {3, exactRows + 1}} {
		in := shape[len(shape)-1]
		l := dense("l", 3)
		l.Quant = graph.DynamicInt8
		g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: shape, DType: graph.F32, Scale: 1}}, Layers: []graph.Layer{l}}
		s := fill(t, "integers", 4, g)
		w := s.model.Params["l"]["weight"].Data
		for i := range w {
			if i%3 == 0 {
				w[i] = 0x81 // -127, all of them: large sums with bits at the low end
			}
		}
		for i := range in {
			s.inputs["x"][i] = 3.75 + float32(i%7)/16 // one row of large numbers
		}
		want, err := reference.Forward(s.model, s.rows, s.inputs)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Load(session(t), s.model)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Forward(s.rows, s.inputs)
		if err != nil {
			t.Fatal(err)
		}
		if !equal(got[0], want[0]) {
			t.Errorf("%v: %v, want %v", shape, got[0], want[0])
		}
	}
}

// equal compares to the bit on the go backend. XLA may round a product and the sum that follows it once, so there it is within a
// few units in the last place: far less than one step of quantisation, which is what the tests that use this are about.
func equal(got, want []float32) bool {
	if mlxtest.Name() == mlx.Go {
		return slices.Equal(got, want)
	}
	return slices.EqualFunc(got, want, func(a, b float32) bool {
		return a == b || math.Abs(float64(a-b)) <= 1e-6*math.Abs(float64(b))
	})
}

// TestQuantizeEdges: inputs without range, of one sign, and halves, to the bit.
func TestQuantizeEdges(t *testing.T) {
	l := dense("l", 2, "use_bias", false)
	l.Quant = graph.DynamicInt8
	g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{2}, DType: graph.F32, Scale: 1}}, Layers: []graph.Layer{l}}
	s := fill(t, "edges", 3, g)
	p, err := Load(session(t), s.model)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range [][]float32{{0, 0, 0, 0, 0, 0}, {1, 2, 3, 4, 5, 6}, {-1, -2, -3, -4, -5, -6}, {-127, 128, 0.5, 1.5, 2.5, -0.5}, {1e-30, 0, 0, 1e30, 1, 2}} {
		want, err := reference.Forward(s.model, 3, map[string][]float32{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Forward(3, map[string][]float32{"x": x})
		if err != nil || !equal(got[0], want[0]) {
			t.Errorf("%v: %v, %v, want %v", x, got, err, want[0])
		}
	}
}

func TestProgramErrors(t *testing.T) {
	s := samples(t)[0]
	p, err := Load(session(t), s.model)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rows   int
		inputs map[string][]float32
	}{
		"too few numbers": {s.rows, map[string][]float32{"x": s.inputs["x"][1:]}}, "no input": {s.rows, nil}, "no rows": {0, map[string][]float32{"x": nil}},
	} {
		if _, err := p.Forward(c.rows, c.inputs); err == nil || !strings.Contains(err.Error(), `input "x" needs`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for rows := 1; rows <= 40; rows++ {
		if _, err := p.Forward(rows, map[string][]float32{"x": make([]float32, rows*64)}); err != nil {
			t.Fatalf("%d rows, the %dth shape: %v", rows, rows, err)
		}
	}
	broken := &bundle.Model{Graph: s.model.Graph, Info: s.model.Info, Params: map[string]bundle.Params{"a": s.model.Params["a"]}}
	if _, err := Load(session(t), broken); err == nil {
		t.Error("a model without weights is loaded")
	}
	l := &Lowering{Graph: &graph.Graph{Inputs: s.model.Graph.Inputs, Layers: []graph.Layer{{Name: "l", Op: "nonsense", Inputs: []string{"x"}}}, Outputs: []string{"l"}}}
	err = mlx.Try(func() error { l.Forward(nil); return nil })
	if err == nil || !strings.Contains(err.Error(), `no GoMLX lowering of op "nonsense"`) {
		t.Errorf("an unknown op: %v", err)
	}
}
