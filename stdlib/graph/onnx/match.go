package onnx

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// channelsFirst are the operators over images and series, which have channels on the second axis.
var channelsFirst = map[string]bool{"Conv": true, "ConvTranspose": true, "MaxPool": true, "AveragePool": true, "GlobalAveragePool": true, "GlobalMaxPool": true, "ConvInteger": true, "BatchNormalization": true, "GroupNormalization": true, "Resize": true}

type matcher func(m *importer, n *node, in []*value) (*value, error)

// matchers are the operators that layers are made of; nil and no error: the form is not one that is read.
var matchers map[string]matcher

func init() {
	matchers = map[string]matcher{
		"Gemm": (*importer).gemm, "MatMul": (*importer).matMul, "Add": (*importer).add, "Sum": (*importer).sum, "Sub": (*importer).sub, "Mul": (*importer).mul, "Div": (*importer).div,
		"Pow": (*importer).pow, "Sqrt": (*importer).sqrt, "Reciprocal": (*importer).reciprocal, "Neg": (*importer).negative, "Split": (*importer).split, "Slice": (*importer).slice, "Erf": (*importer).erf, "Where": (*importer).where, "IsNaN": (*importer).isNaN, "Max": (*importer).least, "Clip": (*importer).least,
		"Conv": (*importer).conv, "ConvTranspose": (*importer).conv, "MaxPool": (*importer).pool, "AveragePool": (*importer).pool, "GlobalAveragePool": (*importer).globalPool, "GlobalMaxPool": (*importer).globalPool,
		"Resize": (*importer).resize, "BatchNormalization": (*importer).batchNorm, "GroupNormalization": (*importer).groupNorm, "LayerNormalization": (*importer).layerNorm, "RMSNormalization": (*importer).rmsNorm,
		"ReduceMean": (*importer).reduceMean, "ReduceMax": (*importer).reduceMax, "ReduceSum": (*importer).reduceSum, "ReduceL2": (*importer).reduceL2,
		"Flatten": (*importer).reshape, "Reshape": (*importer).reshape, "Squeeze": (*importer).reshape, "Unsqueeze": (*importer).reshape, "Expand": (*importer).reshape, "Transpose": (*importer).transpose,
		"DynamicQuantizeLinear": (*importer).dynamic, "MatMulInteger": (*importer).integer, "ConvInteger": (*importer).integer, "QuantizeLinear": (*importer).quantize, "DequantizeLinear": (*importer).dequantize,
		"LSTM": (*importer).recurrent, "GRU": (*importer).recurrent, "Gather": (*importer).gather, "Concat": (*importer).concat, "Identity": (*importer).same, "Dropout": (*importer).same, "Cast": (*importer).same, "Softmax": (*importer).softmax,
		"Relu": activation("relu"), "Tanh": (*importer).tanh, "Sigmoid": activation("sigmoid"), "Gelu": (*importer).gelu, "Elu": (*importer).elu, "LeakyRelu": (*importer).leaky, "Softplus": activation("softplus"),
	}
}

// scalar is a constant of one element.
func scalar(v *value) (float64, bool) {
	if v == nil || v.known == nil || v.probe || v.known.size() != 1 {
		return 0, false
	}
	return v.known.at(0), true
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-4*math.Abs(b) }

// is takes a lazy value apart.
func (v *value) is(op string) *lazy {
	if v != nil && v.lazy != nil && v.lazy.op == op {
		return v.lazy
	}
	return nil
}

// part makes a part of a layer, of the shape of another value.
func part(like *value, l *lazy) *value { return &value{shape: like.shape, elem: like.elem, lazy: l} }

// alike reports whether two values are one.
func alike(a, b *value) bool {
	if a == b {
		return true
	}
	return a != nil && b != nil && (a.layer != "" && a.layer == b.layer && slices.Equal(a.perm, b.perm) && slices.Equal(a.flat, b.flat) || a.lazy != nil && a.lazy == b.lazy)
}

