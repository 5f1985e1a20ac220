package onnx

import (
	"fmt"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// reducedAxes are the axes that a reduction goes over.
func reducedAxes(n *node, in []*value) (shape, axes []int, ok bool) {
	var arrays []*array
	for _, v := range in {
		if v == nil || v.known == nil {
			arrays = append(arrays, nil)
			continue
		}
		arrays = append(arrays, v.known)
	}
	return reducedShape(in[0].shape, n, arrays)
}

// spatial reports whether axes are those between batch and channels of a value.
func spatial(v *value, axes []int) bool {
	if v.layer == "" || len(v.shape) < 3 {
		return false
	}
	want := []int{1, 2, 3}[:len(v.shape)-2]
	if v.perm != nil {
		want = []int{2, 3, 4}[:len(v.shape)-2]
	}
	return slices.Equal(axes, want)
}

func (m *importer) reduceMean(n *node, in []*value) (*value, error) {
	x := in[0]
	shape, axes, ok := reducedAxes(n, in)
	if !ok || x.known != nil {
		return nil, nil
	}
	if len(axes) == 1 && axes[0] == len(x.shape)-1 && n.int("keepdims", 1) != 0 {
		out := &value{shape: shape, elem: x.elem, lazy: &lazy{op: "mean", a: x}}
		if p := x.is("product"); p != nil && alike(p.a, p.b) {
			if out.lazy = (&lazy{op: "mean square", a: p.a}); p.a.is("centred") != nil {
				out.lazy = &lazy{op: "variance", a: p.a.lazy.a}
			}
		}
		return out, nil
	}
	return m.overall(n, x, shape, axes, "global_avg_pool")
}

// overall is a reduction of all positions of an image or a sequence.
func (m *importer) overall(n *node, x *value, shape, axes []int, op string) (*value, error) {
	x, err := m.real(x)
	if err != nil {
		return nil, err
	}
	if !spatial(x, axes) {
		return nil, nil
	}
	channels := x.shape[len(x.shape)-1]
	if x.perm != nil {
		channels = x.shape[1]
	}
	out, err := m.emit(op, []string{x.layer}, nil, []int{m.batch, channels}, nil)
	if err == nil && n.int("keepdims", 1) != 0 && n.op != "GlobalAveragePool" && n.op != "GlobalMaxPool" {
		out.shape, out.wide = shape, true
	}
	return out, err
}

func (m *importer) globalPool(n *node, in []*value) (*value, error) {
	x, err := m.first(in[0])
	if err != nil {
		return nil, err
	}
	op, shape := map[string]string{"GlobalAveragePool": "global_avg_pool", "GlobalMaxPool": "global_max_pool"}[n.op], slices.Clone(x.shape[:2])
	var axes []int
	for d := range x.shape[2:] {
		axes, shape = append(axes, d+2), append(shape, 1)
	}
	out, err := m.overall(n, x, shape, axes, op)
	if err == nil && out != nil {
		out.shape, out.wide = shape, true
	}
	return out, err
}

func (m *importer) reduceMax(n *node, in []*value) (*value, error) {
	shape, axes, ok := reducedAxes(n, in)
	if !ok || in[0].known != nil {
		return nil, nil
	}
	if h := in[0].is("hidden"); h != nil && slices.Equal(axes, []int{1}) && n.int("keepdims", 1) == 0 {
		name, ok := m.maskOf(h.kept, func(mask, v float64) bool { return (mask == 0) == (v <= low) && (mask == 0 || v == 0) })
		if !ok {
			return nil, m.unsupported("what is hidden is not masked by an input")
		}
		return m.pooled("max", h.a, name)
	}
	return m.overall(n, in[0], shape, axes, "global_max_pool")
}

func (m *importer) reduceSum(n *node, in []*value) (*value, error) {
	x := in[0]
	shape, axes, ok := reducedAxes(n, in)
	if !ok || len(axes) != 1 {
		return nil, nil
	}
	if s := x.is("masked"); s != nil && axes[0] == 1 && n.int("keepdims", 1) == 0 {
		return &value{shape: shape, elem: x.elem, lazy: &lazy{op: "summasked", a: s.a, kept: s.kept}}, nil
	}
	if p := x.is("product"); p != nil && axes[0] == len(x.shape)-1 && n.int("keepdims", 1) != 0 {
		a, b, err := m.pair(p.a, p.b)
		if err != nil {
			return nil, err
		}
		if a.perm != nil || a.flat != nil || !slices.Equal(a.shape, b.shape) {
			return nil, nil
		}
		return m.emit("dot", []string{a.layer, b.layer}, nil, shape, nil)
	}
	return nil, nil
}

func (m *importer) reduceL2(n *node, in []*value) (*value, error) {
	shape, axes, ok := reducedAxes(n, in)
	if !ok || len(axes) != 1 || axes[0] != len(in[0].shape)-1 || n.int("keepdims", 1) == 0 {
		return nil, nil
	}
	return &value{shape: shape, elem: in[0].elem, lazy: &lazy{op: "length", a: in[0]}}, nil
}

// reshape is Reshape, Flatten, Squeeze, Unsqueeze and Expand.
func (m *importer) reshape(n *node, in []*value) (*value, error) {
	x := in[0]
	if x.known != nil {
		return nil, nil
	}
	var arrays []*array
	for _, v := range in {
		switch {
		case v == nil:
			arrays = append(arrays, nil)
		case v != x && v.known == nil:
			return nil, nil
		default:
			arrays = append(arrays, v.known)
		}
	}
	if x.is("product") != nil || x.is("scaled") != nil && !x.ordered() {
		var err error
		if x, err = m.real(x); err != nil {
			return nil, err
		}
	}
	var shape []int
	ok := true
	switch n.op {
	case "Reshape":
		if len(in) < 2 || in[1] == nil {
			return nil, nil
		}
		shape = reshaped(x.shape, arrays[1].ints(), n)
		ok = shape != nil
	case "Flatten":
		shape = flattened(x.shape, n)
	case "Squeeze":
		shape, ok = squeezed(x.shape, n, arrays)
	case "Unsqueeze":
		shape, ok = unsqueezed(x.shape, n, arrays)
	case "Expand":
		if len(in) < 2 || in[1] == nil {
			return nil, nil
		}
		if x.is("length") != nil {
			return x, nil
		}
		shape = joinedShape(x.shape, arrays[1].ints())
		ok = slices.Equal(shape, x.shape)
	}
	if !ok || len(shape) == 0 {
		return nil, m.unsupported(fmt.Sprintf("a shape of %v", shape))
	}
	if slices.Equal(shape, x.shape) {
		return x, nil
	}
	if x.is("scores") != nil || x.is("weights") != nil { // heads by themselves, or with rows
		if r := len(shape); r < 3 || !slices.Equal(shape[r-2:], x.shape[len(x.shape)-2:]) {
			return nil, nil
		}
		return &value{shape: shape, elem: x.elem, lazy: x.lazy}, nil
	}
	if v := m.reshapedView(n, x, shape); v != nil {
		return v, nil
	}
	if len(shape) < 2 || shape[0] != m.batch {
		return nil, m.unsupported(fmt.Sprintf("a shape of %v", shape))
	}
	if x.wide && slices.Equal(shape, append(slices.Clone(x.shape[:2]), shape[2:]...)) && len(shape) == 2 {
		return &value{shape: shape, elem: x.elem, layer: x.layer}, nil
	}
	if x.wide && len(x.shape) == len(shape)+1 && graph.Size(shape) == graph.Size(x.shape) && len(shape) == 2 {
		return &value{shape: shape, elem: x.elem, layer: x.layer}, nil
	}
	if last := len(x.shape) - 1; x.layer != "" && slices.Equal(x.perm, toFirst(last)) && (x.shape[1] == 1 || graph.Size(x.shape[2:]) == 1) && (len(shape) == 2 || shape[1] != x.shape[1] || shape[len(shape)-1] == x.shape[1]) {
		x = &value{name: x.name, elem: x.elem, layer: x.layer, shape: append([]int{x.shape[0]}, append(slices.Clone(x.shape[2:]), x.shape[1])...)} // nothing moves
		if slices.Equal(shape, x.shape) {
			return x, nil
		}
	}
	if x.perm != nil && len(shape) == 2 {
		return m.flatten(x, shape)
	}
	if first := slices.Equal(x.perm, toFirst(len(x.shape)-1)); x.layer != "" && len(shape) > 2 && (x.flat != nil && slices.Equal(shape[1:], append([]int{x.flat[len(x.flat)-1]}, x.flat[:len(x.flat)-1]...)) ||
		first && x.flat == nil && shape[1] == x.shape[1]) { // positions by themselves
		inner := append(slices.Clone(shape[2:]), shape[1])
		out, err := m.emit("reshape", []string{x.layer}, map[string]any{"shape": whole64(inner)}, shape, nil)
		if err == nil {
			out.perm = toFirst(len(inner))
		}
		return out, err
	}
	if x.perm == nil && x.layer != "" && len(shape) == 2 && len(x.shape) > 2 && x.flat == nil && n.op == "Flatten" {
		return m.emit("flatten", []string{x.layer}, nil, shape, nil)
	}
	y, err := m.plain(x)
	if err != nil {
		return nil, err
	}
	return m.emit("reshape", []string{y.layer}, map[string]any{"shape": whole64(shape[1:])}, shape, nil)
}

// reshapedView is a view in another shape; nil where it is none.
func (m *importer) reshapedView(n *node, x *value, shape []int) *value {
	of, axes, from, ok := m.viewed(x)
	if !ok || x.lazy != nil && !m.viewable(x) || n.op == "Flatten" && x.layer != "" && len(x.shape) > 2 && len(shape) == 2 && shape[0] == m.batch {
		return nil
	}
	if axes, ok = regrouped(axes, shape); !ok {
		return nil
	}
	return m.view(of, axes, from, x)
}

// viewable reports whether a part of a layer may be looked at in another shape.
func (m *importer) viewable(x *value) bool {
	return slices.Contains([]string{"view", "scaled", "mixed", "rotary"}, x.lazy.op)
}

// flatten makes a vector of an image whose channels come first in the file.
func (m *importer) flatten(x *value, shape []int) (*value, error) {
	if !slices.Equal(x.perm, toFirst(len(x.shape)-1)) {
		return nil, nil
	}
	out, err := m.emit("flatten", []string{x.layer}, nil, shape, nil)
	if err != nil {
		return nil, err
	}
	inner := append(slices.Clone(x.shape[2:]), x.shape[1])
	if last := len(inner) - 1; inner[last] != 1 && slices.Max(inner[:last]) != 1 {
		out.flat = inner
	}
	return out, nil
}

func (m *importer) transpose(n *node, in []*value) (*value, error) {
	x := in[0]
	perm := permOf(n, len(x.shape))
	if perm == nil || x.known != nil {
		return nil, nil
	}
	shape := make([]int, len(perm))
	for k, p := range perm {
		shape[k] = x.shape[p]
	}
	if of, axes, from, ok := m.viewed(x); ok && (x.lazy == nil || m.viewable(x)) {
		moved := make([][]run, len(perm))
		for k, p := range perm {
			moved[k] = axes[p]
		}
		// A sequence that is turned may be on its way to a convolution: then its axes are named anew.
		if x.layer == "" || perm[0] != 0 {
			return m.view(of, moved, from, x), nil
		}
	}
	x, err := m.real(x)
	if err != nil {
		return nil, err
	}
	if x.flat != nil || perm[0] != 0 {
		return nil, m.unsupported(fmt.Sprintf("a permutation %v", perm))
	}
	old := x.perm
	if old == nil {
		for d := range x.shape {
			old = append(old, d)
		}
	}
	out := &value{shape: shape, elem: x.elem, layer: x.layer}
	for _, p := range perm {
		out.perm = append(out.perm, old[p])
	}
	if slices.IsSorted(out.perm) {
		out.perm = nil
	}
	return out, nil
}

// first is a value with its channels on the second axis.
func (m *importer) first(v *value) (*value, error) {
	v, err := m.real(v)
	if err != nil {
		return nil, err
	}
	if len(v.shape) > 2 && !slices.Equal(v.perm, toFirst(len(v.shape)-1)) {
		// Where nothing moves, axes may be named otherwise.
		if v.perm == nil && (v.shape[1] == 1 || graph.Size(v.shape[2:]) == 1) && v.flat == nil {
			shape := append(slices.Clone(v.shape[2:]), v.shape[1])
			out, err := m.emit("reshape", []string{v.layer}, map[string]any{"shape": whole64(shape)}, v.shape, nil)
			if err != nil {
				return nil, err
			}
			out.perm = toFirst(len(v.shape) - 1)
			return out, nil
		}
		return nil, m.unsupported(fmt.Sprintf("%q has its channels on the last axis", v.name))
	}
	return v, nil
}

// window reads the geometry of a convolution or pooling.
func (m *importer) window(n *node, kernel []int, x *value) (map[string]any, error) {
	axes := len(x.shape) - 2
	one := slices.Repeat([]int{1}, axes)
	list := func(name string, dflt []int) []int {
		if v := n.ints(name); v != nil {
			return v
		}
		return dflt
	}
	if k := n.ints("kernel_shape"); k != nil {
		kernel = k
	}
	stride, dilation, pads := list("strides", one), list("dilations", one), list("pads", make([]int, 2*axes))
	auto := n.text("auto_pad", "NOTSET")
	if len(kernel) != axes || len(stride) != axes || len(dilation) != axes || len(pads) != 2*axes || n.int("ceil_mode", 0) != 0 || n.int("storage_order", 0) != 0 {
		return nil, m.unsupported("its geometry")
	}
	for d := range axes {
		if kernel[d] < 1 || stride[d] < 1 || dilation[d] < 1 {
			return nil, m.unsupported("its geometry")
		}
		switch span := (kernel[d]-1)*dilation[d] + 1; auto {
		case "NOTSET", "VALID", "":
		case "SAME_UPPER":
			total := max(0, ((x.shape[d+2]+stride[d]-1)/stride[d]-1)*stride[d]+span-x.shape[d+2])
			pads[d], pads[d+axes] = total/2, total-total/2
		default:
			return nil, m.unsupported("auto_pad is " + auto)
		}
	}
	attrs := map[string]any{"kernel": whole64(kernel), "stride": whole64(stride)}
	if slices.Max(pads) > 0 {
		var pairs []int // of each axis in turn
		for d := range axes {
			pairs = append(pairs, pads[d], pads[d+axes])
		}
		attrs["pads"] = whole64(pairs)
	}
	if slices.Max(dilation) > 1 {
		attrs["dilation"] = whole64(dilation)
	}
	return attrs, nil
}

// over emits a layer over an image, and finds its shape.
func (m *importer) over(op string, x *value, attrs map[string]any, params bundle.Params) (*value, error) {
	inner := append(slices.Clone(x.shape[2:]), x.shape[1])
	probe := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: inner, DType: graph.F32, Scale: 1}}, Layers: []graph.Layer{{Name: "l", Op: op, Inputs: []string{"x"}, Attrs: attrs}}, Outputs: []string{"l"}}
	info, err := graph.Infer(probe)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", m.node, err)
	}
	out := info.Shapes["l"]
	last := len(out) - 1
	y, err := m.emit(op, []string{x.layer}, attrs, append([]int{m.batch, out[last]}, out[:last]...), params)
	if err == nil {
		y.perm = toFirst(len(out))
	}
	return y, err
}

