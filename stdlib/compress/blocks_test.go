package compress

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// stack is an encoder of n blocks over tokens, with norms behind the sums or, as decoders have them, in front.
func stack(n int, pre bool) *graph.Graph {
	g := &graph.Graph{Inputs: []graph.Input{{Name: "ids", Shape: []int{5}, DType: graph.I32, Scale: 1}, {Name: "mask", Shape: []int{5}, DType: graph.I32, Scale: 1}}}
	last := "ids"
	add := func(op, name string, inputs []string, attrs map[string]any) {
		if inputs == nil {
			inputs = []string{last}
		}
		g.Layers = append(g.Layers, graph.Layer{Name: name, Op: op, Inputs: inputs, Attrs: attrs})
		last = name
	}
	units := map[string]any{"units": int64(8)}
	add("embedding", "tokens", nil, map[string]any{"vocabulary": int64(11), "units": int64(8)})
	for i := range n {
		b, in := fmt.Sprintf("layer%d_", i), last
		if pre {
			add("layer_norm", b+"attention_norm", nil, nil)
		}
		x := last
		for _, part := range []string{"query", "key", "value"} {
			add("dense", b+part, []string{x}, units)
		}
		add("attention", b+"attention", []string{b + "query", b + "key", b + "value", "mask"}, map[string]any{"heads": int64(2)})
		add("add", b+"sum", []string{last, in}, nil)
		if !pre {
			add("layer_norm", b+"norm", nil, nil)
		}
	}
	add("sequence_pool", "pool", []string{last, "mask"}, map[string]any{"mode": "mean"})
	add("dense", "classifier", nil, map[string]any{"units": int64(3)})
	return g
}

// TestDropBlocks: the blocks that a strategy leaves are there under new numbers with the weights they had, and all else is as it was:
// the result computes what a model computes that was made of those blocks.
func TestDropBlocks(t *testing.T) {
	for _, c := range []struct {
		d    Drop
		want []int
	}{
		{Drop{Count: 3, Strategy: "top"}, []int{0, 1, 2}},
		{Drop{Count: 2, Strategy: "bottom"}, []int{4, 5}},
		{Drop{Count: 3, Strategy: "middle"}, []int{0, 1, 5}},
		{Drop{Count: 4, Strategy: "middle"}, []int{0, 1, 4, 5}},
		{Drop{Count: 3, Strategy: "alternate"}, []int{0, 2, 4}},
		{Drop{Count: 4, Strategy: "alternate"}, []int{0, 1, 3, 4}},
		{Drop{Keep: []int{5, 1}}, []int{1, 5}},
	} {
		for _, pre := range []bool{false, true} {
			m := filled(t, stack(6, pre))
			got, kept, err := DropBlocks(m, c.d)
			if err != nil || !slices.Equal(kept, c.want) {
				t.Errorf("%+v: %v, %v", c.d, kept, err)
				continue
			}
			want := filled(t, stack(len(c.want), pre))
			for name := range want.Params {
				if n, rest, ok := graph.Block(name); ok {
					want.Params[name] = m.Params[fmt.Sprintf("layer%d%s", c.want[n], rest)]
				} else {
					want.Params[name] = m.Params[name]
				}
			}
			if !slices.EqualFunc(got.Graph.Layers, want.Graph.Layers, func(a, b graph.Layer) bool { return a.Name == b.Name && slices.Equal(a.Inputs, b.Inputs) }) {
				t.Errorf("%+v: layers %+v", c.d, got.Graph.Layers)
			}
			if err := got.Check(); err != nil {
				t.Error(err)
			}
			if d := distance(t, outputs(t, got), outputs(t, want)); d != 0 {
				t.Errorf("%+v: off by %g", c.d, d)
			}
			if got.Info.FLOPs >= m.Info.FLOPs {
				t.Errorf("%+v: %d operations of %d", c.d, got.Info.FLOPs, m.Info.FLOPs)
			}
		}
	}
}

func TestDropBlocksRefused(t *testing.T) {
	change := func(f func(g *graph.Graph)) *bundle.Model {
		g := stack(3, false)
		f(g)
		return filled(t, g)
	}
	plain := func(*graph.Graph) {}
	for _, c := range []struct {
		m    *bundle.Model
		d    Drop
		want string
	}{
		{change(plain), Drop{Count: 3}, "blocks is 3, and the model has 3: of those 1 to 2 may stay"},
		{change(plain), Drop{Keep: []int{3}}, "keep has 3, and the model has the blocks 0 to 2"},
		{change(plain), Drop{Keep: []int{1, 1}}, "keep has 1 twice"},
		{change(plain), Drop{Keep: []int{2, 1, 0}}, "keep has all 3 blocks of the model"},
		{filled(t, stack(1, false)), Drop{Count: 1}, "the model has 1 blocks"},
		{change(func(g *graph.Graph) { g.Outputs = []string{"classifier", "layer1_sum"} }), Drop{Count: 1}, `block 1 gives "layer1_norm" and "layer1_sum"`},
		{change(func(g *graph.Graph) {
			for i := range g.Layers {
				if strings.HasPrefix(g.Layers[i].Name, "layer1_") {
					g.Layers[i].Name = strings.Replace(g.Layers[i].Name, "layer1_", "middle_", 1)
				}
				for j, in := range g.Layers[i].Inputs {
					g.Layers[i].Inputs[j] = strings.Replace(in, "layer1_", "middle_", 1)
				}
			}
		}), Drop{Count: 1}, `there is a layer "layer2_query", and none of block 1`},
	} {
		if _, _, err := DropBlocks(c.m, c.d); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
	wide := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{4}, DType: graph.F32, Scale: 1}}, Layers: []graph.Layer{
		{Name: "layer0_a", Op: "dense", Attrs: map[string]any{"units": int64(6)}}, {Name: "layer1_a", Op: "dense", Attrs: map[string]any{"units": int64(6)}}, {Name: "end", Op: "dense", Attrs: map[string]any{"units": int64(2)}}}}
	if _, _, err := DropBlocks(filled(t, wide), Drop{Count: 1}); err == nil || !strings.Contains(err.Error(), "block 0 takes [batch, 4] and gives [batch, 6]") {
		t.Error(err)
	}
}
