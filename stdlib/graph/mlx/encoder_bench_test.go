package mlx

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
)

// encoder are the sizes of an encoder: blocks with the norm behind, token and position embeddings, a mask, mean pooling.
type encoder struct{ rows, length, units, heads, inner, vocabulary, blocks int }

var (
	smallEncoder  = encoder{16, 64, 128, 4, 512, 1000, 2}
	miniLMEncoder = encoder{16, 128, 384, 12, 1536, 1000, 6} // of MiniLM but for the vocabulary
)

func (c encoder) sample(t testing.TB) sample {
	l := graphtest.Layer
	layers := []graph.Layer{l("embedding", "tokens", "vocabulary", c.vocabulary, "units", c.units, "inputs", "ids"), l("position_embedding", "positions", "positions", c.length), l("layer_norm", "x0")}
	x := "x0"
	for i := range c.blocks {
		n := func(s string) string { return string(rune('a'+i)) + s }
		layers = append(layers, l("dense", n("q"), "units", c.units, "inputs", x), l("dense", n("k"), "units", c.units, "inputs", x), l("dense", n("v"), "units", c.units, "inputs", x),
			l("attention", n("attention"), "heads", c.heads, "inputs", n("q")+" "+n("k")+" "+n("v")+" mask"), l("dense", n("out"), "units", c.units), l("add", n("s"), "inputs", x+" "+n("out")), l("layer_norm", n("n")),
			l("dense", n("inner"), "units", c.inner, "activation", "gelu_tanh"), l("dense", n("outer"), "units", c.units), l("add", n("t"), "inputs", n("n")+" "+n("outer")), l("layer_norm", n("x")))
		x = n("x")
	}
	layers = append(layers, l("sequence_pool", "pool", "mode", "mean", "inputs", x+" mask"), l("dense", "logits", "units", 2))
	return fill(t, "encoder", c.rows, graphtest.Tokens(c.length, 0, layers...))
}

// encoderForward is the lowering, over ids, mask and parameters in the order of the graph.
func encoderForward(s sample) func(args []*Node) *Node {
	return func(args []*Node) *Node {
		l := &Lowering{Graph: s.model.Graph, Train: true, Params: Values{}}
		inputs, params := map[string]*Node{}, args[len(s.model.Graph.Inputs):]
		for i, in := range s.model.Graph.Inputs {
			inputs[in.Name] = args[i]
		}
		for _, w := range encoderWeights(s) {
			if l.Params[w.layer] == nil {
				l.Params[w.layer] = map[string]*Node{}
			}
			l.Params[w.layer][w.param], params = params[0], params[1:]
		}
		return l.Forward(inputs)[0]
	}
}

func encoderWeights(s sample) []weight {
	var ws []weight
	for _, l := range s.model.Graph.Layers {
		for _, p := range s.model.Info.Layers[l.Name].Params {
			ws = append(ws, weight{l.Name, p.Name})
		}
	}
	return ws
}

// encoderByHand is the same as one writes it for GoMLX.
func (c encoder) byHand(args []*Node) *Node {
	ids, mask, params := args[0], args[1], args[2:]
	next := func() *Node {
		p := params[0]
		params = params[1:]
		return p
	}
	vector := func(n int) *Node { return Reshape(next(), 1, 1, n) }
	norm := func(x *Node) *Node {
		centred := Sub(x, ReduceAndKeep(x, ReduceMean, 2))
		x = Div(centred, Sqrt(AddScalar(ReduceAndKeep(Square(centred), ReduceMean, 2), 1e-5)))
		return Add(Mul(x, vector(c.units)), vector(c.units))
	}
	dense := func(x *Node, units int) *Node { // of matrices, whose gradient is faster on XLA
		y := MatMul(Reshape(x, c.rows*c.length, -1), next())
		return Add(Reshape(y, c.rows, c.length, units), vector(units))
	}
	m := ConvertDType(mask, dtypes.Float32)
	bias := Reshape(MulScalar(AddScalar(m, -1), 1e9), c.rows, 1, 1, c.length)
	x := Gather(next(), ExpandDims(ids, -1))
	x = norm(Add(x, ExpandDims(next(), 0)))
	for range c.blocks {
		split := func(y *Node) *Node {
			return Reshape(y, c.rows, c.length, c.heads, c.units/c.heads)
		}
		q, k, v := split(dense(x, c.units)), split(dense(x, c.units)), split(dense(x, c.units))
		scores := DotGeneral(MulScalar(q, 1/math.Sqrt(float64(c.units/c.heads))), []int{3}, []int{0, 2}, k, []int{3}, []int{0, 2})
		y := DotGeneral(Softmax(Add(scores, bias), -1), []int{3}, []int{0, 1}, v, []int{1}, []int{0, 2})
		y = Reshape(TransposeAllDims(y, 0, 2, 1, 3), c.rows, c.length, c.units)
		x = norm(Add(x, dense(y, c.units)))
		y = dense(x, c.inner)
		y = Mul(y, Sigmoid(Mul(y, AddScalar(MulScalar(Square(y), 0.044715*1.5957691216057308), 1.5957691216057308))))
		x = norm(Add(x, dense(y, c.units)))
	}
	sum := ReduceSum(Mul(x, ExpandDims(m, -1)), 1)
	pool := Div(sum, Max(ReduceAndKeep(m, ReduceSum, 1), Scalar(x.Graph(), dtypes.Float32, 1e-9)))
	w := next()
	return Add(MatMul(pool, w), Reshape(next(), 1, 2))
}

