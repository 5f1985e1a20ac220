package learn

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
)

// encoder are the sizes of a transformer encoder with the norm behind, token and position embeddings, a mask, mean pooling, and
// two classes.
type encoder struct{ rows, length, units, heads, inner, vocabulary, blocks int }

func benchEncoder(c encoder, steps int) benchModel {
	return benchModel{graph: c.graph, data: c.data, forward: c.byHand, batch: c.rows, steps: steps, short: steps}
}

func (c encoder) graph(b *testing.B) (*graph.Graph, *graph.Info) {
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
	g := graphtest.Tokens(c.length, 0, append(layers, l("sequence_pool", "pool", "mode", "mean", "inputs", x+" mask"), l("dense", "logits", "units", 2))...)
	for i := range g.Inputs {
		g.Inputs[i].DType = graph.I32
	}
	info, err := graph.Infer(g)
	if err != nil {
		b.Fatal(err)
	}
	return g, info
}

// data are rows of the full length, so that all batches have one shape.
func (c encoder) data(rows int) *dataset.Data {
	r := mlx.NewRandom(4, "encoder")
	t := &dataset.Tokens{}
	d := &dataset.Data{Rows: rows, Tokens: map[string]*dataset.Tokens{"text": t}, Of: &dataset.Manifest{
		Sequences: []dataset.Sequence{{Name: "text", MaxLength: c.length, Lengths: []int{c.length}, VocabSize: c.vocabulary}},
		Inputs: []dataset.Input{{Name: "ids", Shape: []int{c.length}, DType: "I32", Sequence: "text", Part: dataset.PartIDs},
			{Name: "mask", Shape: []int{c.length}, DType: "I32", Sequence: "text", Part: dataset.PartMask}},
		Label: &dataset.Label{Name: "y", Kind: "class", Classes: []string{"a", "b"}}, Splits: []dataset.Split{{Name: "train", Rows: rows}}}}
	for row := range rows {
		for range c.length {
			t.IDs = append(t.IDs, int32(1+r.Below(uint64(c.vocabulary-1))))
		}
		t.Ends, d.Source, d.Classes = append(t.Ends, int64(len(t.IDs))), append(d.Source, int64(row)), append(d.Classes, int32(row%2))
	}
	return d
}

func (c encoder) byHand(inputs, params []*Node) *Node {
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
	m := ConvertDType(inputs[1], dtypes.Float32)
	bias := Reshape(MulScalar(AddScalar(m, -1), 1e9), c.rows, 1, 1, c.length)
	x := norm(Add(Gather(next(), ExpandDims(inputs[0], -1)), ExpandDims(next(), 0)))
	for range c.blocks {
		split := func(y *Node) *Node { return Reshape(y, c.rows, c.length, c.heads, c.units/c.heads) }
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
	return Add(MatMul(pool, next()), Reshape(next(), 1, 2))
}