func (m *importer) same(n *node, in []*value) (*value, error) {
	if n.op == "Cast" && !floating(n.int("to", 0)) {
		return nil, nil
	}
	return in[0], nil
}

// activate applies a function: as part of the layer before, where that is its own and has none.
func (m *importer) activate(f string, v *value) (*value, error) {
	v, err := m.real(v)
	if err != nil {
		return nil, err
	}
	if l := m.own(v); l != nil && f != "softmax" && (l.Op == "dense" || l.Op == "conv1d" || l.Op == "conv2d" || l.Op == "conv1d_transpose" || l.Op == "conv2d_transpose") && l.Text("activation", "linear") == "linear" {
		l.Attrs["activation"] = f
		name, err := m.rename(l)
		return &value{shape: v.shape, elem: v.elem, layer: name, perm: v.perm, flat: v.flat}, err
	}
	out, err := m.emit("activation", []string{v.layer}, map[string]any{"function": f}, v.shape, nil)
	if err == nil {
		out.perm, out.flat = v.perm, v.flat
	}
	return out, err
}

func activation(f string) matcher {
	return func(m *importer, _ *node, in []*value) (*value, error) { return m.activate(f, in[0]) }
}

func (m *importer) elu(n *node, in []*value) (*value, error) {
	if n.float("alpha", 1) != 1 {
		return nil, m.unsupported("alpha is not 1")
	}
	return m.activate("elu", in[0])
}

func (m *importer) leaky(n *node, in []*value) (*value, error) {
	if !near(n.float("alpha", 0.01), 0.01) {
		return nil, m.unsupported("alpha is not 0.01")
	}
	return m.activate("leaky_relu", in[0])
}

func (m *importer) gelu(n *node, in []*value) (*value, error) {
	if n.text("approximate", "none") == "tanh" {
		return m.activate("gelu_tanh", in[0])
	}
	return m.activate("gelu", in[0])
}

func (m *importer) softmax(n *node, in []*value) (*value, error) {
	v := in[0]
	rank := len(v.shape)
	dflt := int64(-1)
	if m.file.opset < 13 {
		dflt = 1
	}
	axis := axisOf(int(n.int("axis", dflt)), rank)
	if v.is("scores") != nil {
		if axis != rank-1 {
			return nil, nil
		}
		return part(v, &lazy{op: "weights", a: v}), nil
	}
	v, err := m.real(v)
	if err != nil {
		return nil, err
	}
	last := rank - 1
	if v.perm != nil {
		last = slices.Index(v.perm, rank-1)
	}
	if axis != last || v.flat != nil {
		return nil, m.unsupported("softmax over another axis than that of the features")
	}
	return m.activate("softmax", v)
}

func (m *importer) tanh(_ *node, in []*value) (*value, error) {
	if s := in[0].is("scaled"); s != nil && near(s.k, math.Sqrt(2/math.Pi)) && s.a.is("cubed sum") != nil {
		return part(in[0], &lazy{op: "tanh", a: s.a.lazy.a}), nil
	}
	return m.activate("tanh", in[0])
}

func (m *importer) erf(_ *node, in []*value) (*value, error) {
	if s := in[0].is("scaled"); s != nil && near(s.k, math.Sqrt2/2) {
		return part(in[0], &lazy{op: "erf", a: s.a}), nil
	}
	return nil, nil
}

func (m *importer) pow(_ *node, in []*value) (*value, error) {
	switch k, _ := scalar(in[1]); k {
	case 2:
		return part(in[0], &lazy{op: "product", a: in[0], b: in[0]}), nil
	case 3:
		return part(in[0], &lazy{op: "cube", a: in[0]}), nil
	}
	return nil, nil
}

// sides sorts two inputs: one that is computed, and one that is known.
func sides(in []*value) (x, c *value) {
	if in[0].known != nil {
		return in[1], in[0]
	}
	return in[0], in[1]
}

