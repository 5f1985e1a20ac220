package graph

import "fmt"

// sequence_pool: [batch, length, features] and perhaps a mask [batch, length] -> [batch, features]; attrs mode:
//
//	first  that of position 0; it takes no mask
//	last   that of the last position; with a mask of position sum(mask) - 1, the last of a text padded on the right
//	mean   sum of mask x / max(sum of mask, 1e-9)
//	max    greatest of x, what the mask has 0 for counting 1e9 less
//
// l2_normalize: any shape, x / max(sqrt(sum of x^2), 1e-12) over the last axis.
//
// dot: two of one shape -> the same with a last axis of 1: scale times the sum over the last axis of their product; attrs scale
// (1). Of what is normalised that is the cosine.

// PoolModes are the ways to make one vector of a sequence.
var PoolModes = []string{"first", "last", "mean", "max"}

func inferSequencePool(l *Layer, li *LayerInfo) error {
	if err := known("mode", l.Text("mode", ""), PoolModes); err != nil {
		return err
	}
	if len(li.In) > 1 && l.Text("mode", "") == "first" {
		return &Error{Needs: "no mask for the first position", Got: fmt.Sprintf("it takes %q", l.Inputs[1])}
	}
	if err := steps(l, li, 1, 0); err != nil {
		return err
	}
	li.Out = li.In[0][1:]
	li.FLOPs = product(2, Size(li.In[0]))
	return nil
}

func inferL2(_ *Layer, li *LayerInfo) error {
	li.FLOPs = product(3, Size(li.In[0]))
	return same(li)
}

func inferDot(l *Layer, li *LayerInfo) error {
	if err := inferAdd(l, li); err != nil {
		return err
	}
	if s := l.Float("scale", 1); s == 0 || s-s != 0 {
		return &Error{Needs: "a finite scale other than 0", Got: "it has another"}
	}
	last := len(li.In[0]) - 1
	li.Out = append(append([]int(nil), li.In[0][:last]...), 1)
	li.FLOPs = product(2, Size(li.In[0]))
	return nil
}
