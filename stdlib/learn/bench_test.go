package learn

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
)

// benchModel is a model of docs/benchmarks.md, as a graph and written by hand.
type benchModel struct {
	graph        func(*testing.B) (*graph.Graph, *graph.Info)
	data         func(rows int) *dataset.Data
	forward      func(inputs, params []*Node) *Node // params in the order of the graph
	batch        int
	steps, short int // of an epoch, and of one that takes turns with others
}

var benchModels = map[string]benchModel{
	"64-128-64-10": benchMLP([]int{64, 128, 64, 10}, 64, 600),
	"784-256-10":   benchMLP([]int{784, 256, 10}, 128, 150),
	"cnn":          {graph: benchCNN, data: blobsOf(784), forward: cnnByHand, batch: 32, steps: 60, short: 16},
	"encoder":      benchEncoder(encoder{16, 64, 128, 4, 512, 1000, 2}, 16),
	"bert-tiny":    benchEncoder(encoder{16, 128, 128, 2, 512, 30522, 2}, 8),
	"minilm":       benchEncoder(encoder{16, 128, 384, 12, 1536, 30522, 6}, 2),
}

func blobsOf(width int) func(int) *dataset.Data {
	return func(rows int) *dataset.Data { return blobs(rows, width, 10) }
}

func benchMLP(widths []int, batch, steps int) benchModel {
	return benchModel{batch: batch, steps: steps, short: 256, forward: mlpByHand, data: blobsOf(widths[0]),
		graph: func(b *testing.B) (*graph.Graph, *graph.Info) { return benchGraph(b, widths) }}
}

// benchCNN is 28x28x1, 3x3x16, pool, 3x3x32, pool, dense 10.
func benchCNN(b *testing.B) (*graph.Graph, *graph.Info) {
	l := graphtest.Layer
	g := graphtest.Over([]int{28, 28, 1},
		l("conv2d", "a", "filters", 16, "kernel", 3, "padding", "same", "activation", "relu"), l("max_pool", "p", "kernel", 2),
		l("conv2d", "b", "filters", 32, "kernel", 3, "padding", "same", "activation", "relu"), l("max_pool", "q", "kernel", 2),
		l("flatten", "f"), l("dense", "o", "units", 10))
	info, err := graph.Infer(g)
	if err != nil {
		b.Fatal(err)
	}
	return g, info
}

func benchGraph(b *testing.B, widths []int) (*graph.Graph, *graph.Info) {
	g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{widths[0]}, DType: graph.F32, Scale: 1}}}
	last := "x"
	for i, w := range widths[1:] {
		l := graph.Layer{Name: string(rune('a' + i)), Op: "dense", Inputs: []string{last}, Attrs: map[string]any{"units": int64(w)}}
		if i+2 < len(widths) {
			l.Attrs["activation"] = "relu"
		}
		g.Layers = append(g.Layers, l)
		last = l.Name
	}
	g.Outputs = []string{last}
	info, err := graph.Infer(g)
	if err != nil {
		b.Fatal(err)
	}
	return g, info
}