// encoderStep is a step of gradient descent.
func encoderStep(forward func(args []*Node) *Node) func(args []*Node) []*Node {
	return func(args []*Node) []*Node {
		y, args := args[0], args[1:]
		loss := ReduceAllMean(Neg(ReduceSum(Mul(OneHot(y, 2, dtypes.Float32), LogSoftmax(forward(args), -1)), -1)))
		out := []*Node{loss}
		for i, g := range Gradient(loss, args[2:]...) {
			out = append(out, Sub(args[2+i], MulScalar(g, 0.01)))
		}
		return out
	}
}

func (c encoder) args(s sample) (fixed, params []*tensors.Tensor) {
	classes := make([]int32, c.rows)
	for i := range classes {
		classes[i] = int32(i % 2)
	}
	fixed = append(fixed, tensors.FromFlatDataAndDimensions(classes, c.rows))
	for _, in := range s.model.Graph.Inputs {
		fixed = append(fixed, Input(&in, s.inputs[in.Name], c.rows))
	}
	for _, w := range encoderWeights(s) {
		p := s.model.Params[w.layer][w.param]
		params = append(params, mlx.Tensor(p.Float32s(), p.Shape...))
	}
	return fixed, params
}

// TestEncoderNodes: a training step of an encoder has no node more than the one written by hand, and computes the same. On XLA's CPU it has more,
// which lay values out (ADR 72), and computes the same.
func TestEncoderNodes(t *testing.T) {
	c := smallEncoder
	s := c.sample(t)
	count := func(forward func(args []*Node) *Node) (nodes int, loss float32) {
		fixed, params := c.args(s)
		var args []any
		for _, a := range append(fixed, params...) {
			args = append(args, a)
		}
		out, err := ExecOnceN(session(t).Backend, func(args []*Node) []*Node {
			out := encoderStep(forward)(args)
			nodes = len(args[0].Graph().Nodes())
			return out
		}, args...)
		if err != nil {
			t.Fatal(err)
		}
		return nodes, tensors.ToScalar[float32](out[0])
	}
	hand, want := count(c.byHand)
	lowered, got := count(encoderForward(s))
	if lowered > hand && !mlx.IsXLACPU(session(t).Backend) {
		t.Errorf("%d nodes, by hand %d", lowered, hand)
	}
	if math.Abs(float64(got-want)) > 1e-5 {
		t.Errorf("loss %g, by hand %g", got, want)
	}
}

// BenchmarkEncoderStep compares a training step of the encoder with the one written by hand, by turns.
func BenchmarkEncoderStep(b *testing.B) {
	b.Run("small", func(b *testing.B) { smallEncoder.bench(b) })
	b.Run("minilm", func(b *testing.B) { miniLMEncoder.bench(b) })
}

func (c encoder) bench(b *testing.B) {
	s := c.sample(b)
	step := func(forward func(args []*Node) *Node) func() {
		ses := session(b)
		exec, err := NewExec(ses.Backend, encoderStep(forward))
		if err != nil {
			b.Fatal(err)
		}
		fixed, params := c.args(s)
		return func() {
			var args []any
			for _, f := range fixed {
				args = append(args, f)
			}
			for _, p := range params {
				buf, err := ses.Donate(p)
				if err != nil {
					b.Fatal(err)
				}
				args = append(args, buf)
			}
			out, err := exec.Call(args...)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := mlx.Values(out[0]); err != nil {
				b.Fatal(err)
			}
			params = out[1:]
		}
	}
	turns(b, step(c.byHand), step(encoderForward(s)))
}
