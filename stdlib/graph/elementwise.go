package graph

import (
	"fmt"
	"math"
)

// activation: any shape, f(x); attrs function, one of Activations.
//
// dropout: any shape; in training each element is 0 with probability rate and else divided by 1-rate (Srivastava et al. 2014),
// otherwise it passes x on; attrs rate, from 0 to below 1.
//
// scale: any shape, factor x; attrs factor, a finite number.

// Activations are the element-wise functions, and softmax, which is over the last axis.
//
//	linear      x
//	relu        max(x, 0)
//	gelu        x/2 (1 + erf(x/sqrt 2)), the exact one (Hendrycks and Gimpel 2016)
//	gelu_tanh   x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)), which is x/2 (1 + tanh(..)) of the same paper
//	tanh
//	sigmoid     1/(1 + e^-x)
//	silu        x sigmoid(x)
//	elu         x above 0, e^x - 1 below (Clevert et al. 2015)
//	leaky_relu  x above 0, 0.01 x below
//	softplus    log(1 + e^x)
//	softmax     e^x / sum e^x
var Activations = []string{"linear", "relu", "gelu", "gelu_tanh", "tanh", "sigmoid", "silu", "elu", "leaky_relu", "softplus", "softmax"}

func inferActivation(l *Layer, li *LayerInfo) error {
	if err := known("function", l.Text("function", ""), Activations); err != nil {
		return err
	}
	return same(li)
}

func inferDropout(l *Layer, li *LayerInfo) error {
	if r := l.Float("rate", 0); !(r >= 0 && r < 1) {
		return &Error{Needs: "a rate from 0 to below 1", Got: fmt.Sprintf("it has %g", r)}
	}
	return same(li)
}

func inferScale(l *Layer, li *LayerInfo) error {
	if f := l.Float("factor", math.NaN()); f-f != 0 {
		return &Error{Needs: "a finite factor", Got: fmt.Sprintf("it has %v", l.Attrs["factor"])}
	}
	return same(li)
}

// Dropout is what a layer drops in training: the probability of each element of a mask, and its shape without the batch dimension;
// 0 for a layer that drops nothing. Of dropout the mask is for the output, of attention for the weights, [heads, length, from].
func (l *Layer) Dropout(li *LayerInfo) (rate float64, mask []int) {
	switch l.Op {
	case "dropout":
		return l.Float("rate", 0), li.Out
	case "attention":
		return l.Float("dropout", 0), []int{l.Int("heads"), li.In[0][0], li.In[1][0]}
	}
	return 0, nil
}

// same gives the layer the shape of its first input, and one operation an element unless its cost is known.
func same(li *LayerInfo) error {
	li.Out = li.In[0]
	if li.FLOPs == 0 {
		li.FLOPs = int64(Size(li.Out))
	}
	return nil
}
