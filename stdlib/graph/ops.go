package graph

import (
	"fmt"
	"slices"
)

// Op is a row of the table of operations.
type Op struct {
	MinInputs, MaxInputs int // MaxInputs 0: any number

	// Infer fills in Out, Params and FLOPs of the layer, given In. Errors are *Error without layer and op.
	Infer func(*Layer, *LayerInfo) error

	// Quantizable says that the parameter "weight" ([in, out], float32) may be quantised.
	Quantizable bool
}

func (o *Op) inputsText() string {
	if o.MinInputs == o.MaxInputs {
		return fmt.Sprintf("%d input(s)", o.MinInputs)
	}
	return fmt.Sprintf("at least %d inputs", o.MinInputs)
}

// Ops is the table of operations by name.
//
//	dense       [.., in] -> [.., units]: x W + b; weight [in, units], bias [units]; attrs units, use_bias, init, activation
//	activation  any shape: element-wise function; attr function
//	dropout     any shape: in training, each element is 0 with probability rate, else divided by 1-rate
//	batch_norm  any shape, statistics over batch and all but the last axis: gamma, beta, mean, variance [features] (Ioffe and Szegedy 2015)
//	layer_norm  any shape, statistics over the last axis: gamma, beta [features] (Ba, Kiros and Hinton 2016)
//	flatten     [a, b, ..] -> [a*b*..]
//	add         element-wise sum of equal shapes
//	concat      joins along the last axis
var Ops = map[string]*Op{
	"dense":      {MinInputs: 1, MaxInputs: 1, Infer: inferDense, Quantizable: true},
	"activation": {MinInputs: 1, MaxInputs: 1, Infer: inferActivation},
	"dropout":    {MinInputs: 1, MaxInputs: 1, Infer: inferDropout},
	"batch_norm": {MinInputs: 1, MaxInputs: 1, Infer: inferNorm},
	"layer_norm": {MinInputs: 1, MaxInputs: 1, Infer: inferNorm},
	"flatten":    {MinInputs: 1, MaxInputs: 1, Infer: inferFlatten},
	"add":        {MinInputs: 2, Infer: inferAdd},
	"concat":     {MinInputs: 2, Infer: inferConcat},
}

// Activations are the element-wise functions. gelu is the exact one, with erf (Hendrycks and Gimpel 2016); leaky_relu has
// slope 0.01 below zero.
var Activations = []string{"linear", "relu", "gelu", "tanh", "sigmoid", "silu", "elu", "leaky_relu", "softplus", "softmax"}

func inferDense(l *Layer, li *LayerInfo) error {
	in := li.In[0]
	if len(in) != 1 {
		return &Error{Needs: "rank 2", Fix: `add a layer "flatten" before it`}
	}
	units := l.Int("units")
	if units < 1 {
		return &Error{Needs: "units of at least 1", Got: fmt.Sprintf("it has %d", units)}
	}
	if a := l.Text("activation", "linear"); !slices.Contains(Activations, a) {
		return &Error{Needs: "a known activation", Got: fmt.Sprintf("it has %q", a)}
	}
	init := l.Text("init", "glorot_uniform")
	li.Out = []int{units}
	li.FLOPs = 2 * int64(in[0]) * int64(units)
	li.Params = []Param{{Name: "weight", Shape: []int{in[0], units}, DType: F32, Trainable: true, Init: Init{Kind: init, FanIn: in[0], FanOut: units}}}
	if l.Flag("use_bias", true) {
		li.Params = append(li.Params, Param{Name: "bias", Shape: []int{units}, DType: F32, Trainable: true, Init: Init{Kind: "zeros"}})
		li.FLOPs += int64(units)
	}
	return nil
}

func inferActivation(l *Layer, li *LayerInfo) error {
	if f := l.Text("function", ""); !slices.Contains(Activations, f) {
		return &Error{Needs: "a known function", Got: fmt.Sprintf("it has %q", f)}
	}
	return same(li)
}

func inferDropout(l *Layer, li *LayerInfo) error {
	if r := l.Float("rate", 0); r < 0 || r >= 1 {
		return &Error{Needs: "a rate from 0 to below 1", Got: fmt.Sprintf("it has %g", r)}
	}
	return same(li)
}

func inferNorm(l *Layer, li *LayerInfo) error {
	features := li.In[0][len(li.In[0])-1]
	vec := func(name, init string, trainable bool) Param {
		return Param{Name: name, Shape: []int{features}, DType: F32, Trainable: trainable, Init: Init{Kind: init}}
	}
	li.Params = []Param{vec("gamma", "ones", true), vec("beta", "zeros", true)}
	if l.Op == "batch_norm" {
		li.Params = append(li.Params, vec("mean", "zeros", false), vec("variance", "ones", false))
	}
	li.FLOPs = 8 * int64(Size(li.In[0]))
	return same(li)
}

func same(li *LayerInfo) error {
	li.Out = li.In[0]
	if li.FLOPs == 0 {
		li.FLOPs = int64(Size(li.Out))
	}
	return nil
}

func inferFlatten(_ *Layer, li *LayerInfo) error {
	li.Out = []int{Size(li.In[0])}
	return nil
}

func inferAdd(l *Layer, li *LayerInfo) error {
	for i, in := range li.In[1:] {
		if !slices.Equal(in, li.In[0]) {
			return &Error{Needs: "inputs of one shape", Got: fmt.Sprintf("%q gives %s and %q gives %s", l.Inputs[0], ShapeText(li.In[0]), l.Inputs[i+1], ShapeText(in))}
		}
	}
	li.FLOPs = int64(len(li.In)-1) * int64(Size(li.In[0]))
	return same(li)
}

func inferConcat(l *Layer, li *LayerInfo) error {
	out := slices.Clone(li.In[0])
	last := len(out) - 1
	for i, in := range li.In[1:] {
		if len(in) != len(out) || !slices.Equal(in[:last], out[:last]) {
			return &Error{Needs: "inputs that differ in the last axis only", Got: fmt.Sprintf("%q gives %s and %q gives %s", l.Inputs[0], ShapeText(li.In[0]), l.Inputs[i+1], ShapeText(in))}
		}
		out[last] += in[last]
	}
	li.Out = out
	return nil
}
