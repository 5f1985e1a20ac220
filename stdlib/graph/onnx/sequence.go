package onnx

import (
	"math"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// What a layer keeps for each position (rows of position_embedding, the mask of causal attention, the angles of rotary attention)
// is an initializer for the whole length, cut to the length of what comes in.

// rows takes rows of a table, which is cast where it is stored in 16 bits: only what was taken.
func (e *exporter) rows(l *graph.Layer, out, ids string) string {
	t := e.model.Params[l.Name]["weight"]
	w := e.constant(l.Name+"/weight", t)
	if t.DType == graph.F32 {
		return e.node("Gather", out, []string{w, ids})
	}
	stored, cast := e.node("Gather", out+"/stored", []string{w, ids}), out
	if l.Quant != "" {
		cast = out + "/float"
	}
	y := e.node("Cast", cast, []string{stored}, attr("to", int64(typeFloat)))
	if l.Quant != "" {
		y = e.node("Mul", out, []string{y, e.scale(l)})
	}
	return y
}

// scale is the scale of a quantised embedding.
func (e *exporter) scale(l *graph.Layer) string {
	return e.once(l.Name+"/weight_scale", func(string) { e.param(l, "weight_scale") })
}

// once adds what several layers share, and returns its name.
func (e *exporter) once(name string, add func(name string)) string {
	if !e.shared[name] {
		e.shared[name] = true
		add(name)
	}
	return name
}

// size is the size of an axis of a value, as a list of one number.
func (e *exporter) size(value string, axis int) string {
	return e.once(value+"/size"+string(rune('0'+axis)), func(name string) {
		e.node("Shape", name, []string{value}, attr("start", int64(axis)), attr("end", int64(axis+1)))
	})
}

// cut is the part of an axis of a value up to a size.
func (e *exporter) cut(out, value, size string, axis int) string {
	return e.node("Slice", out, []string{value, e.whole(out+"/start", 0), size, e.whole(out+"/axis", axis)})
}

func (e *exporter) positions(l *graph.Layer, out string) {
	x := e.in(l.Inputs[0], last)
	w, offset := e.param(l, "weight"), l.Int("offset")
	end := e.size(x, 1)
	start := e.whole(l.Name+"/start", offset)
	if offset > 0 {
		end = e.node("Add", l.Name+"/end", []string{end, start})
	}
	w = e.node("Slice", l.Name+"/rows", []string{w, start, end, e.whole(l.Name+"/axis", 0)})
	e.node("Add", out, []string{x, w})
}

func (e *exporter) types(l *graph.Layer, out string) {
	x := e.in(l.Inputs[0], last)
	if len(l.Inputs) == 1 {
		t := e.model.Params[l.Name]["weight"]
		first := bundle.Float32([]int{t.Shape[1]}, t.Float32s()[:t.Shape[1]])
		e.node("Add", out, []string{x, e.constant(l.Name+"/first", first)})
		return
	}
	ids := e.held[l.Inputs[1]].value
	e.node("Add", out, []string{x, e.rows(l, l.Name+"/rows", ids)})
}

// tied turns the table round, which a runtime does once, when it loads the file.
func (e *exporter) tied(l *graph.Layer, out string) {
	from := e.model.Graph.Layer(l.Text("embedding", ""))
	t := e.model.Params[from.Name]["weight"]
	w := e.once(from.Name+"/turned", func(name string) {
		w := e.float(from.Name+"/weight", t.DType)
		if from.Quant != "" {
			w = e.node("Cast", name+"/float", []string{w}, attr("to", int64(typeFloat)))
			w = e.node("Mul", name+"/scaled", []string{w, e.scale(from)})
		}
		e.node("Transpose", name, []string{w}, attr("perm", []int{1, 0}))
	})
	x := e.in(l.Inputs[0], last)
	if !l.Flag("use_bias", true) {
		e.node("MatMul", out, []string{x, w})
		return
	}
	e.node("Add", out, []string{e.node("MatMul", l.Name+"/product", []string{x, w}), e.param(l, "bias")})
}

func (e *exporter) paddingMask(l *graph.Layer, out string) {
	ids := e.held[l.Inputs[0]].value
	pad := e.tensorOf(l.Name+"/pad", e.info.DTypes[l.Inputs[0]], l.Int("pad"))
	same := e.node("Equal", l.Name+"/padded", []string{ids, pad})
	e.node("Cast", out, []string{e.node("Not", l.Name+"/kept", []string{same})}, attr("to", int64(typeFloat)))
}

// tensorOf adds an initializer of one whole number.
func (e *exporter) tensorOf(name string, dtype graph.DType, v int) string {
	raw := make([]byte, dtype.Size())
	for i := range raw {
		raw[i] = byte(v >> (8 * i))
	}
	e.tensors = append(e.tensors, tensor(name, types[dtype], []int{1}, raw))
	return name
}

// mask is the k-th input of a layer in float32; "" when it has none.
func (e *exporter) mask(l *graph.Layer, k int) string {
	if k >= len(l.Inputs) {
		return ""
	}
	name := l.Inputs[k]
	if e.info.DTypes[name] == graph.F32 {
		return e.in(name, last)
	}
	return e.once(name+"/float", func(out string) {
		e.node("Cast", out, []string{e.held[name].value}, attr("to", int64(typeFloat)))
	})
}

// hidden is (mask - 1) 1e9 with axes added.
func (e *exporter) hidden(mask, suffix string, axes ...int) string {
	return e.once(mask+"/hidden"+suffix, func(name string) {
		v := e.node("Sub", name+"/less", []string{mask, e.floats(name+"/one", []float32{1})})
		v = e.node("Mul", name+"/much", []string{v, e.floats(name+"/most", []float32{1e9})})
		e.node("Unsqueeze", name, []string{v, e.whole(name+"/axes", axes...)})
	})
}

// future is what hides the positions after each, [1, 1, length, length], cut to what there is.
func (e *exporter) future(length int, size string) string {
	table := e.once("causal", func(name string) {
		v := make([]float32, length*length)
		for i := range v {
			if i%length > i/length {
				v[i] = -1e9
			}
		}
		e.floats(name, v, 1, 1, length, length)
	})
	return e.once(size+"/causal", func(name string) {
		e.cut(name, e.cut(name+"/queries", table, size, 2), size, 3)
	})
}

func (e *exporter) attention(l *graph.Layer, out string) {
	heads := l.Int("heads")
	part := func(k int, name string) (value, source string, length int) {
		source, shape := e.in(l.Inputs[k], last), e.info.Shapes[l.Inputs[k]]
		value = l.Name + "/" + name
		return e.node("Reshape", value, []string{source, e.whole(value+"/shape", 0, 0, heads, shape[1]/heads)}), source, shape[0]
	}
	q, source, length := part(0, "queries")
	k, keys, from := part(1, "keys")
	v, _, _ := part(2, "values")
	if l.Flag("rotary", false) {
		q = e.rotate(l, q, source, length)
		k = e.rotate(l, k, keys, from)
	}
	q = e.node("Transpose", l.Name+"/queries/turned", []string{q}, attr("perm", []int{0, 2, 1, 3}))
	k = e.node("Transpose", l.Name+"/keys/turned", []string{k}, attr("perm", []int{0, 2, 3, 1}))
	v = e.node("Transpose", l.Name+"/values/turned", []string{v}, attr("perm", []int{0, 2, 1, 3}))
	scale := float32(1 / math.Sqrt(float64(e.info.Shapes[l.Inputs[0]][1]/heads)))
	scores := e.node("MatMul", l.Name+"/products", []string{q, k})
	scores = e.node("Mul", l.Name+"/scores", []string{scores, e.floats(l.Name+"/scale", []float32{scale})})
	if m := e.mask(l, 3); m != "" {
		scores = e.node("Add", l.Name+"/masked", []string{scores, e.hidden(m, "", 1, 2)})
	}
	if l.Flag("causal", false) {
		scores = e.node("Add", l.Name+"/causal", []string{scores, e.future(e.longest(), e.size(source, 1))})
	}
	weights := e.node("Softmax", l.Name+"/weights", []string{scores}, attr("axis", int64(-1)))
	y := e.node("MatMul", l.Name+"/mixed", []string{weights, v})
	y = e.node("Transpose", l.Name+"/mixed/turned", []string{y}, attr("perm", []int{0, 2, 1, 3}))
	e.node("Reshape", out, []string{y, e.whole(l.Name+"/shape", 0, 0, e.info.Shapes[l.Name][1])})
}

// longest is the length of the longest sequence that causal attention goes over.
func (e *exporter) longest() int {
	n := 0
	for i := range e.model.Graph.Layers {
		if l := &e.model.Graph.Layers[i]; l.Op == "attention" && l.Flag("causal", false) {
			n = max(n, e.info.Shapes[l.Name][0])
		}
	}
	return n
}

// rotate turns the pairs of each head; source is what the heads were split from.
func (e *exporter) rotate(l *graph.Layer, x, source string, length int) string {
	half := e.info.Shapes[l.Inputs[0]][1] / l.Int("heads") / 2
	base := l.Float("rotary_base", 10000)
	size := e.size(source, 1)
	table := func(kind string, f func(float64) float64) string {
		v := make([]float32, length*2*half)
		for i := range v {
			v[i] = float32(f(float64(i/(2*half)) * math.Pow(base, -float64(i%half)/float64(half))))
		}
		name := x + "/" + kind
		return e.cut(name, e.floats(name+"/all", v, 1, length, 1, 2*half), size, 1)
	}
	e.operator("Split", []string{x + "/first", x + "/second"}, []string{x}, attr("axis", int64(-1)), attr("num_outputs", int64(2)))
	other := e.node("Neg", x+"/negative", []string{x + "/second"})
	other = e.node("Concat", x+"/other", []string{other, x + "/first"}, attr("axis", int64(-1)))
	a := e.node("Mul", x+"/along", []string{x, table("cosine", math.Cos)})
	b := e.node("Mul", x+"/across", []string{other, table("sine", math.Sin)})
	return e.node("Add", x+"/rotated", []string{a, b})
}

// recurrent is LSTM or GRU, which have time on the first axis, gates in another order, and the lengths of sequences for a mask: in
// ONNX what is not seen must be at the end.
func (e *exporter) recurrent(l *graph.Layer, out string) {
	units, dirs := l.Int("units"), l.Directions()
	order := map[string][]int{"lstm": {0, 3, 1, 2}, "gru": {1, 0, 2}}[l.Op] // i o f c; z r h
	gates := len(order)
	in := e.info.Shapes[l.Inputs[0]][1]
	var w, u, b []float32
	for _, d := range dirs {
		ps := e.model.Params[l.Name]
		w = append(w, gateRows(ps["weight"+d].Float32s(), in, units, order)...)
		u = append(u, gateRows(ps["recurrent"+d].Float32s(), units, units, order)...)
		b = append(b, gateRows(ps["bias"+d].Float32s(), 1, units, order)...)
		second := make([]float32, gates*units)
		if l.Op == "gru" {
			copy(second[2*units:], ps["recurrent_bias"+d].Float32s())
		}
		b = append(b, second...)
	}
	x := e.node("Transpose", l.Name+"/time", []string{e.in(l.Inputs[0], last)}, attr("perm", []int{1, 0, 2}))
	lengths := ""
	if m := e.mask(l, 1); m != "" {
		lengths = e.once(m+"/lengths", func(name string) {
			sum := e.node("ReduceSum", name+"/sum", []string{m, e.whole(name+"/axis", 1)}, attr("keepdims", int64(0)))
			e.node("Cast", name, []string{sum}, attr("to", int64(typeInt32)))
		})
	}
	inputs := []string{x, e.floats(l.Name+"/weight", w, len(dirs), gates*units, in), e.floats(l.Name+"/recurrent", u, len(dirs), gates*units, units),
		e.floats(l.Name+"/bias", b, len(dirs), 2*gates*units)}
	if lengths != "" {
		inputs = append(inputs, lengths)
	}
	direction := "forward"
	if len(dirs) == 2 {
		direction = "bidirectional"
	}
	attrs := []message{attr("hidden_size", int64(units)), attr("direction", direction)}
	op := "LSTM"
	if l.Op == "gru" {
		op, attrs = "GRU", append(attrs, attr("linear_before_reset", int64(1)))
	}
	if l.Text("returns", "sequence") == "state" {
		e.operator(op, []string{"", l.Name + "/state"}, inputs, attrs...)
		y := e.node("Transpose", l.Name+"/turned", []string{l.Name + "/state"}, attr("perm", []int{1, 0, 2}))
		e.node("Reshape", out, []string{y, e.whole(l.Name+"/shape", 0, len(dirs)*units)})
		return
	}
	y := e.node(op, l.Name+"/steps", inputs, attrs...) // [length, directions, batch, units]
	y = e.node("Transpose", l.Name+"/turned", []string{y}, attr("perm", []int{2, 0, 1, 3}))
	e.node("Reshape", out, []string{y, e.whole(l.Name+"/shape", 0, 0, len(dirs)*units)})
}

// gateRows turns [in, gates*units] into [gates*units, in], gates in an order.
func gateRows(w []float32, in, units int, order []int) []float32 {
	out := make([]float32, 0, len(w))
	for _, gate := range order {
		for j := range units {
			for i := range in {
				out = append(out, w[i*len(order)*units+gate*units+j])
			}
		}
	}
	return out
}

func (e *exporter) sequencePool(l *graph.Layer, out string) {
	x, m := e.in(l.Inputs[0], last), e.mask(l, 1)
	axis := func() string {
		return e.once(l.Name+"/axis", func(name string) { e.whole(name, 1) })
	}
	gone := attr("keepdims", int64(0))
	column := func() string {
		return e.once(m+"/column", func(name string) { e.node("Unsqueeze", name, []string{m, e.whole(name+"/axes", -1)}) })
	}
	switch mode := l.Text("mode", ""); {
	case mode == "first":
		e.pick(l, out, x, 0)
	case mode == "last" && m == "":
		e.pick(l, out, x, -1)
	case mode == "last": // sum of mask - 1 picks by a vector of zeros and a one
		at := e.node("ReduceSum", l.Name+"/length", []string{m, axis()}, gone)
		at = e.node("Cast", l.Name+"/length/whole", []string{at}, attr("to", int64(typeInt64)))
		at = e.node("Sub", l.Name+"/last", []string{at, e.whole(l.Name+"/one", 1)})
		hot := e.node("OneHot", l.Name+"/hot", []string{at, e.size(x, 1), e.floats(l.Name+"/values", []float32{0, 1}, 2)})
		hot = e.node("Unsqueeze", l.Name+"/column", []string{hot, e.whole(l.Name+"/axes", -1)})
		e.node("ReduceSum", out, []string{e.node("Mul", l.Name+"/picked", []string{x, hot}), axis()}, gone)
	case mode == "mean" && m == "":
		e.node("ReduceMean", out, []string{x, axis()}, gone)
	case mode == "mean":
		sum := e.node("ReduceSum", l.Name+"/sum", []string{e.node("Mul", l.Name+"/kept", []string{x, column()}), axis()}, gone)
		count := e.node("ReduceSum", l.Name+"/count", []string{m, e.whole(l.Name+"/axes", 1)}, attr("keepdims", int64(1)))
		count = e.node("Max", l.Name+"/some", []string{count, e.floats(l.Name+"/least", []float32{1e-9})})
		e.node("Div", out, []string{sum, count})
	default: // max
		if m != "" {
			x = e.node("Add", l.Name+"/masked", []string{x, e.hidden(m, "/column", -1)})
		}
		e.node("ReduceMax", out, []string{x, axis()}, gone)
	}
}

// pick is one position of a sequence.
func (e *exporter) pick(l *graph.Layer, out, x string, at int) {
	y := e.node("Gather", l.Name+"/position", []string{x, e.whole(l.Name+"/at", at)}, attr("axis", int64(1)))
	e.node("Squeeze", out, []string{y, e.whole(l.Name+"/axis", 1)})
}

func (e *exporter) l2Normalize(l *graph.Layer, out string) {
	x := e.in(l.Inputs[0], last)
	norm := e.node("ReduceL2", l.Name+"/norm", []string{x, e.whole(l.Name+"/axis", -1)}, attr("keepdims", int64(1)))
	norm = e.node("Max", l.Name+"/some", []string{norm, e.floats(l.Name+"/least", []float32{1e-12})})
	e.node("Div", out, []string{x, norm})
}

func (e *exporter) dot(l *graph.Layer, out string) {
	y := e.node("Mul", l.Name+"/products", []string{e.in(l.Inputs[0], last), e.in(l.Inputs[1], last)})
	scale, name := l.Float("scale", 1), out
	if scale != 1 {
		name = l.Name + "/sum"
	}
	y = e.node("ReduceSum", name, []string{y, e.whole(l.Name+"/axis", -1)}, attr("keepdims", int64(1)))
	if scale != 1 {
		e.node("Mul", out, []string{y, e.floats(l.Name+"/scale", []float32{float32(scale)})})
	}
}
