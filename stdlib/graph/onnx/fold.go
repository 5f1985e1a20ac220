package onnx

import (
	"fmt"
	"math"
	"slices"

	"mbuild.dev/mbuild/stdlib/graph"
)

// fold computes an operator whose inputs are all known. ok is false where the operator is none of those that are computed.
func fold(n *node, in []*array) (out *array, ok bool, err error) {
	f := folds[n.op]
	if f == nil || n.domain != "" && n.domain != "ai.onnx" {
		return nil, false, nil
	}
	if out, err = f(n, in); err != nil {
		return nil, true, fmt.Errorf("%v: %w", n, err)
	}
	if out == nil {
		return nil, true, fmt.Errorf("%v: the shapes or values of its inputs do not fit", n)
	}
	return out, true, nil
}

type folding func(n *node, in []*array) (*array, error)

var folds map[string]folding

func init() {
	folds = map[string]folding{
		"Constant": foldConstant, "Identity": func(_ *node, in []*array) (*array, error) { return input(in, 0), nil },
		"Cast": foldCast, "Shape": foldShape, "Gather": foldGather, "GatherElements": foldGatherElements, "GatherND": foldGatherND,
		"Unsqueeze": foldUnsqueeze, "Squeeze": foldSqueeze, "Reshape": foldReshape, "Flatten": foldFlatten, "Slice": foldSlice, "Concat": foldConcat,
		"ConstantOfShape": foldConstantOfShape, "Expand": foldExpand, "Range": foldRange, "Transpose": foldTranspose, "Where": foldWhere,
		"Add": binary2(func(a, b float64) float64 { return a + b }), "Sub": binary2(func(a, b float64) float64 { return a - b }),
		"Mul": binary2(func(a, b float64) float64 { return a * b }), "Div": foldDiv, "Mod": binary2(math.Mod), "Pow": binary2(math.Pow),
		"Max": binary2(math.Max), "Min": binary2(math.Min), "Sum": binary2(func(a, b float64) float64 { return a + b }),
		"Equal": compare(func(a, b float64) bool { return a == b }), "Less": compare(func(a, b float64) bool { return a < b }),
		"LessOrEqual": compare(func(a, b float64) bool { return a <= b }), "Greater": compare(func(a, b float64) bool { return a > b }),
		"GreaterOrEqual": compare(func(a, b float64) bool { return a >= b }), "And": compare(func(a, b float64) bool { return a != 0 && b != 0 }),
		"Or": compare(func(a, b float64) bool { return a != 0 || b != 0 }), "Xor": compare(func(a, b float64) bool { return (a != 0) != (b != 0) }),
		"Not": unary(typeBool, func(x float64) float64 { return truth(x == 0) }), "IsNaN": unary(typeBool, func(x float64) float64 { return truth(x != x) }),
		"Neg": unary(0, func(x float64) float64 { return -x }), "Sqrt": unary(0, math.Sqrt), "Exp": unary(0, math.Exp), "Log": unary(0, math.Log), "Abs": unary(0, math.Abs),
		"Sin": unary(0, math.Sin), "Cos": unary(0, math.Cos), "MatMul": foldMatMul, "Tile": foldTile, "DequantizeLinear": foldDequantize,
		"Sigmoid": unary(0, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }), "Tanh": unary(0, math.Tanh),
		"Reciprocal": unary(0, func(x float64) float64 { return 1 / x }), "Ceil": unary(0, math.Ceil), "Floor": unary(0, math.Floor), "Relu": unary(0, func(x float64) float64 { return max(x, 0) }),
		"ReduceSum": reduce(func(a, b float64) float64 { return a + b }), "ReduceMax": reduce(math.Max), "ReduceMin": reduce(math.Min), "ReduceProd": reduce(func(a, b float64) float64 { return a * b }),
		"Clip": foldClip, "CumSum": foldCumSum, "OneHot": foldOneHot, "Trilu": foldTrilu,
	}
}

