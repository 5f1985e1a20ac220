package mlx

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// scene is a model in training: its output weighed with fixed numbers is a loss.
type scene struct {
	sample
	session   *mlx.Session
	trainable []weight
	others    []weight
	mask      map[string][]float32 // by dropout layer
	drops     []string             // these layers
	floats    []string             // inputs that have a gradient
	compiled  map[bool]*Exec       // with gradients, and without
}

func newScene(s sample, session *mlx.Session) *scene {
	c := &scene{sample: s, session: session, mask: map[string][]float32{}, compiled: map[bool]*Exec{}}
	for _, in := range s.model.Graph.Inputs {
		if in.DType == graph.F32 {
			c.floats = append(c.floats, in.Name)
		}
	}
	for _, l := range s.model.Graph.Layers {
		for _, p := range s.model.Info.Layers[l.Name].Params {
			if p.Trainable {
				c.trainable = append(c.trainable, weight{l.Name, p.Name})
			} else {
				c.others = append(c.others, weight{l.Name, p.Name})
			}
		}
		if rate, shape := l.Dropout(s.model.Info.Layers[l.Name]); rate > 0 {
			c.drops = append(c.drops, l.Name)
			r := mlx.NewRandom(1, "mask")
			for range s.rows * graph.Size(shape) {
				c.mask[l.Name] = append(c.mask[l.Name], float32(r.Below(2)*2))
			}
		}
	}
	return c
}

// weights are all parameters, the trainable ones first.
func (c *scene) weights() []weight { return slices.Concat(c.trainable, c.others) }

// build makes the computation of the loss, its gradients by trainable parameter and then by input of floats where they are asked
// for, and the new running statistics.
func (c *scene) build(gradients bool) func([]*Node) []*Node {
	g := c.model.Graph
	return func(args []*Node) []*Node {
		l := &Lowering{Graph: g, Params: Values{}, Train: true, Masks: map[string]*Node{}}
		inputs := map[string]*Node{}
		for i, in := range g.Inputs {
			inputs[in.Name] = args[i]
		}
		for i, name := range c.drops {
			l.Masks[name] = args[len(g.Inputs)+i]
		}
		wrt := []*Node{}
		for i, w := range c.weights() {
			if l.Params[w.layer] == nil {
				l.Params[w.layer] = map[string]*Node{}
			}
			n := args[len(g.Inputs)+len(c.drops)+i]
			l.Params[w.layer][w.param] = n
			if i < len(c.trainable) {
				wrt = append(wrt, n)
			}
		}
		loss := ScalarZero(args[0].Graph(), dtypes.Float32)
		for _, y := range l.Forward(inputs) {
			weights := MulScalar(Sin(IotaFull(y.Graph(), y.Shape())), 0.5)
			loss = Add(loss, ReduceAllSum(Mul(y, AddScalar(weights, 0.75))))
		}
		res := []*Node{loss}
		if gradients {
			for _, name := range c.floats {
				wrt = append(wrt, inputs[name])
			}
			if len(wrt) > 0 {
				res = append(res, Gradient(loss, wrt...)...)
			}
		}
		for _, w := range c.others {
			res = append(res, l.Stats[w.layer][w.param])
		}
		return res
	}
}

// run computes what build says, with the parameters and inputs as they are now.
func (c *scene) run(t *testing.T, gradients bool) (loss float64, grads [][]float32, stats map[string][]float32) {
	t.Helper()
	exec := c.compiled[gradients]
	if exec == nil {
		var err error
		if exec, err = NewExec(c.session.Backend, c.build(gradients)); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		c.compiled[gradients] = exec
	}
	var args []any
	for i := range c.model.Graph.Inputs {
		in := &c.model.Graph.Inputs[i]
		args = append(args, Input(in, c.inputs[in.Name], c.rows))
	}
	for _, name := range c.drops {
		_, shape := c.model.Graph.Layer(name).Dropout(c.model.Info.Layers[name])
		args = append(args, mlx.Tensor(c.mask[name], append([]int{c.rows}, shape...)...))
	}
	for _, w := range c.weights() {
		p := c.model.Params[w.layer][w.param]
		args = append(args, mlx.Tensor(p.Float32s(), p.Shape...))
	}
	out, err := exec.Call(args...)
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	stats = map[string][]float32{}
	for i, o := range out {
		v, err := mlx.Values(o)
		if err != nil {
			t.Fatal(err)
		}
		switch k := len(out) - len(c.others); {
		case i == 0:
			loss = float64(v[0])
		case i < k:
			grads = append(grads, v)
		default:
			stats[c.others[i-k].layer+"/"+c.others[i-k].param] = v
		}
	}
	return loss, grads, stats
}

