package onnx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
	graphmlx "mbuild.dev/mbuild/stdlib/graph/mlx"
	"mbuild.dev/mbuild/stdlib/graph/reference"
)

// verdict is what the referee says of one case and number of rows.
type verdict struct {
	MaxDiff  float64 `json:"max_diff"`
	MaxValue float64 `json:"max_value"`
	Moved    float64 // share of the elements that differ by more than 1e-5, relative above 1
}

// TestRefereeOps has the ONNX checker accept every sample and ONNX Runtime compute it, for one row and for several, and
// compares with the reference. It runs where MBUILD_REFEREE_PYTHON names a python that has them; .ci/run installs one and fails
// when this is skipped.
//
// Float models agree to 1e-5. So does a layer of dynamic_int8 by itself; behind another layer, a difference in the last bit
// may put an element on the other side of a rounding, so there a few elements may be off by one quantum.
func TestRefereeOps(t *testing.T) {
	python := os.Getenv("MBUILD_REFEREE_PYTHON")
	if python == "" {
		t.Skip("needs onnxruntime: set MBUILD_REFEREE_PYTHON (see .ci/run)")
	}
	dir := t.TempDir()
	all := samples(t)
	for _, s := range all {
		writeCase(t, filepath.Join(dir, s.name), s)
	}
	cmd := exec.Command(python, "../../../testdata/referee/onnx_cases.py", dir)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	var got map[string]struct {
		Rows       map[string]verdict
		Opset      [][2]any
		Metadata   map[string]string
		Dimensions [][]any
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		c := got[s.name]
		if len(c.Rows) < 2 || c.Metadata["a"] != "é" || c.Dimensions[0][0] != "batch" || fmt.Sprint(c.Opset) != "[[ 21]]" {
			t.Errorf("%s: the referee saw %+v", s.name, c)
		}
		for rows, v := range c.Rows {
			t.Logf("%s, %s rows: differs by %.2g of %.3g", s.name, rows, v.MaxDiff, v.MaxValue)
			if s.name == "dynamic_mlp" {
				if v.MaxDiff > 0.02*v.MaxValue {
					t.Errorf("%s, %s rows: ONNX Runtime differs by %g, want at most some quanta", s.name, rows, v.MaxDiff)
				}
			} else if v.Moved > 0 {
				t.Errorf("%s, %s rows: ONNX Runtime differs by %g at values up to %g, want 1e-5", s.name, rows, v.MaxDiff, v.MaxValue)
			}
		}
	}
}

// writeCase writes the model and what the reference makes of all its rows, and of the first alone.
func writeCase(t *testing.T, dir string, s sample) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "model.onnx"), export(t, s.model), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, rows := range []int{1, s.rows} {
		in, shapes := map[string][]float32{}, s.model.Info.Shapes
		for name, v := range s.inputs {
			in[name] = v[:rows*graph.Size(shapes[name])]
		}
		writeRows(t, dir, fmt.Sprint(rows), s.model, rows, in)
	}
	e := &exporter{model: s.model, info: s.model.Info}
	lengths := map[string]int{}
	for _, group := range s.model.Graph.Elastic() {
		for _, in := range group {
			if e.dimensions()[in] != nil {
				lengths[in] = s.model.Info.Shapes[in][0] - 2
			}
		}
	}
	if len(lengths) == 0 {
		return
	}
	g, info, err := s.model.Graph.AtLengths(lengths)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	writeRows(t, dir, "short", &bundle.Model{Graph: g, Info: info, Params: s.model.Params}, s.rows, graphtest.Values(r, g, s.rows, r.NormFloat64))
}

