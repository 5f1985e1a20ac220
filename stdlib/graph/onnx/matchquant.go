package onnx

import (
	"fmt"
	"math"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// What ONNX Runtime's quantizers write. quantize_dynamic makes a product x W of DynamicQuantizeLinear(x), MatMulInteger or ConvInteger, a Cast,
// and a Mul by the product of both scales: a layer with dynamic_int8, where W is int8 around 0 or uint8 around 128. quantize_static sets a
// QuantizeLinear and a DequantizeLinear behind every value, with a range from calibration, for which mbuild has no layer: these pairs are
// left out, and said so. Weights that are only scaled back (DequantizeLinear of a constant, rows of a table) are read as float32.

// dynamic is DynamicQuantizeLinear.
func (m *importer) dynamic(_ *node, in []*value) (*value, error) {
	x := in[0]
	if x.known != nil {
		return nil, nil
	}
	scalar := func(op string) *value { return &value{shape: []int{}, elem: typeFloat, lazy: &lazy{op: op, a: x}} }
	out := part(x, &lazy{op: "quantised", a: x})
	out.also = []*value{scalar("quantum"), scalar("zero")}
	return out, nil
}

// integer is MatMulInteger or ConvInteger of a quantised value and a constant weight. The layer is made when its scale comes.
func (m *importer) integer(n *node, in []*value) (*value, error) {
	q := in[0].is("quantised")
	if m.codes[in[0].layer] && n.op == "MatMulInteger" && in[1] != nil && in[1].known != nil && !in[1].probe && !in[1].known.floats() && m.own(in[0]) != nil {
		return m.integerRows(in)
	}
	if q == nil || in[1] == nil || in[1].known == nil || in[1].probe || in[1].known.floats() || len(in) < 3 || in[2].is("zero") == nil || !alike(in[2].lazy.a, q.a) {
		return nil, m.unsupported("its first input and zero point are not those of DynamicQuantizeLinear, or its second is no constant")
	}
	zero := newArray(in[1].elem)
	if len(in) > 3 && in[3] != nil {
		if zero = in[3].known; zero == nil || in[3].probe || zero.floats() {
			return nil, m.unsupported("the zero point of its weight is no constant")
		}
	}
	w := in[1].known
	out := len(w.shape) - 1 // the axis of what it gives
	if n.op == "ConvInteger" {
		out = 0
	}
	if len(w.shape) < 2 || zero.size() != 1 && zero.size() != w.shape[out] {
		return nil, m.unsupported(fmt.Sprintf("a weight of %v with a zero point of %v", w.shape, zero.shape))
	}
	centred := centre(w, zero, out)
	call := *n
	shape := append(slices.Clone(in[0].shape[:len(in[0].shape)-1]), w.shape[out])
	if n.op == "ConvInteger" { // of another size, which the layer tells
		shape = slices.Clone(in[0].shape)
	}
	return &value{shape: shape, elem: typeFloat, lazy: &lazy{op: "integer product", a: q.a, kept: centred, call: &call}}, nil
}

// centre is a weight less its zero point, of one element or one for each place on an axis.
func centre(w, zero *array, axis int) *array {
	out, stride := newArray(typeFloat, w.shape...), stridesOf(w.shape)[axis]
	for k := range out.f {
		out.f[k] = float32(w.at(k) - zero.at(k/stride%w.shape[axis]%zero.size()))
	}
	return out
}

// integerRows is MatMulInteger of rows of a quantised table, which are what they stand for: a dense layer of whole numbers, whose scale
// comes later.
func (m *importer) integerRows(in []*value) (*value, error) {
	zeros := [2]*array{newArray(in[0].elem), newArray(in[1].elem)}
	for k := range zeros {
		if k+2 < len(in) && in[k+2] != nil {
			if zeros[k] = in[k+2].known; zeros[k] == nil || in[k+2].probe || zeros[k].floats() {
				return nil, nil
			}
		}
	}
	w := in[1].known
	if len(w.shape) != 2 || zeros[0].size() != 1 || zeros[1].size() != 1 && zeros[1].size() != w.shape[1] {
		return nil, nil
	}
	table := m.params[in[0].layer]["weight"]
	rows := slices.Clone(table.Float32s())
	for k := range rows {
		rows[k] -= float32(zeros[0].at(0))
	}
	m.params[in[0].layer]["weight"] = bundle.Float32(table.Shape, rows)
	delete(m.codes, in[0].layer)
	return m.dense(in[0], centre(w, zeros[1], 1), "")
}

// scales is a product of scales, or of an integer product and its scale; nil where a Mul is neither.
func (m *importer) scales(in []*value) (*value, error) {
	for _, p := range [][2]*value{{in[0], in[1]}, {in[1], in[0]}} {
		s, c := p[0].is("quantum"), p[1]
		if s == nil {
			continue
		}
		if c.known != nil && !c.probe && c.known.floats() && s.kept == nil {
			return &value{shape: c.shape, elem: typeFloat, lazy: &lazy{op: "quantum", a: s.a, kept: c.known}}, nil
		}
		if l := c.is("integer product"); l != nil && s.kept != nil && alike(l.a, s.a) {
			return m.quantised(l, s.kept)
		}
	}
	return nil, nil
}

// quantised makes a layer of an integer product and the scale of its weight.
func (m *importer) quantised(l *lazy, scale *array) (*value, error) {
	w, n := l.kept, l.call
	known := &value{shape: w.shape, elem: typeFloat, known: w}
	var y *value
	var err error
	if n.op == "ConvInteger" {
		y, err = m.conv(n, []*value{l.a, known})
	} else {
		y, err = m.dense(l.a, w, "")
	}
	if err != nil || y == nil {
		return nil, err
	}
	layer := m.g.Layer(y.layer)
	weight := m.params[y.layer]["weight"]
	columns := weight.Shape[len(weight.Shape)-1]
	if scale.size() != 1 && (scale.size() != columns || slices.Max(scale.shape) != columns) {
		return nil, m.unsupported(fmt.Sprintf("scales of %v for a weight of %v", scale.shape, w.shape))
	}
	scales, whole, fits := make([]float32, columns), weight.Float32s(), true
	for k := range scales {
		scales[k] = float32(scale.at(k % scale.size()))
	}
	data := make([]byte, len(whole))
	for k, v := range whole {
		fits = fits && v >= math.MinInt8 && v <= math.MaxInt8
		data[k] = byte(int8(max(math.MinInt8, min(v, math.MaxInt8))))
	}
	params := m.params[y.layer]
	if !fits { // a weight around another zero point
		m.note(fmt.Sprintf("weights around a zero point other than that of symmetric int8 are read as float32, and what they multiply is not quantised: %s", n))
		v := slices.Clone(whole)
		for k := range v {
			v[k] *= scales[k%columns]
		}
		params["weight"] = bundle.Float32(weight.Shape, v)
		return y, nil
	}
	layer.Quant = graph.DynamicInt8
	params["weight"] = &bundle.Tensor{DType: graph.I8, Shape: weight.Shape, Data: data}
	params["weight_scale"] = bundle.Float32([]int{columns}, scales)
	return y, nil
}

// quantize is QuantizeLinear of a computed value, which is left out.
func (m *importer) quantize(_ *node, in []*value) (*value, error) {
	if in[0].known != nil || len(in) < 2 || in[1] == nil || in[1].known == nil || in[1].probe {
		return nil, nil
	}
	m.noteQuantized()
	return in[0], nil
}

func (m *importer) noteQuantized() {
	m.note("values are not quantised with the fixed ranges of QuantizeLinear, but stay float32: results differ from those of the file by the error of its quantisation")
}

// dequantize is DequantizeLinear of what QuantizeLinear gave, or of rows of a quantised table.
func (m *importer) dequantize(n *node, in []*value) (*value, error) {
	x := in[0]
	l := m.g.Layer(x.layer)
	if l == nil || !m.codes[x.layer] {
		return x, nil
	}
	table := m.params[x.layer]["weight"]
	if len(in) < 2 || in[1] == nil || in[1].known == nil || in[1].known.size() != 1 || m.own(x) == nil {
		return nil, m.unsupported("the scale of a quantised table is no constant of one element, or others take its rows")
	}
	zero := 0.0
	if len(in) > 2 && in[2] != nil {
		if in[2].known == nil || in[2].known.size() != 1 {
			return nil, m.unsupported("the zero point of a quantised table has more than one element")
		}
		zero = in[2].known.at(0)
	}
	v := slices.Clone(table.Float32s())
	for k := range v {
		v[k] = float32((float64(v[k]) - zero) * in[1].known.at(0))
	}
	m.params[x.layer]["weight"] = bundle.Float32(table.Shape, v)
	delete(m.codes, x.layer)
	return x, nil
}
