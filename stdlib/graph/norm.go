package graph

import "fmt"

// All: any shape with features on its last axis, (x - mean) / sqrt(variance + epsilon) * gamma + beta; variances are biased
// (divided by n). gamma, beta: [features], trainable, ones and zeros. attrs epsilon (1e-5).
//
// batch_norm: statistics over the batch and all axes but the last, in training; otherwise the running ones, which are parameters
// that training moves but does not train: mean, variance [features], zeros and ones; running = momentum running +
// (1-momentum) batch. attrs momentum (0.9), from 0 to 1 (Ioffe and Szegedy 2015).
//
// layer_norm: statistics over the last axis, each example by itself (Ba, Kiros and Hinton 2016).
//
// group_norm: statistics over all axes, for each example and each of groups equal parts of the features; attrs groups (Wu and
// He 2018). groups = features is instance normalisation.
//
// rms_norm: x / sqrt(mean(x^2) + epsilon) * gamma over the last axis, without mean and beta (Zhang and Sennrich 2019).

// normCost is the operations for each element: mean 1, deviation 1, square and sum 2, division 1, gamma and beta 2, and one for
// what is done once a feature.
const normCost = 8

func inferNorm(l *Layer, li *LayerInfo) error {
	if e := l.Float("epsilon", 1e-5); !(e > 0) {
		return &Error{Needs: "an epsilon above 0", Got: fmt.Sprintf("it has %g", e)}
	}
	if m := l.Float("momentum", 0.9); !(m >= 0 && m <= 1) {
		return &Error{Needs: "a momentum from 0 to 1", Got: fmt.Sprintf("it has %g", m)}
	}
	features := li.In[0][len(li.In[0])-1]
	if g := l.Groups(); g < 1 || features%g != 0 {
		return &Error{Needs: "groups that divide its features", Got: fmt.Sprintf("there are %d groups, and %q gives %d features", g, l.Inputs[0], features)}
	}
	vec := func(name, init string, trainable bool) Param {
		return Param{Name: name, Shape: []int{features}, DType: F32, Trainable: trainable, Init: Init{Kind: init}}
	}
	li.Params = []Param{vec("gamma", "ones", true)}
	if l.Op != "rms_norm" {
		li.Params = append(li.Params, vec("beta", "zeros", true))
	}
	if l.Op == "batch_norm" {
		li.Params = append(li.Params, vec("mean", "zeros", false), vec("variance", "ones", false))
	}
	li.FLOPs = normCost * int64(Size(li.In[0]))
	return same(li)
}
