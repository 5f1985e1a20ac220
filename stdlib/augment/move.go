package augment

import (
	"math"

	"mbuild.dev/mbuild/executor/mlx"
)

// flip mirrors an image.
func (a *Augmenter) flip(x []float32, vertical bool) {
	h, w, c := a.shape[0], a.shape[1], a.shape[2]
	swap := func(p, q, n int) {
		for k := range n {
			x[p+k], x[q+k] = x[q+k], x[p+k]
		}
	}
	if vertical {
		for y := range h / 2 {
			swap(y*w*c, (h-1-y)*w*c, w*c)
		}
		return
	}
	for y := range h {
		for k := range w / 2 {
			swap((y*w+k)*c, (y*w+w-1-k)*c, c)
		}
	}
}

// move is crop and shift: a row is moved down and to the right by so many elements, and what is missing is made up.
func (a *Augmenter) move(op *Op, r *mlx.Random, x, work []float32) {
	h, w, c := a.plane()
	reach, outside := op.Max, nearest
	if op.Type == "crop" {
		reach, outside = op.Padding, nothing
		if op.Fill == "reflect" {
			outside = mirrored
		}
	}
	between := func(size int) int {
		if size == 1 {
			return 0
		}
		return int(r.Below(uint64(2*reach+1))) - reach
	}
	down, right := between(h), between(w)
	if down == 0 && right == 0 {
		return
	}
	copy(work, x)
	first := min(max(0, right), w)      // places up to here come from outside,
	last := max(first, min(w, w+right)) // and those from here on; between, a line moves as one
	for y := range h {
		to, sy := x[y*w*c:(y+1)*w*c], outside(y-down, h)
		if sy < 0 {
			clear(to)
			continue
		}
		from := work[sy*w*c : (sy+1)*w*c]
		edge := func(k int) {
			if sx := outside(k-right, w); sx < 0 {
				clear(to[k*c : (k+1)*c])
			} else {
				copy(to[k*c:(k+1)*c], from[sx*c:(sx+1)*c])
			}
		}
		for k := range first {
			edge(k)
		}
		if first < last {
			copy(to[first*c:last*c], from[(first-right)*c:])
		}
		for k := last; k < w; k++ {
			edge(k)
		}
	}
}

// plane is the shape as height, width and what stands at each place: series have the height 1.
func (a *Augmenter) plane() (h, w, c int) {
	if len(a.shape) >= 3 {
		h, w = a.shape[0], a.shape[1]
	} else {
		h, w = 1, a.shape[0]
	}
	return h, w, a.width / (h * w)
}

// What stands at a place outside of a line of n elements: none (-1), the nearest one, or the one as far inside as it is outside.
func nothing(i, n int) int {
	if i < 0 || i >= n {
		return -1
	}
	return i
}

func nearest(i, n int) int { return max(0, min(i, n-1)) }

func mirrored(i, n int) int {
	switch {
	case i < 0:
		return -i
	case i >= n:
		return 2*n - 2 - i
	}
	return i
}

// beta is from Beta(alpha, alpha), as a multiple of 1/1024: what logarithms and powers differ by between platforms is far below that.
func beta(r *mlx.Random, alpha float64) float32 {
	x, y := gamma(r, alpha), gamma(r, alpha)
	if x+y == 0 {
		return 0.5
	}
	return float32(math.Round(1024*x/(x+y)) / 1024)
}

// gamma is from Gamma(alpha, 1) (Marsaglia and Tsang 2000); below 1 it is Gamma(alpha + 1) times a power of a uniform number.
func gamma(r *mlx.Random, alpha float64) float64 {
	if alpha < 1 {
		u := 1 - r.Float64()
		return gamma(r, alpha+1) * math.Pow(u, 1/alpha)
	}
	d := alpha - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		z := r.Normal()
		v := 1 + c*z
		if v <= 0 {
			continue
		}
		v = v * v * v
		if u := 1 - r.Float64(); math.Log(u) < 0.5*z*z+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}
