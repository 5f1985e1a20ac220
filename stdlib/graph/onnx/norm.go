package onnx

import (
	"math"

	"mbuild.dev/mbuild/stdlib/graph"
)

func epsilon(l *graph.Layer) message { return attr("epsilon", float32(l.Float("epsilon", 1e-5))) }

// batchNorm is BatchNormalization where the features are on its axis. Elsewhere the statistics are folded: x scale + shift with
// scale = gamma / sqrt(variance + epsilon), which is what runtimes do too.
func (e *exporter) batchNorm(l *graph.Layer, out string, on layout) {
	x := e.in(l.Inputs[0], on)
	if on == first || len(e.info.Shapes[l.Name]) == 1 {
		e.node("BatchNormalization", out, []string{x, e.param(l, "gamma"), e.param(l, "beta"), e.param(l, "mean"), e.param(l, "variance")}, epsilon(l))
		return
	}
	ps := e.model.Params[l.Name]
	gamma, beta, mean, variance := ps["gamma"].Float32s(), ps["beta"].Float32s(), ps["mean"].Float32s(), ps["variance"].Float32s()
	scale, shift := make([]float32, len(gamma)), make([]float32, len(gamma))
	for i := range gamma {
		s := float64(gamma[i]) / math.Sqrt(float64(variance[i])+l.Float("epsilon", 1e-5))
		scale[i], shift[i] = float32(s), float32(float64(beta[i])-float64(mean[i])*s)
	}
	y := e.node("Mul", l.Name+"/scaled", []string{x, e.floats(l.Name+"/scale", scale, len(scale))})
	e.node("Add", out, []string{y, e.floats(l.Name+"/shift", shift, len(shift))})
}

// groupNorm is GroupNormalization, which wants an axis after the channels; a vector gets one of size 1.
func (e *exporter) groupNorm(l *graph.Layer, out string) {
	x, shape, result := e.in(l.Inputs[0], first), e.info.Shapes[l.Name], out
	if len(shape) == 1 {
		x, result = e.reshape(l.Name+"/column", x, []int{shape[0], 1}), l.Name+"/normal"
	}
	e.node("GroupNormalization", result, []string{x, e.param(l, "gamma"), e.param(l, "beta")}, attr("num_groups", int64(l.Groups())), epsilon(l))
	if result != out {
		e.reshape(out, result, shape)
	}
}

// rmsNorm is written out: RMSNormalization came with operator set 23.
func (e *exporter) rmsNorm(l *graph.Layer, out string) {
	x := e.in(l.Inputs[0], last)
	y := e.node("Mul", l.Name+"/squares", []string{x, x})
	y = e.node("ReduceMean", l.Name+"/mean", []string{y, e.whole(l.Name+"/axes", -1)}, attr("keepdims", int64(1)))
	y = e.node("Add", l.Name+"/shifted", []string{y, e.floats(l.Name+"/epsilon", []float32{float32(l.Float("epsilon", 1e-5))})})
	y = e.node("Sqrt", l.Name+"/root", []string{y})
	y = e.node("Div", l.Name+"/normal", []string{x, y})
	e.node("Mul", out, []string{y, e.param(l, "gamma")})
}
