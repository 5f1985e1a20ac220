package graph

import "fmt"

// Error is an architecture that does not fit together. Infer fills in all but the last field, always:
//
//	layer "dense" "logits" needs rank 2 to 3, but "image" gives [batch, 28, 28, 1]: add a layer "flatten" before it
type Error struct {
	Layer string // the layer at fault; "" when it is none
	Op    string // its op
	Input string // the input at fault; "" when it is none
	At    string // where to point, when no layer and no input is at fault by itself
	Needs string // "rank 2 to 3"
	Got   string // `"conv1" gives [batch, 28, 28, 16]`
	Fix   string // `add a layer "flatten" before it`; "" when there is no obvious one
}

func (e *Error) Error() string {
	who := "the model"
	switch {
	case e.Layer != "":
		who = fmt.Sprintf("layer %q %q", e.Op, e.Layer)
	case e.Input != "":
		who = fmt.Sprintf("input %q", e.Input)
	}
	s := fmt.Sprintf("%s needs %s, but %s", who, e.Needs, e.Got)
	if e.Fix != "" {
		s += ": " + e.Fix
	}
	return s
}
