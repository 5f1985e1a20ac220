package mlx

import (
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
)

const benchRows = 32

// benchSample is the network of docs/benchmarks.md: 28x28x1, two blocks of convolution, relu and pooling, a dense layer.
func benchSample(b *testing.B) sample {
	l := graphtest.Layer
	g := graphtest.Over([]int{28, 28, 1},
		l("conv2d", "a", "filters", 16, "kernel", 3, "padding", "same", "activation", "relu"), l("max_pool", "p", "kernel", 2),
		l("conv2d", "b", "filters", 32, "kernel", 3, "padding", "same", "activation", "relu"), l("max_pool", "q", "kernel", 2),
		l("flatten", "f"), l("dense", "o", "units", 10))
	return fill(b, "bench", benchRows, g)
}

// BenchmarkTrainingStep compares a step of gradient descent on a convolutional network, lowered, with the same step written by
// hand over GoMLX in the form that was measured to be the fastest. The two take turns, so that what else the machine does hits
// both; the smallest times are reported, and their ratio.
func BenchmarkTrainingStep(b *testing.B) {
	s := benchSample(b)
	hand := benchStep(b, s, byHand)
	lowered := benchStep(b, s, func(x *Node, params []*Node) *Node {
		l := &Lowering{Graph: s.model.Graph, Train: true, Params: Values{}}
		for i, w := range benchWeights {
			if l.Params[w.layer] == nil {
				l.Params[w.layer] = map[string]*Node{}
			}
			l.Params[w.layer][w.param] = params[i]
		}
		return l.Forward(map[string]*Node{"x": x})[0]
	})
	turns(b, hand, lowered)
}

// turns times two functions by turns, and reports the smallest time of each, and how often the second goes into the first.
func turns(b *testing.B, hand, lowered func()) {
	best := [2]time.Duration{time.Hour, time.Hour}
	for i := 0; b.Loop(); i++ {
		for k := range 2 { // the order alternates, too
			which := (i + k) % 2
			begin := time.Now()
			[]func(){hand, lowered}[which]()
			best[which] = min(best[which], time.Since(begin))
		}
	}
	b.ReportMetric(float64(best[0].Microseconds())/1000, "hand-ms")
	b.ReportMetric(float64(best[1].Microseconds())/1000, "lowered-ms")
	b.ReportMetric(float64(best[1])/float64(best[0]), "ratio")
}

var benchWeights = []weight{{"a", "weight"}, {"a", "bias"}, {"b", "weight"}, {"b", "bias"}, {"o", "weight"}, {"o", "bias"}}

// benchStep makes a function that does a step.
func benchStep(b *testing.B, s sample, forward func(x *Node, params []*Node) *Node) func() {
	ses := session(b)
	step, err := NewExec(ses.Backend, func(args []*Node) []*Node {
		x, y, params := args[0], args[1], args[2:]
		hot := OneHot(y, 10, dtypes.Float32)
		loss := ReduceAllMean(Neg(ReduceSum(Mul(hot, LogSoftmax(forward(x, params), -1)), -1)))
		out := []*Node{loss}
		for i, g := range Gradient(loss, params...) {
			out = append(out, Sub(params[i], MulScalar(g, 0.01)))
		}
		return out
	})
	if err != nil {
		b.Fatal(err)
	}
	x := mlx.Tensor(s.inputs["x"], benchRows, 28, 28, 1)
	classes := make([]int32, benchRows)
	for i := range classes {
		classes[i] = int32(i % 10)
	}
	y := tensors.FromFlatDataAndDimensions(classes, benchRows)
	var state []*tensors.Tensor
	for _, w := range benchWeights {
		p := s.model.Params[w.layer][w.param]
		state = append(state, mlx.Tensor(p.Float32s(), p.Shape...))
	}
	return func() {
		args := []any{x, y}
		for _, p := range state {
			buf, err := ses.Donate(p)
			if err != nil {
				b.Fatal(err)
			}
			args = append(args, buf)
		}
		out, err := step.Call(args...)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := mlx.Values(out[0]); err != nil {
			b.Fatal(err)
		}
		state = out[1:]
	}
}

