package bundle

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
)

// model is a dense layer 3 to 2 and a second one 2 to 1, quantised.
func model(t testing.TB) *Model {
	g := &graph.Graph{
		Inputs: []graph.Input{{Name: "x", Shape: []int{3}, DType: graph.F32, Scale: 1}},
		Layers: []graph.Layer{
			{Name: "a", Op: "dense", Attrs: map[string]any{"units": int64(2)}},
			{Name: "r", Op: "activation", Attrs: map[string]any{"function": "relu"}},
			{Name: "b", Op: "dense", Attrs: map[string]any{"units": int64(1), "use_bias": false}, Quant: graph.WeightOnlyInt8},
		},
	}
	g.Connect()
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	return &Model{Graph: g, Info: info, Params: map[string]Params{
		"a": {"weight": Float32([]int{3, 2}, []float32{1, 0, -2, float32(math.Copysign(0, -1)), 0.5, 3}), "bias": Float32([]int{2}, []float32{0, 7})},
		"b": {"weight": &Tensor{DType: graph.I8, Shape: []int{2, 1}, Data: []byte{0, 0x81}}, "weight_scale": Float32([]int{1}, []float32{0.25})},
	}}
}

func TestRoundTrip(t *testing.T) {
	m := model(t)
	dirs := []string{t.TempDir(), t.TempDir()}
	for _, d := range dirs {
		if err := Write(d, m); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(dirs[0])
	if err != nil {
		t.Fatal(err)
	}
	for layer, ps := range m.Params {
		for name, want := range ps {
			p := got.Params[layer][name]
			if p.DType != want.DType || !slices.Equal(p.Shape, want.Shape) || !bytes.Equal(p.Data, want.Data) {
				t.Errorf("%s.%s read back as %+v", layer, name, p)
			}
		}
	}
	if len(got.Params) != 2 || got.Info.Parameters != m.Info.Parameters {
		t.Errorf("read back %d layers, %d parameters", len(got.Params), got.Info.Parameters)
	}
	for _, f := range []string{"graph.json", "layers/a.safetensors", "layers/b.safetensors"} {
		one, err1 := os.ReadFile(filepath.Join(dirs[0], f))
		two, err2 := os.ReadFile(filepath.Join(dirs[1], f))
		if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
			t.Errorf("%s differs between two writes: %v %v", f, err1, err2)
		}
	}
	if files, _ := os.ReadDir(filepath.Join(dirs[0], "layers")); len(files) != 2 {
		t.Errorf("a layer without parameters has a file: %v", files)
	}
}

func TestCount(t *testing.T) {
	m := model(t)
	if c, want := m.Count(), (Counts{Parameters: 11, NonZeros: 7, Bytes: 4*8 + 2 + 4}); c != want {
		t.Errorf("all: %+v, want %+v", c, want)
	}
	if c, want := m.Count("b"), (Counts{Parameters: 3, NonZeros: 2, Bytes: 6}); c != want {
		t.Errorf("b: %+v, want %+v", c, want)
	}
	if c := m.Count(); c.Parameters != m.Info.Parameters || c.Bytes != m.Info.Bytes {
		t.Errorf("counted %+v, but Infer says %d parameters, %d bytes", c, m.Info.Parameters, m.Info.Bytes)
	}
}

