package graph

import (
	"fmt"
	"slices"
)

// Op is a row of the table of operations.
type Op struct {
	MinInputs, MaxInputs int             // MaxInputs 0: any number
	Rank                 int             // rank that inputs must have, the batch dimension counted; 0: any
	Takes                DType           // type that inputs must have; "" is F32
	Attrs                map[string]Attr // all that a layer may have

	// Infer fills in Out, Params and FLOPs of the layer, given In; what the other columns say is already checked. Errors are
	// *Error without layer and op; without Got too, where what the first input gives is what does not fit.
	Infer func(*Layer, *LayerInfo) error

	// Quantizable says that the parameter "weight" ([in, out], float32) may be quantised.
	Quantizable bool
}

// Attr is the type of an attribute, as errors name it.
type Attr string

// The types of attributes.
const (
	Whole  Attr = "a whole number"
	Number Attr = "a number"
	Text   Attr = "a string"
	Flag   Attr = "true or false"
	Wholes Attr = "a list of whole numbers"
)

// Ops is the table of operations by name. One family of ops is one file, which says what each computes.
var Ops = map[string]*Op{
	// dense.go
	"dense": {MinInputs: 1, MaxInputs: 1, Rank: 2, Infer: inferDense, Quantizable: true,
		Attrs: map[string]Attr{"units": Whole, "activation": Text, "use_bias": Flag, "init": Text}},
	// elementwise.go
	"activation": {MinInputs: 1, MaxInputs: 1, Infer: inferActivation, Attrs: map[string]Attr{"function": Text}},
	"dropout":    {MinInputs: 1, MaxInputs: 1, Infer: inferDropout, Attrs: map[string]Attr{"rate": Number}},
	// norm.go
	"batch_norm": {MinInputs: 1, MaxInputs: 1, Infer: inferNorm, Attrs: map[string]Attr{"momentum": Number, "epsilon": Number}},
	"layer_norm": {MinInputs: 1, MaxInputs: 1, Infer: inferNorm, Attrs: map[string]Attr{"epsilon": Number}},
	// shape.go
	"flatten": {MinInputs: 1, MaxInputs: 1, Infer: inferFlatten},
	"reshape": {MinInputs: 1, MaxInputs: 1, Infer: inferReshape, Attrs: map[string]Attr{"shape": Wholes}},
	// join.go
	"add":    {MinInputs: 2, Infer: inferAdd},
	"concat": {MinInputs: 2, Infer: inferConcat},
}

func (o *Op) inputsText() string {
	switch {
	case o.MaxInputs == 1:
		return "one input"
	case o.MaxInputs == o.MinInputs:
		return fmt.Sprintf("%d inputs", o.MinInputs)
	case o.MaxInputs == 0:
		return fmt.Sprintf("at least %d inputs", o.MinInputs)
	}
	return fmt.Sprintf("%d to %d inputs", o.MinInputs, o.MaxInputs)
}

// holds reports whether v, in normal form, is of the type.
func (a Attr) holds(v any) bool {
	switch v := v.(type) {
	case int64, uint64:
		return a == Whole || a == Number
	case float64:
		return a == Number
	case string:
		return a == Text
	case bool:
		return a == Flag
	case []any:
		return a == Wholes && !slices.ContainsFunc(v, func(e any) bool { return !Whole.holds(e) })
	}
	return false
}
