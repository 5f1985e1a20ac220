package graph

import (
	"fmt"
	"slices"
)

// dense: [batch, in] -> [batch, units], or [batch, length, in] -> [batch, length, units]: f(x W + b) of the last axis.
//
//	weight  [in, units], trainable; init: one of Inits
//	bias    [units], trainable, zeros; without it when use_bias is false
//	attrs   units (at least 1), activation (linear), use_bias (true), init (glorot_uniform)

// Inits are the ways in which a weight may begin: uniform in ±sqrt(6/(in+out)) (Glorot and Bengio 2010), normal with variance
// 2/in (He et al. 2015), uniform in ±1/sqrt(in) (LeCun et al. 1998, as PyTorch begins linear layers and PEFT the first matrix of
// LoRA), normal with deviation 0.02 (Radford et al. 2018, and most transformers since), or zeros.
var Inits = []string{"glorot_uniform", "he_normal", "fan_in_uniform", "normal", "zeros"}

func inferDense(l *Layer, li *LayerInfo) error {
	last := len(li.In[0]) - 1
	in, units := li.In[0][last], l.Int("units")
	if units < 1 {
		return &Error{Needs: "units of at least 1", Got: fmt.Sprintf("it has %d", units)}
	}
	if err := known("activation", l.Text("activation", "linear"), Activations); err != nil {
		return err
	}
	init := l.Text("init", "glorot_uniform")
	if err := known("init", init, Inits); err != nil {
		return err
	}
	li.Out = append(slices.Clone(li.In[0][:last]), units)
	steps := product(li.In[0][:last]...)
	li.FLOPs = product(int(steps), 2, in, units)
	li.Params = []Param{{Name: "weight", Shape: []int{in, units}, DType: F32, Trainable: true, Init: Init{Kind: init, FanIn: in, FanOut: units}}}
	if l.Flag("use_bias", true) {
		li.Params = append(li.Params, Param{Name: "bias", Shape: []int{units}, DType: F32, Trainable: true, Init: Init{Kind: "zeros"}})
		li.FLOPs += product(int(steps), units)
	}
	return nil
}

func known(attr, v string, all []string) error {
	if slices.Contains(all, v) {
		return nil
	}
	return &Error{Needs: "a known " + attr, Got: fmt.Sprintf("it has %q", v), Fix: fmt.Sprintf("take one of %q", all)}
}
