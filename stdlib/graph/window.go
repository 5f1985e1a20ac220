package graph

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Window is the geometry of a layer that goes over the axes between batch and channels with a kernel: a convolution, a
// transposed one or a pooling. All slices have one number an axis.
//
// A convolution or pooling gives Out[a] = (In[a] + Before[a] + After[a] - span) / Stride[a] + 1, rounded down, with span =
// (Kernel[a]-1) Dilation[a] + 1; output o reads, for tap k, o Stride + k Dilation - Before. A transposed convolution is the
// other way round: what input i and tap k give goes to i Stride + k Dilation - Before; Before and After are cut off.
type Window struct {
	In, Out, Kernel, Stride, Dilation, Before, After []int

	Extra []int // of a transposed convolution: how much longer the output is at its end, where nothing goes
}

// What keeps a window's arithmetic within an int64, and its lowering (an operation for each tap) within reason.
const (
	maxTaps   = 4096
	maxExtent = 1 << 20
)

// Axes returns an attribute that is a whole number for all axes, or a list with one an axis; dflt everywhere when it is absent.
func (l *Layer) Axes(name string, axes, dflt, least int) ([]int, error) {
	var all []int
	switch v := l.Attrs[name].(type) {
	case nil:
		all = slices.Repeat([]int{dflt}, axes)
	case []any:
		all = l.Ints(name)
	default:
		all = slices.Repeat([]int{l.Int(name)}, axes)
		if _, ok := v.(int64); !ok {
			all = slices.Repeat([]int{maxExtent + 1}, axes)
		}
	}
	bad := func(n int) bool { return n < least || n > maxExtent }
	if len(all) != axes || slices.ContainsFunc(all, bad) {
		return nil, &Error{Needs: fmt.Sprintf("a %s from %d to %d, one number or %d (one an axis)", name, least, maxExtent, axes), Got: fmt.Sprintf("it has %v", l.Attrs[name])}
	}
	return all, nil
}

// Window returns the geometry over an input of a shape without batch dimension. Its errors are *Error.
func (l *Layer) Window(in []int) (*Window, error) {
	axes := len(in) - 1
	w := &Window{In: in[:axes], Out: make([]int, axes), Before: make([]int, axes), After: make([]int, axes), Extra: make([]int, axes)}
	var err error
	if w.Kernel, err = l.Axes("kernel", axes, 0, 1); err != nil {
		return nil, err
	}
	if taps := product(w.Kernel...); taps > maxTaps {
		return nil, &Error{Needs: fmt.Sprintf("a kernel of at most %d positions", maxTaps), Got: fmt.Sprintf("%s has %d", extents(w.Kernel), taps)}
	}
	if w.Stride, err = l.Axes("stride", axes, 1, 1); err != nil {
		return nil, err
	}
	if l.Attrs["stride"] == nil && l.pools() {
		w.Stride = w.Kernel
	}
	if w.Dilation, err = l.Axes("dilation", axes, 1, 1); err != nil {
		return nil, err
	}
	if err = w.pads(l); err != nil {
		return nil, err
	}
	if l.transposed() {
		return w, w.grow(l)
	}
	return w, w.slide(l, in)
}

// pools says that the stride is the kernel where nothing is said, and that padding holds nothing.
func (l *Layer) pools() bool { return l.Op == "max_pool" || l.Op == "avg_pool" }

func (l *Layer) transposed() bool { return l.Op == "conv1d_transpose" || l.Op == "conv2d_transpose" }

// Span is how many positions of the input the kernel reaches over, on an axis.
func (w *Window) Span(axis int) int { return (w.Kernel[axis]-1)*w.Dilation[axis] + 1 }

// Taps is the number of positions of the kernel.
func (w *Window) Taps() int { return Size(w.Kernel) }

// Padded reports whether any axis is padded.
func (w *Window) Padded() bool {
	return slices.ContainsFunc(append(slices.Clone(w.Before), w.After...), func(n int) bool { return n > 0 })
}