func (m *importer) sum(n *node, in []*value) (*value, error) {
	switch len(in) {
	case 1:
		return in[0], nil
	case 2:
		return m.add(n, in)
	}
	var names []string
	first, err := m.real(in[0])
	if err != nil {
		return nil, err
	}
	for _, v := range in {
		a, b, err := m.pair(first, v)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(a.shape, b.shape) {
			return nil, nil
		}
		names = append(names, b.layer)
	}
	y, err := m.emit("add", names, nil, first.shape, nil)
	if err == nil {
		y.perm, y.flat = first.perm, first.flat
	}
	return y, err
}

func (m *importer) add(n *node, in []*value) (*value, error) {
	x, c := sides(in)
	if c.known == nil {
		if s := c.is("scaled"); s != nil && near(s.k, 0.044715) && s.a.is("cube") != nil && alike(s.a.lazy.a, x) {
			return part(x, &lazy{op: "cubed sum", a: x}), nil
		}
		if s := x.is("scaled"); s != nil && near(s.k, 0.044715) && s.a.is("cube") != nil && alike(s.a.lazy.a, c) {
			return part(x, &lazy{op: "cubed sum", a: c}), nil
		}
		for _, p := range [][2]*value{{x, c}, {c, x}} {
			if l := p[1].is("positions"); l != nil {
				return m.positions(p[0], l.kept)
			}
		}
		if y, err := m.rotation(x, c); y != nil || err != nil {
			return y, err
		}
		if y, err := m.normSum(x, c); y != nil || err != nil {
			return y, err
		}
		return m.sumOf(x, c)
	}
	k, one := scalar(c)
	switch {
	case x.is("scores") != nil:
		s := *x.lazy
		s.bias = append(slices.Clone(s.bias), c.known)
		return part(x, &s), nil
	case one && (x.is("erf") != nil || x.is("tanh") != nil) && k == 1:
		return part(x, &lazy{op: x.lazy.op + "+1", a: x.lazy.a}), nil
	case one && (x.is("variance") != nil || x.is("mean square") != nil):
		return part(x, &lazy{op: x.lazy.op + "+e", a: x.lazy.a, k: k}), nil
	case c.probe && len(x.shape) == 3 && slices.Equal(c.shape, []int{m.batch, x.shape[1], 1}):
		return part(x, &lazy{op: "hidden", a: x, kept: c.known}), nil
	case c.probe:
		return nil, nil
	case len(x.shape) == 3 && c.known.floats() && x.perm == nil:
		if t := m.sameRows(c.known, x.shape); t != nil {
			return m.positions(x, t)
		}
	}
	return m.affine(x, c.known, false)
}

func (m *importer) sumOf(x, y *value) (*value, error) {
	a, b, err := m.pair(x, y)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(a.shape, b.shape) {
		return nil, m.unsupported(fmt.Sprintf("shapes of %v and %v", a.shape, b.shape))
	}
	out, err := m.emit("add", []string{a.layer, b.layer}, nil, a.shape, nil)
	if err == nil {
		out.perm, out.flat = a.perm, a.flat
	}
	return out, err
}

// sameRows is a constant [length, units] that is added to each row; nil where it is another.
func (m *importer) sameRows(c *array, shape []int) *array {
	per := shape[1:]
	if shape[1] < 2 || !slices.Equal(c.shape, per) && !slices.Equal(c.shape, append([]int{1}, per...)) && !slices.Equal(c.shape, shape) {
		return nil
	}
	size := graph.Size(per)
	for k := size; k < c.size(); k++ {
		if c.at(k) != c.at(k%size) {
			return nil
		}
	}
	t := newArray(typeFloat, per...)
	copy(t.f, c.f[:size])
	return t
}

func (m *importer) positions(x *value, t *array) (*value, error) {
	x, err := m.plain(x)
	if err != nil {
		return nil, err
	}
	return m.emit("position_embedding", []string{x.layer}, map[string]any{"positions": int64(t.shape[0])}, x.shape, bundle.Params{"weight": t.tensor()})
}

