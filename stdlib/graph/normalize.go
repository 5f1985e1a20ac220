package graph

import "slices"

// normalized says what the means and deviations of an input would need to be; "" when they are sound, or are not there.
func (in *Input) normalized() string {
	if in.Mean == nil && in.Deviation == nil {
		return ""
	}
	n := in.Shape[len(in.Shape)-1]
	strange := func(v float64) bool { return v-v != 0 } // infinite or NaN
	switch {
	case in.DType != F32 || in.Scale != 1 || in.Shift != 0:
		return "type F32, scale 1 and shift 0, having means and deviations"
	case len(in.Mean) != n || len(in.Deviation) != n:
		return "a mean and a deviation for each element of its last axis"
	case slices.ContainsFunc(in.Mean, strange) || slices.ContainsFunc(in.Deviation, strange):
		return "finite means and deviations"
	case slices.ContainsFunc(in.Deviation, func(v float64) bool { return float32(v) <= 0 }):
		return "deviations above 0"
	}
	return ""
}

// Normalization is means and deviations as they are computed with, in float32; nil where there are none.
func (in *Input) Normalization() (mean, deviation []float32) {
	for i := range in.Mean {
		mean, deviation = append(mean, float32(in.Mean[i])), append(deviation, float32(in.Deviation[i]))
	}
	return mean, deviation
}