func (m *importer) conv(n *node, in []*value) (*value, error) {
	if len(in) < 2 || in[0].known != nil || in[1] == nil || in[1].known == nil || in[1].probe || !in[1].known.floats() {
		return nil, nil
	}
	x, err := m.first(in[0])
	if err != nil {
		return nil, err
	}
	w := in[1].known
	axes := len(x.shape) - 2
	if axes < 1 || axes > 2 || len(w.shape) != axes+2 {
		return nil, m.unsupported(fmt.Sprintf("a weight of %v over %v", w.shape, x.shape))
	}
	attrs, err := m.window(n, w.shape[2:], x)
	if err != nil {
		return nil, err
	}
	op, perm, filters := fmt.Sprintf("conv%dd", axes), []int(nil), w.shape[0]
	for d := range axes {
		perm = append(perm, d+2)
	}
	perm = append(perm, 1, 0)
	if n.op == "ConvTranspose" {
		if op += "_transpose"; n.int("group", 1) != 1 {
			return nil, m.unsupported("groups of a transposed convolution")
		}
		perm[axes], perm[axes+1], filters = 0, 1, w.shape[1]
		if extra := n.ints("output_padding"); len(extra) == axes {
			attrs["output_padding"] = whole64(extra)
		}
		if n.ints("output_shape") != nil {
			return nil, m.unsupported("output_shape")
		}
	} else if g := n.int("group", 1); g > 1 {
		attrs["groups"] = g
	}
	attrs["filters"] = int64(filters)
	params := bundle.Params{"weight": w.permuted(perm).tensor()}
	attrs["use_bias"] = false
	if b := len(in) > 2 && in[2] != nil; b {
		if in[2].known == nil || in[2].probe || !in[2].known.floats() {
			return nil, nil
		}
		delete(attrs, "use_bias")
		params["bias"] = in[2].known.tensor()
	}
	return m.over(op, x, attrs, params)
}