// vector is a constant with one element for each feature of a value, in the order of its layer; nil where it is another.
func (m *importer) vector(x *value, c *array) []float32 {
	if !c.floats() {
		return nil
	}
	rank := len(x.shape)
	axis := rank - 1
	if x.perm != nil {
		axis = slices.Index(x.perm, rank-1)
	}
	shape := append(slices.Repeat([]int{1}, max(0, rank-len(c.shape))), c.shape...)
	for d, size := range shape {
		if len(shape) != rank || size != 1 && (d != axis || size != x.shape[axis]) {
			return nil
		}
	}
	out := make([]float32, x.shape[axis])
	for k := range out {
		out[k] = float32(c.at(k % c.size()))
	}
	if x.flat != nil {
		moved := m.reordered(x.flat)
		turned := make([]float32, len(out))
		for k, from := range moved {
			turned[k] = out[from]
		}
		out = turned
	}
	return out
}

// reordered says for each element of what was flattened, channels last, where it stands channels first.
func (m *importer) reordered(shape []int) []int {
	last := len(shape) - 1
	first := append([]int{shape[last]}, shape[:last]...)
	strides := stridesOf(first)
	var out []int
	eachIndex(shape, func(at []int) {
		from := at[last] * strides[0]
		for d, x := range at[:last] {
			from += x * strides[d+1]
		}
		out = append(out, from)
	})
	return out
}

// affine multiplies with, or adds, a constant for each feature: as part of the layer before, or as a normalisation whose statistics
// are 0 and 1.
func (m *importer) affine(x *value, c *array, times bool) (*value, error) {
	x, err := m.real(x)
	if err != nil {
		return nil, err
	}
	v := m.vector(x, c)
	if v == nil {
		return nil, m.unsupported(fmt.Sprintf("a constant of shape %v beside %q of shape %v", c.shape, x.name, x.shape))
	}
	same := func(l *graph.Layer) (*value, error) {
		name, err := m.rename(l)
		return &value{shape: x.shape, elem: x.elem, layer: name, perm: x.perm, flat: x.flat}, err
	}
	t := func(v []float32) *bundle.Tensor { return bundle.Float32([]int{len(v)}, v) }
	if l := m.own(x); l != nil {
		ps := m.params[l.Name]
		bare := !times && !l.Flag("use_bias", true) && l.Text("activation", "linear") == "linear"
		switch {
		case l.Op == "embedding" && times:
			w := slices.Clone(ps["weight"].Float32s())
			for k := range w {
				w[k] *= v[k%len(v)]
			}
			ps["weight"] = bundle.Float32(ps["weight"].Shape, w)
			return same(l)
		case l.Op == "tied_dense" && bare, bare && slices.Contains([]string{"dense", "conv1d", "conv2d"}, l.Op):
			delete(l.Attrs, "use_bias")
			if ps == nil {
				ps = bundle.Params{}
				m.params[l.Name] = ps
			}
			ps["bias"] = t(v)
			return same(l)
		case (l.Op == "layer_norm" || l.Op == "batch_norm" || l.Op == "rms_norm" && times) && x.flat == nil:
			for _, name := range []string{"gamma", "beta"} {
				if ps[name] == nil {
					continue
				}
				p := slices.Clone(ps[name].Float32s())
				for k := range p {
					if times {
						p[k] *= v[k]
					} else if name == "beta" {
						p[k] += v[k]
					}
				}
				ps[name] = t(p)
			}
			return same(l)
		}
	}
	n := len(v)
	gamma, beta := slices.Repeat([]float32{1}, n), make([]float32, n)
	if times {
		gamma = v
	} else {
		beta = v
	}
	const epsilon = 1.0 / (1 << 16) // which 1 minus, and plus again, is 1 in float32
	out, err := m.emit("batch_norm", []string{x.layer}, map[string]any{"epsilon": epsilon}, x.shape,
		bundle.Params{"gamma": t(gamma), "beta": t(beta), "mean": t(make([]float32, n)), "variance": t(slices.Repeat([]float32{1 - epsilon}, n))})
	if err == nil {
		out.perm, out.flat = x.perm, x.flat
	}
	return out, err
}

