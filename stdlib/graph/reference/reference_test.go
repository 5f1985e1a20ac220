package reference

import (
	"math"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

func f32(shape []int, v ...float32) *bundle.Tensor { return bundle.Float32(shape, v) }

// forward computes one layer, or several, over the input x of a shape.
func forward(t *testing.T, shape []int, x []float32, params map[string]bundle.Params, layers ...graph.Layer) []float32 {
	t.Helper()
	g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: shape, DType: graph.F32, Scale: 1}}, Layers: layers}
	g.Connect()
	out, err := Forward(&bundle.Model{Graph: g, Params: params}, len(x)/graph.Size(shape), map[string][]float32{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range got {
		if d := math.Abs(float64(got[i] - want[i])); !(d <= tolerance) {
			t.Errorf("%s: element %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestDense(t *testing.T) {
	l := graph.Layer{Name: "l", Op: "dense", Attrs: map[string]any{"units": int64(2), "activation": "relu"}}
	ps := map[string]bundle.Params{"l": {"weight": f32([]int{3, 2}, 1, 2, 3, 4, 5, 6), "bias": f32([]int{2}, -30, 0.5)}}
	near(t, "dense", forward(t, []int{3}, []float32{1, 2, 3, 0, 0, -1}, ps, l), []float32{0, 28.5, 0, 0}, 0)
	l.Attrs = map[string]any{"units": int64(2), "use_bias": false}
	delete(ps["l"], "bias")
	near(t, "dense without bias", forward(t, []int{3}, []float32{1, 2, 3, 0, 0, -1}, ps, l), []float32{22, 28, -5, -6}, 0)
	l.Store = graph.BF16
	ps["l"]["weight"] = &bundle.Tensor{DType: graph.BF16, Shape: []int{3, 2}, Data: []byte{0x80, 0x3f, 0, 0x40, 0x40, 0x40, 0x80, 0x40, 0xa0, 0x40, 0xc0, 0x40}}
	near(t, "dense stored in bfloat16", forward(t, []int{3}, []float32{1, 2, 3, 0, 0, -1}, ps, l), []float32{22, 28, -5, -6}, 0)
}

// TestActivations holds them against values computed to 10 digits elsewhere (tables of erf, e and ln).
func TestActivations(t *testing.T) {
	x := []float32{-1, 0, 2}
	for name, want := range map[string][]float32{
		"linear":     {-1, 0, 2},
		"relu":       {0, 0, 2},
		"gelu":       {-0.1586552539, 0, 1.9544997361},
		"tanh":       {-0.7615941560, 0, 0.9640275801},
		"sigmoid":    {0.2689414214, 0.5, 0.8807970780},
		"silu":       {-0.2689414214, 0, 1.7615941560},
		"elu":        {-0.6321205588, 0, 2},
		"leaky_relu": {-0.01, 0, 2},
		"softplus":   {0.3132616875, 0.6931471806, 2.1269280110},
		"softmax":    {0.0420100661, 0.1141951994, 0.8437947345},
	} {
		near(t, name, forward(t, []int{3}, x, nil, graph.Layer{Name: "l", Op: "activation", Attrs: map[string]any{"function": name}}), want, 1e-7)
	}
	for _, name := range graph.Activations {
		for _, v := range activate(name, []float32{-1e4, 1e4}, 1) {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Errorf("%s of ±10000 is %v", name, v)
			}
		}
	}
}

func TestNorms(t *testing.T) {
	ln := map[string]bundle.Params{"l": {"gamma": f32([]int{4}, 1, 1, 2, 1), "beta": f32([]int{4}, 0, 0, 10, 0)}}
	// mean 5, variance 5: deviations over sqrt 5
	near(t, "layer_norm", forward(t, []int{4}, []float32{2, 4, 6, 8, 7, 7, 7, 7}, ln, graph.Layer{Name: "l", Op: "layer_norm", Attrs: map[string]any{"epsilon": 1e-12}}),
		[]float32{-1.3416408, -0.4472136, 10.8944272, 1.3416408, 0, 0, 10, 0}, 1e-6)
	bn := map[string]bundle.Params{"l": {"gamma": f32([]int{2}, 3, 1), "beta": f32([]int{2}, 0, -1), "mean": f32([]int{2}, 1, 0), "variance": f32([]int{2}, 3, 0.25)}}
	near(t, "batch_norm", forward(t, []int{2, 2}, []float32{1, 0, 3, 1}, bn, graph.Layer{Name: "l", Op: "batch_norm", Attrs: map[string]any{"epsilon": int64(1)}}),
		[]float32{0, -1, 3, -1 + 0.894427191}, 1e-6)
}

func TestStructure(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 6, 7, 8} // two rows of [2, 2]
	act := graph.Layer{Name: "n", Op: "activation", Attrs: map[string]any{"function": "leaky_relu"}}
	near(t, "add", forward(t, []int{2, 2}, x, nil, act, graph.Layer{Name: "s", Op: "add", Inputs: []string{"x", "n", "x"}}), []float32{3, 6, 9, 12, 15, 18, 21, 24}, 0)
	near(t, "concat", forward(t, []int{2, 2}, x, nil, graph.Layer{Name: "r", Op: "reshape", Attrs: map[string]any{"shape": []any{int64(2), int64(2)}}},
		graph.Layer{Name: "s", Op: "concat", Inputs: []string{"x", "r"}}), []float32{1, 2, 1, 2, 3, 4, 3, 4, 5, 6, 5, 6, 7, 8, 7, 8}, 0)
	near(t, "flatten, dropout", forward(t, []int{2, 2}, x, nil, graph.Layer{Name: "f", Op: "flatten"}, graph.Layer{Name: "d", Op: "dropout", Attrs: map[string]any{"rate": 0.9}}), x, 0)
	if !slices.Equal(x, []float32{1, 2, 3, 4, 5, 6, 7, 8}) {
		t.Errorf("the input was changed: %v", x)
	}
}

// TestDynamicQuantize holds it against the examples in ONNX's description of DynamicQuantizeLinear.
func TestDynamicQuantize(t *testing.T) {
	for _, c := range []struct {
		x     []float32
		q     []uint8
		scale float32
		zero  uint8
	}{
		{[]float32{0, 2, -3, -2.5, 1.34, 0.5}, []uint8{153, 255, 0, 26, 221, 179}, 0.0196078438, 153},
		{[]float32{-1, -2.1, -1.3, -2.5, -3.34, -4}, []uint8{191, 121, 172, 96, 42, 0}, 0.0156862754, 255},
		{[]float32{1, 2.1, 1.3, 2.5, 3.34, 4, 1.5, 2.6, 3.9, 4, 3, 2.345}, []uint8{64, 134, 83, 159, 213, 255, 96, 166, 249, 255, 191, 149}, 0.0156862754, 0},
		{[]float32{0, 0}, []uint8{0, 0}, 1, 0},
		{nil, []uint8{}, 1, 0},
		{[]float32{255, 0.5, 1.5, 2.5}, []uint8{255, 0, 2, 2}, 1, 0}, // halves to even
	} {
		q, scale, zero := DynamicQuantize(c.x)
		if !slices.Equal(q, c.q) || scale != c.scale || zero != c.zero {
			t.Errorf("%v: %v, %v, %d, want %v, %v, %d", c.x, q, scale, zero, c.q, c.scale, c.zero)
		}
	}
}

func TestQuantizedDense(t *testing.T) {
	l := graph.Layer{Name: "l", Op: "dense", Attrs: map[string]any{"units": int64(2)}, Quant: graph.DynamicInt8}
	ps := map[string]bundle.Params{"l": {"weight": {DType: graph.I8, Shape: []int{2, 2}, Data: []byte{1, 0xff, 127, 0x81}},
		"weight_scale": f32([]int{2}, 0.5, 2), "bias": f32([]int{2}, 10, 0)}}
	// x is quantised with scale 1, zero point 55: -55 and 200 exactly, 0.5 to even 0
	x := []float32{-55, 200, 0.5, 3}
	near(t, "dynamic_int8", forward(t, []int{2}, x, ps, l), []float32{10 + (-55+200*127)*0.5, (55 - 200*127) * 2, 10 + 381*0.5, -381 * 2}, 0)
	l.Quant = graph.WeightOnlyInt8
	near(t, "weight_only_int8", forward(t, []int{2}, x, ps, l), []float32{10 + (-55+200*127)*0.5, (55 - 200*127) * 2, 10 + 381.5*0.5, -381.5 * 2}, 0)
}

func TestForwardInputs(t *testing.T) {
	g := &graph.Graph{Inputs: []graph.Input{{Name: "a", Shape: []int{2}, DType: graph.F32, Scale: 0.5, Shift: -1}, {Name: "b", Shape: []int{1}, DType: graph.F32, Scale: 1}},
		Layers: []graph.Layer{{Name: "j", Op: "concat", Inputs: []string{"b", "a"}}, {Name: "r", Op: "activation", Attrs: map[string]any{"function": "relu"}}}, Outputs: []string{"r", "j"}}
	g.Connect()
	m := &bundle.Model{Graph: g}
	out, err := Forward(m, 2, map[string][]float32{"a": {2, 4, 6, 0}, "b": {7, 8}})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "first output", out[0], []float32{7, 0, 1, 8, 2, 0}, 0)
	near(t, "second output", out[1], []float32{7, 0, 1, 8, 2, -1}, 0)
	if _, err := Forward(m, 2, map[string][]float32{"a": {2, 4, 6, 0}, "b": {7}}); err == nil || !strings.Contains(err.Error(), `input "b" needs 2 rows of [1], but has 1 numbers`) {
		t.Errorf("short input: %v", err)
	}
	if out, err := Forward(m, 0, nil); err != nil || len(out[0]) != 0 {
		t.Errorf("no rows: %v, %v", out, err)
	}
	m.Params = map[string]bundle.Params{"q": {}}
	if _, err := Forward(m, 0, nil); err == nil {
		t.Error("parameters of no layer were accepted")
	}
}
