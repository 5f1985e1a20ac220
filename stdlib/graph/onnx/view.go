package onnx

import (
	"fmt"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Exporters move the axes of sequences about: rows and positions become one axis before a Gemm, and two behind it; features become heads,
// or queries, keys and values side by side; a recurrent layer wants time in front. A view follows that: it says how the axes of a value are
// made of those of another, [batch, length, features] or [batch, features].

// run is a part of an axis: size places, step apart.
type run struct{ axis, size, step int }

// asIs are the axes of a value itself.
func asIs(shape []int) [][]run {
	axes := make([][]run, len(shape))
	for d, n := range shape {
		axes[d] = joined([]run{{d, n, 1}})
	}
	return axes
}

// joined leaves out runs of one place, and makes one of two that are one.
func joined(runs []run) []run {
	var out []run
	for _, r := range runs {
		if n := len(out); n > 0 && out[n-1].axis == r.axis && out[n-1].step == r.step*r.size && r.size > 1 {
			out[n-1] = run{r.axis, out[n-1].size * r.size, r.step}
		} else if r.size > 1 {
			out = append(out, r)
		}
	}
	return out
}

// places is the size of an axis of runs.
func places(runs []run) int {
	n := 1
	for _, r := range runs {
		n *= r.size
	}
	return n
}

func sameAxes(a, b [][]run) bool { return slices.EqualFunc(a, b, slices.Equal[[]run]) }

// regrouped are axes in another shape; false where one would begin within a run that it does not divide.
func regrouped(axes [][]run, shape []int) ([][]run, bool) {
	rest := slices.Concat(axes...)
	out := make([][]run, len(shape))
	for d, need := range shape {
		for need > 1 {
			if len(rest) == 0 {
				return nil, false
			}
			switch r := rest[0]; {
			case need%r.size == 0:
				out[d], rest, need = append(out[d], r), rest[1:], need/r.size
			case r.size%need == 0:
				inner := r.size / need
				out[d] = append(out[d], run{r.axis, need, r.step * inner})
				rest = append([]run{{r.axis, inner, r.step}}, rest[1:]...)
				need = 1
			default:
				return nil, false
			}
		}
		out[d] = joined(out[d])
	}
	return out, len(rest) == 0
}

// viewed takes a value for a view: what it is of, how its axes are made, and where its features begin. ok is false for images and parts of
// layers.
func (m *importer) viewed(v *value) (of *value, axes [][]run, from int, ok bool) {
	if l := v.is("view"); l != nil {
		return l.a, l.axes, l.from, true
	}
	return v, asIs(v.shape), 0, v.known == nil && v.ordered() && len(v.shape) > 0 && v.shape[0] == m.batch && (len(v.shape) <= 3 || v.layer != "")
}

// ordered reports whether the axes of a value are those of its layer.
func (v *value) ordered() bool {
	for s := v.is("scaled"); s != nil; s = v.is("scaled") {
		v = s.a
	}
	return v.perm == nil && v.flat == nil && !v.wide
}

// view makes a value whose axes are made of those of another.
func (m *importer) view(of *value, axes [][]run, from int, like *value) *value {
	shared := like.shared || m.uses[like.name] > 1
	if from == 0 && sameAxes(axes, asIs(of.shape)) {
		c := *of
		c.name, c.shared = like.name, of.shared || shared
		return &c
	}
	shape := make([]int, len(axes))
	for d := range axes {
		shape[d] = places(axes[d])
	}
	return &value{name: like.name, shape: shape, elem: of.elem, shared: shared, lazy: &lazy{op: "view", a: of, axes: axes, from: from}}
}

// features gathers the runs of the features of a view, outermost first, and makes it one of a value that has these features alone, in
// this order: columns of a dense layer, for example.
func (m *importer) features(of *value, axes [][]run, from int) (*value, [][]run, error) {
	last := len(of.shape) - 1
	var runs []run
	for _, axis := range axes {
		for _, r := range axis {
			if r.axis == last {
				runs = append(runs, r)
			}
		}
	}
	slices.SortStableFunc(runs, func(a, b run) int { return b.step - a.step })
	columns, sizes := []int{from}, map[run]int{}
	for _, r := range runs {
		var next []int
		for _, c := range columns {
			for k := range r.size {
				next = append(next, c+k*r.step)
			}
		}
		columns = next
	}
	if identity := len(columns) == of.shape[last] && from == 0 && slices.IsSorted(columns); identity {
		return of, axes, nil
	}
	for k := len(runs) - 1; k >= 0; k-- {
		sizes[runs[k]] = 1
		if k+1 < len(runs) {
			sizes[runs[k]] = sizes[runs[k+1]] * runs[k+1].size
		}
	}
	moved := make([][]run, len(axes))
	for d, axis := range axes {
		for _, r := range axis {
			if r.axis == last {
				r.step = sizes[r]
			}
			moved[d] = append(moved[d], r)
		}
		moved[d] = joined(moved[d])
	}
	out, err := m.columns(of, columns)
	return out, moved, err
}

// columns are some features of a value, as a dense layer of their own.
func (m *importer) columns(of *value, columns []int) (*value, error) {
	if s := of.is("scaled"); s != nil {
		a, err := m.columns(s.a, columns)
		if err != nil {
			return nil, err
		}
		return m.scaled(a, s.k), nil
	}
	of, err := m.plain(of)
	if err != nil {
		return nil, err
	}
	key := fmt.Sprint(of.layer, columns)
	if v := m.cut[key]; v != nil {
		return v, nil
	}
	l := m.g.Layer(of.layer)
	if l == nil || l.Op != "dense" || l.Text("activation", "linear") == "softmax" {
		return nil, m.unsupported(fmt.Sprintf("a part of the features of %q, which is no dense layer", of.name))
	}
	attrs := map[string]any{}
	for name, v := range l.Attrs {
		attrs[name] = v
	}
	attrs["units"] = int64(len(columns))
	params := bundle.Params{}
	for name, t := range m.params[l.Name] {
		wide, size := t.Shape[len(t.Shape)-1], t.DType.Size()
		shape := append(slices.Clone(t.Shape[:len(t.Shape)-1]), len(columns))
		data := make([]byte, 0, graph.Size(shape)*size)
		for row := 0; row < len(t.Data); row += wide * size {
			for _, c := range columns {
				data = append(data, t.Data[row+c*size:row+(c+1)*size]...)
			}
		}
		params[name] = &bundle.Tensor{DType: t.DType, Shape: shape, Data: data}
	}
	inputs, quant := l.Inputs, l.Quant
	out, err := m.emit("dense", inputs, attrs, append(slices.Clone(of.shape[:len(of.shape)-1]), len(columns)), params)
	if err == nil {
		m.g.Layer(out.layer).Quant = quant
		out.shared = true // it may be taken by others that look at the same part
		m.cut[key] = out
	}
	return out, err
}

// materialized makes a layer of a view: its features, or a reshape where nothing has changed places.
func (m *importer) materialized(v *value) (*value, error) {
	l := v.lazy
	of, axes, err := m.features(l.a, l.axes, l.from)
	if err != nil {
		return nil, err
	}
	if of, err = m.plain(of); err != nil {
		return nil, err
	}
	if sameAxes(axes, asIs(of.shape)) {
		return of, nil
	}
	if regular, ok := regrouped(asIs(of.shape), v.shape); !ok || !sameAxes(regular, axes) || v.shape[0] != m.batch || len(v.shape) < 2 {
		return nil, m.unsupported(fmt.Sprintf("%q has its axes in another order, or a shape of %v", v.name, v.shape))
	}
	return m.emit("reshape", []string{of.layer}, map[string]any{"shape": whole64(v.shape[1:])}, v.shape, nil)
}

// rowwise are the operators that do the same at each position, wherever it stands: those of a view whose features are on the last axis
// apply to what it is of. For those with axes the value is true.
var rowwise = map[string]bool{"Gemm": false, "MatMul": false, "Add": false, "Sub": false, "Mul": false, "Div": false, "Pow": false, "Sqrt": false, "Reciprocal": false, "Erf": false, "Tanh": false,
	"Relu": false, "Sigmoid": false, "Gelu": false, "Elu": false, "LeakyRelu": false, "Softplus": false, "Max": false, "Clip": false, "DynamicQuantizeLinear": false, "MatMulInteger": false,
	"LayerNormalization": true, "RMSNormalization": true, "Softmax": true, "ReduceMean": true, "ReduceSum": true, "ReduceL2": true}

// inside applies an operator to what views are of. ok is false where it is none of those that can be.
func (m *importer) inside(n *node, in []*value) (out *value, ok bool, err error) {
	axed, known := rowwise[n.op]
	at := slices.IndexFunc(in, func(v *value) bool { return v.is("view") != nil })
	if !known || at < 0 {
		return nil, false, nil
	}
	of, axes, from, _ := m.viewed(in[at])
	rank := len(axes)
	if (n.op == "Mul" || n.op == "Div" && at == 0) && len(in) == 2 {
		if k, one := scalar(in[1-at]); one && len(in[1-at].shape) <= rank && k != 0 {
			if n.op == "Div" {
				k = 1 / k
			}
			return m.view(m.scaled(of, k), axes, from, &value{name: n.out[0], shared: in[at].shared}), true, nil
		}
	}
	lead, features := axes[:rank-1], len(of.shape)-1
	for _, axis := range lead {
		if slices.ContainsFunc(axis, func(r run) bool { return r.axis == features }) {
			return nil, false, nil
		}
	}
	if graph.Size(of.shape[:features]) != places(slices.Concat(lead...)) || slices.ContainsFunc(axes[rank-1], func(r run) bool { return r.axis != features }) {
		return nil, false, nil
	}
	inner, call := make([]*value, len(in)), *n
	for k, v := range in {
		switch {
		case v == nil:
		case v.known == nil && v.is("quantum") == nil && v.is("zero") == nil:
			vof, vaxes, vfrom, _ := m.viewed(v)
			if !vof.ordered() {
				return nil, false, nil
			}
			if len(vaxes) != rank || !sameAxes(vaxes[:rank-1], lead) || len(vof.shape) != len(of.shape) {
				return nil, false, nil
			}
			if vof, vaxes, err = m.features(vof, vaxes, vfrom); err != nil {
				return nil, true, err
			}
			if !sameAxes(vaxes[rank-1:], asIs(vof.shape)[features:]) {
				return nil, false, nil
			}
			c := *vof
			c.name, c.shared = v.name, v.shared || vof.shared
			inner[k] = &c
		case v.known != nil && v.probe:
			return nil, false, nil
		case v.known != nil && !axed && n.op != "Gemm" && n.op != "MatMul" && n.op != "MatMulInteger":
			if len(v.shape) > 1 && graph.Size(v.shape[:len(v.shape)-1]) > 1 || len(v.shape) > rank {
				return nil, false, nil
			}
			c := *v
			c.shape = v.shape[max(0, len(v.shape)-1):]
			c.known = v.known.viewed(c.shape)
			inner[k] = &c
		default:
			inner[k] = v
		}
	}
	if axed { // over the last axis alone
		axis := n.int("axis", -1)
		if _, there := n.attrs["axis"]; n.op == "Softmax" && !there && m.file.opset < 13 {
			axis = 1
		}
		given := []int{int(axis)}
		if a := n.ints("axes"); a != nil {
			given = a
		} else if n.op[:2] == "Re" && len(in) > 1 && in[1] != nil {
			given = in[1].known.ints()
			inner = inner[:1]
		}
		if len(given) != 1 || axisOf(given[0], rank) != rank-1 || n.int("keepdims", 1) == 0 {
			return nil, false, nil
		}
		call.attrs = map[string]*attribute{}
		for name, a := range n.attrs {
			call.attrs[name] = a
		}
		call.attrs["axis"], call.attrs["axes"] = &attribute{i: -1}, &attribute{ints: []int64{-1}}
	}
	m.node = &call
	defer func() { m.node = n }()
	y, err := matchers[n.op](m, &call, inner)
	if err != nil || y == nil {
		return nil, true, err
	}
	if len(y.shape) != len(of.shape) || !slices.Equal(y.shape[:features], of.shape[:features]) {
		return nil, true, nil
	}
	wrapped := m.view(y, append(slices.Clone(lead), asIs(y.shape)[features]), 0, &value{name: n.out[0]})
	wrapped.also = y.also
	return wrapped, true, nil
}

// slab is a part of an axis of a view, count places from first on, of features; nil where it is of another.
func (m *importer) slab(x *value, axis, first, count int) *value {
	of, axes, from, ok := m.viewed(x)
	if !ok || axis < 0 || axis >= len(axes) || len(axes[axis]) != 1 || count < 1 {
		return nil
	}
	r := axes[axis][0]
	if r.axis != len(of.shape)-1 || r.axis == 0 || first < 0 || first+count > r.size {
		return nil
	}
	moved := slices.Clone(axes)
	moved[axis] = joined([]run{{r.axis, count, r.step}})
	return m.view(of, moved, from+first*r.step, &value{name: x.name, shared: true})
}

// split is Split: parts of the features.
func (m *importer) split(n *node, in []*value) (*value, error) {
	x := in[0]
	axis := axisOf(int(n.int("axis", 0)), len(x.shape))
	if axis < 0 || x.known != nil {
		return nil, nil
	}
	sizes := n.ints("split")
	if len(in) > 1 && in[1] != nil {
		if in[1].known == nil || in[1].probe {
			return nil, nil
		}
		sizes = in[1].known.ints()
	}
	if sizes == nil {
		each := (x.shape[axis] + len(n.out) - 1) / len(n.out)
		for at := 0; at < x.shape[axis]; at += each {
			sizes = append(sizes, min(each, x.shape[axis]-at))
		}
	}
	if len(sizes) != len(n.out) {
		return nil, m.unsupported(fmt.Sprintf("%d parts of sizes %v", len(n.out), sizes))
	}
	var parts []*value
	at := 0
	for _, size := range sizes {
		p := m.slab(x, axis, at, size)
		if p == nil {
			return nil, m.unsupported("it splits something else than the features of a layer")
		}
		parts, at = append(parts, p), at+size
	}
	parts[0].also = parts[1:]
	return parts[0], nil
}

// slice is Slice of features.
func (m *importer) slice(n *node, in []*value) (*value, error) {
	x := in[0]
	if x.known != nil {
		return nil, nil
	}
	arrays := []*array{nil}
	for _, v := range in[1:] {
		if v != nil && (v.known == nil || v.probe) {
			return nil, nil
		}
		if v == nil {
			arrays = append(arrays, nil)
		} else {
			arrays = append(arrays, v.known)
		}
	}
	first, step, count, ok := sliceSpec(n, arrays, x.shape)
	if !ok {
		return nil, nil
	}
	for d := range x.shape {
		if first[d] == 0 && step[d] == 1 && count[d] == x.shape[d] {
			continue
		}
		if d == 1 && len(x.shape) == 3 && count[d] == 1 && x.perm == nil { // one position
			y, err := m.position(x, first[d], true)
			if err != nil || y == nil {
				return nil, err
			}
			x = y
			continue
		}
		if step[d] != 1 {
			return nil, m.unsupported("a step of " + fmt.Sprint(step[d]))
		}
		if x = m.slab(x, d, first[d], count[d]); x == nil {
			return nil, m.unsupported("it takes a part of something else than the features of a layer")
		}
	}
	return x, nil
}
