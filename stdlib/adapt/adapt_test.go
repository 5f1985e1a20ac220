package adapt

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
	"mbuild.dev/mbuild/stdlib/graph/reference"
	"mbuild.dev/mbuild/stdlib/learn"
)

// encoder is a model with blocks of attention, whose parameters are all random.
func encoder(t *testing.T, seed uint64) *bundle.Model {
	t.Helper()
	g := graphtest.Encoder()
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	m := &bundle.Model{Graph: g, Info: info, Params: learn.Init(info, 1)}
	shake(m.Params, seed)
	return m
}

// shake makes parameters random, biases too.
func shake(params map[string]bundle.Params, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	for _, layer := range sorted(params) {
		for _, name := range sorted(params[layer]) {
			for i, v := 0, params[layer][name].Float32s(); i < len(v); i++ {
				v[i] += float32(r.NormFloat64() * 0.2)
			}
		}
	}
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func forward(t *testing.T, m *bundle.Model) [][]float32 {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 0))
	out, err := reference.Forward(m, 2, graphtest.Values(r, m.Graph, 2, r.NormFloat64))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// apart is the greatest difference of two outputs.
func apart(a, b [][]float32) float64 {
	d := 0.0
	for i := range a {
		for j := range a[i] {
			d = max(d, math.Abs(float64(a[i][j]-b[i][j])))
		}
	}
	return d
}

func denses(g *graph.Graph) []string {
	var names []string
	for _, l := range g.Layers {
		if l.Op == "dense" {
			names = append(names, l.Name)
		}
	}
	return names
}

// TestLoRA: an untrained adapter leaves the outputs as they are to the bit; a trained one is as good merged as beside the weights,
// within 1e-6; and the merged model has the architecture of the base.
func TestLoRA(t *testing.T) {
	base := encoder(t, 1)
	names := denses(base.Graph)
	for _, c := range []adapter.Config{
		{Type: adapter.LoRA, Targets: names, Rank: 2, Alpha: 4, Bias: "none"},
		{Type: adapter.LoRA, Targets: names[:1], Rank: 3, Alpha: 3, Dropout: 0.5, Bias: "lora_only"},
		{Type: adapter.LoRA, Targets: names[1:3], Rank: 4, Alpha: 3, RSLoRA: true, Bias: "all", ModulesToSave: names[len(names)-1:]},
	} {
		a, err := New(base, "sha256:b", c, 5)
		if err != nil {
			t.Fatal(err)
		}
		m, err := a.Over(base, "sha256:b")
		if err != nil {
			t.Fatal(err)
		}
		was, _ := base.Graph.Encode()
		if is, err := Detach(a.Graph, &a.Config).Encode(); err != nil || string(is) != string(was) {
			t.Errorf("without the adapter the graph is %s, and was %s, %v", is, was, err)
		}
		plain := forward(t, base)
		if d := apart(plain, forward(t, m)); d != 0 {
			t.Errorf("%v: an untrained adapter changes outputs by %g", c.Targets, d)
		}
		trained, err := Trained(a.Graph, &a.Config)
		if err != nil {
			t.Fatal(err)
		}
		var own []string
		for layer, ps := range a.Params {
			for name, p := range ps {
				own = append(own, layer+"/"+name)
				ps[name] = bundle.Float32(p.Shape, slices.Clone(p.Float32s())) // those that began as the base's, too
			}
		}
		slices.Sort(own)
		slices.Sort(trained)
		if !slices.Equal(own, trained) {
			t.Errorf("the adapter holds %v, and trained are %v", own, trained)
		}
		shake(a.Params, 2)
		dir := t.TempDir()
		if err := adapter.Write(dir, a); err != nil {
			t.Fatal(err)
		}
		if a, err = adapter.Read(dir); err != nil {
			t.Fatal(err)
		}
		if m, err = a.Over(base, "sha256:b"); err != nil {
			t.Fatal(err)
		}
		beside := forward(t, m)
		if d := apart(plain, beside); d < 1e-3 {
			t.Errorf("%v: the adapter changes outputs by %g only", c.Targets, d)
		}
		merged, err := Merge(base, "sha256:b", a)
		if err != nil {
			t.Fatal(err)
		}
		if d := apart(beside, forward(t, merged)); d > 1e-6 {
			t.Errorf("%v: merged it is off by %g", c.Targets, d)
		}
		x, _ := base.Graph.Encode()
		if y, _ := merged.Graph.Encode(); string(x) != string(y) {
			t.Errorf("the merged graph is another: %s", y)
		}
		if d := apart(plain, forward(t, base)); d != 0 {
			t.Errorf("merging has changed the base by %g", d)
		}
	}
}