func (m *importer) pool(n *node, in []*value) (*value, error) {
	x, err := m.first(in[0])
	if err != nil {
		return nil, err
	}
	attrs, err := m.window(n, nil, x)
	if err != nil {
		return nil, err
	}
	if attrs["dilation"] != nil || attrs["pads"] != nil && n.int("count_include_pad", 0) != 0 {
		return nil, m.unsupported("dilation, or padding that is counted")
	}
	return m.over(map[string]string{"MaxPool": "max_pool", "AveragePool": "avg_pool"}[n.op], x, attrs, nil)
}

func (m *importer) resize(n *node, in []*value) (*value, error) {
	x, err := m.first(in[0])
	if err != nil {
		return nil, err
	}
	if len(in) < 3 || in[2] == nil || in[2].known == nil || in[2].probe || in[2].known.size() != len(x.shape) {
		return nil, nil
	}
	mode := n.text("mode", "nearest")
	switch how := n.text("coordinate_transformation_mode", "half_pixel"); {
	case mode == "nearest" && how == "asymmetric" && n.text("nearest_mode", "round_prefer_floor") == "floor":
	case mode == "linear" && how == "half_pixel":
		mode = "bilinear"
	default:
		return nil, m.unsupported(mode + " with " + how)
	}
	var factor []int
	for k, v := range in[2].known.f {
		if v != float32(int(v)) || v < 1 || k < 2 && v != 1 {
			return nil, m.unsupported("a scale that is not whole")
		}
		if k >= 2 {
			factor = append(factor, int(v))
		}
	}
	return m.over("upsample", x, map[string]any{"factor": whole64(factor), "mode": mode}, nil)
}