func (m *importer) sub(_ *node, in []*value) (*value, error) {
	if mean := in[1].is("mean"); mean != nil && alike(mean.a, in[0]) {
		return part(in[0], &lazy{op: "centred", a: in[0]}), nil
	}
	if l := in[1].is("mean times inverse"); l != nil && in[0].known != nil && !in[0].probe && in[0].known.floats() {
		c := *l
		c.op, c.bias = "beta less", []*array{in[0].known}
		return part(in[1], &c), nil
	}
	if in[1].known == nil || in[1].probe || in[0].known != nil || !in[1].known.floats() {
		return nil, nil
	}
	minus, err := unary(0, func(x float64) float64 { return -x })(nil, []*array{in[1].known})
	if err != nil {
		return nil, err
	}
	return m.affine(in[0], minus, false)
}

// scaled multiplies with a number, which goes into parts of layers that have a factor.
func (m *importer) scaled(x *value, k float64) *value {
	if k == 1 {
		return x
	}
	if l := x.lazy; l != nil && (l.op == "scaled" || l.op == "scores") {
		c := *l
		c.k *= k
		if l.op == "scores" && len(l.bias) > 0 {
			return part(x, &lazy{op: "scaled", a: x, k: k})
		}
		return part(x, &c)
	}
	return part(x, &lazy{op: "scaled", a: x, k: k})
}

func (m *importer) mul(_ *node, in []*value) (*value, error) {
	if y, err := m.scales(in); y != nil || err != nil {
		return y, err
	}
	x, c := sides(in)
	if c.known == nil {
		for _, p := range [][2]*value{{x, c}, {c, x}} {
			for _, f := range []string{"erf+1", "tanh+1"} {
				g := p[1].is(f)
				if g == nil {
					continue
				}
				if s := p[0].is("scaled"); s != nil && s.k == 0.5 && alike(s.a, g.a) {
					return m.activate(geluOf[f], g.a)
				}
				if alike(p[0], g.a) {
					return part(x, &lazy{op: "2 " + geluOf[f], a: g.a}), nil
				}
			}
			if s := p[1].is("scaled"); s != nil && s.k == 0.5 {
				for _, f := range []string{"erf+1", "tanh+1"} {
					if g := s.a.is(f); g != nil && alike(p[0], g.a) {
						return m.activate(geluOf[f], g.a)
					}
				}
			}
			if q := p[1].is("product"); q != nil && alike(q.a, q.b) && alike(q.a, p[0]) {
				return part(x, &lazy{op: "cube", a: p[0]}), nil
			}
			if y, err := m.normalized(p[0], p[1]); y != nil || err != nil {
				return y, err
			}
		}
		if len(x.shape) != len(c.shape) {
			return nil, nil
		}
		shape := joinedShape(x.shape, c.shape)
		if shape == nil {
			return nil, nil
		}
		return &value{shape: shape, elem: x.elem, lazy: &lazy{op: "product", a: x, b: c}}, nil
	}
	if l := x.lazy; l != nil && strings.HasPrefix(l.op, "inverse ") && c.known.floats() && !c.probe && l.kept == nil { // of a norm, times its gamma
		g := *l
		g.kept = c.known
		return &value{shape: joinedShape(x.shape, c.shape), elem: x.elem, lazy: &g}, nil
	}
	if l := x.is("rotated"); l != nil && c.known.floats() {
		return part(x, &lazy{op: "across", a: l.a, kept: c.known}), nil
	}
	k, one := scalar(c)
	if x.is("view") != nil && !one && c.known.floats() && len(x.shape) == 4 {
		return part(x, &lazy{op: "along", a: x, kept: c.known}), nil
	}
	switch {
	case one && k == 0.5 && (x.is("2 gelu") != nil || x.is("2 gelu_tanh") != nil):
		return m.activate(x.lazy.op[2:], x.lazy.a)
	case one && c.known.floats() && len(c.shape) <= len(x.shape):
		return m.scaled(x, k), nil
	case c.probe && len(x.shape) == 3 && (slices.Equal(c.shape, []int{m.batch, x.shape[1], 1}) || slices.Equal(c.shape, x.shape)):
		return part(x, &lazy{op: "masked", a: x, kept: c.known}), nil
	case c.probe:
		return nil, nil
	}
	return m.affine(x, c.known, true)
}