// pads fills in Before and After. "same" gives ceil(in / stride) outputs, and in times stride of a transposed convolution; an
// odd number of elements has the greater half after (TensorFlow, and ONNX's SAME_UPPER).
func (w *Window) pads(l *Layer) error {
	same := l.Text("padding", "valid")
	if err := known("padding", same, []string{"valid", "same"}); err != nil {
		return err
	}
	if l.Attrs["pads"] != nil {
		return w.explicit(l, same)
	}
	if same == "valid" {
		return nil
	}
	for a, in := range w.In {
		total := w.Span(a) - w.Stride[a]
		if !l.transposed() {
			total = (in+w.Stride[a]-1)/w.Stride[a]*w.Stride[a] - w.Stride[a] + w.Span(a) - in
		} else if total < 0 {
			w.Extra[a] = -total
		}
		total = max(total, 0)
		w.Before[a], w.After[a] = total/2, total-total/2
	}
	return nil
}

// explicit reads pads: [before, after] of each axis in turn.
func (w *Window) explicit(l *Layer, padding string) error {
	axes := len(w.In)
	pads := l.Ints("pads")
	if padding == "same" {
		return &Error{Needs: `either pads or padding "same"`, Got: "it has both", Fix: "leave one of them out"}
	}
	bad := func(n int) bool { return n < 0 || n > maxExtent }
	if len(pads) != 2*axes || slices.ContainsFunc(pads, bad) {
		return &Error{Needs: fmt.Sprintf("pads of %d numbers from 0 to %d, before and after on each axis in turn", 2*axes, maxExtent), Got: fmt.Sprintf("it has %v", l.Attrs["pads"])}
	}
	for a := range axes {
		w.Before[a], w.After[a] = pads[2*a], pads[2*a+1]
		if l.pools() && max(w.Before[a], w.After[a]) >= w.Kernel[a] {
			return &Error{Needs: "pads below its kernel, so that each window holds something", Got: fmt.Sprintf("pads are %v and the kernel is %s", pads, extents(w.Kernel))}
		}
	}
	return nil
}

// slide fills in Out of a convolution or pooling.
func (w *Window) slide(l *Layer, in []int) error {
	for a := range w.In {
		room := w.In[a] + w.Before[a] + w.After[a]
		if w.Span(a) > room {
			e := &Error{Needs: "a kernel that fits into its input", Fix: "take a smaller kernel or dilation, or more padding"}
			e.Got = fmt.Sprintf("%s reaches over %d positions of axis %d, where %q gives %s, %d with padding", extents(w.Kernel), w.Span(a), a+1, l.Inputs[0], ShapeText(in), room)
			return e
		}
		w.Out[a] = (room-w.Span(a))/w.Stride[a] + 1
	}
	return nil
}

// grow fills in Extra and Out of a transposed convolution.
func (w *Window) grow(l *Layer) error {
	extra, err := l.Axes("output_padding", len(w.In), 0, 0)
	if err != nil {
		return err
	}
	for a := range w.In {
		if extra[a] >= w.Stride[a] && extra[a] > 0 {
			return &Error{Needs: "an output_padding below its stride", Got: fmt.Sprintf("they are %s and %s", extents(extra), extents(w.Stride))}
		}
		if extra[a] > 0 && l.Text("padding", "valid") == "same" {
			return &Error{Needs: `no output_padding with padding "same", which says how long the output is`, Got: "it has " + extents(extra)}
		}
		if w.In[a] > math.MaxInt32 {
			return &Error{Needs: "an input of at most 2^31 positions on an axis"}
		}
		w.Extra[a] += extra[a]
		full := (w.In[a]-1)*w.Stride[a] + w.Span(a) + w.Extra[a]
		if w.Out[a] = full - w.Before[a] - w.After[a]; w.Out[a] < 1 {
			return &Error{Needs: "pads that leave something of its output", Got: fmt.Sprintf("%d and %d are cut off %d positions of axis %d", w.Before[a], w.After[a], full, a+1)}
		}
	}
	return nil
}

// extents prints sizes by axis: 3x3.
func extents(n []int) string {
	parts := make([]string, len(n))
	for i, v := range n {
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, "x")
}

// huge is what product stops at: above all that a graph may cost, and low enough that some of it add up.
const huge = 1 << 60

// product multiplies numbers from 0, and gives at most huge.
func product(factors ...int) int64 {
	n := int64(1)
	for _, f := range factors {
		if f == 0 {
			return 0
		}
		if n > huge/int64(f) {
			n = huge
		} else {
			n *= int64(f)
		}
	}
	return n
}