// vectors are constant inputs with one element a feature.
func vectors(in []*value, n int) ([]*bundle.Tensor, bool) {
	var out []*bundle.Tensor
	for _, v := range in {
		if v == nil || v.known == nil || v.probe || !v.known.floats() || v.known.size() != n {
			return nil, false
		}
		out = append(out, bundle.Float32([]int{n}, v.known.f))
	}
	return out, true
}

func (m *importer) batchNorm(n *node, in []*value) (*value, error) {
	x, err := m.first(in[0])
	if err != nil {
		return nil, err
	}
	ps, ok := vectors(in[1:], x.shape[1])
	if !ok || len(ps) != 4 || n.int("training_mode", 0) != 0 {
		return nil, nil
	}
	out, err := m.emit("batch_norm", []string{x.layer}, map[string]any{"epsilon": eps(n)}, x.shape, bundle.Params{"gamma": ps[0], "beta": ps[1], "mean": ps[2], "variance": ps[3]})
	if err == nil {
		out.perm = x.perm
	}
	return out, err
}

// eps is the epsilon of a norm, as the float32 that the file has.
func eps(n *node) float64 {
	if n.attrs["epsilon"] == nil {
		return 1e-5
	}
	return n.float("epsilon", 1e-5)
}

func (m *importer) groupNorm(n *node, in []*value) (*value, error) {
	x, err := m.first(in[0])
	if err != nil {
		return nil, err
	}
	ps, ok := vectors(in[1:], x.shape[1])
	if !ok || len(ps) != 2 || m.file.opset < 21 {
		return nil, nil
	}
	out, err := m.emit("group_norm", []string{x.layer}, map[string]any{"groups": n.int("num_groups", 1), "epsilon": eps(n)}, x.shape, bundle.Params{"gamma": ps[0], "beta": ps[1]})
	if err == nil {
		out.perm = x.perm
	}
	return out, err
}

