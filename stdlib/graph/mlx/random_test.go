package mlx

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
	"mbuild.dev/mbuild/stdlib/graph/reference"
)

// TestRandomGraphs: over random graphs, what Infer says of shapes is what the lowering gives, layer by layer, and what each
// layer computes is what the reference does.
func TestRandomGraphs(t *testing.T) {
	ops := map[string]bool{}
	for seed := range uint64(120) {
		g := graphtest.Random(rand.New(rand.NewPCG(seed, 7)), 10)
		g.Outputs = nil
		for _, l := range g.Layers {
			ops[l.Op] = true
			g.Outputs = append(g.Outputs, l.Name)
		}
		s := fill(t, fmt.Sprintf("random %d", seed), 2, g)
		want, err := reference.Forward(s.model, s.rows, s.inputs)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got := values(t, s)
		for i, name := range g.Outputs {
			shape := append([]int{s.rows}, s.model.Info.Shapes[name]...)
			if !slices.Equal(got[i].shape, shape) {
				t.Errorf("seed %d: layer %q is %v, inferred was %v", seed, name, got[i].shape, shape)
			} else if d := distance(t, got[i].values, want[i]); d > 1e-3 { // norms of what is nearly constant are steep
				t.Errorf("seed %d: layer %q (%+v) is off by %g", seed, name, g.Layers[i], d)
			}
		}
	}
	for op := range graph.Ops {
		if !ops[op] && op != "shared" {
			t.Errorf("no random graph has the op %s", op)
		}
	}
}

type value struct {
	shape  []int
	values []float32
}

// values computes every output with the shapes that the backend says it has.
func values(t *testing.T, s sample) []value {
	t.Helper()
	var args []any
	for _, in := range s.model.Graph.Inputs {
		args = append(args, Input(&in, s.inputs[in.Name], s.rows))
	}
	var names []weight
	for _, layer := range slices.Sorted(maps.Keys(s.model.Params)) {
		for param, p := range s.model.Params[layer] {
			names = append(names, weight{layer, param})
			args = append(args, mlx.Tensor(p.Float32s(), p.Shape...))
		}
	}
	out, err := ExecOnceN(session(t).Backend, func(args []*Node) []*Node {
		l := &Lowering{Graph: s.model.Graph, Params: Values{}}
		for i, n := range names {
			if l.Params[n.layer] == nil {
				l.Params[n.layer] = map[string]*Node{}
			}
			l.Params[n.layer][n.param] = args[len(s.model.Graph.Inputs)+i]
		}
		inputs := map[string]*Node{}
		for i, in := range s.model.Graph.Inputs {
			inputs[in.Name] = args[i]
		}
		return l.Forward(inputs)
	}, args...)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	var all []value
	for _, o := range out {
		v, err := mlx.Values(o)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, value{o.Shape().Dimensions, v})
	}
	return all
}