// TestScaling: alpha/r, and alpha/sqrt(r) with rslora; W + scaling A B of small numbers.
func TestScaling(t *testing.T) {
	g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{2}, DType: graph.F32, Scale: 1}}, Layers: []graph.Layer{{Name: "d", Op: "dense", Attrs: map[string]any{"units": int64(3)}}}}
	g.Connect()
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	base := &bundle.Model{Graph: g, Info: info, Params: learn.Init(info, 1)}
	copy(base.Params["d"]["weight"].Float32s(), []float32{1, 2, 3, 4, 5, 6})
	for rs, want := range map[bool][]float32{false: {1 + 2*5, 2 + 2*11, 3 + 2*17, 4 + 2*(-2), 5 + 2*(-4), 6 + 2*(-6)}, true: {1 + 4*5, 2 + 4*11, 3 + 4*17, 4 - 4*2, 5 - 4*4, 6 - 4*6}} {
		alpha := 8.0 // 8/4, 8/sqrt(4)
		a, err := New(base, "", adapter.Config{Type: adapter.LoRA, Targets: []string{"d"}, Rank: 4, Alpha: alpha, RSLoRA: rs}, 1)
		if err != nil {
			t.Fatal(err)
		}
		copy(a.Params["d_lora_a"]["weight"].Float32s(), []float32{1, 2, 0, 0, 0, -1, 0, 0})
		copy(a.Params["d_lora_b"]["weight"].Float32s(), []float32{1, 3, 5, 2, 4, 6, 0, 0, 0, 0, 0, 0})
		m, err := Merge(base, "", a)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Params["d"]["weight"].Float32s(); !slices.Equal(got, want) {
			t.Errorf("rslora %v: %v, want %v", rs, got, want)
		}
	}
}

// TestBottleneck: the same for an adapter behind layers, which cannot be merged.
func TestBottleneck(t *testing.T) {
	base := encoder(t, 1)
	names := denses(base.Graph)
	c := adapter.Config{Type: adapter.Bottleneck, Targets: names[:2], Width: 3, Activation: "relu", ModulesToSave: names[len(names)-1:]}
	a, err := New(base, "sha256:b", c, 5)
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.Over(base, "sha256:b")
	if err != nil {
		t.Fatal(err)
	}
	plain := forward(t, base)
	if d := apart(plain, forward(t, m)); d != 0 {
		t.Errorf("an untrained adapter changes outputs by %g", d)
	}
	was, _ := base.Graph.Encode()
	if is, err := Detach(a.Graph, &a.Config).Encode(); err != nil || string(is) != string(was) {
		t.Errorf("without the adapter the graph is %s, and was %s, %v", is, was, err)
	}
	shake(a.Params, 2)
	if m, err = a.Over(base, "sha256:b"); err != nil {
		t.Fatal(err)
	}
	if d := apart(plain, forward(t, m)); d < 1e-3 {
		t.Errorf("the adapter changes outputs by %g only", d)
	}
	if l := m.Graph.Layer(names[0] + "_adapter_down"); l == nil || l.Int("units") != 3 || l.Text("activation", "") != "relu" {
		t.Errorf("%+v", l)
	}
	if _, err := Merge(base, "sha256:b", a); err == nil || !strings.Contains(err.Error(), "cannot be merged") {
		t.Error(err)
	}
}

