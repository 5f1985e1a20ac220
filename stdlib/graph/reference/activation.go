package reference

import "math"

// activate applies one of graph.Activations, each element computed in float64 and rounded once. width is the size of the last
// axis, which softmax is over.
func activate(function string, x []float32, width int) []float32 {
	if function == "linear" {
		return x
	}
	if function == "softmax" {
		return softmax(x, width)
	}
	f := functions[function]
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(f(float64(v)))
	}
	return y
}

var functions = map[string]func(float64) float64{
	"relu":       func(v float64) float64 { return max(v, 0) },
	"gelu":       func(v float64) float64 { return v / 2 * (1 + math.Erf(v/math.Sqrt2)) },
	"gelu_tanh":  func(v float64) float64 { return v * sigmoid(2*math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)) },
	"tanh":       math.Tanh,
	"sigmoid":    sigmoid,
	"silu":       func(v float64) float64 { return v * sigmoid(v) },
	"elu":        func(v float64) float64 { return max(v, math.Expm1(min(v, 0))) },
	"leaky_relu": func(v float64) float64 { return max(v, float64(float32(0.01))*v) },
	"softplus":   func(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) },
}

func sigmoid(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

// softmax subtracts the greatest first, so that nothing overflows.
func softmax(x []float32, width int) []float32 {
	y := make([]float32, len(x))
	for at := 0; at < len(x); at += width {
		top := math.Inf(-1)
		for _, v := range x[at : at+width] {
			top = max(top, float64(v))
		}
		sum := 0.0
		for _, v := range x[at : at+width] {
			sum += math.Exp(float64(v) - top)
		}
		for j, v := range x[at : at+width] {
			y[at+j] = float32(math.Exp(float64(v)-top) / sum)
		}
	}
	return y
}
