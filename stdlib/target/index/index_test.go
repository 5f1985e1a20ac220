package index

import (
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// TestTower: of two towers that layer and what it takes are left, with their parameters, and the other input is gone.
func TestTower(t *testing.T) {
	g := &graph.Graph{Outputs: []string{"score"},
		Inputs: []graph.Input{{Name: "a", Shape: []int{2}, DType: graph.F32, Scale: 1}, {Name: "b", Shape: []int{2}, DType: graph.F32, Scale: 1}},
		Layers: []graph.Layer{
			{Name: "x", Op: "dense", Inputs: []string{"a"}, Attrs: map[string]any{"units": int64(3)}},
			{Name: "y", Op: "dense", Inputs: []string{"b"}, Attrs: map[string]any{"units": int64(3)}},
			{Name: "unit", Op: "l2_normalize", Inputs: []string{"y"}},
			{Name: "score", Op: "dot", Inputs: []string{"x", "unit"}},
		}}
	m := &bundle.Model{Graph: g, Params: map[string]bundle.Params{"x": {}, "y": {}}}
	out, err := tower(m, "unit")
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Graph.Inputs) != 1 || out.Graph.Inputs[0].Name != "b" || len(out.Graph.Layers) != 2 || out.Params["y"] == nil || len(out.Params) != 1 || out.Graph.Outputs[0] != "unit" {
		t.Errorf("%+v", out.Graph)
	}
	if len(g.Layers) != 4 || g.Outputs[0] != "score" {
		t.Error("the model itself was changed")
	}
	if _, err := tower(m, "z"); err == nil || !strings.Contains(err.Error(), `no layer "z"`) {
		t.Errorf("no such layer: %v", err)
	}
}

// TestTowerOfSharedWeights: a tower whose weights are the other's has them itself.
func TestTowerOfSharedWeights(t *testing.T) {
	g := &graph.Graph{Outputs: []string{"score"},
		Inputs: []graph.Input{{Name: "a", Shape: []int{2}, DType: graph.F32, Scale: 1}, {Name: "b", Shape: []int{2}, DType: graph.F32, Scale: 1}},
		Layers: []graph.Layer{
			{Name: "x", Op: "dense", Inputs: []string{"a"}, Attrs: map[string]any{"units": int64(3)}},
			{Name: "y", Op: "shared", Inputs: []string{"b"}, Attrs: map[string]any{"weights": "x"}},
			{Name: "score", Op: "dot", Inputs: []string{"x", "y"}},
		}}
	w := bundle.Params{"weight": nil}
	out, err := tower(&bundle.Model{Graph: g, Params: map[string]bundle.Params{"x": w}}, "y")
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Graph.Inputs) != 1 || out.Graph.Inputs[0].Name != "b" || len(out.Graph.Layers) != 1 || len(out.Params["y"]) != 1 {
		t.Errorf("%+v, %v", out.Graph, out.Params)
	}
}

// TestNormalize: vectors have length 1 then, and those of zeros are counted.
func TestNormalize(t *testing.T) {
	v := []float32{3, 4, 0, 0, 0, -2}
	if zero := normalize(v, 2); zero != 1 || !slices.Equal(v, []float32{0.6, 0.8, 0, 0, 0, -1}) {
		t.Errorf("%v, %d of zeros", v, zero)
	}
}
