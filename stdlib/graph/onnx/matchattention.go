package onnx

import (
	"fmt"
	"math"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
)

// head is a view of queries, keys or values, [.., length, width] or, turned, [.., width, length].
type head struct {
	of    *value // [batch, length, heads width], without factor and rotation
	lead  [][]run
	heads int
	k     float64
	base  float64 // of its rotation; 0 where there is none
}

// head takes a value apart; nil where it is none. wide says that the features of a head stand on the last axis.
func (m *importer) head(v *value, wide bool) (*head, error) {
	of, axes, from, ok := m.viewed(v)
	if v.perm != nil && v.layer != "" && len(v.shape) == 3 && v.flat == nil && !v.wide { // of one head
		plain := make([]int, 3)
		for k, p := range v.perm {
			plain[p] = v.shape[k]
		}
		of, axes, from, ok = &value{name: v.name, shape: plain, elem: v.elem, layer: v.layer, shared: true}, make([][]run, 3), 0, true
		for k, p := range v.perm {
			axes[k] = asIs(plain)[p]
		}
	}
	n := len(axes)
	if !ok || n < 3 || len(of.shape) != 3 {
		return nil, nil
	}
	of, axes, err := m.features(of, axes, from)
	if err != nil {
		return nil, err
	}
	h := &head{of: of, lead: axes[:n-2], k: 1}
	at, features := axes[n-2], axes[n-1]
	if !wide {
		at, features = features, at
	}
	width := places(features)
	h.heads = of.shape[2] / width
	rows := slices.Concat(h.lead...)
	want := slices.Concat(asIs(of.shape)[0], joined([]run{{2, h.heads, width}}))
	if !slices.Equal(rows, want) || !slices.Equal(at, asIs(of.shape)[1]) || !slices.Equal(features, joined([]run{{2, width, 1}})) {
		return nil, nil
	}
	for h.of.lazy != nil {
		switch l := h.of.lazy; {
		case l.op == "scaled":
			h.k *= l.k
			h.of = l.a
		case l.op == "rotary" && l.heads == h.heads && h.base == 0:
			h.base = l.base
			h.of = l.a
		default:
			h.of, err = m.plain(h.of)
			return h, err
		}
	}
	return h, nil
}

// product is a MatMul of two computed values: scores of queries and keys, or values by weights. nil where it is neither.
func (m *importer) product(a, b *value) (*value, error) {
	if w := a.is("weights"); w != nil {
		v, err := m.head(b, true)
		if v == nil || err != nil {
			return nil, err
		}
		s := w.a.lazy
		if v.heads != s.heads || !slices.Equal(b.shape[:len(b.shape)-2], a.shape[:len(a.shape)-2]) || v.base != 0 {
			return nil, nil
		}
		x := v.of
		if v.k != 1 {
			x = m.scaled(x, v.k)
		}
		width := x.shape[2] / v.heads
		y := &value{shape: []int{m.batch, s.a.shape[1], x.shape[2]}, elem: a.elem, lazy: &lazy{op: "mixed", a: w.a, b: x}}
		at := asIs(y.shape)
		lead, _ := regrouped([][]run{at[0], joined([]run{{2, v.heads, width}})}, b.shape[:len(b.shape)-2])
		return m.view(y, append(lead, at[1], joined([]run{{2, width, 1}})), 0, &value{name: m.node.out[0]}), nil
	}
	q, err := m.head(a, true)
	if q == nil || err != nil {
		return nil, err
	}
	k, err := m.head(b, false)
	if k == nil || err != nil {
		return nil, err
	}
	lead := len(a.shape) - 2
	if q.heads != k.heads || q.of.shape[2] != k.of.shape[2] || !slices.Equal(a.shape[:lead], b.shape[:len(b.shape)-2]) {
		return nil, m.unsupported(fmt.Sprintf("%d heads of queries and %d of keys", q.heads, k.heads))
	}
	if q.base != k.base {
		return nil, m.unsupported("queries and keys are turned in different ways")
	}
	shape := append(slices.Clone(a.shape[:lead]), q.of.shape[1], k.of.shape[1])
	return &value{shape: shape, elem: a.elem, lazy: &lazy{op: "scores", a: q.of, b: k.of, k: q.k * k.k, heads: q.heads, base: q.base}}, nil
}

