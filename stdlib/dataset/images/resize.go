package images

import "math"

// resize brings an image to a size. crop and pad keep its proportions.
func resize(r *raster, h, w int, mode string) *raster {
	if r.h == h && r.w == w {
		return r
	}
	rh, rw := h, w
	if mode != "stretch" {
		across, down := float64(w)/float64(r.w), float64(h)/float64(r.h)
		wide := across > down // the width must be scaled by more than the height
		if wide == (mode == "crop") {
			rh = max(1, int(math.Round(float64(r.h)*across)))
		} else {
			rw = max(1, int(math.Round(float64(r.w)*down)))
		}
	}
	scaled := scale(r, rh, rw)
	if rh == h && rw == w {
		return scaled
	}
	out := &raster{w: w, h: h, channels: r.channels, pix: make([]byte, h*w*r.channels)}
	top, left := floorHalf(rh-h), floorHalf(rw-w) // of the scaled image; negative where there is room around it
	for y := range h {
		sy := y + top
		if sy < 0 || sy >= rh {
			continue
		}
		from, to := max(0, -left), min(w, rw-left)
		copy(out.pix[(y*w+from)*r.channels:(y*w+to)*r.channels], scaled.pix[(sy*rw+from+left)*r.channels:])
	}
	return out
}

func floorHalf(n int) int { return int(math.Floor(float64(n) / 2)) }

// scale is bilinear interpolation over the area that each new pixel covers: first the columns, then the rows (the other way round
// where columns grow and rows shrink), each rounded to 8 bits, with weights in 1/2^22. This is what Pillow's resize computes, bit
// for bit; a test holds it against that.
func scale(r *raster, h, w int) *raster {
	switch {
	case w > r.w && h < r.h:
		return across(down(r, h), w)
	case w == r.w:
		return down(r, h)
	case h == r.h:
		return across(r, w)
	}
	return down(across(r, w), h)
}

// precision is the number of bits behind the point of weights.
const precision = 22

// window is the pixels that a new pixel is made of.
type window struct {
	from    int
	weights []int64
}

// windows are those of a line of n pixels that becomes one of m. Conversions keep processors from fusing products and sums, which
// would round otherwise.
func windows(n, m int) []window {
	factor := float64(n) / float64(m)
	spread := math.Max(factor, 1)
	out := make([]window, m)
	for i := range out {
		center := float64((float64(i) + 0.5) * factor)
		from := max(0, int(center-spread+0.5))
		to := min(n, int(center+spread+0.5))
		ks := make([]float64, to-from)
		sum := 0.0
		for x := range ks {
			k := 1 - math.Abs(float64((float64(from+x)-center+0.5)*(1/spread)))
			ks[x] = math.Max(k, 0)
			sum += ks[x]
		}
		out[i] = window{from, make([]int64, len(ks))}
		for x, k := range ks {
			if sum != 0 {
				k /= sum
			}
			out[i].weights[x] = int64(0.5 + float64(k*(1<<precision)))
		}
	}
	return out
}

func across(r *raster, w int) *raster {
	out := &raster{w: w, h: r.h, channels: r.channels, pix: make([]byte, r.h*w*r.channels)}
	for x, win := range windows(r.w, w) {
		for y := range r.h {
			for c := range r.channels {
				sum := int64(1 << (precision - 1))
				for i, k := range win.weights {
					sum += k * int64(r.pix[(y*r.w+win.from+i)*r.channels+c])
				}
				out.pix[(y*w+x)*r.channels+c] = clip(sum)
			}
		}
	}
	return out
}

func down(r *raster, h int) *raster {
	stride := r.w * r.channels
	out := &raster{w: r.w, h: h, channels: r.channels, pix: make([]byte, h*stride)}
	for y, win := range windows(r.h, h) {
		for x := range stride {
			sum := int64(1 << (precision - 1))
			for i, k := range win.weights {
				sum += k * int64(r.pix[(win.from+i)*stride+x])
			}
			out.pix[y*stride+x] = clip(sum)
		}
	}
	return out
}

func clip(sum int64) byte { return byte(min(255, max(0, sum>>precision))) }
