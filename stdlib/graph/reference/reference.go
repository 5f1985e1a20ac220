// Package reference computes a model's forward pass with plain loops: the meaning of every op, written to be read. It is the
// oracle that lowerings are tested against, and serves small work in the process, where opening a backend would cost more than
// the computation.
//
// Values are float32 between layers. Inside a layer sums are kept in float64, so that a result does not depend on the order
// of additions: it is the correctly rounded one, or next to it, and a backend may differ from it by its own rounding.
//
// Quantised layers compute what ONNX defines for DynamicQuantizeLinear, MatMulInteger and DequantizeLinear, to the bit: whole
// numbers have no rounding to differ in, and the few float operations around them are done in float32, in ONNX's order.
package reference

import (
	"fmt"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Forward computes the model over rows examples; inputs are [rows, shape...] by name, whole numbers as they are. It returns the outputs in the order of
// the graph, each [rows, shape...]. A dynamically quantised layer takes one scale for all rows, so its results depend on what
// is computed together. The results may share memory with each other and with inputs.
func Forward(m *bundle.Model, rows int, inputs map[string][]float32) ([][]float32, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	info, err := graph.Infer(m.Graph)
	if err != nil {
		return nil, err
	}
	p := pass{model: m, info: info, values: map[string][]float32{}}
	for _, in := range m.Graph.Inputs {
		x := inputs[in.Name]
		if len(x) != rows*graph.Size(in.Shape) {
			return nil, fmt.Errorf("input %q needs %d rows of %v, but has %d numbers", in.Name, rows, in.Shape, len(x))
		}
		p.values[in.Name] = normalized(affine(x, float32(in.Scale), float32(in.Shift)), &in)
	}
	for i := range m.Graph.Layers {
		l := &m.Graph.Layers[i]
		y, err := p.layer(l)
		if err != nil {
			return nil, err
		}
		p.values[l.Name] = y
	}
	out := make([][]float32, len(m.Graph.Outputs))
	for i, name := range m.Graph.Outputs {
		out[i] = p.values[name]
	}
	return out, nil
}

// pass is one forward pass; values are by input or layer.
type pass struct {
	model  *bundle.Model
	info   *graph.Info
	values map[string][]float32
}

func (p *pass) layer(l *graph.Layer) ([]float32, error) {
	x := p.values[l.Inputs[0]]
	switch l.Op {
	case "dense":
		return p.dense(l, x), nil
	case "conv1d", "conv2d", "conv1d_transpose", "conv2d_transpose":
		return p.conv(l, x), nil
	case "max_pool", "avg_pool":
		return p.pool(l, x), nil
	case "global_max_pool", "global_avg_pool":
		return p.globalPool(l, x), nil
	case "upsample":
		return p.upsample(l, x), nil
	case "activation":
		return activate(l.Text("function", ""), x, p.last(l.Name)), nil
	case "dropout", "flatten", "reshape":
		return x, nil
	case "scale":
		return affine(x, float32(l.Float("factor", 1)), 0), nil
	case "batch_norm":
		return p.batchNorm(l, x), nil
	case "layer_norm":
		return p.layerNorm(l, x), nil
	case "group_norm":
		return p.groupNorm(l, x), nil
	case "rms_norm":
		return p.rmsNorm(l, x), nil
	case "add":
		return p.add(l), nil
	case "multiply":
		return p.multiply(l), nil
	case "concat":
		return p.concat(l), nil
	case "embedding":
		return p.embedding(l, x)
	case "position_embedding":
		return p.positions(l, x)
	case "type_embedding":
		return p.types(l, x)
	case "tied_dense":
		return p.tied(l, x), nil
	case "padding_mask":
		return paddingMask(l, x), nil
	case "attention":
		return p.attention(l), nil
	case "lstm", "gru":
		return p.recurrent(l, x), nil
	case "sequence_pool":
		return p.sequencePool(l, x), nil
	case "l2_normalize":
		return l2Normalize(x, p.last(l.Name)), nil
	case "dot":
		return p.dot(l), nil
	}
	return nil, fmt.Errorf("layer %q: no reference of op %q", l.Name, l.Op)
}

// last is the size of the last axis of an input or layer.
func (p *pass) last(name string) int {
	s := p.info.Shapes[name]
	return s[len(s)-1]
}

func (p *pass) param(l *graph.Layer, name string) []float32 {
	return p.model.Params[l.Name][name].Float32s()
}

// normalized is (x - mean) / deviation, by the place on the last axis.
func normalized(x []float32, in *graph.Input) []float32 {
	mean, deviation := in.Normalization()
	if mean == nil {
		return x
	}
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v-mean[i%len(mean)]) / deviation[i%len(mean)]
	}
	return y
}

func affine(x []float32, scale, shift float32) []float32 {
	if scale == 1 && shift == 0 {
		return x
	}
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v*scale) + shift // the conversion rounds, so that nothing is fused
	}
	return y
}

func (p *pass) add(l *graph.Layer) []float32 {
	y := append([]float32(nil), p.values[l.Inputs[0]]...)
	for _, in := range l.Inputs[1:] {
		for i, v := range p.values[in] {
			y[i] += v
		}
	}
	return y
}

// multiply repeats axes of size 1.
func (p *pass) multiply(l *graph.Layer) []float32 {
	out := p.info.Shapes[l.Name]
	var y []float32
	rows := len(p.values[l.Inputs[0]]) / graph.Size(p.info.Shapes[l.Inputs[0]])
	for row := range rows {
		each(out, func(o []int) {
			v := float32(1)
			for _, name := range l.Inputs {
				in := p.info.Shapes[name]
				at := make([]int, len(o))
				for a := range o {
					at[a] = min(o[a], in[a]-1)
				}
				v *= p.values[name][row*graph.Size(in)+flat(at, in)]
			}
			y = append(y, v)
		})
	}
	return y
}

func (p *pass) concat(l *graph.Layer) []float32 {
	width := p.last(l.Name)
	first := p.values[l.Inputs[0]]
	y := make([]float32, 0, len(first)/p.last(l.Inputs[0])*width)
	for row := 0; row*p.last(l.Inputs[0]) < len(first); row++ {
		for _, in := range l.Inputs {
			n := p.last(in)
			y = append(y, p.values[in][row*n:(row+1)*n]...)
		}
	}
	return y
}