var geluOf = map[string]string{"erf+1": "gelu", "tanh+1": "gelu_tanh"}

func (m *importer) div(_ *node, in []*value) (*value, error) {
	x, c := in[0], in[1]
	if k, one := scalar(x); one && k == 1 && c.known == nil {
		return m.reciprocal(nil, []*value{c})
	}
	if x.known != nil {
		return nil, nil
	}
	if c.known == nil {
		if d := c.is("deviation"); d != nil && x.is("centred") != nil && alike(x.lazy.a, d.a) {
			return m.normal("layer_norm", d, nil, nil)
		}
		if d := c.is("root"); d != nil && alike(x, d.a) {
			return m.normal("rms_norm", d, nil, nil)
		}
		if d := c.is("length"); d != nil && alike(x, d.a) {
			a, err := m.plain(x)
			if err != nil {
				return nil, err
			}
			return m.emit("l2_normalize", []string{a.layer}, nil, a.shape, nil)
		}
		return nil, nil
	}
	if s := x.is("summasked"); s != nil && c.probe {
		return m.meanOf(x, s, c.known)
	}
	if k, one := scalar(c); one && c.known.floats() && k != 0 {
		return m.scaled(x, 1/k), nil
	}
	if c.probe || !c.known.floats() {
		return nil, nil
	}
	inverse, err := unary(0, func(x float64) float64 { return 1 / x })(nil, []*array{c.known})
	if err != nil {
		return nil, err
	}
	return m.affine(x, inverse, true)
}

func (m *importer) sqrt(_ *node, in []*value) (*value, error) {
	if l := in[0].is("variance+e"); l != nil {
		return part(in[0], &lazy{op: "deviation", a: l.a, k: l.k}), nil
	}
	if l := in[0].is("mean square+e"); l != nil {
		return part(in[0], &lazy{op: "root", a: l.a, k: l.k}), nil
	}
	return nil, nil
}

// least passes on what keeps a division from being by zero.
func (m *importer) least(_ *node, in []*value) (*value, error) {
	if in[0].is("length") != nil {
		return in[0], nil
	}
	return nil, nil
}

// dense makes a layer of a weight [in, out].
func (m *importer) dense(x *value, w *array, table string) (*value, error) {
	x, err := m.real(x)
	if err != nil {
		return nil, err
	}
	rank := len(x.shape)
	if x.perm != nil || rank < 2 || rank > 3 || len(w.shape) != 2 || w.shape[0] != x.shape[rank-1] || !w.floats() {
		return nil, m.unsupported(fmt.Sprintf("a weight of %v and an input of %v", w.shape, x.shape))
	}
	shape := append(slices.Clone(x.shape[:rank-1]), w.shape[1])
	if layer := m.tables[table]; layer != "" && x.flat == nil {
		return m.emit("tied_dense", []string{x.layer}, map[string]any{"embedding": layer, "use_bias": false}, shape, nil)
	}
	t := w.tensor()
	if x.flat != nil {
		v := make([]float32, len(w.f))
		for k, from := range m.reordered(x.flat) {
			copy(v[k*w.shape[1]:(k+1)*w.shape[1]], w.f[from*w.shape[1]:])
		}
		t = bundle.Float32(w.shape, v)
	}
	return m.emit("dense", []string{x.layer}, map[string]any{"units": int64(w.shape[1]), "use_bias": false}, shape, bundle.Params{"weight": t})
}