// close gives compiled code back.
func (c *scene) close() {
	for _, e := range c.compiled {
		e.Finalize()
	}
}

// trains reports that a sample can be trained.
func trains(s sample) bool {
	return !slices.ContainsFunc(s.model.Graph.Layers, func(l graph.Layer) bool { return l.Quant != "" || l.Store != "" })
}

// TestGradients compares the gradient of every op and activation with central differences, along a random direction of each
// parameter and of the input: (f(x+hd) - f(x-hd)) / 2h is grad · d. A direction has all elements in one number, so that no
// element is left out and the difference stands well above the rounding of float32.
func TestGradients(t *testing.T) {
	const h = 1e-2
	tested, ops := 0, map[string]bool{}
	for _, s := range samples(t) {
		if !trains(s) {
			continue
		}
		c := newScene(s, session(t))
		if len(c.trainable)+len(c.floats) == 0 {
			continue
		}
		tested++
		for _, l := range s.model.Graph.Layers {
			ops[l.Op] = true
		}
		// away from where relu and its like have no derivative
		for _, name := range c.floats {
			for i, v := range s.inputs[name] {
				if math.Abs(float64(v)) < 0.2 {
					s.inputs[name][i] = float32(math.Copysign(0.2, float64(v)))
				}
			}
		}
		_, grads, _ := c.run(t, true)
		targets := [][]float32{}
		for _, w := range c.trainable {
			targets = append(targets, c.model.Params[w.layer][w.param].Float32s())
		}
		for _, name := range c.floats {
			targets = append(targets, c.inputs[name])
		}
		for i, x := range targets {
			r := mlx.NewRandom(9, "direction")
			d := make([]float64, len(x))
			norm, slope, size := 0.0, 0.0, 0.0
			for j := range d {
				d[j] = r.Normal()
				norm += d[j] * d[j]
			}
			norm = math.Sqrt(norm)
			for j := range d {
				slope += float64(grads[i][j]) * d[j] / norm
				size += float64(grads[i][j]) * float64(grads[i][j])
			}
			was := append([]float32(nil), x...)
			at := func(h float64) float64 {
				for j := range x {
					x[j] = was[j] + float32(h*d[j]/norm)
				}
				l, _, _ := c.run(t, false)
				copy(x, was)
				return l
			}
			want := (at(h) - at(-h)) / (2 * h)
			if math.Abs(slope-want) > 1e-2*(math.Sqrt(size)+0.1) {
				t.Errorf("%s, target %d of %d: slope %g by gradient, %g by differences (gradient of size %g)", c.name, i, len(targets), slope, want, math.Sqrt(size))
			}
			if size == 0 && !(strings.HasSuffix(c.name, "_of_one") && i == 1) { // one step of a recurrent layer takes no state
				t.Errorf("%s, target %d: no gradient at all", c.name, i)
			}
		}
		c.close()
	}
	if tested < len(graph.Activations)+6 {
		t.Errorf("only %d models tested", tested)
	}
	for op := range graph.Ops {
		if !ops[op] {
			t.Errorf("op %s is in no model whose gradient is tested", op)
		}
	}
}

// TestBatchNormTraining computes batch statistics, their use and the running ones by hand: over batch and middle axes.
func TestBatchNormTraining(t *testing.T) {
	l := layer("batch_norm", "b", "momentum", 0.75, "epsilon", 1e-3)
	g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{3, 2}, DType: graph.F32, Scale: 1}}, Layers: []graph.Layer{l}}
	s := fill(t, "batch_norm", 5, g)
	c := newScene(s, session(t))
	got, _, stats := c.run(t, false)
	ps := s.model.Params["b"]
	want := 0.0
	for f := range 2 {
		var mean, variance float64
		for i := f; i < 30; i += 2 {
			mean += float64(s.inputs["x"][i]) / 15
		}
		for i := f; i < 30; i += 2 {
			variance += math.Pow(float64(s.inputs["x"][i])-mean, 2) / 15
		}
		for i := f; i < 30; i += 2 {
			y := (float64(s.inputs["x"][i])-mean)/math.Sqrt(variance+1e-3)*float64(ps["gamma"].Float32s()[f]) + float64(ps["beta"].Float32s()[f])
			want += y * (0.75 + math.Sin(float64(i))/2)
		}
		for name, batch := range map[string]float64{"mean": mean, "variance": variance} {
			running := 0.75*float64(ps[name].Float32s()[f]) + 0.25*batch
			if math.Abs(float64(stats["b/"+name][f])-running) > 1e-6 {
				t.Errorf("running %s %d is %g, want %g", name, f, stats["b/"+name][f], running)
			}
		}
	}
	if math.Abs(got-want) > 1e-4 {
		t.Errorf("the weighed output is %g, want %g", got, want)
	}
}

