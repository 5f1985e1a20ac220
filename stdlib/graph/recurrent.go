package graph

import "fmt"

// lstm, gru: [batch, length, in] and perhaps a mask [batch, length] -> [batch, length, units]; with returns = "state" the state
// after the last position, [batch, units]. Bidirectional, a second one goes from the end to the start, and its results stand
// beside those of the first, features doubled.
//
//	weight     [in, gates*units], recurrent [units, gates*units], bias [gates*units]
//	           gru also recurrent_bias [units]
//	weight_reverse, recurrent_reverse, bias_reverse (recurrent_bias_reverse): of the second
//	attrs      units, bidirectional (false), returns (sequence, state)
//
// lstm (Hochreiter and Schmidhuber 1997, with a forget gate), gates i f g o side by side, a = x W + h U + b:
//
//	c' = sigmoid(f) c + sigmoid(i) tanh(g)      h' = sigmoid(o) tanh(c')
//
// gru (Cho et al. 2014, with the reset gate after the product, as cuDNN, PyTorch and Keras have it), gates r z n:
//
//	n' = tanh(x Wn + bn + sigmoid(r) (h Un + recurrent_bias))      h' = (1 - sigmoid(z)) n' + sigmoid(z) h
//
// Where the mask is 0 the state goes on unchanged, and the result is 0. State and cell begin at 0; the forget gate's bias at 1.

// Returns are what a recurrent layer gives out.
var Returns = []string{"sequence", "state"}

// Gates is the number of gates of a recurrent layer.
func (l *Layer) Gates() int { return map[string]int{"lstm": 4, "gru": 3}[l.Op] }

// Directions are the suffixes of the parameters of a recurrent layer.
func (l *Layer) Directions() []string {
	if l.Flag("bidirectional", false) {
		return []string{"", "_reverse"}
	}
	return []string{""}
}

func inferRecurrent(l *Layer, li *LayerInfo) error {
	length, in, units, gates := li.In[0][0], li.In[0][1], l.Int("units"), l.Gates()
	if units < 1 || units > maxElements {
		return &Error{Needs: "units of at least 1", Got: fmt.Sprintf("it has %d", units)}
	}
	if length > maxTaps {
		return &Error{Needs: fmt.Sprintf("a sequence of at most %d positions", maxTaps), Fix: "shorten the input, or use attention"}
	}
	if err := known("returns", l.Text("returns", "sequence"), Returns); err != nil {
		return err
	}
	if err := steps(l, li, 1, 0); err != nil {
		return err
	}
	wide := int(min(product(gates, units), maxElements))
	for _, d := range l.Directions() {
		bias := "zeros"
		if l.Op == "lstm" {
			bias = "forget"
		}
		param := func(name, init string, shape ...int) {
			p := Param{Name: name + d, Shape: shape, DType: F32, Trainable: true, Init: Init{Kind: init}}
			if init == "glorot_uniform" {
				p.Init.FanIn, p.Init.FanOut = shape[0], units
			}
			li.Params = append(li.Params, p)
		}
		param("weight", "glorot_uniform", in, wide)
		param("recurrent", "glorot_uniform", units, wide)
		param("bias", bias, wide)
		if l.Op == "gru" {
			param("recurrent_bias", "zeros", units)
		}
	}
	features := int(min(product(len(l.Directions()), units), maxElements+1))
	li.Out = []int{length, features}
	if l.Text("returns", "sequence") == "state" {
		li.Out = []int{features}
	}
	const gateCost = 10 // sums, functions and products for each unit and gate
	li.FLOPs = min(huge, product(2, length, features, gates, in)+product(2, length, features, gates, units)+product(gateCost, length, features, gates))
	return nil
}