// byHand is the network as one writes it for GoMLX: nine slices and one product, pooling by reshape, relu after it.
func byHand(x *Node, params []*Node) *Node {
	for i := range 2 {
		x = handBlock(x, params[2*i], params[2*i+1])
	}
	x = Reshape(x, benchRows, -1)
	return Add(MatMul(x, params[4]), ExpandDims(params[5], 0))
}

func handBlock(x, weight, bias *Node) *Node {
	g, d := x.Graph(), x.Shape().Dimensions
	n, h, w, c := d[0], d[1], d[2], d[3]
	row := BroadcastToDims(ScalarZero(g, dtypes.Float32), n, 1, w, c)
	x = Concatenate([]*Node{row, x, row}, 1)
	column := BroadcastToDims(ScalarZero(g, dtypes.Float32), n, h+2, 1, c)
	x = Concatenate([]*Node{column, x, column}, 2)
	var taps []*Node
	for i := range 3 {
		for j := range 3 {
			taps = append(taps, Slice(x, AxisRange(), AxisRange(i, i+h), AxisRange(j, j+w), AxisRange()))
		}
	}
	f := weight.Shape().Dimensions[3]
	y := MatMul(Reshape(Concatenate(taps, -1), n*h*w, 9*c), Reshape(weight, 9*c, f))
	y = Reshape(Add(y, ExpandDims(bias, 0)), n, h/2, 2, w/2, 2, f)
	return Max(ReduceMax(y, 2, 4), ScalarZero(g, dtypes.Float32))
}

// BenchmarkLayers times the training step of single layers over 32 rows of 28x28x16.
func BenchmarkLayers(b *testing.B) {
	l := graphtest.Layer
	for _, c := range []graph.Layer{
		l("conv2d", "3x3", "filters", 32, "kernel", 3, "padding", "same"), l("conv2d", "1x1", "filters", 32, "kernel", 1),
		l("conv2d", "strided", "filters", 32, "kernel", 3, "stride", 2, "padding", "same"), l("conv2d", "groups", "filters", 32, "kernel", 3, "groups", 4, "padding", "same"),
		l("conv2d", "depthwise", "filters", 16, "kernel", 3, "groups", 16, "padding", "same"), l("conv2d_transpose", "transposed", "filters", 16, "kernel", 3, "stride", 2, "padding", "same"),
		l("max_pool", "max_tiles", "kernel", 2), l("max_pool", "max_overlapping", "kernel", 3, "stride", 2, "padding", "same"), l("avg_pool", "avg_overlapping", "kernel", 3, "stride", 2, "padding", "same"),
		l("batch_norm", "batch_norm"), l("group_norm", "group_norm", "groups", 4), l("upsample", "bilinear", "factor", 2, "mode", "bilinear"),
	} {
		name := c.Name
		c.Name = "l"
		s := fill(b, name, benchRows, graphtest.Over([]int{28, 28, 16}, c))
		b.Run(name, func(b *testing.B) { benchLayer(b, s) })
	}
}

func benchLayer(b *testing.B, s sample) {
	var args []any
	args = append(args, mlx.Tensor(s.inputs["x"], benchRows, 28, 28, 16))
	params := s.model.Info.Layers["l"].Params
	for _, p := range params {
		args = append(args, mlx.Tensor(s.model.Params["l"][p.Name].Float32s(), p.Shape...))
	}
	step, err := NewExec(session(b).Backend, func(args []*Node) []*Node {
		l := &Lowering{Graph: s.model.Graph, Train: true, Params: Values{"l": map[string]*Node{}}}
		wrt := []*Node{args[0]}
		for i, p := range params {
			l.Params["l"][p.Name] = args[i+1]
			if p.Trainable {
				wrt = append(wrt, args[i+1])
			}
		}
		return Gradient(ReduceAllSum(Square(l.Forward(map[string]*Node{"x": args[0]})[0])), wrt...)
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		out, err := step.Call(args...)
		if err != nil {
			b.Fatal(err)
		}
		for _, o := range out {
			o.MustFinalizeAll()
		}
	}
}
