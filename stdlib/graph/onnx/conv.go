package onnx

import (
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// geometry is the attributes that convolutions and pools share. ONNX has all pads before the input, then all after it.
func geometry(w *graph.Window) []message {
	return []message{attr("kernel_shape", w.Kernel), attr("strides", w.Stride), attr("pads", append(slices.Clone(w.Before), w.After...))}
}

// window is the geometry of a layer; graph.Infer has found it sound.
func (e *exporter) window(l *graph.Layer) *graph.Window {
	w, _ := l.Window(e.info.Layers[l.Name].In[0])
	return w
}

// kernel adds a layer's weight as ONNX wants it, the output channels first: [filters, channels/groups, kernel..], and
// [channels, filters, kernel..] of a transposed convolution.
func (e *exporter) kernel(l *graph.Layer) string {
	t := e.model.Params[l.Name]["weight"]
	n := len(t.Shape)
	perm := []int{n - 1, n - 2}
	if l.Op == "conv1d_transpose" || l.Op == "conv2d_transpose" {
		perm = []int{n - 2, n - 1}
	}
	for a := range n - 2 {
		perm = append(perm, a)
	}
	return e.float(e.constant(l.Name+"/weight", transpose(t, t.Shape, perm)), t.DType)
}

// column adds a vector of one number a channel, with n axes of size 1 after it.
func (e *exporter) column(l *graph.Layer, name string, n int) string {
	t := e.model.Params[l.Name][name]
	c := &bundle.Tensor{DType: t.DType, Data: t.Data, Shape: append(slices.Clone(t.Shape), slices.Repeat([]int{1}, n)...)}
	return e.float(e.constant(l.Name+"/"+name, c), t.DType)
}

func (e *exporter) conv(l *graph.Layer, out string) {
	w, bias, f := e.window(l), l.Flag("use_bias", true), l.Text("activation", "linear")
	x, axes := e.in(l.Inputs[0], first), len(e.window(l).In)
	attrs := append(geometry(w), attr("dilations", w.Dilation), attr("group", int64(l.Groups())))
	biased := out
	if f != "linear" {
		biased = l.Name + "/linear"
	}
	op := "Conv"
	if l.Op == "conv1d_transpose" || l.Op == "conv2d_transpose" {
		op = "ConvTranspose"
		attrs = append(attrs, attr("output_padding", w.Extra))
	}
	if l.Quant == graph.DynamicInt8 {
		scaled := biased
		if bias {
			scaled = l.Name + "/product"
		}
		q, scale, zero := e.quantize(x)
		acc := e.node("ConvInteger", l.Name+"/integer", []string{q, e.kernel(l), zero}, attrs...)
		acc = e.node("Cast", l.Name+"/integer/float", []string{acc}, attr("to", int64(typeFloat)))
		both := e.node("Mul", l.Name+"/scale", []string{scale, e.column(l, "weight_scale", axes)})
		e.node("Mul", scaled, []string{acc, both})
		if bias {
			e.node("Add", biased, []string{scaled, e.column(l, "bias", axes)})
		}
	} else {
		in := []string{x, e.kernel(l)}
		if l.Quant == graph.WeightOnlyInt8 {
			in[1] = e.node("Cast", l.Name+"/weight/float", in[1:], attr("to", int64(typeFloat)))
			in[1] = e.node("Mul", l.Name+"/weight/scaled", []string{in[1], e.column(l, "weight_scale", axes+1)})
		}
		if bias {
			in = append(in, e.param(l, "bias"))
		}
		e.node(op, biased, in, attrs...)
	}
	if f != "linear" {
		e.activation(f, out, biased, first)
	}
}

func (e *exporter) pool(l *graph.Layer, out string) {
	in, attrs := []string{e.in(l.Inputs[0], first)}, geometry(e.window(l))
	if l.Op == "avg_pool" {
		e.node("AveragePool", out, in, append(attrs, attr("count_include_pad", int64(0)))...)
		return
	}
	e.node("MaxPool", out, in, attrs...)
}

// globalPool reduces what it finds, in either layout.
func (e *exporter) globalPool(l *graph.Layer, out string) {
	h, op := e.held[l.Inputs[0]], "ReduceMean"
	if l.Op == "global_max_pool" {
		op = "ReduceMax"
	}
	axes := []int{1, 2, 3}[:len(e.info.Shapes[l.Inputs[0]])-1]
	if h.layout == first {
		axes = []int{2, 3, 4}[:len(axes)]
	}
	e.node(op, out, []string{h.value, e.whole(l.Name+"/axes", axes...)}, attr("keepdims", int64(0)))
}

// upsample is Resize. A line is made a plane of one row, for ONNX Runtime is linear over planes.
func (e *exporter) upsample(l *graph.Layer, out string) {
	x := e.in(l.Inputs[0], first)
	in, shape := e.info.Layers[l.Name].In[0], e.info.Shapes[l.Name]
	factor, _ := l.Axes("factor", len(in)-1, 0, 1)
	line, result := len(factor) == 1, out
	if line {
		x = e.reshape(l.Name+"/plane", x, []int{in[1], 1, in[0]})
		factor, result = []int{1, factor[0]}, l.Name+"/resized"
	}
	scales := e.floats(l.Name+"/factor", []float32{1, 1, float32(factor[0]), float32(factor[1])}, 4)
	attrs := []message{attr("mode", "nearest"), attr("coordinate_transformation_mode", "asymmetric"), attr("nearest_mode", "floor")}
	if l.Text("mode", "nearest") == "bilinear" {
		attrs = []message{attr("mode", "linear"), attr("coordinate_transformation_mode", "half_pixel")}
	}
	e.node("Resize", result, []string{x, "", scales}, attrs...)
	if line {
		e.reshape(out, result, []int{shape[1], shape[0]})
	}
}