// BenchmarkEpoch compares an epoch of the Trainer, with shuffling, feeding, metrics and the export of its state, with a loop
// over GoMLX written by hand for the same model, data and optimizer (Adam). Run both in one go and divide.
func BenchmarkEpoch(b *testing.B) {
	for name, m := range benchModels {
		g, info := m.graph(b)
		d := m.data(m.batch * m.steps)
		config := Config{Loss: "cross_entropy", Batch: m.batch, Shuffle: true, Optimizer: Optimizer{Type: "adam", LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}}
		b.Run(name+"/hand", func(b *testing.B) {
			h := newHand(b, g, info, m)
			for b.Loop() {
				h.epoch(b, d)
			}
		})
		b.Run(name+"/mbuild", func(b *testing.B) {
			tr, err := NewTrainer(session(b), g, info, config, d, &State{Params: Init(info, 1)}, nil)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := tr.Epoch(context.Background(), func(int, int, float64) {}); err != nil {
					b.Fatal(err)
				}
				if _, err := tr.State(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// hand is a training loop as one writes it for GoMLX without mbuild: tensors in, tensors out, buffers donated.
type hand struct {
	session *mlx.Session
	exec    *Exec
	state   []*tensors.Tensor // parameters, then m and v of each
	model   benchModel
	inputs  int
	step    int
}

func newHand(b *testing.B, g *graph.Graph, info *graph.Info, m benchModel) *hand {
	h := &hand{session: session(b), model: m, inputs: len(g.Inputs)}
	params := Init(info, 1)
	var zeros []*tensors.Tensor
	for _, l := range g.Layers {
		for _, p := range info.Layers[l.Name].Params {
			h.state = append(h.state, mlx.Tensor(params[l.Name][p.Name].Float32s(), p.Shape...))
			zeros = append(zeros, mlx.Zeros(p.Shape...), mlx.Zeros(p.Shape...))
		}
	}
	h.state = append(h.state, zeros...)
	var err error
	if h.exec, err = NewExec(h.session.Backend, h.build); err != nil {
		b.Fatal(err)
	}
	return h
}

func (h *hand) build(args []*Node) []*Node {
	inputs, y, t, state := args[:h.inputs], args[h.inputs], args[h.inputs+1], args[h.inputs+2:]
	n := len(state) / 3
	params := state[:n]
	x := h.model.forward(inputs, params)
	loss := ReduceAllMean(Neg(ReduceSum(Mul(OneHot(y, x.Shape().Dimensions[1], dtypes.Float32), LogSoftmax(x, -1)), -1)))
	next := append([]*Node{loss}, state...)
	c1 := Reciprocal(OneMinus(Pow(Scalar(x.Graph(), dtypes.Float32, 0.9), t)))
	c2 := Reciprocal(OneMinus(Pow(Scalar(x.Graph(), dtypes.Float32, 0.999), t)))
	for i, g := range Gradient(loss, params...) {
		m := Add(MulScalar(state[n+2*i], 0.9), MulScalar(g, 0.1))
		v := Add(MulScalar(state[n+2*i+1], 0.999), MulScalar(Square(g), 0.001))
		step := Div(Mul(m, c1), AddScalar(Sqrt(Mul(v, c2)), 1e-8))
		next[1+i], next[1+n+2*i], next[1+n+2*i+1] = Sub(params[i], MulScalar(step, 1e-3)), m, v
	}
	return next
}

func mlpByHand(inputs, params []*Node) *Node {
	x := inputs[0]
	for i := 0; i < len(params); i += 2 {
		x = Add(MatMul(x, params[i]), ExpandDims(params[i+1], 0))
		if i+2 < len(params) {
			x = Max(x, ScalarZero(x.Graph(), dtypes.Float32))
		}
	}
	return x
}

// cnnByHand is nine slices and one product, pooling by reshape, relu after it: the form that was measured to be the fastest.
func cnnByHand(inputs, params []*Node) *Node {
	x := Reshape(inputs[0], -1, 28, 28, 1)
	for i := 0; i < 4; i += 2 {
		rows, side, channels := x.Shape().Dimensions[0], x.Shape().Dimensions[1], x.Shape().Dimensions[3]
		for axis := 1; axis <= 2; axis++ {
			dims := slices.Clone(x.Shape().Dimensions)
			dims[axis] = 1
			edge := Zeros(x.Graph(), shapes.Make(dtypes.Float32, dims...))
			x = Concatenate([]*Node{edge, x, edge}, axis)
		}
		var taps []*Node
		for v := range 3 {
			for u := range 3 {
				taps = append(taps, Slice(x, AxisRange(), AxisRange(v, v+side), AxisRange(u, u+side)))
			}
		}
		filters := params[i+1].Shape().Dimensions[0]
		x = MatMul(Reshape(Concatenate(taps, -1), -1, 9*channels), Reshape(params[i], 9*channels, filters))
		x = Add(x, ExpandDims(params[i+1], 0))
		x = ReduceMax(Reshape(x, rows, side/2, 2, side/2, 2, filters), 2, 4)
		x = Max(x, ScalarZero(x.Graph(), dtypes.Float32))
	}
	return Add(MatMul(Reshape(x, x.Shape().Dimensions[0], -1), params[4]), ExpandDims(params[5], 0))
}

func (h *hand) epoch(b *testing.B, d *dataset.Data) {
	order := mlx.NewRandom(1, "x").Permutation(d.Rows)
	batch := h.model.batch
	for at := 0; at+batch <= len(order); at += batch {
		h.step++
		rows := order[at : at+batch]
		var args []any
		if d.Of != nil {
			for i := range d.Of.Inputs {
				length := d.Of.Inputs[i].Shape[0]
				args = append(args, tensors.FromFlatDataAndDimensions(d.Of.Pad(d, &d.Of.Inputs[i], rows, length), batch, length))
			}
		} else {
			x := make([]float32, 0, batch*d.Width)
			for _, r := range rows {
				x = append(x, d.Features[r*d.Width:(r+1)*d.Width]...)
			}
			args = append(args, tensors.FromFlatDataAndDimensions(x, batch, d.Width))
		}
		y := make([]int32, 0, batch)
		for _, r := range rows {
			y = append(y, d.Classes[r])
		}
		args = append(args, tensors.FromFlatDataAndDimensions(y, batch), float32(h.step))
		for _, s := range h.state {
			buf, err := h.session.Donate(s)
			if err != nil {
				b.Fatal(err)
			}
			args = append(args, buf)
		}
		out, err := h.exec.Call(args...)
		if err != nil {
			b.Fatal(err)
		}
		out[0].FinalizeAll()
		h.state = out[1:]
	}
}

// BenchmarkSegment is the fixed cost of a segment of the digits model: state out, written, read and in again, with no epoch.
func BenchmarkSegment(b *testing.B) {
	g, info := benchGraph(b, []int{64, 128, 64, 10})
	d := blobs(64, 64, 10)
	tr, err := NewTrainer(session(b), g, info, plain, d, &State{Params: Init(info, 1)}, nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := tr.State()
		if err != nil {
			b.Fatal(err)
		}
		if err := bundle.Write(b.TempDir(), &bundle.Model{Graph: g, Info: info, Params: s.Params}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRatio is BenchmarkEpoch on a machine that does other things too: short epochs of the two loops by turns, and of each
// the fastest. It reports the ratio of these, which should be at most 1.03 where a step takes a millisecond.
func BenchmarkRatio(b *testing.B) {
	for name, m := range benchModels {
		b.Run(name, func(b *testing.B) {
			g, info := m.graph(b)
			d := m.data(m.batch * m.short)
			config := Config{Loss: "cross_entropy", Batch: m.batch, Shuffle: true, Optimizer: Optimizer{Type: "adam", LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}}
			h := newHand(b, g, info, m)
			tr, err := NewTrainer(session(b), g, info, config, d, &State{Params: Init(info, 1)}, nil)
			if err != nil {
				b.Fatal(err)
			}
			h.epoch(b, d) // which compiles
			if _, err := tr.Epoch(context.Background(), nil); err != nil {
				b.Fatal(err)
			}
			hand, ours := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			turn := func() {
				begin := time.Now()
				h.epoch(b, d)
				hand = min(hand, time.Since(begin))
				begin = time.Now()
				if _, err := tr.Epoch(context.Background(), func(int, int, float64) {}); err != nil {
					b.Fatal(err)
				}
				ours = min(ours, time.Since(begin))
			}
			for range 3 { // however long they take
				turn()
			}
			for b.Loop() {
				turn()
			}
			b.ReportMetric(float64(ours)/float64(hand), "ratio")
			b.ReportMetric(hand.Seconds()*1000/float64(m.short), "hand-ms/step")
			b.ReportMetric(ours.Seconds()*1000/float64(m.short), "mbuild-ms/step")
		})
	}
}
