package learn

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// The two models of docs/benchmarks.md: widths of the layers, batch, rows.
var benchModels = map[string]struct {
	widths      []int
	batch, rows int
}{
	"64-128-64-10": {[]int{64, 128, 64, 10}, 64, 64 * 600},
	"784-256-10":   {[]int{784, 256, 10}, 128, 128 * 150},
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
		g, info := benchGraph(b, m.widths)
		d := blobs(m.rows, m.widths[0], 10)
		config := Config{Loss: "cross_entropy", Batch: m.batch, Shuffle: true, Optimizer: Optimizer{Type: "adam", LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}}
		b.Run(name+"/hand", func(b *testing.B) {
			h := newHand(b, info, m.widths, m.batch)
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
	state   []*tensors.Tensor // weight, bias of each layer, then m, then v of each
	widths  []int
	batch   int
	step    int
}

func newHand(b *testing.B, info *graph.Info, widths []int, batch int) *hand {
	h := &hand{session: session(b), widths: widths, batch: batch}
	params := Init(info, 1)
	var zeros []*tensors.Tensor
	for i := range widths[1:] {
		ps := params[string(rune('a'+i))]
		for _, n := range []string{"weight", "bias"} {
			h.state = append(h.state, mlx.Tensor(ps[n].Float32s(), ps[n].Shape...))
			zeros = append(zeros, mlx.Zeros(ps[n].Shape...), mlx.Zeros(ps[n].Shape...))
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
	x, y, t, state := args[0], args[1], args[2], args[3:]
	n := 2 * (len(h.widths) - 1)
	params := state[:n]
	for i := 0; i < n; i += 2 {
		x = Add(MatMul(x, params[i]), ExpandDims(params[i+1], 0))
		if i+2 < n {
			x = Max(x, ScalarZero(x.Graph(), dtypes.Float32))
		}
	}
	loss := ReduceAllMean(Neg(ReduceSum(Mul(OneHot(y, h.widths[len(h.widths)-1], dtypes.Float32), LogSoftmax(x, -1)), -1)))
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

func (h *hand) epoch(b *testing.B, d *dataset.Data) {
	order := mlx.NewRandom(1, "x").Permutation(d.Rows)
	for at := 0; at+h.batch <= len(order); at += h.batch {
		h.step++
		x := make([]float32, 0, h.batch*d.Width)
		y := make([]int32, 0, h.batch)
		for _, r := range order[at : at+h.batch] {
			x = append(x, d.Features[r*d.Width:(r+1)*d.Width]...)
			y = append(y, d.Classes[r])
		}
		args := []any{tensors.FromFlatDataAndDimensions(x, h.batch, d.Width), tensors.FromFlatDataAndDimensions(y, h.batch), float32(h.step)}
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
			g, info := benchGraph(b, m.widths)
			d := blobs(m.batch*30, m.widths[0], 10)
			config := Config{Loss: "cross_entropy", Batch: m.batch, Shuffle: true, Optimizer: Optimizer{Type: "adam", LR: 1e-3, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8}}
			h := newHand(b, info, m.widths, m.batch)
			tr, err := NewTrainer(session(b), g, info, config, d, &State{Params: Init(info, 1)}, nil)
			if err != nil {
				b.Fatal(err)
			}
			hand, ours := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			for b.Loop() {
				begin := time.Now()
				h.epoch(b, d)
				hand = min(hand, time.Since(begin))
				begin = time.Now()
				if _, err := tr.Epoch(context.Background(), func(int, int, float64) {}); err != nil {
					b.Fatal(err)
				}
				ours = min(ours, time.Since(begin))
			}
			b.ReportMetric(float64(ours)/float64(hand), "ratio")
			b.ReportMetric(hand.Seconds()*1000/30, "hand-ms/step")
			b.ReportMetric(ours.Seconds()*1000/30, "mbuild-ms/step")
		})
	}
}