func (m *importer) gemm(n *node, in []*value) (*value, error) {
	if len(in) < 2 || in[0].known != nil || in[1].known == nil || in[1].probe || n.int("transA", 0) != 0 || n.float("alpha", 1) != 1 || len(in[1].shape) != 2 {
		return nil, nil
	}
	w, table := in[1].known, m.turned[n.in[1]]
	if n.int("transB", 0) != 0 {
		w, table = w.permuted([]int{1, 0}), n.in[1]
	}
	y, err := m.dense(in[0], w, table)
	if err != nil || len(in) < 3 || in[2] == nil {
		return y, err
	}
	if in[2].known == nil || in[2].probe || n.float("beta", 1) != 1 || !in[2].known.floats() {
		return nil, nil
	}
	l, v := m.g.Layer(y.layer), m.vector(y, in[2].known)
	if v == nil {
		return nil, nil
	}
	delete(l.Attrs, "use_bias")
	if m.params[y.layer] == nil {
		m.params[y.layer] = bundle.Params{}
	}
	m.params[y.layer]["bias"] = bundle.Float32([]int{len(v)}, v)
	return y, nil
}

func (m *importer) matMul(n *node, in []*value) (*value, error) {
	a, b := in[0], in[1]
	if b.known != nil && !b.probe && a.known == nil {
		return m.dense(a, b.known, m.turned[n.in[1]])
	}
	if a.known != nil || b.known != nil {
		return nil, nil
	}
	if y, err := m.product(a, b); y != nil || err != nil {
		return y, err
	}
	return nil, m.unsupported("a product of two values that are computed, and not those of attention")
}

func (m *importer) isNaN(_ *node, in []*value) (*value, error) {
	if in[0].is("weights") != nil {
		return part(in[0], &lazy{op: "nan", a: in[0]}), nil
	}
	return nil, nil
}

func (m *importer) where(_ *node, in []*value) (*value, error) {
	if len(in) != 3 {
		return nil, nil
	}
	if l := in[0].is("nan"); l != nil && alike(l.a, in[2]) && in[1].known != nil {
		return in[2], nil // of a row that sees nothing
	}
	if in[0].known == nil {
		return nil, nil
	}
	for k, other := range map[int]int{1: 2, 2: 1} {
		s := in[k].is("scores")
		low, one := scalar(in[other])
		if s == nil || !one || low > -1e4 {
			continue
		}
		bias := newArray(typeFloat, in[0].shape...)
		for i := range bias.size() {
			if (in[0].known.at(i) != 0) == (other == 1) {
				bias.f[i] = float32(low)
			}
		}
		c := *s
		c.bias = append(slices.Clone(s.bias), bias)
		return part(in[k], &c), nil
	}
	return nil, nil
}

// low is what hides a position: less than this is added to its score.
const low = -1e4

// explain finds which mask, and whether causality, is what was added to scores of a shape.
func (m *importer) explain(bias []*array, shape []int) (mask string, causal bool, err error) {
	sum := newArray(typeFloat, shape...)
	for _, b := range bias {
		if r := len(b.shape); r == 3 && b.shape[0] == shape[0]*shape[1] { // rows and heads on one axis
			b = b.viewed([]int{shape[0], shape[1], b.shape[1], b.shape[2]})
		} else if r == 3 && b.shape[0] != 1 {
			return "", false, m.unsupported("what is added to scores has another shape")
		}
		b = b.broadcast(shape)
		if b == nil {
			return "", false, m.unsupported("what is added to scores has another shape")
		}
		for k := range sum.f {
			sum.f[k] += float32(b.at(k))
		}
	}
	length := shape[3]
	fits := func(hides *array, causal bool) bool {
		for k, v := range sum.f {
			row, i, j := k/(shape[1]*shape[2]*length), k/length%shape[2], k%length
			hidden := causal && j > i || hides != nil && hides.at(row*length+j) == 0
			if hidden != (float64(v) <= low) || !hidden && math.Abs(float64(v)) > 1e-3 {
				return false
			}
		}
		return true
	}
	names := []string{""}
	for _, name := range sortedNames(m.masks) {
		if a := m.masks[name]; a.shape[1] == length && a.shape[0] == shape[0] {
			names = append(names, name)
		}
	}
	for _, name := range names {
		for _, causal := range []bool{false, true} {
			if !fits(m.masks[name], causal) {
				continue
			}
			mask, err := m.maskLayer(name)
			return mask, causal, err
		}
	}
	return "", false, m.unsupported("what is added to scores is no mask of an input, and not causal")
}

