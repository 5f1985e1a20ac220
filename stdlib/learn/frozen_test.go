package learn

import (
	"slices"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/graph"
	lower "mbuild.dev/mbuild/stdlib/graph/mlx"
)

// products counts what a training step computes: the matrix products that its outputs depend on, and how many gathers and scatters.
func products(t *testing.T, g *graph.Graph, info *graph.Info, c Config) (matmul, scatter int) {
	t.Helper()
	p, err := NewProgram(session(t), g, info, &c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	err = mlx.Try(func() error {
		ng := NewGraph(p.session.Backend, "step")
		arg := func(name string, dtype dtypes.DType, dims ...int) *Node {
			return Parameter(ng, name, shapes.Make(dtype, dims...))
		}
		f := &feed{y: target{label: arg("y", dtypes.Int32, 4)}, scalars: arg("s", dtypes.Float32, scalarSize), masks: map[string]*Node{}}
		for _, in := range g.Inputs {
			dtype := dtypes.Float32
			if in.DType == graph.I32 {
				dtype = dtypes.Int32
			}
			f.x = append(f.x, arg("x/"+in.Name, dtype, append([]int{4}, in.Shape...)...))
		}
		var state []*Node
		for _, sl := range p.slots {
			state = append(state, arg(sl.layer+"/"+sl.param+sl.moment, dtypes.Float32, sl.shape...))
		}
		d := p.differentiate(f, state)
		next := p.update(f.scalars, d.grads, lower.Values{}, make([]*Node, len(p.slots)), state)
		seen := map[*Node]bool{}
		var walk func(n *Node)
		walk = func(n *Node) {
			if seen[n] {
				return
			}
			seen[n] = true
			switch n.Type() {
			case NodeTypeDotGeneral, NodeTypeFusedDense:
				matmul++
			case NodeTypeScatterSum:
				scatter++
			}
			for _, in := range n.Inputs() {
				walk(in)
			}
		}
		walk(d.loss)
		for i, n := range next {
			if p.slots[i].live {
				walk(n)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return matmul, scatter
}

// TestFrozenIsNotComputed: a step has no products for the gradient of what is frozen, and none that go back below the lowest layer
// that is trained. Each of n dense layers costs a product forward, one for the gradient of its weight, and one for that of its
// input where something below is trained.
func TestFrozenIsNotComputed(t *testing.T) {
	g := &graph.Graph{Inputs: []graph.Input{{Name: "ids", Shape: []int{5}, DType: graph.I32, Scale: 1}}, Layers: []graph.Layer{
		{Name: "tokens", Op: "embedding", Attrs: map[string]any{"vocabulary": int64(10), "units": int64(8)}},
		{Name: "pool", Op: "sequence_pool", Attrs: map[string]any{"mode": "mean"}},
	}}
	for _, name := range []string{"a", "b", "c", "d"} {
		g.Layers = append(g.Layers, graph.Layer{Name: name, Op: "dense", Attrs: map[string]any{"units": int64(8), "activation": "tanh"}})
	}
	g.Connect()
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	base := Config{Loss: "cross_entropy", Batch: 4, Optimizer: Optimizer{Type: "adamw", LR: 0.1, Beta1: 0.9, Beta2: 0.9}}
	for _, c := range []struct {
		what            string
		change          func(c *Config)
		matmul, scatter int
	}{
		{"all is trained", func(*Config) {}, 4 + 4 + 4, 1},
		{"embedding frozen", func(c *Config) { c.Groups = []Group{{Match: []string{"tokens"}, Freeze: true}} }, 4 + 4 + 3, 0},
		{"and the lower half", func(c *Config) { c.Groups = []Group{{Match: []string{"tokens", "a", "b"}, Freeze: true}} }, 4 + 2 + 1, 0},
		{"all but the last", func(c *Config) { c.Only = []string{"d"} }, 4 + 1, 0},
		{"only a bias of the first", func(c *Config) { c.Only = []string{"a/bias"} }, 4 + 3, 0},
	} {
		config := base
		c.change(&config)
		if matmul, scatter := products(t, g, info, config); matmul != c.matmul || scatter != c.scatter {
			t.Errorf("%s: %d matrix products and %d scatters, want %d and %d", c.what, matmul, scatter, c.matmul, c.scatter)
		}
		live := 0
		for _, sl := range layout(g, info, &config) {
			if sl.live {
				live++
			} else if sl.moment != "" {
				t.Errorf("%s: %s/%s is frozen and has a moment %q", c.what, sl.layer, sl.param, sl.moment)
			}
		}
		trained := 0
		for layer, li := range info.Layers {
			for _, p := range li.Params {
				if config.Trains(layer, p.Name) {
					trained++
				}
			}
		}
		if live != 3*trained { // itself and two moments
			t.Errorf("%s: %d live tensors for %d that are trained", c.what, live, trained)
		}
	}
}

// TestOnly: what Only does not name stays to the bit, whatever groups say of it, and Changed is what it names.
func TestOnly(t *testing.T) {
	g, info := mlp(t, 8, 16, 4)
	d := blobs(64, 8, 4)
	c := Config{Loss: "cross_entropy", Batch: 16, Only: []string{"*/bias"}, Optimizer: Optimizer{Type: "sgd", LR: 0.1},
		Groups: []Group{{Match: []string{"*"}, LRScale: pointer(2)}}}
	begin := &State{Params: Init(info, 1)}
	after, _ := run(t, g, info, c, d, begin, 1)
	for layer, ps := range after.Params {
		for name, p := range ps {
			if same := slices.Equal(p.Data, begin.Params[layer][name].Data); same != (name != "bias") {
				t.Errorf("%s/%s: unchanged is %v", layer, name, same)
			}
		}
	}
	tr, err := NewTrainer(session(t), g, info, c, d, begin, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := tr.Changed()
	if err != nil {
		t.Fatal(err)
	}
	for layer, ps := range s.Params {
		if len(ps) != 1 || ps["bias"] == nil {
			t.Errorf("layer %s has changed in %v", layer, ps)
		}
	}
	// a program of all parameters is another
	c.Only = nil
	ps := &Programs{}
	for _, only := range [][]string{nil, {"*/bias"}} {
		c.Only = only
		tr, err := NewTrainer(session(t), g, info, c, d, begin, ps)
		if err != nil {
			t.Fatal(err)
		}
		live := 0
		for _, sl := range tr.slots {
			if sl.live {
				live++
			}
		}
		if want := map[bool]int{true: len(tr.slots), false: len(tr.slots) / 2}[only == nil]; live != want {
			t.Errorf("only %v: %d tensors are live, want %d", only, live, want)
		}
	}
}
