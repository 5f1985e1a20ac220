package graph

import "fmt"

// conv1d, conv2d: [batch, length, in] or [batch, height, width, in] -> the same with filters in the last axis, f(x * W + b),
// where * is what everybody calls a convolution, which does not flip the kernel (a cross-correlation).
//
//	weight  [kernel.., in/groups, filters], trainable; init: one of Inits
//	bias    [filters], trainable, zeros; without it when use_bias is false
//	attrs   filters, kernel, stride (1), dilation (1), groups (1), padding (valid) or pads, activation (linear), use_bias (true),
//	        init (glorot_uniform)
//
// Channels come in groups of equal size; filters of the g-th group see the g-th group of channels only. groups = in, one filter
// or more for each channel, is the depthwise convolution.
//
// conv1d_transpose, conv2d_transpose: the gradient of a convolution as an operation of its own; its output is stride times as
// long as its input, about. weight [kernel.., in, filters]; attrs as above, but output_padding (0) and no groups.

func inferConv(l *Layer, li *LayerInfo) error {
	w, err := l.Window(li.In[0])
	if err != nil {
		return err
	}
	channels, filters, groups := li.In[0][len(w.In)], l.Int("filters"), l.Groups()
	if filters < 1 {
		return &Error{Needs: "filters of at least 1", Got: fmt.Sprintf("it has %d", filters)}
	}
	if groups < 1 || channels%groups != 0 || filters%groups != 0 {
		return &Error{Needs: "groups that divide its channels and its filters", Got: fmt.Sprintf("there are %d groups, %q gives %d channels, and there are %d filters", groups, l.Inputs[0], channels, filters)}
	}
	if err := known("activation", l.Text("activation", "linear"), Activations); err != nil {
		return err
	}
	init := l.Text("init", "glorot_uniform")
	if err := known("init", init, Inits); err != nil {
		return err
	}
	li.Out = append(append([]int(nil), w.Out...), filters)
	shape := append(append([]int(nil), w.Kernel...), channels/groups, filters)
	li.FLOPs = product(append([]int{2}, append(shape, w.Out...)...)...)
	if l.transposed() {
		li.FLOPs = product(append([]int{2}, append(shape, w.In...)...)...)
	}
	taps := w.Taps()
	li.Params = []Param{{Name: "weight", Shape: shape, DType: F32, Trainable: true,
		Init: Init{Kind: init, FanIn: taps * channels / groups, FanOut: int(min(product(taps, filters/groups), maxElements))}}}
	if l.Flag("use_bias", true) {
		li.Params = append(li.Params, Param{Name: "bias", Shape: []int{filters}, DType: F32, Trainable: true, Init: Init{Kind: "zeros"}})
		li.FLOPs += product(li.Out...)
	}
	return nil
}

// Groups returns the number of groups of a convolution or group_norm, 1 where nothing is said.
func (l *Layer) Groups() int {
	if _, ok := l.Attrs["groups"]; !ok {
		return 1
	}
	return l.Int("groups")
}