// TestMisfits: what an adapter cannot be is said at its attribute.
func TestMisfits(t *testing.T) {
	base := encoder(t, 1)
	names := denses(base.Graph)
	norm := ""
	for _, l := range base.Graph.Layers {
		if l.Op == "layer_norm" {
			norm = l.Name
		}
	}
	for _, c := range []struct {
		config adapter.Config
		attr   string
		text   string
	}{
		{adapter.Config{Type: adapter.LoRA, Rank: 1, Targets: []string{"zzz*"}}, "targets", `no layer fits "zzz*": the model has "` + names[0] + `"`},
		{adapter.Config{Type: adapter.LoRA, Rank: 1, Targets: []string{"["}}, "targets", "a bracket is not closed"},
		{adapter.Config{Type: adapter.LoRA, Rank: 1, Targets: []string{norm}}, "targets", fmt.Sprintf("%q, which it matches, is of type layer_norm, and LoRA goes beside layers of type dense", norm)},
		{adapter.Config{Type: adapter.LoRA, Rank: 1, Targets: []string{names[0] + "x"}}, "targets", fmt.Sprintf("did you mean %q?", names[0])},
		{adapter.Config{Type: adapter.LoRA, Rank: 1, Targets: names, ModulesToSave: names[:1]}, "modules_to_save", "is among targets, too"},
		{adapter.Config{Type: adapter.LoRA, Rank: 1, Targets: names, ModulesToSave: []string{"no"}}, "modules_to_save", `no layer fits "no"`},
	} {
		_, _, err := Attach(base.Graph, c.config)
		var m *learn.Misfit
		if !errors.As(err, &m) || m.Attr != c.attr || !strings.Contains(m.Text, c.text) {
			t.Errorf("%v\nwant %s", err, c.text)
		}
	}
	a, err := New(base, "sha256:one", adapter.Config{Type: adapter.LoRA, Rank: 1, Alpha: 1, Targets: names}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Attach(a.Graph, a.Config); err == nil || !strings.Contains(err.Error(), "has an adapter already") {
		t.Error(err)
	}
	_, err = Merge(base, "sha256:two", a)
	var f *adapter.Foreign
	if !errors.As(err, &f) || err.Error() != "the adapter is of the base model sha256:one, and this model is sha256:two" {
		t.Error(err)
	}
}

// TestRead: an adapter that is not whole is refused.
func TestRead(t *testing.T) {
	base := encoder(t, 1)
	a, err := New(base, "sha256:b", adapter.Config{Type: adapter.LoRA, Rank: 1, Alpha: 1, Targets: denses(base.Graph)[:1]}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file, text, want string
	}{
		{"adapter.json", `{"type": "lora", "size": 3}`, `adapter.json: json: unknown field "size"`},
		{"adapter.json", `{"type": "prefix"}`, `there is no adapter of type "prefix"`},
		{"adapter.json", ``, "adapter.json: EOF"},
		{"graph.json", `{}`, "decoding a graph"},
		{"adapter.safetensors", `x`, "not a safetensors file"},
	} {
		dir := t.TempDir()
		if err := adapter.Write(dir, a); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := adapter.Read(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %v, want %s", c.file, c.text, err, c.want)
		}
	}
	lost := *a
	lost.Params = map[string]bundle.Params{}
	if _, err := lost.Over(base, "sha256:b"); err == nil || !strings.Contains(err.Error(), `parameter "weight" is missing`) {
		t.Error(err)
	}
	foreign := *a
	foreign.Params = map[string]bundle.Params{"none": {"weight": bundle.Float32([]int{1}, []float32{1})}}
	dir := t.TempDir()
	if err := adapter.Write(dir, &foreign); err != nil {
		t.Fatal(err)
	}
	if _, err := adapter.Read(dir); err == nil || !strings.Contains(err.Error(), `the tensor "none/weight" belongs to no layer`) {
		t.Error(err)
	}
}

// TestNewOverCompressed: where a plan does not know the base, making the adapter refuses one that was quantised or cast, before any epoch.
func TestNewOverCompressed(t *testing.T) {
	for what, change := range map[string]func(*graph.Layer){
		"quantised (weight_only_int8)": func(l *graph.Layer) { l.Quant = graph.WeightOnlyInt8 },
		"stored as BF16":               func(l *graph.Layer) { l.Store = graph.BF16 },
	} {
		g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{2}, DType: graph.F32, Scale: 1}}, Outputs: []string{"d"},
			Layers: []graph.Layer{{Name: "d", Op: "dense", Inputs: []string{"x"}, Attrs: map[string]any{"units": int64(3)}}}}
		change(&g.Layers[0])
		_, err := New(&bundle.Model{Graph: g}, "", adapter.Config{Type: adapter.LoRA, Targets: []string{"d"}, Rank: 1, Alpha: 1}, 0)
		var m *learn.Misfit
		if !errors.As(err, &m) || m.Attr != "from" || !strings.Contains(m.Text, `the layer "d" is `+what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