func (m *importer) layerNorm(n *node, in []*value) (*value, error) {
	x, err := m.plain(in[0])
	if err != nil {
		return nil, err
	}
	last := len(x.shape) - 1
	ps, ok := vectors(in[1:], x.shape[last])
	if !ok || len(ps) < 1 || axisOf(int(n.int("axis", -1)), len(x.shape)) != last {
		return nil, nil
	}
	if len(ps) == 1 {
		ps = append(ps, bundle.Float32([]int{x.shape[last]}, make([]float32, x.shape[last])))
	}
	return m.emit("layer_norm", []string{x.layer}, map[string]any{"epsilon": eps(n)}, x.shape, bundle.Params{"gamma": ps[0], "beta": ps[1]})
}

// rmsNorm is RMSNormalization, of operator set 23.
func (m *importer) rmsNorm(n *node, in []*value) (*value, error) {
	x, err := m.plain(in[0])
	if err != nil {
		return nil, err
	}
	last := len(x.shape) - 1
	ps, ok := vectors(in[1:], x.shape[last])
	if !ok || len(ps) != 1 || axisOf(int(n.int("axis", -1)), len(x.shape)) != last {
		return nil, nil
	}
	return m.emit("rms_norm", []string{x.layer}, map[string]any{"epsilon": eps(n)}, x.shape, bundle.Params{"gamma": ps[0]})
}