func sortedNames(masks map[string]*array) []string {
	var names []string
	for n := range masks {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// maskLayer is the input, or the layer, that gives a mask.
func (m *importer) maskLayer(name string) (string, error) {
	if name == "" || !slices.ContainsFunc([]byte(name), func(c byte) bool { return c == '/' }) {
		return name, nil
	}
	for i := range m.g.Layers {
		if l := &m.g.Layers[i]; l.Op == "padding_mask" && l.Inputs[0]+"/"+fmt.Sprint(l.Int("pad")) == name {
			return l.Name, nil
		}
	}
	var input string
	var pad int
	at := slices.Index([]byte(name), '/')
	input = name[:at]
	if _, err := fmt.Sscan(name[at+1:], &pad); err != nil || pad < 0 {
		return "", m.unsupported("padding is " + name[at+1:])
	}
	out, err := m.fresh(input + "_mask")
	if err != nil {
		return "", err
	}
	m.g.Layers = append(m.g.Layers, graph.Layer{Name: out, Op: "padding_mask", Inputs: []string{input}, Attrs: map[string]any{"pad": int64(pad)}})
	return out, nil
}

// maskOf finds the mask that a sample [batch, length, ..], the same along further axes, is a function of.
func (m *importer) maskOf(a *array, is func(mask, v float64) bool) (string, bool) {
	for _, name := range sortedNames(m.masks) {
		mask := m.masks[name]
		n := mask.size()
		if mask.shape[0] != a.shape[0] || mask.shape[1] != a.shape[1] || a.size()%n != 0 {
			continue
		}
		per, fits := a.size()/n, true
		for k := range a.size() {
			fits = fits && is(mask.at(k/per), a.at(k))
		}
		if fits {
			return name, true
		}
	}
	return "", false
}

// meanOf is the mean over positions that a mask keeps.
func (m *importer) meanOf(v *value, s *lazy, count *array) (*value, error) {
	name, ok := m.maskOf(s.kept, func(mask, v float64) bool { return mask == v })
	if !ok {
		return nil, m.unsupported("what is summed is not masked by an input")
	}
	mask := m.masks[name]
	per := count.size() / m.batch
	if count.size() == 0 || count.shape[0] != m.batch {
		return nil, nil
	}
	for k := range count.size() {
		sum := 0.0
		for j := range mask.shape[1] {
			sum += mask.at(k/per*mask.shape[1] + j)
		}
		if math.Abs(count.at(k)-sum) > 1e-3 {
			return nil, m.unsupported("the sum is divided by something else than the number of positions")
		}
	}
	return m.pooled("mean", s.a, name)
}

// lastOf is the vector of the last position that a mask keeps, picked by a sum with a single one.
func (m *importer) lastOf(v *value) (*value, error) {
	s := v.lazy
	for _, name := range sortedNames(m.masks) {
		mask := m.masks[name]
		if mask.shape[1] != s.kept.shape[1] {
			continue
		}
		fits, per := true, s.kept.size()/mask.size()
		for row := range m.batch {
			sum := 0.0
			for j := range mask.shape[1] {
				sum += mask.at(row*mask.shape[1] + j)
			}
			for j := range mask.shape[1] {
				fits = fits && s.kept.at((row*mask.shape[1]+j)*per) == truth(float64(j) == sum-1)
			}
		}
		if fits {
			out, err := m.pooled("last", s.a, name)
			return m.remember(v, out, err)
		}
	}
	return nil, m.unsupported("a sum of positions that a mask does not count")
}

func (m *importer) pooled(mode string, x *value, mask string) (*value, error) {
	x, err := m.plain(x)
	if err != nil {
		return nil, err
	}
	in := []string{x.layer}
	if mask != "" {
		layer, err := m.maskLayer(mask)
		if err != nil {
			return nil, err
		}
		in = append(in, layer)
	}
	return m.emit("sequence_pool", in, map[string]any{"mode": mode}, []int{m.batch, x.shape[2]}, nil)
}
