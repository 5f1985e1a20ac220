package compress

import (
	"math"
	"testing"

	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

func model(t *testing.T) *bundle.Model {
	g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{10}, DType: graph.F32, Scale: 1}}, Outputs: []string{"b"}, Layers: []graph.Layer{
		{Name: "a", Op: "dense", Inputs: []string{"x"}, Attrs: map[string]any{"units": int64(20)}},
		{Name: "b", Op: "dense", Inputs: []string{"a"}, Attrs: map[string]any{"units": int64(5)}},
	}}
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	return &bundle.Model{Graph: g, Info: info, Params: learn.Init(info, 1)}
}

func zeros(m *bundle.Model, layer string) int {
	n := 0
	for _, v := range m.Params[layer]["weight"].Float32s() {
		if v == 0 {
			n++
		}
	}
	return n
}

// TestPrune: exactly the smallest weights go, of all layers or of each; the original stays; pruning again changes nothing.
func TestPrune(t *testing.T) {
	m := model(t)
	for i := range m.Params["b"]["weight"].Float32s() {
		m.Params["b"]["weight"].Float32s()[i] *= 10
	}
	global, err := Prune(m, 0.5, true)
	if err != nil {
		t.Fatal(err)
	}
	a := zeros(global, "a")
	b := zeros(global, "b")
	if a+b != 150 || a < 140 {
		t.Errorf("global: %d and %d zeros, want 150 together", a, b)
	}
	var gone, kept float64 = 0, math.Inf(1)
	for _, l := range []string{"a", "b"} {
		before, after := m.Params[l]["weight"].Float32s(), global.Params[l]["weight"].Float32s()
		for i := range before {
			if x := math.Abs(float64(before[i])); after[i] == 0 {
				gone = max(gone, x)
			} else {
				kept = min(kept, x)
			}
		}
	}
	if gone > kept {
		t.Errorf("a weight of %g is gone and one of %g is kept", gone, kept)
	}
	each, err := Prune(m, 0.25, false)
	if err != nil {
		t.Fatal(err)
	}
	a = zeros(each, "a")
	b = zeros(each, "b")
	if a != 50 || b != 25 {
		t.Errorf("layer by layer: %d and %d zeros, want 50 and 25", a, b)
	}
	if n := zeros(m, "a"); n != 0 {
		t.Error("the original was pruned")
	}
	if e := EffectOf(m, global, ""); e.Before.NonZeros-e.After.NonZeros != 150 || e.After.Parameters != e.Before.Parameters || len(e.Layers) != 2 {
		t.Errorf("effect %+v", e)
	}
}

// TestQuantize: each weight is within half a step of its column's scale, the largest of a column is ±127, and the bytes shrink.
func TestQuantize(t *testing.T) {
	m := model(t)
	q, err := Quantize(m, graph.DynamicInt8, nil)
	if err != nil {
		t.Fatal(err)
	}
	w, v, s := m.Params["a"]["weight"].Float32s(), q.Params["a"]["weight"].Float32s(), q.Params["a"]["weight_scale"].Float32s()
	top := make([]float32, 20)
	for i := range w {
		if d := math.Abs(float64(w[i] - v[i]*s[i%20])); d > 0.5001*float64(s[i%20]) {
			t.Errorf("weight %d is off by %g, the scale is %g", i, d, s[i%20])
		}
		top[i%20] = max(top[i%20], float32(math.Abs(float64(v[i]))))
	}
	for i, x := range top {
		if x != 127 {
			t.Errorf("the largest of column %d is %g", i, x)
		}
	}
	if e := EffectOf(m, q, ""); e.After.Bytes >= e.Before.Bytes {
		t.Errorf("effect %+v", e)
	}
	if _, err := Quantize(q, graph.DynamicInt8, nil); err == nil {
		t.Error("quantized twice")
	}
	part, err := Quantize(m, graph.WeightOnlyInt8, []string{"b"})
	if err != nil || part.Graph.Layer("b").Quant != "" || part.Graph.Layer("a").Quant == "" {
		t.Errorf("skip: %v", err)
	}
	if _, err := Quantize(m, graph.DynamicInt8, []string{"nothing"}); err == nil {
		t.Error("skip of no layer was accepted")
	}
}

// TestSixteenBits: conversion to half is exact where it can be and to nearest, halves to even, elsewhere; over all halves it is
// the inverse of conversion from half.
func TestSixteenBits(t *testing.T) {
	for h := range 1 << 16 {
		if exp := h >> 10 & 31; exp == 31 {
			continue
		}
		x := &bundle.Tensor{DType: graph.F16, Shape: []int{1}, Data: []byte{byte(h), byte(h >> 8)}}
		if got := toF16(x.Float32s()[0]); got != uint16(h) {
			t.Fatalf("half %04x came back as %04x", h, got)
		}
	}
	for f, want := range map[float32]uint16{1: 0x3c00, 65504: 0x7bff, 65519: 0x7bff, 65520: 0x7c00, 1e10: 0x7c00, 1 + 1.0/2048: 0x3c00, 1 + 3.0/2048: 0x3c02, 5.960464e-8: 1, 1e-10: 0, -2: 0xc000} {
		if got := toF16(f); got != want {
			t.Errorf("%g became %04x, want %04x", f, got, want)
		}
	}
	for f, want := range map[float32]uint16{1: 0x3f80, 1 + 1.0/256: 0x3f80, 1 + 3.0/256: 0x3f82, -2: 0xc000, 0: 0} {
		if got := toBF16(f); got != want {
			t.Errorf("%g became %04x, want %04x", f, got, want)
		}
	}
}

// TestCast: a cast model computes with the rounded numbers.
func TestCast(t *testing.T) {
	m := model(t)
	c, err := Cast(m, graph.BF16)
	if err != nil {
		t.Fatal(err)
	}
	if e := EffectOf(m, c, ""); 2*e.After.Bytes != e.Before.Bytes {
		t.Errorf("effect %+v", e)
	}
	s := mlxtest.Open(t)
	x := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	a, err := learn.Predict(t.Context(), s, m, &dataset.Data{Rows: 1, Width: len(x), Features: x})
	if err != nil {
		t.Fatal(err)
	}
	b, err := learn.Predict(t.Context(), s, c, &dataset.Data{Rows: 1, Width: len(x), Features: x})
	if err != nil {
		t.Fatal(err)
	}
	for i := range a {
		if d := math.Abs(float64(a[i] - b[i])); d == 0 || d > 0.2 {
			t.Errorf("output %d moved by %g", i, d)
		}
	}
}