func input(in []*array, k int) *array {
	if k < len(in) {
		return in[k]
	}
	return nil
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func foldConstant(n *node, _ []*array) (*array, error) {
	for name, a := range n.attrs {
		switch name {
		case "value":
			return a.t, nil
		case "value_int":
			v := newArray(typeInt64)
			v.i[0] = a.i
			return v, nil
		case "value_ints":
			return wholeArray(n.ints(name)...), nil
		case "value_float":
			v := newArray(typeFloat)
			v.f[0] = a.f
			return v, nil
		}
	}
	return nil, nil
}

func foldCast(n *node, in []*array) (*array, error) {
	to := n.int("to", 0)
	if known := floating(to) || to == typeInt64 || to == typeInt32 || to == typeBool || to == typeInt8 || to == typeUint8; !known {
		return nil, fmt.Errorf("a cast to type %d of ONNX", to)
	}
	if a := in[0]; a.floats() && floating(to) {
		c := *a
		c.elem = to
		return &c, nil
	}
	out := newArray(to, in[0].shape...)
	for k := range out.size() {
		out.set(k, in[0].at(k))
	}
	return out, nil
}

func foldShape(n *node, in []*array) (*array, error) {
	shape := in[0].shape
	from, to := clampAxis(int(n.int("start", 0)), len(shape)), clampAxis(int(n.int("end", int64(len(shape)))), len(shape))
	return wholeArray(shape[from:max(from, to)]...), nil
}

func clampAxis(at, rank int) int {
	if at < 0 {
		at += rank
	}
	return min(max(at, 0), rank)
}

// axis is an axis counted from either end; below 0 where there is none.
func axisOf(at int, rank int) int {
	if at < 0 {
		at += rank
	}
	if at < 0 || at >= rank {
		return -1
	}
	return at
}

func foldGather(n *node, in []*array) (*array, error) {
	if len(in) < 2 {
		return nil, nil
	}
	data, idx := in[0], in[1]
	axis := axisOf(int(n.int("axis", 0)), len(data.shape))
	if axis < 0 {
		return nil, nil
	}
	shape := slices.Concat(data.shape[:axis], idx.shape, data.shape[axis+1:])
	if !small(shape) {
		return nil, nil
	}
	out := newArray(data.elem, shape...)
	inner, width := stridesOf(data.shape)[axis], data.shape[axis]
	outer, count := 1, idx.size()
	for _, d := range data.shape[:axis] {
		outer *= d
	}
	for o := range outer {
		for k := range count {
			at := axisOf(int(idx.at(k)), width)
			if at < 0 {
				return nil, fmt.Errorf("the index %d of %d", int(idx.at(k)), width)
			}
			for x := range inner {
				out.set((o*count+k)*inner+x, data.at((o*width+at)*inner+x))
			}
		}
	}
	return out, nil
}

func foldGatherElements(n *node, in []*array) (*array, error) {
	if len(in) < 2 || len(in[0].shape) != len(in[1].shape) {
		return nil, nil
	}
	axis := axisOf(int(n.int("axis", 0)), len(in[0].shape))
	if axis < 0 {
		return nil, nil
	}
	out, strides, k := newArray(in[0].elem, in[1].shape...), stridesOf(in[0].shape), 0
	var err error
	eachIndex(in[1].shape, func(at []int) {
		from := 0
		for d, x := range at {
			if d == axis {
				x = axisOf(int(in[1].at(k)), in[0].shape[axis])
			}
			if x < 0 || x >= in[0].shape[d] {
				err = fmt.Errorf("an index out of bounds")
				return
			}
			from += x * strides[d]
		}
		out.set(k, in[0].at(from))
		k++
	})
	return out, err
}

// axesOf are the axes of an operator: its second input, or an attribute in older files.
func axesOf(n *node, in []*array, rank int) ([]int, bool) {
	axes := n.ints("axes")
	if a := input(in, 1); a != nil {
		axes = a.ints()
	}
	var out []int
	for _, x := range axes {
		x = axisOf(x, rank)
		if x < 0 {
			return nil, false
		}
		out = append(out, x)
	}
	slices.Sort(out)
	return slices.Compact(out), true
}

func unsqueezed(shape []int, n *node, in []*array) ([]int, bool) {
	count := len(n.ints("axes"))
	if a := input(in, 1); a != nil {
		count = a.size()
	}
	if len(shape)+count > maxRank {
		return nil, false
	}
	axes, ok := axesOf(n, in, len(shape)+count)
	if !ok || len(axes) != count {
		return nil, false
	}
	out := slices.Clone(shape)
	for _, x := range axes {
		out = slices.Insert(out, x, 1)
	}
	return out, true
}

func foldUnsqueeze(n *node, in []*array) (*array, error) {
	if shape, ok := unsqueezed(in[0].shape, n, in); ok {
		return in[0].viewed(shape), nil
	}
	return nil, nil
}

func squeezed(shape []int, n *node, in []*array) ([]int, bool) {
	axes, ok := axesOf(n, in, len(shape))
	if !ok {
		return nil, false
	}
	out := []int{}
	for d, x := range shape {
		gone := slices.Contains(axes, d) || axes == nil && x == 1
		if gone && x != 1 {
			return nil, false
		}
		if !gone {
			out = append(out, x)
		}
	}
	return out, true
}

func foldSqueeze(n *node, in []*array) (*array, error) {
	if shape, ok := squeezed(in[0].shape, n, in); ok {
		return in[0].viewed(shape), nil
	}
	return nil, nil
}

// reshaped is the shape that Reshape gives.
func reshaped(shape []int, want []int, n *node) []int {
	out, rest, open := append([]int{}, want...), 1, -1
	for _, d := range shape {
		rest *= d
	}
	known := 1
	for k, d := range want {
		switch {
		case d == 0 && n.int("allowzero", 0) == 0 && k < len(shape):
			out[k] = shape[k]
		case d == -1 && open < 0:
			open = k
			continue
		case d < 0:
			return nil
		}
		if out[k] > 0 && known > maxFolded*16/out[k] {
			return nil
		}
		known *= out[k]
	}
	if open >= 0 {
		if known == 0 || rest%known != 0 {
			return nil
		}
		out[open], known = rest/known, rest
	}
	if known != rest || len(out) > maxRank {
		return nil
	}
	return out
}

func foldReshape(n *node, in []*array) (*array, error) {
	if len(in) < 2 {
		return nil, nil
	}
	if shape := reshaped(in[0].shape, in[1].ints(), n); shape != nil {
		return in[0].viewed(shape), nil
	}
	return nil, nil
}

func flattened(shape []int, n *node) []int {
	axis := clampAxis(int(n.int("axis", 1)), len(shape))
	a, b := 1, 1
	for k, d := range shape {
		if k < axis {
			a *= d
		} else {
			b *= d
		}
	}
	return []int{a, b}
}

func foldFlatten(n *node, in []*array) (*array, error) {
	return in[0].viewed(flattened(in[0].shape, n)), nil
}

// sliceSpec is what Slice takes of each axis: first, step and how many.
func sliceSpec(n *node, in []*array, shape []int) (first, step, count []int, ok bool) {
	var starts, ends, axes, steps []int
	if len(in) >= 3 && in[1] != nil && in[2] != nil {
		starts, ends = in[1].ints(), in[2].ints()
		if a := input(in, 3); a != nil {
			axes = a.ints()
		}
		if a := input(in, 4); a != nil {
			steps = a.ints()
		}
	} else {
		starts, ends, axes = n.ints("starts"), n.ints("ends"), n.ints("axes")
	}
	first, step, count = make([]int, len(shape)), slices.Repeat([]int{1}, len(shape)), slices.Clone(shape)
	for k := range starts {
		d := k
		if axes != nil {
			if k >= len(axes) {
				return nil, nil, nil, false
			}
			d = axisOf(axes[k], len(shape))
		}
		if d < 0 || d >= len(shape) || k >= len(ends) {
			return nil, nil, nil, false
		}
		s := 1
		if k < len(steps) {
			s = steps[k]
		}
		from, to, size := starts[k], ends[k], shape[d]
		if from < 0 {
			from += size
		}
		if to < 0 && to >= -size {
			to += size
		}
		switch {
		case s > 0:
			from, to = min(max(from, 0), size), min(max(to, 0), size)
			count[d] = max(0, (to-from+s-1)/s)
		case s < 0 && s > math.MinInt32:
			from, to = min(from, size-1), max(to, -1)
			count[d] = max(0, (from-to-s-1)/-s)
		default:
			return nil, nil, nil, false
		}
		first[d], step[d] = from, s
	}
	return first, step, count, true
}

func foldSlice(n *node, in []*array) (*array, error) {
	first, step, count, ok := sliceSpec(n, in, in[0].shape)
	if !ok || !small(count) {
		return nil, nil
	}
	strides, at := stridesOf(in[0].shape), 0
	for d := range strides {
		at += first[d] * strides[d]
		strides[d] *= step[d]
	}
	return in[0].picked(count, strides, at), nil
}

func foldConcat(n *node, in []*array) (*array, error) {
	axis := axisOf(int(n.int("axis", 0)), len(in[0].shape))
	if axis < 0 {
		return nil, nil
	}
	shape := slices.Clone(in[0].shape)
	shape[axis] = 0
	for _, a := range in {
		if a == nil || len(a.shape) != len(shape) {
			return nil, nil
		}
		for d := range shape {
			if d != axis && a.shape[d] != shape[d] {
				return nil, nil
			}
		}
		shape[axis] += a.shape[axis]
	}
	if !small(shape) {
		return nil, nil
	}
	out, at := newArray(in[0].elem, shape...), 0
	outer := 1
	for _, d := range shape[:axis] {
		outer *= d
	}
	for o := range outer {
		for _, a := range in {
			inner := a.size() / max(outer, 1)
			for k := range inner {
				out.set(at, a.at(o*inner+k))
				at++
			}
		}
	}
	return out, nil
}

func foldConstantOfShape(n *node, in []*array) (*array, error) {
	shape := in[0].ints()
	if !small(shape) {
		return nil, nil
	}
	v := newArray(typeFloat, 1)
	if a := n.attrs["value"]; a != nil && a.t != nil && a.t.size() == 1 {
		v = a.t
	}
	out := newArray(v.elem, shape...)
	for k := range out.size() {
		out.set(k, v.at(0))
	}
	return out, nil
}

func foldExpand(_ *node, in []*array) (*array, error) {
	if len(in) < 2 {
		return nil, nil
	}
	if shape := joinedShape(in[0].shape, in[1].ints()); shape != nil && small(shape) {
		return in[0].broadcast(shape), nil
	}
	return nil, nil
}

func foldRange(_ *node, in []*array) (*array, error) {
	if len(in) < 3 || in[0].size() != 1 || in[1].size() != 1 || in[2].size() != 1 {
		return nil, nil
	}
	from, to, step := in[0].at(0), in[1].at(0), in[2].at(0)
	count := math.Ceil((to - from) / step)
	if !(count >= 0) {
		count = 0
	}
	if count > maxFolded {
		return nil, nil
	}
	out := newArray(in[0].elem, int(count))
	for k := range out.size() {
		out.set(k, from+float64(k)*step)
	}
	return out, nil
}

// permOf is the permutation of a Transpose.
func permOf(n *node, rank int) []int {
	perm := n.ints("perm")
	if perm == nil {
		for d := range rank {
			perm = append(perm, rank-1-d)
		}
	}
	sorted := slices.Sorted(slices.Values(perm))
	for d := range sorted {
		if sorted[d] != d || len(sorted) != rank {
			return nil
		}
	}
	if len(sorted) != rank {
		return nil
	}
	return perm
}

func foldTranspose(n *node, in []*array) (*array, error) {
	if perm := permOf(n, len(in[0].shape)); perm != nil && small(in[0].shape) {
		return in[0].permuted(perm), nil
	}
	return nil, nil
}

func foldWhere(_ *node, in []*array) (*array, error) {
	if len(in) < 3 {
		return nil, nil
	}
	shape := joinedShape(in[1].shape, in[2].shape)
	if shape == nil {
		return nil, nil
	}
	if shape = joinedShape(shape, in[0].shape); shape == nil || !small(shape) {
		return nil, nil
	}
	c, a, b := in[0].broadcast(shape), in[1].broadcast(shape), in[2].broadcast(shape)
	out := newArray(a.elem, shape...)
	for k := range out.size() {
		if c.at(k) != 0 {
			out.set(k, a.at(k))
		} else {
			out.set(k, b.at(k))
		}
	}
	return out, nil
}

func elementwise(elem int64, in []*array, f func(a, b float64) float64) *array {
	out := in[0]
	for _, b := range in[1:] {
		shape := joinedShape(out.shape, b.shape)
		if shape == nil || !small(shape) {
			return nil
		}
		x, y := out.broadcast(shape), b.broadcast(shape)
		to := elem
		if to == 0 {
			to = x.elem
		}
		out = newArray(to, shape...)
		for k := range out.size() {
			out.set(k, f(x.at(k), y.at(k)))
		}
	}
	return out
}

func binary2(f func(a, b float64) float64) folding {
	return func(_ *node, in []*array) (*array, error) { return elementwise(0, in, f), nil }
}

func compare(f func(a, b float64) bool) folding {
	return func(_ *node, in []*array) (*array, error) {
		return elementwise(typeBool, in, func(a, b float64) float64 { return truth(f(a, b)) }), nil
	}
}

func foldDiv(n *node, in []*array) (*array, error) {
	if len(in) == 2 && !in[0].floats() {
		return elementwise(0, in, func(a, b float64) float64 {
			if b == 0 {
				return 0
			}
			return math.Trunc(a / b)
		}), nil
	}
	return elementwise(0, in, func(a, b float64) float64 { return a / b }), nil
}

func unary(elem int64, f func(float64) float64) folding {
	return func(_ *node, in []*array) (*array, error) {
		to := elem
		if to == 0 {
			to = in[0].elem
		}
		out := newArray(to, in[0].shape...)
		for k := range out.size() {
			out.set(k, f(in[0].at(k)))
		}
		return out, nil
	}
}

// reducedShape is the shape that a reduction gives, and its axes.
func reducedShape(shape []int, n *node, in []*array) (out, axes []int, ok bool) {
	if axes, ok = axesOf(n, in, len(shape)); !ok {
		return nil, nil, false
	}
	if len(axes) == 0 {
		for d := range shape {
			axes = append(axes, d)
		}
	}
	for d, x := range shape {
		switch {
		case !slices.Contains(axes, d):
			out = append(out, x)
		case n.int("keepdims", 1) != 0:
			out = append(out, 1)
		}
	}
	return out, axes, true
}

func reduce(f func(a, b float64) float64) folding {
	return func(n *node, in []*array) (*array, error) {
		shape, axes, ok := reducedShape(in[0].shape, n, in)
		if !ok {
			return nil, nil
		}
		kept := slices.Clone(in[0].shape)
		for _, d := range axes {
			kept[d] = 1
		}
		out, strides := newArray(in[0].elem, kept...), stridesOf(kept)
		seen := make([]bool, out.size())
		k := 0
		eachIndex(in[0].shape, func(at []int) {
			to := 0
			for d, x := range at {
				if kept[d] > 1 {
					to += x * strides[d]
				}
			}
			if v := in[0].at(k); seen[to] {
				out.set(to, f(out.at(to), v))
			} else {
				out.set(to, v)
				seen[to] = true
			}
			k++
		})
		return out.viewed(shape), nil
	}
}

func foldClip(n *node, in []*array) (*array, error) {
	lo, hi := n.float("min", math.Inf(-1)), n.float("max", math.Inf(1))
	if a := input(in, 1); a != nil && a.size() == 1 {
		lo = a.at(0)
	}
	if a := input(in, 2); a != nil && a.size() == 1 {
		hi = a.at(0)
	}
	return unary(0, func(x float64) float64 { return min(max(x, lo), hi) })(n, in)
}

func foldCumSum(n *node, in []*array) (*array, error) {
	if len(in) < 2 || in[1].size() != 1 || n.int("exclusive", 0) != 0 || n.int("reverse", 0) != 0 {
		return nil, nil
	}
	axis := axisOf(int(in[1].at(0)), len(in[0].shape))
	if axis < 0 {
		return nil, nil
	}
	out, stride, width := newArray(in[0].elem, in[0].shape...), stridesOf(in[0].shape)[axis], in[0].shape[axis]
	for k := range out.size() {
		v := in[0].at(k)
		if k/stride%width > 0 {
			v += out.at(k - stride)
		}
		out.set(k, v)
	}
	return out, nil
}

func foldOneHot(n *node, in []*array) (*array, error) {
	if len(in) < 3 || in[1].size() != 1 || in[2].size() != 2 || n.int("axis", -1) != -1 {
		return nil, nil
	}
	depth := int(in[1].at(0))
	shape := append(slices.Clone(in[0].shape), depth)
	if !small(shape) || depth < 1 {
		return nil, nil
	}
	out := newArray(in[2].elem, shape...)
	for k := range out.size() {
		at := axisOf(int(in[0].at(k/depth)), depth)
		out.set(k, in[2].at(int(truth(at == k%depth))))
	}
	return out, nil
}

func foldTrilu(n *node, in []*array) (*array, error) {
	r := len(in[0].shape)
	if r < 2 {
		return nil, nil
	}
	shift := 0
	if a := input(in, 1); a != nil && a.size() == 1 {
		shift = int(a.at(0))
	}
	upper := n.int("upper", 1) != 0
	out, k := newArray(in[0].elem, in[0].shape...), 0
	eachIndex(in[0].shape, func(at []int) {
		if d := at[r-1] - at[r-2] - shift; upper && d >= 0 || !upper && d <= 0 {
			out.set(k, in[0].at(k))
		}
		k++
	})
	return out, nil
}

func foldGatherND(n *node, in []*array) (*array, error) {
	if len(in) < 2 || n.int("batch_dims", 0) != 0 || len(in[1].shape) == 0 {
		return nil, nil
	}
	data, idx := in[0], in[1]
	last := len(idx.shape) - 1
	deep := idx.shape[last]
	if deep < 1 || deep > len(data.shape) {
		return nil, nil
	}
	shape := slices.Concat(idx.shape[:last], data.shape[deep:])
	if !small(shape) {
		return nil, nil
	}
	out, strides, inner := newArray(data.elem, shape...), stridesOf(data.shape), graph.Size(data.shape[deep:])
	for k := range graph.Size(idx.shape[:last]) {
		from := 0
		for d := range deep {
			at := axisOf(int(idx.at(k*deep+d)), data.shape[d])
			if at < 0 {
				return nil, fmt.Errorf("the index %d of %d", int(idx.at(k*deep+d)), data.shape[d])
			}
			from += at * strides[d]
		}
		for x := range inner {
			out.set(k*inner+x, data.at(from+x))
		}
	}
	return out, nil
}

func foldMatMul(_ *node, in []*array) (*array, error) {
	if len(in) < 2 || !in[0].floats() || !in[1].floats() || len(in[0].shape) < 2 || len(in[1].shape) < 2 {
		return nil, nil
	}
	ra, rb := len(in[0].shape), len(in[1].shape)
	rows, deep, cols := in[0].shape[ra-2], in[0].shape[ra-1], in[1].shape[rb-1]
	lead := joinedShape(in[0].shape[:ra-2], in[1].shape[:rb-2])
	if lead == nil || in[1].shape[rb-2] != deep {
		return nil, nil
	}
	shape := append(slices.Clone(lead), rows, cols)
	a, b := in[0].broadcast(append(slices.Clone(lead), rows, deep)), in[1].broadcast(append(slices.Clone(lead), deep, cols))
	if !small(append(slices.Clone(shape), deep)) || a == nil || b == nil {
		return nil, nil
	}
	out := newArray(in[0].elem, shape...)
	for k := range out.size() {
		sum, batch, i, j := 0.0, k/(rows*cols), k/cols%rows, k%cols
		for x := range deep {
			sum += a.at((batch*rows+i)*deep+x) * b.at((batch*deep+x)*cols+j)
		}
		out.set(k, sum)
	}
	return out, nil
}

func foldTile(_ *node, in []*array) (*array, error) {
	if len(in) < 2 || in[1].size() != len(in[0].shape) {
		return nil, nil
	}
	shape := slices.Clone(in[0].shape)
	for d, times := range in[1].ints() {
		if times < 0 || times > maxFolded || !small([]int{shape[d], times}) {
			return nil, nil
		}
		shape[d] *= times
	}
	if !small(shape) {
		return nil, nil
	}
	out, strides, k := newArray(in[0].elem, shape...), stridesOf(in[0].shape), 0
	eachIndex(shape, func(at []int) {
		from := 0
		for d, x := range at {
			from += x % in[0].shape[d] * strides[d]
		}
		out.set(k, in[0].at(from))
		k++
	})
	return out, nil
}

// foldDequantize is (x - zero) scale, of all elements, of those along an axis, or of blocks along it.
func foldDequantize(n *node, in []*array) (*array, error) {
	x, scale, zero := in[0], input(in, 1), input(in, 2)
	if x.floats() || scale == nil || !scale.floats() || zero != nil && (zero.floats() || zero.size() != scale.size()) {
		return nil, nil
	}
	axis, block := axisOf(int(n.int("axis", 1)), len(x.shape)), int(n.int("block_size", 0))
	each := scale.size() == 1 && block == 0
	if !each && (axis < 0 || block < 0) {
		return nil, nil
	}
	var strides []int
	if want := slices.Clone(x.shape); block > 0 {
		want[axis] = (want[axis] + block - 1) / block
		if strides = stridesOf(want); !slices.Equal(want, scale.shape) {
			return nil, nil
		}
	} else if !each && (len(scale.shape) != 1 || scale.shape[0] != x.shape[axis]) {
		return nil, nil
	}
	out, k := newArray(typeFloat, x.shape...), 0
	eachIndex(x.shape, func(at []int) {
		of := 0
		switch {
		case block > 0:
			for d, v := range at {
				if d == axis {
					v /= block
				}
				of += v * strides[d]
			}
		case !each:
			of = at[axis]
		}
		v := x.at(k)
		if zero != nil {
			v -= zero.at(of)
		}
		out.set(k, v*scale.at(of))
		k++
	})
	return out, nil
}