// gather is one position of a sequence, or one of several parts that features were put side by side from.
func (m *importer) gather(n *node, in []*value) (*value, error) {
	x := in[0]
	axis := axisOf(int(n.int("axis", 0)), len(x.shape))
	if len(in) < 2 || in[1].known == nil || in[1].probe || in[1].known.size() != 1 || x.known != nil || axis < 0 {
		return nil, nil
	}
	at := axisOf(int(in[1].known.at(0)), x.shape[axis])
	if x.is("view") != nil && len(in[1].shape) == 0 && at >= 0 {
		if y := m.slab(x, axis, at, 1); y != nil {
			of, axes, from, _ := m.viewed(y)
			return m.view(of, slices.Delete(slices.Clone(axes), axis, axis+1), from, y), nil
		}
	}
	if len(x.shape) != 3 || axis != 1 {
		return nil, nil
	}
	return m.position(x, at, len(in[1].shape) == 1)
}

// position is one position of a sequence, the first or the last.
func (m *importer) position(x *value, at int, kept bool) (*value, error) {
	mode := ""
	switch at {
	case 0:
		mode = "first"
	case x.shape[1] - 1:
		mode = "last"
	default:
		return nil, m.unsupported(fmt.Sprintf("position %d of a sequence", at))
	}
	out, err := m.pooled(mode, x, "")
	if err == nil && kept {
		out.shape, out.wide = []int{m.batch, 1, x.shape[2]}, true
	}
	return out, err
}

func (m *importer) concat(n *node, in []*value) (*value, error) {
	if in[0].known != nil {
		return nil, nil
	}
	if y := m.rotated(n, in); y != nil {
		return y, nil
	}
	one, err := m.real(in[0])
	if err != nil {
		return nil, err
	}
	rank := len(one.shape)
	axis, last := axisOf(int(n.int("axis", 0)), rank), rank-1
	if one.perm != nil {
		last = slices.Index(one.perm, rank-1)
	}
	if axis < 0 || axis != last || one.flat != nil {
		return nil, m.unsupported("values are joined along another axis than that of the features")
	}
	var names []string
	shape := slices.Clone(one.shape)
	shape[axis] = 0
	for _, v := range in {
		if v.known != nil {
			return nil, nil
		}
		_, b, err := m.pair(one, v)
		if err != nil {
			return nil, err
		}
		for d := range shape {
			if d != axis && b.shape[d] != shape[d] {
				return nil, nil
			}
		}
		names = append(names, b.layer)
		shape[axis] += b.shape[axis]
	}
	if len(names) == 1 {
		return one, nil
	}
	out, err := m.emit("concat", names, nil, shape, nil)
	if err == nil {
		out.perm = one.perm
	}
	return out, err
}