// writeRows writes some rows and what the reference makes of them.
func writeRows(t *testing.T, dir, name string, m *bundle.Model, rows int, in map[string][]float32) {
	t.Helper()
	outs, err := reference.Forward(m, rows, in)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for i, name := range m.Graph.Outputs {
		out[name] = outs[i]
	}
	for side, all := range map[string]map[string][]float32{"in": in, "out": out} {
		var ts []safetensors.Tensor
		for name, v := range all {
			ts = append(ts, typed(name, m.Info.DTypes[name], append([]int{rows}, m.Info.Shapes[name]...), v))
		}
		if err := safetensors.WriteFile(filepath.Join(dir, side+"-"+name+".safetensors"), ts, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSampleNames: names are directories for the referee.
func TestSampleNames(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range samples(t) {
		if seen[s.name] || strings.ContainsAny(s.name, "/ ") {
			t.Errorf("sample %q", s.name)
		}
		seen[s.name] = true
	}
}

// typed is a tensor of a type, whole numbers as they are.
func typed(name string, dtype graph.DType, shape []int, v []float32) safetensors.Tensor {
	t := safetensors.Tensor{Name: name, DType: string(dtype), Shape: shape}
	switch dtype {
	case graph.I32:
		t.Data = safetensors.Bytes(whole[int32](v))
	case graph.I64:
		t.Data = safetensors.Bytes(whole[int64](v))
	default:
		t.Data = safetensors.Bytes(v)
	}
	return t
}

func whole[T int32 | int64](v []float32) []T {
	out := make([]T, len(v))
	for i, x := range v {
		out[i] = T(x)
	}
	return out
}

// TestRefereeImport: models as other exporters write them (testdata/referee/onnx_import.py, made with the library onnx) compute here, on
// the Go backend and in the reference, what ONNX Runtime computes of the file.
func TestRefereeImport(t *testing.T) {
	python := os.Getenv("MBUILD_REFEREE_PYTHON")
	if python == "" {
		t.Skip("needs onnxruntime: set MBUILD_REFEREE_PYTHON (see .ci/run)")
	}
	dir := t.TempDir()
	if out, err := exec.Command(python, "../../../testdata/referee/onnx_import.py", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cases, err := os.ReadDir(dir)
	if err != nil || len(cases) < 50 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	session := mlxtest.Open(t)
	for _, c := range cases {
		compareImport(t, session, filepath.Join(dir, c.Name()))
	}
}

// compareImport imports a case and compares it with what the referee has computed, to 1e-5 of the greatest value, or where activations are
// quantised to some quanta.
func compareImport(t *testing.T, session *mlx.Session, dir string) {
	t.Helper()
	name := filepath.Base(dir)
	b, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	var is struct {
		Tolerance float64
		Noted     bool
	}
	if text, err := os.ReadFile(filepath.Join(dir, "case.json")); err != nil || json.Unmarshal(text, &is) != nil {
		t.Fatal(name, err)
	}
	var notes []string
	o := ImportOptions{Length: 8, Note: func(s string) { notes = append(notes, s) }, External: map[string]string{}}
	if data := filepath.Join(dir, "model.onnx.data"); name == "external" {
		o.External["model.onnx.data"] = data
	}
	m, err := Import(b, o)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if is.Noted != (len(notes) > 0) && name != "roberta" {
		t.Errorf("%s: said %q", name, notes)
	}
	in, rows := map[string][]float32{}, 0
	for _, x := range readTensors(t, filepath.Join(dir, "in.safetensors")) {
		a := &array{elem: typeFloat, shape: x.Shape}
		rows = x.Shape[0]
		if a.f = safetensors.View[float32](x.Data); x.DType == "I64" {
			a.f = nil
			for _, v := range safetensors.View[int64](x.Data) {
				a.f = append(a.f, float32(v))
			}
		}
		if shape := m.Info.Shapes[x.Name]; len(x.Shape) == 4 && !slices.Equal(shape, x.Shape[1:]) { // an image, channels first in the file
			a = a.permuted([]int{0, 2, 3, 1})
		}
		in[x.Name] = a.f
	}
	program, err := graphmlx.Load(session, m)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer program.Close()
	for who, forward := range map[string]func() ([][]float32, error){
		"Go backend": func() ([][]float32, error) { return program.Forward(rows, in) },
		"reference":  func() ([][]float32, error) { return reference.Forward(m, rows, in) },
	} {
		got, err := forward()
		if err != nil {
			t.Errorf("%s: %s: %v", name, who, err)
			continue
		}
		for _, want := range readTensors(t, filepath.Join(dir, "out.safetensors")) {
			k := slices.Index(m.Graph.Outputs, want.Name)
			v := safetensors.View[float32](want.Data)
			if k < 0 || len(got[k]) != len(v) {
				t.Errorf("%s: %s: outputs %v of other sizes than %q of %v", name, who, m.Graph.Outputs, want.Name, want.Shape)
				continue
			}
			diff, size := 0.0, 0.0
			for i := range v {
				d := math.Abs(float64(v[i] - got[k][i]))
				if !(d <= diff) { // NaN too
					diff = d
				}
				size = max(size, math.Abs(float64(v[i])))
			}
			t.Logf("%s: %s: %d layers, differs by %.2g of %.3g", name, who, len(m.Graph.Layers), diff, size)
			if !(diff <= is.Tolerance*max(1, size)) || size == 0 {
				t.Errorf("%s: %s: %q differs by %g of %g, want %g", name, who, want.Name, diff, size, is.Tolerance)
			}
		}
	}
}

func readTensors(t *testing.T, file string) []safetensors.Tensor {
	t.Helper()
	ts, _, err := safetensors.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}