func TestReadErrors(t *testing.T) {
	for want, breakIt := range map[string]func(dir string) error{
		`layer "a": parameter "weight" is missing`: func(d string) error { return os.Remove(filepath.Join(d, "layers/a.safetensors")) },
		"layers/notes.txt belongs to no layer":     func(d string) error { return os.WriteFile(filepath.Join(d, "layers/notes.txt"), nil, 0o644) },
		"layers/z.safetensors belongs to no layer": func(d string) error { return os.WriteFile(filepath.Join(d, "layers/z.safetensors"), nil, 0o644) },
		`layer "a": not a safetensors file`: func(d string) error {
			return os.WriteFile(filepath.Join(d, "layers/a.safetensors"), []byte("no"), 0o644)
		},
		"decoding a graph": func(d string) error { return os.WriteFile(filepath.Join(d, "graph.json"), []byte("{}"), 0o644) },
		"graph.json":       func(d string) error { return os.Remove(filepath.Join(d, "graph.json")) },
		`parameter "bias" should be F32[2], but is F32[3] of 12 bytes`: func(d string) error {
			return rewrite(d, "bias", safetensors.Tensor{Name: "bias", DType: "F32", Shape: []int{3}, Data: make([]byte, 12)})
		},
		`parameter "weight" should be F32[3 2], but is I32[3 2]`: func(d string) error {
			return rewrite(d, "weight", safetensors.Tensor{Name: "weight", DType: "I32", Shape: []int{3, 2}, Data: make([]byte, 24)})
		},
		"there are 3 parameters, but its graph has 2": func(d string) error {
			return rewrite(d, "", safetensors.Tensor{Name: "extra", DType: "F32", Shape: []int{1}, Data: make([]byte, 4)})
		},
	} {
		dir := t.TempDir()
		if err := Write(dir, model(t)); err != nil {
			t.Fatal(err)
		}
		if err := breakIt(dir); err != nil {
			t.Fatal(err)
		}
		if m, err := Read(dir); err == nil || m != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// rewrite replaces one tensor of layer a.
func rewrite(dir, name string, by safetensors.Tensor) error {
	path := filepath.Join(dir, "layers/a.safetensors")
	ts, _, err := safetensors.ReadFile(path)
	if err != nil {
		return err
	}
	ts = slices.DeleteFunc(ts, func(t safetensors.Tensor) bool { return t.Name == name })
	return safetensors.WriteFile(path, append(ts, by), nil)
}

func TestWriteRefuses(t *testing.T) {
	for want, breakIt := range map[string]func(m *Model){
		`parameter "bias" is missing`: func(m *Model) { delete(m.Params["a"], "bias") },
		`"z", which is no layer`:      func(m *Model) { m.Params["z"] = Params{} },
		"of 4 bytes":                  func(m *Model) { m.Params["a"]["bias"].Data = make([]byte, 4) },
		`needs units of at least 1`:   func(m *Model) { m.Graph.Layers[0].Attrs = nil },
	} {
		m := model(t)
		breakIt(m)
		if err := Write(t.TempDir(), m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestHalves converts every half there is, and holds it against the definition of IEEE 754: (-1)^s 2^(e-15) (1 + f/1024), and
// 2^-14 f/1024 for e = 0.
func TestHalves(t *testing.T) {
	data := make([]byte, 2<<16)
	for i := range 1 << 16 {
		binary.LittleEndian.PutUint16(data[2*i:], uint16(i))
	}
	got := (&Tensor{DType: graph.F16, Shape: []int{1 << 16}, Data: data}).Float32s()
	for i, v := range got {
		e, f := i>>10&31, float64(i&1023)
		want := math.Ldexp(1+f/1024, e-15)
		switch {
		case e == 0:
			want = math.Ldexp(f/1024, -14)
		case e == 31 && f == 0:
			want = math.Inf(1)
		case e == 31:
			want = math.NaN()
		}
		if i>>15 == 1 {
			want = -want
		}
		if float64(v) != want && !(math.IsNaN(want) && math.IsNaN(float64(v))) || math.Signbit(float64(v)) != math.Signbit(want) && !math.IsNaN(want) {
			t.Fatalf("half %#04x is %g, want %g", i, v, want)
		}
	}
}

func TestFloat32s(t *testing.T) {
	bf := &Tensor{DType: graph.BF16, Shape: []int{3}, Data: []byte{0x80, 0x3f, 0x49, 0x40, 0x80, 0xff}}
	if v := bf.Float32s(); v[0] != 1 || v[1] != 3.140625 || !math.IsInf(float64(v[2]), -1) {
		t.Errorf("bfloat16: %v", v)
	}
	if v := (&Tensor{DType: graph.I8, Shape: []int{3}, Data: []byte{127, 128, 255}}).Float32s(); !slices.Equal(v, []float32{127, -128, -1}) {
		t.Errorf("int8: %v", v)
	}
	shared := []float32{1, 2}
	Float32([]int{2}, shared).Float32s()[1] = 5
	if shared[1] != 5 {
		t.Error("a float32 tensor does not share its values")
	}
}

// TestMap: a bundle that is mapped is the one that is read, until its layers are released; a model from elsewhere keeps them.
func TestMap(t *testing.T) {
	dir := t.TempDir()
	m := model(t)
	if err := Write(dir, m); err != nil {
		t.Fatal(err)
	}
	got, err := Map(dir)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := got.Count(), m.Count(); a != b || !bytes.Equal(got.Params["a"]["weight"].Data, m.Params["a"]["weight"].Data) {
		t.Errorf("%+v, want %+v", a, b)
	}
	got.Release("a")
	got.Release("a")
	m.Release("a")
	if got.Params["a"] != nil || got.Params["b"] == nil || m.Params["a"] == nil {
		t.Errorf("left are %v and %v", got.Params, m.Params)
	}
	got.Close()
	if len(got.Params) != 0 {
		t.Errorf("left are %v", got.Params)
	}
	if err := os.WriteFile(filepath.Join(dir, layersDir, "b"+suffix), []byte("no"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Map(dir); err == nil || !strings.Contains(err.Error(), `layer "b": not a safetensors file`) {
		t.Error(err)
	}
}
