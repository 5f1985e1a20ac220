package graph

import (
	"fmt"
	"slices"
)

// flatten: [batch, a, b, ..] -> [batch, a*b*..].
//
// reshape: [batch, ..] -> [batch, shape..], in row-major order; attrs shape, where one dimension may be -1 and then follows
// from the others.

func inferFlatten(_ *Layer, li *LayerInfo) error {
	li.Out = []int{Size(li.In[0])}
	return nil
}

func inferReshape(l *Layer, li *LayerInfo) error {
	out := slices.Clone(l.Ints("shape"))
	rest := 1 // what the dimensions other than -1 multiply to
	open := -1
	for i, d := range out {
		switch {
		case d == -1 && open < 0:
			open = i
		case d < 1 || d > maxElements/rest:
			return &Error{Needs: "a shape of whole numbers from 1, one of which may be -1", Got: fmt.Sprintf("it has %v", out)}
		default:
			rest *= d
		}
	}
	size := Size(li.In[0])
	if len(out) == 0 || size%rest != 0 || open < 0 && size != rest {
		return &Error{Needs: fmt.Sprintf("%d elements for %s", rest, ShapeText(out))}
	}
	if open >= 0 {
		out[open] = size / rest
	}
	li.Out = out
	return nil
}
