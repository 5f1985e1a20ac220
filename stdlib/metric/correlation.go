package metric

import (
	"cmp"
	"math"
	"slices"
)

// Spearman is the rank correlation of two variables (Spearman 1904): Pearson's correlation of their ranks, equal values having the mean of their
// ranks. NaN when one of them does not vary, or holds not-a-number, or there are fewer than two values.
func Spearman(x, y []float64) float64 {
	for _, v := range [][]float64{x, y} {
		if slices.ContainsFunc(v, math.IsNaN) {
			return math.NaN()
		}
	}
	return Pearson(ranks(x), ranks(y))
}

// Pearson is the correlation of two variables. NaN when one of them does not vary, or there are fewer than two values.
func Pearson(x, y []float64) float64 {
	n := float64(len(x))
	if n < 2 {
		return math.NaN()
	}
	mx, my := 0.0, 0.0
	for i := range x {
		mx += x[i] / n
		my += y[i] / n
	}
	var xy, xx, yy float64
	for i := range x {
		dx, dy := x[i]-mx, y[i]-my
		xy += float64(dx * dy)
		xx += float64(dx * dx)
		yy += float64(dy * dy)
	}
	if xx == 0 || yy == 0 {
		return math.NaN()
	}
	return max(-1, min(1, xy/math.Sqrt(xx*yy)))
}

// ranks are from 1; equal values have the mean of theirs.
func ranks(v []float64) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(v[a], v[b]), cmp.Compare(a, b)) })
	out := make([]float64, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			out[k] = float64(i+j+1) / 2
		}
		i = j
	}
	return out
}

// Cosine is the cosine of the angle between two vectors; 0 when one of them is zero.
func Cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(float64(a[i]) * float64(b[i]))
		aa += float64(float64(a[i]) * float64(a[i]))
		bb += float64(float64(b[i]) * float64(b[i]))
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
