package reference

import (
	"math"

	"mbuild.dev/mbuild/stdlib/graph"
)

// each calls f with every index of a shape, in row-major order; f must not keep it.
func each(shape []int, f func(at []int)) {
	at := make([]int, len(shape))
	for {
		f(at)
		a := len(shape) - 1
		for ; a >= 0; a-- {
			if at[a]++; at[a] < shape[a] {
				break
			}
			at[a] = 0
		}
		if a < 0 {
			return
		}
	}
}

// flat is the place of an index in a shape.
func flat(at, shape []int) int {
	n := 0
	for a, i := range at {
		n = n*shape[a] + i
	}
	return n
}

// meet is where a window's position and a tap meet on the other side, of a shape; ok is false outside of it.
func meet(w *graph.Window, at, tap, shape []int) (place int, ok bool) {
	for a := range at {
		i := at[a]*w.Stride[a] + tap[a]*w.Dilation[a] - w.Before[a]
		if i < 0 || i >= shape[a] {
			return 0, false
		}
		place = place*shape[a] + i
	}
	return place, true
}

// conv is f(x * W + b), x [rows, in.., channels], W [kernel.., channels/groups, filters].
func (p *pass) conv(l *graph.Layer, x []float32) []float32 {
	in := p.info.Layers[l.Name].In[0]
	w, _ := l.Window(in) // graph.Infer has done it before
	weight, scale := p.model.Params[l.Name]["weight"].Float32s(), []float32(nil)
	switch l.Quant {
	case graph.DynamicInt8: // whole numbers, which float64 adds exactly, as int32 does
		scale = append(scale, p.param(l, "weight_scale")...)
		q, xscale, zero := DynamicQuantize(x)
		x = make([]float32, len(q))
		for i, v := range q {
			x[i] = float32(int(v) - int(zero))
		}
		for i := range scale {
			scale[i] = float32(xscale * scale[i])
		}
	case graph.WeightOnlyInt8:
		weight = dequantize(p.model.Params[l.Name]["weight"].Data, p.param(l, "weight_scale"))
	}
	filters := p.last(l.Name)
	var y []float32
	if l.Op == "conv1d_transpose" || l.Op == "conv2d_transpose" {
		y = scatter(w, x, weight, in[len(in)-1], filters)
	} else {
		y = correlate(w, x, weight, in[len(in)-1], filters, l.Groups())
	}
	for i := range y {
		if scale != nil {
			y[i] *= scale[i%filters]
		}
	}
	if l.Flag("use_bias", true) {
		b := p.param(l, "bias")
		for i := range y {
			y[i] += b[i%filters]
		}
	}
	return activate(l.Text("activation", "linear"), y, filters)
}

func correlate(w *graph.Window, x, weight []float32, channels, filters, groups int) []float32 {
	size := graph.Size(w.In) * channels
	cg, fg := channels/groups, filters/groups
	var y []float32
	for at := 0; at < len(x); at += size {
		row := x[at : at+size]
		each(w.Out, func(o []int) {
			sum := make([]float64, filters)
			each(w.Kernel, func(k []int) {
				i, ok := meet(w, o, k, w.In)
				if !ok {
					return
				}
				tap := flat(k, w.Kernel)
				for f := range sum {
					for c := range cg {
						sum[f] += float64(row[i*channels+f/fg*cg+c]) * float64(weight[(tap*cg+c)*filters+f])
					}
				}
			})
			for _, s := range sum {
				y = append(y, float32(s))
			}
		})
	}
	return y
}

func scatter(w *graph.Window, x, weight []float32, channels, filters int) []float32 {
	size, out := graph.Size(w.In)*channels, graph.Size(w.Out)*filters
	var y []float32
	for at := 0; at < len(x); at += size {
		row, sum := x[at:at+size], make([]float64, out)
		each(w.In, func(i []int) {
			each(w.Kernel, func(k []int) {
				o, ok := meet(w, i, k, w.Out)
				if !ok {
					return
				}
				from, tap := flat(i, w.In), flat(k, w.Kernel)
				for c := range channels {
					for f := range filters {
						sum[o*filters+f] += float64(row[from*channels+c]) * float64(weight[(tap*channels+c)*filters+f])
					}
				}
			})
		})
		for _, s := range sum {
			y = append(y, float32(s))
		}
	}
	return y
}

// pool is the greatest, or the mean, of what of each window is not padding.
func (p *pass) pool(l *graph.Layer, x []float32) []float32 {
	w, _ := l.Window(p.info.Layers[l.Name].In[0])
	channels := p.last(l.Name)
	size := graph.Size(w.In) * channels
	var y []float32
	for at := 0; at < len(x); at += size {
		each(w.Out, func(o []int) {
			for c := range channels {
				top, sum, n := math.Inf(-1), 0.0, 0
				each(w.Kernel, func(k []int) {
					if i, ok := meet(w, o, k, w.In); ok {
						v := float64(x[at+i*channels+c])
						top, sum, n = max(top, v), sum+v, n+1
					}
				})
				if l.Op == "avg_pool" {
					top = sum / float64(n)
				}
				y = append(y, float32(top))
			}
		})
	}
	return y
}

func (p *pass) globalPool(l *graph.Layer, x []float32) []float32 {
	channels := p.last(l.Name)
	size := graph.Size(p.info.Layers[l.Name].In[0])
	var y []float32
	for at := 0; at < len(x); at += size {
		for c := range channels {
			top, sum := math.Inf(-1), 0.0
			for i := c; i < size; i += channels {
				top, sum = max(top, float64(x[at+i])), sum+float64(x[at+i])
			}
			if l.Op == "global_avg_pool" {
				top = sum / float64(size/channels)
			}
			y = append(y, float32(top))
		}
	}
	return y
}

// upsample reads, for output o on an axis, (o + 1/2) / factor - 1/2 of the input, between its ends; nearest reads o / factor.
func (p *pass) upsample(l *graph.Layer, x []float32) []float32 {
	in, out := p.info.Layers[l.Name].In[0], p.info.Shapes[l.Name]
	axes, channels := len(in)-1, in[len(in)-1]
	factor, _ := l.Axes("factor", axes, 0, 1)
	nearest := l.Text("mode", "nearest") == "nearest"
	size := graph.Size(in)
	var y []float32
	for at := 0; at < len(x); at += size {
		each(out[:axes], func(o []int) {
			sum := make([]float64, channels)
			each([]int{2, 2}[:axes], func(corner []int) { // the elements before and after, on each axis
				place, share := 0, 1.0
				for a := range o {
					s := max(0, min(float64(in[a]-1), (float64(o[a])+0.5)/float64(factor[a])-0.5))
					i := int(s)
					part := s - float64(i)
					if nearest {
						i, part = o[a]/factor[a], 0
					}
					if corner[a] == 0 {
						part = 1 - part
					}
					share *= part
					place = place*in[a] + min(i+corner[a], in[a]-1)
				}
				for c := range sum {
					sum[c] += share * float64(x[at+place*channels+c])
				}
			})
			for _, s := range sum {
				y = append(y, float32(s))
			}
		})
	}
	return y
}
