package reference

import (
	"math"

	"mbuild.dev/mbuild/stdlib/graph"
)

// dense is f(x W + b), with x [rows, in], W [in, out], b [out].
func (p *pass) dense(l *graph.Layer, x []float32) []float32 {
	out := p.last(l.Name)
	var y []float32
	switch l.Quant {
	case graph.DynamicInt8:
		y = dynamicInt8(x, p.model.Params[l.Name]["weight"].Data, p.param(l, "weight_scale"))
	case graph.WeightOnlyInt8:
		y = matmul(x, dequantize(p.model.Params[l.Name]["weight"].Data, p.param(l, "weight_scale")), out)
	default:
		y = matmul(x, p.param(l, "weight"), out)
	}
	if l.Flag("use_bias", true) {
		b := p.param(l, "bias")
		for i := range y {
			y[i] += b[i%out]
		}
	}
	return activate(l.Text("activation", "linear"), y, out)
}

// matmul is x w, x [rows, in], w [in, out].
func matmul(x, w []float32, out int) []float32 {
	in := len(w) / out
	y := make([]float32, len(x)/in*out)
	sum := make([]float64, out)
	for r := 0; r*in < len(x); r++ {
		clear(sum)
		for i, v := range x[r*in : (r+1)*in] {
			for j, wv := range w[i*out : (i+1)*out] {
				sum[j] += float64(v) * float64(wv)
			}
		}
		for j, s := range sum {
			y[r*out+j] = float32(s)
		}
	}
	return y
}

// dequantize is ONNX's DequantizeLinear without zero point along the last axis: w scale, in float32.
func dequantize(w []byte, scale []float32) []float32 {
	y := make([]float32, len(w))
	for i, v := range w {
		y[i] = float32(int8(v)) * scale[i%len(scale)]
	}
	return y
}

// DynamicQuantize is ONNX's DynamicQuantizeLinear (operator set 11): one scale and zero point for all of x, from its range
// widened to hold zero; values rounded to nearest, halves to even, and saturated to 0 to 255. x = scale (q - zero), about. All
// zeros (and nothing at all) have scale 1.
func DynamicQuantize(x []float32) (q []uint8, scale float32, zero uint8) {
	var lo, hi float32
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	scale = (hi - lo) / 255
	if scale == 0 {
		scale = 1
	}
	zero = saturate(math.RoundToEven(float64(-lo / scale)))
	q = make([]uint8, len(x))
	for i, v := range x {
		q[i] = saturate(math.RoundToEven(float64(v/scale)) + float64(zero))
	}
	return q, scale, zero
}

func saturate(v float64) uint8 { return uint8(max(0, min(255, v))) }

// dynamicInt8 is DynamicQuantizeLinear, MatMulInteger (an exact int32), and a multiplication by the product of both scales.
func dynamicInt8(x []float32, w []byte, wscale []float32) []float32 {
	out := len(wscale)
	in := len(w) / out
	q, xscale, zero := DynamicQuantize(x)
	y := make([]float32, len(x)/in*out)
	acc := make([]int32, out)
	for r := 0; r*in < len(x); r++ {
		clear(acc)
		for i, v := range q[r*in : (r+1)*in] {
			d := int32(v) - int32(zero)
			for j, wv := range w[i*out : (i+1)*out] {
				acc[j] += d * int32(int8(wv))
			}
		}
		for j, s := range acc {
			y[r*out+j] = float32(s) * float32(xscale*wscale[j])
		}
	}
	return y
}