// attention makes a layer of weights and values.
func (m *importer) attention(v *value) (*value, error) {
	s := v.lazy.a.lazy
	q, err := m.plain(s.a)
	if err != nil {
		return nil, err
	}
	k, err := m.plain(s.b)
	if err != nil {
		return nil, err
	}
	x, err := m.plain(v.lazy.b)
	if err != nil {
		return nil, err
	}
	width := float64(q.shape[2] / s.heads)
	if by := s.k * math.Sqrt(width); !near(by, 1) {
		if q, err = m.emit("scale", []string{q.layer}, map[string]any{"factor": number(by)}, q.shape, nil); err != nil {
			return nil, err
		}
	}
	mask, causal, err := m.explain(s.bias, []int{m.batch, s.heads, q.shape[1], k.shape[1]})
	if err != nil {
		return nil, err
	}
	in := []string{q.layer, k.layer, x.layer}
	if mask != "" {
		in = append(in, mask)
	}
	attrs := map[string]any{"heads": int64(s.heads), "causal": causal}
	if s.base != 0 {
		attrs["rotary"], attrs["rotary_base"] = true, number(s.base)
	}
	return m.emit("attention", in, attrs, []int{m.batch, q.shape[1], x.shape[2]}, nil)
}

// negative is the half of the features of heads that a rotation turns into the other.
func (m *importer) negative(_ *node, in []*value) (*value, error) {
	if in[0].is("view") == nil {
		return nil, nil
	}
	return part(in[0], &lazy{op: "negative", a: in[0]}), nil
}

// rotated is the second half of the features of heads, less than zero, beside the first; nil where it is not.
func (m *importer) rotated(n *node, in []*value) *value {
	if len(in) != 2 || in[0].is("negative") == nil || in[1].is("view") == nil || axisOf(int(n.int("axis", 0)), len(in[1].shape)) != len(in[1].shape)-1 {
		return nil
	}
	of, axes, from, _ := m.viewed(in[0].lazy.a)
	of1, axes1, from1, _ := m.viewed(in[1])
	last := len(axes1) - 1
	if !alike(of, of1) || !sameAxes(axes, axes1) || len(axes1[last]) > 1 {
		return nil
	}
	r := run{len(of1.shape) - 1, 1, 1}
	if len(axes1[last]) == 1 {
		r = axes1[last][0]
	}
	if r.axis != len(of1.shape)-1 || r.step != 1 || from != from1+r.size {
		return nil
	}
	whole := slices.Clone(axes1)
	whole[last] = []run{{r.axis, 2 * r.size, 1}}
	shape := append(slices.Clone(in[1].shape[:last]), 2*r.size)
	return &value{shape: shape, elem: in[1].elem, lazy: &lazy{op: "rotated", a: m.view(of1, whole, from1, &value{name: in[1].name, shared: true})}}
}

// rotation is a sum: features of heads times cosines, and their other half times sines. nil where it is none.
func (m *importer) rotation(x, y *value) (*value, error) {
	if x.is("across") != nil {
		x, y = y, x
	}
	along, across := x.is("along"), y.is("across")
	if along == nil || across == nil {
		return nil, nil
	}
	of, axes, from, _ := m.viewed(along.a)
	of2, axes2, from2, _ := m.viewed(across.a)
	if !alike(of, of2) || !sameAxes(axes, axes2) || from != from2 {
		return nil, nil
	}
	of, axes, err := m.features(of, axes, from)
	if err != nil {
		return nil, err
	}
	last := len(axes) - 1
	width := places(axes[last])
	at := slices.IndexFunc(axes, func(a []run) bool { return slices.Equal(a, asIs(of.shape)[1]) })
	cosines, sines := along.kept.broadcast(x.shape), across.kept.broadcast(x.shape)
	if at < 0 || width%2 != 0 || of.shape[2]%width != 0 || cosines == nil || sines == nil {
		return nil, m.unsupported("a rotation of something else than heads, or by tables of other shapes")
	}
	base := rotaryBase(cosines, sines, x.shape, at)
	if base == 0 {
		return nil, m.unsupported("a rotation by other angles than p / base^(2i/width) for features i and i + width/2 of a head at position p, and all of them")
	}
	z := &value{name: m.node.out[0], shape: of.shape, elem: of.elem, lazy: &lazy{op: "rotary", a: of, base: base, heads: of.shape[2] / width}}
	return m.view(z, axes, 0, &value{name: m.node.out[0]}), nil
}

