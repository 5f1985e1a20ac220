package compress

import (
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
	"mbuild.dev/mbuild/stdlib/graph/reference"
	"mbuild.dev/mbuild/stdlib/learn"
)

// TestShared: passes over a layer that is there twice: int8 is the same for both, channels stay, and a norm behind one is not folded
// into the weights of both.
func TestShared(t *testing.T) {
	l := graphtest.Layer
	g := graphtest.Over([]int{4}, l("dense", "d", "units", 4), l("shared", "s", "weights", "d"), l("batch_norm", "n"), l("add", "o", "inputs", "d n"))
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	m := &bundle.Model{Graph: g, Info: info, Params: learn.Init(info, 1)}
	if info.Parameters != 4*4+4+4*4 {
		t.Errorf("%d parameters", info.Parameters)
	}
	q, err := Quantize(m, graph.WeightOnlyInt8, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := map[string][]float32{"x": {1, -2, 3, 0.5}}
	a, err1 := reference.Forward(m, 1, x)
	b, err2 := reference.Forward(q, 1, x)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for i := range a[0] {
		if d := a[0][i] - b[0][i]; d > 0.1 || d < -0.1 {
			t.Errorf("int8 is off by %g", d)
		}
	}
	if _, _, err := PruneChannels(m, 0.5, "l1", nil); err == nil || !strings.Contains(err.Error(), `the layer "s" shares the weights of "d"`) {
		t.Error(err)
	}
	if _, _, _, err := Fold(m); err == nil || !strings.Contains(err.Error(), `follows a layer "shared", which has no weight`) {
		t.Error(err)
	}
}
