package graph

import (
	"fmt"
	"slices"
)

// add: the sum of two or more tensors of one shape.
//
// multiply: the product of two or more tensors of one rank, element by element; an axis of size 1 is repeated to the others' size,
// as gates over channels want it ([batch, 1, 1, channels] times [batch, height, width, channels]).
//
// concat: two or more tensors, joined along the last axis in the order of inputs; the other axes are equal.

func inferAdd(l *Layer, li *LayerInfo) error {
	for i, in := range li.In[1:] {
		if !slices.Equal(in, li.In[0]) {
			return &Error{Needs: "inputs of one shape", Got: both(l, li, i+1)}
		}
	}
	li.FLOPs = int64(len(li.In)-1) * int64(Size(li.In[0]))
	return same(li)
}

func inferMultiply(l *Layer, li *LayerInfo) error {
	out := slices.Clone(li.In[0])
	for i, in := range li.In[1:] {
		for a := range out {
			if len(in) != len(out) || in[a] != out[a] && in[a] != 1 && out[a] != 1 {
				return &Error{Needs: "inputs of one shape, but for axes of size 1", Got: both(l, li, i+1)}
			}
			out[a] = max(out[a], in[a])
		}
	}
	li.Out = out
	li.FLOPs = product(append([]int{len(li.In) - 1}, out...)...)
	return nil
}

func inferConcat(l *Layer, li *LayerInfo) error {
	out := slices.Clone(li.In[0])
	last := len(out) - 1
	for i, in := range li.In[1:] {
		if len(in) != len(out) || !slices.Equal(in[:last], out[:last]) {
			return &Error{Needs: "inputs that differ in the last axis only", Got: both(l, li, i+1)}
		}
		out[last] += in[last]
	}
	li.Out = out
	return nil
}

func both(l *Layer, li *LayerInfo, i int) string {
	return fmt.Sprintf("%q gives %s and %q gives %s", l.Inputs[0], ShapeText(li.In[0]), l.Inputs[i], ShapeText(li.In[i]))
}