// rotaryBase is the base of angles p / base^(2i/width) that tables are of; 0 where they are of others. It is taken from the slowest pair
// at position 1, and is a whole number where it is near one: tables are in float32.
func rotaryBase(cosines, sines *array, shape []int, at int) float64 {
	last, strides := len(shape)-1, stridesOf(shape)
	width, half := shape[last], shape[last]/2
	base := 10000.0
	if half > 1 && shape[at] > 1 {
		k := strides[at] + half - 1
		angle := math.Atan2(sines.at(k), cosines.at(k))
		if !(angle > 0) {
			return 0
		}
		base = math.Exp(-math.Log(angle) * float64(width) / float64(2*(half-1)))
		if r := math.Round(base); near(base, r) {
			base = r
		}
	}
	fits := base > 0 && !math.IsInf(base, 0)
	k := 0
	eachIndex(shape, func(index []int) {
		angle := float64(index[at]) * math.Pow(base, -float64(2*(index[last]%half))/float64(width))
		fits = fits && math.Abs(cosines.at(k)-math.Cos(angle)) < 1e-3 && math.Abs(sines.at(k)-math.Sin(angle)) < 1e-3
		k++
	})
	if !fits {
		return 0
	}
	return base
}

// reciprocal is one divided by the deviation or the root of a norm.
func (m *importer) reciprocal(_ *node, in []*value) (*value, error) {
	for _, op := range []string{"deviation", "root"} {
		if l := in[0].is(op); l != nil {
			return part(in[0], &lazy{op: "inverse " + op, a: l.a, k: l.k}), nil
		}
	}
	return nil, nil
}

// normalized is a product with the inverse of a norm: of what is normalised, of that less its mean, or of the mean, which is then taken
// off as part of beta, as Keras does. nil where it is none.
func (m *importer) normalized(x, inverse *value) (*value, error) {
	if l := inverse.is("inverse root"); l != nil && alike(x, l.a) {
		return m.normal("rms_norm", l, l.kept, nil)
	}
	l := inverse.is("inverse deviation")
	if l == nil {
		return nil, nil
	}
	switch mean := x.is("mean"); {
	case x.is("centred") != nil && alike(x.lazy.a, l.a):
		return m.normal("layer_norm", l, l.kept, nil)
	case mean != nil && alike(mean.a, l.a):
		c := *l
		c.op = "mean times inverse"
		return part(inverse, &c), nil
	case alike(x, l.a):
		c := *l
		c.op = "times inverse"
		return part(x, &c), nil
	}
	return nil, nil
}

// normSum is x inverse + (beta - mean inverse); nil where a sum is none.
func (m *importer) normSum(x, y *value) (*value, error) {
	if x.is("beta less") != nil {
		x, y = y, x
	}
	a, b := x.is("times inverse"), y.is("beta less")
	if a == nil || b == nil || !alike(a.a, b.a) || a.kept != b.kept || a.k != b.k {
		return nil, nil
	}
	return m.normal("layer_norm", a, a.kept, b.bias[0])
}

// normal is a norm over the last axis. gamma and beta may be nil, for an operator that comes later.
func (m *importer) normal(op string, d *lazy, gamma, beta *array) (*value, error) {
	x, err := m.plain(d.a)
	if err != nil {
		return nil, err
	}
	n := x.shape[len(x.shape)-1]
	all := map[string]*array{"gamma": gamma, "beta": beta}
	if op == "rms_norm" {
		delete(all, "beta")
	}
	ps := bundle.Params{}
	for name, a := range all {
		v := make([]float32, n)
		for k := range v {
			if name == "gamma" {
				v[k] = 1
			}
		}
		if a != nil {
			if v = m.vector(x, a); v == nil {
				return nil, m.unsupported(fmt.Sprintf("%s of shape %v of a norm of %d features", name, a.shape, n))
			}
		}
		ps[name] = bundle.Float32([]int{n}, v)
	}
	return m.emit(op, []string{x.layer}, map[string]any{"epsilon": float64(float32(d.k))}, x.shape, ps)
}
