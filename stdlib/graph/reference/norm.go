package reference

import (
	"math"

	"mbuild.dev/mbuild/stdlib/graph"
)

// batchNorm is (x - mean) / sqrt(variance + epsilon) gamma + beta, with the running statistics.
func (p *pass) batchNorm(l *graph.Layer, x []float32) []float32 {
	gamma, beta, mean, variance := p.param(l, "gamma"), p.param(l, "beta"), p.param(l, "mean"), p.param(l, "variance")
	eps := l.Float("epsilon", 1e-5)
	y := make([]float32, len(x))
	for i, v := range x {
		f := i % len(gamma)
		y[i] = float32((float64(v)-float64(mean[f]))/math.Sqrt(float64(variance[f])+eps)*float64(gamma[f]) + float64(beta[f]))
	}
	return y
}

// layerNorm normalises each stretch of the last axis by its own mean and variance.
func (p *pass) layerNorm(l *graph.Layer, x []float32) []float32 {
	gamma, beta := p.param(l, "gamma"), p.param(l, "beta")
	n := len(gamma)
	y := make([]float32, len(x))
	for at := 0; at < len(x); at += n {
		var mean, variance float64
		for _, v := range x[at : at+n] {
			mean += float64(v) / float64(n)
		}
		for _, v := range x[at : at+n] {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(n)
		}
		dev := math.Sqrt(variance + l.Float("epsilon", 1e-5))
		for j, v := range x[at : at+n] {
			y[at+j] = float32((float64(v)-mean)/dev*float64(gamma[j]) + float64(beta[j]))
		}
	}
	return y
}

// groupNorm normalises, for each example, each group of features by its mean and variance over all axes.
func (p *pass) groupNorm(l *graph.Layer, x []float32) []float32 {
	gamma, beta := p.param(l, "gamma"), p.param(l, "beta")
	features, size := len(gamma), graph.Size(p.info.Shapes[l.Name])
	width := features / l.Groups()
	y := make([]float32, len(x))
	for at := 0; at < len(x); at += size {
		for first := 0; first < features; first += width {
			var members []int
			for i := range size {
				if f := i % features; f >= first && f < first+width {
					members = append(members, at+i)
				}
			}
			var mean, variance float64
			for _, i := range members {
				mean += float64(x[i]) / float64(len(members))
			}
			for _, i := range members {
				variance += (float64(x[i]) - mean) * (float64(x[i]) - mean) / float64(len(members))
			}
			dev := math.Sqrt(variance + l.Float("epsilon", 1e-5))
			for _, i := range members {
				f := i % features
				y[i] = float32((float64(x[i])-mean)/dev*float64(gamma[f]) + float64(beta[f]))
			}
		}
	}
	return y
}

// rmsNorm divides each stretch of the last axis by the root of its mean square.
func (p *pass) rmsNorm(l *graph.Layer, x []float32) []float32 {
	gamma := p.param(l, "gamma")
	n := len(gamma)
	y := make([]float32, len(x))
	for at := 0; at < len(x); at += n {
		square := 0.0
		for _, v := range x[at : at+n] {
			square += float64(v) * float64(v) / float64(n)
		}
		root := math.Sqrt(square + l.Float("epsilon", 1e-5))
		for j, v := range x[at : at+n] {
			y[at+j] = float32(float64(v) / root * float64(gamma[j]))
		}
	}
	return y
}
