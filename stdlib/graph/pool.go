package graph

// max_pool, avg_pool: [batch, length, channels] or [batch, height, width, channels]; the greatest or mean of each window, by
// channel. attrs kernel, stride (the kernel), padding (valid) or pads. What is padded counts for nothing: it is never the
// greatest, and a mean is over what is there.
//
// global_max_pool, global_avg_pool: [batch, .., channels] -> [batch, channels], over all axes between.
//
// upsample: [batch, length, channels] or [batch, height, width, channels] -> factor times as long. attrs factor; mode: nearest
// (default) repeats each element, bilinear goes linearly from the middle of each to the middle of the next and is constant
// beyond the outermost (half-pixel centres: ONNX's half_pixel, PyTorch's align_corners=False).

func inferPool(l *Layer, li *LayerInfo) error {
	w, err := l.Window(li.In[0])
	if err != nil {
		return err
	}
	channels := li.In[0][len(w.In)]
	li.Out = append(append([]int(nil), w.Out...), channels)
	li.FLOPs = product(append([]int{channels, w.Taps()}, w.Out...)...)
	return nil
}

func inferGlobalPool(_ *Layer, li *LayerInfo) error {
	in := li.In[0]
	li.Out = in[len(in)-1:]
	li.FLOPs = product(in...)
	return nil
}

// UpsampleModes are the ways to fill in between.
var UpsampleModes = []string{"nearest", "bilinear"}

func inferUpsample(l *Layer, li *LayerInfo) error {
	axes := len(li.In[0]) - 1
	factor, err := l.Axes("factor", axes, 0, 1)
	if err != nil {
		return err
	}
	if product(factor...) > maxTaps {
		return &Error{Needs: "factors that make at most 4096 of one element", Got: "it has " + extents(factor)}
	}
	if err := known("mode", l.Text("mode", "nearest"), UpsampleModes); err != nil {
		return err
	}
	li.Out = append([]int(nil), li.In[0]...)
	for a, f := range factor {
		li.Out[a] = int(min(product(li.Out[a], f), maxElements+1))
	}
	if l.Text("mode", "nearest") == "bilinear" {
		li.FLOPs = product(append([]int{3 * axes}, li.Out...)...)
	}
	return nil
}