// TestDropout: in training the mask multiplies; in inference the layer does nothing, which TestForward holds.
func TestDropout(t *testing.T) {
	g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{3}, DType: graph.F32, Scale: 1}}, Layers: []graph.Layer{layer("dropout", "d", "rate", 0.5)}}
	s := sample{name: "dropout", rows: 2, inputs: map[string][]float32{"x": {1, 2, 3, 4, 5, 6}}}
	g.Connect()
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	s.model = &bundle.Model{Graph: g, Info: info}
	c := newScene(s, session(t))
	c.mask["d"] = []float32{2, 0, 0, 0, 2, 2}
	_, grads, _ := c.run(t, true)
	got, _, _ := c.run(t, false)
	want := 0.0
	for i, m := range c.mask["d"] {
		w := 0.75 + math.Sin(float64(i))/2
		want += w * float64(m) * float64(s.inputs["x"][i])
		if math.Abs(float64(grads[0][i])-w*float64(m)) > 1e-6 {
			t.Errorf("gradient %d is %g, want %g", i, grads[0][i], w*float64(m))
		}
	}
	if math.Abs(got-want) > 1e-5 {
		t.Errorf("the weighed output is %g, want %g", got, want)
	}
}

// TestAttentionDropout: in training the mask multiplies the weights that softmax gives, of each head, query and key; against plain
// loops. In inference it does nothing, which TestForward holds.
func TestAttentionDropout(t *testing.T) {
	const rows, length, heads, d = 2, 3, 2, 2
	g := &graph.Graph{Layers: []graph.Layer{{Name: "a", Op: "attention", Inputs: []string{"q", "k", "v"}, Attrs: map[string]any{"heads": int64(heads), "dropout": 0.5}}}}
	s := sample{name: "attention", rows: rows, inputs: map[string][]float32{}}
	r := mlx.NewRandom(3, "attention")
	for _, name := range []string{"q", "k", "v"} {
		g.Inputs = append(g.Inputs, graph.Input{Name: name, Shape: []int{length, heads * d}, DType: graph.F32, Scale: 1})
		for range rows * length * heads * d {
			s.inputs[name] = append(s.inputs[name], float32(r.Normal()))
		}
	}
	g.Connect()
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	s.model = &bundle.Model{Graph: g, Info: info}
	c := newScene(s, session(t))
	if len(c.mask["a"]) != rows*heads*length*length {
		t.Fatalf("a mask of %d", len(c.mask["a"]))
	}
	got, _, _ := c.run(t, false)
	at := func(name string, row, p, h, i int) float64 {
		return float64(s.inputs[name][((row*length+p)*heads+h)*d+i])
	}
	want := 0.0
	for row := range rows {
		for h := range heads {
			for p := range length {
				w, sum := make([]float64, length), 0.0
				for k := range w {
					dot := 0.0
					for i := range d {
						dot += at("q", row, p, h, i) * at("k", row, k, h, i)
					}
					w[k] = math.Exp(dot / math.Sqrt(d))
					sum += w[k]
				}
				for i := range d {
					y := 0.0
					for k := range w {
						y += w[k] / sum * float64(c.mask["a"][((row*heads+h)*length+p)*length+k]) * at("v", row, k, h, i)
					}
					want += y * (0.75 + math.Sin(float64(((row*length+p)*heads+h)*d+i))/2)
				}
			}
		}
	}
	if math.Abs(got-want) > 1e-5 {
		t.Errorf("the weighed output is %g, want %g", got, want)
	}
}
