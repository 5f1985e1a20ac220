package graph

import "fmt"

// attention: queries [batch, length, heads*d], keys [batch, from, heads*d], values [batch, from, heads*e] and perhaps a mask
// [batch, from] -> [batch, length, heads*e]. Of each head softmax(q k^T / sqrt(d) + b) v (Vaswani et al. 2017), over the heads'
// parts of the features, which lie side by side. It has no parameters: what projects queries, keys, values and the result are
// dense layers around it.
//
//	attrs   heads, causal (false), rotary (false), rotary_base (10000), dropout (0)
//
// In training a share of the weights that softmax gives, dropout, is 0, and the others are divided by 1 - dropout, as in a layer of
// its own (Srivastava et al. 2014).
//
// b is 0 where a position may be looked at. What the mask has 0 for gets -1e9 (b = (mask - 1) 1e9), and with causal what comes
// after the query gets -1e9 (more); a query that may see nothing sees about everything alike, rather than be no number.
//
// rotary turns queries and keys by their position before they are multiplied (Su et al. 2021): features i and i + d/2 of a head
// are a pair that position p turns by p base^(-2i/d). d must be even.

func inferAttention(l *Layer, li *LayerInfo) error {
	heads := l.Int("heads")
	q, k, v := li.In[0], li.In[1], li.In[2]
	switch {
	case heads < 1 || q[1]%heads != 0 || v[1]%heads != 0:
		return &Error{Needs: "heads that divide its features", Got: fmt.Sprintf("there are %d heads, %q gives %d features and %q %d", heads, l.Inputs[0], q[1], l.Inputs[2], v[1])}
	case q[1] != k[1]:
		return &Error{Needs: "queries and keys of as many features", Got: both(l, li, 1)}
	case k[0] != v[0]:
		return &Error{Needs: "as many keys as values", Got: fmt.Sprintf("%q gives %s and %q gives %s", l.Inputs[1], ShapeText(k), l.Inputs[2], ShapeText(v))}
	case l.Flag("causal", false) && q[0] != k[0]:
		return &Error{Needs: "queries and keys of one length, being causal", Got: both(l, li, 1)}
	case l.Flag("rotary", false) && q[1]/heads%2 != 0:
		return &Error{Needs: "an even number of features a head, being rotary", Got: fmt.Sprintf("there are %d heads of %d", heads, q[1]/heads)}
	case !(l.Float("dropout", 0) >= 0 && l.Float("dropout", 0) < 1):
		return &Error{Needs: "a dropout from 0 to below 1", Got: fmt.Sprintf("it has %g", l.Float("dropout", 0))}
	case !(l.Float("rotary_base", 10000) > 0):
		return &Error{Needs: "a rotary_base above 0", Got: fmt.Sprintf("it has %g", l.Float("rotary_base", 0))}
	}
	if err := steps(l, li, 3, 1); err != nil {
		return err
	}
	if product(heads, q[0], k[0]) > maxElements {
		return &Error{Needs: "at most 2^40 scores an example", Got: fmt.Sprintf("%d queries, %d keys and %d heads make more", q[0], k[0], heads)}
	}
	li.Out, li.Peak = []int{q[0], v[1]}, heads*q[0]*k[0]
	const softmaxCost = 6 // scale, bias, exponential, two of the sum and the greatest, division
	li.FLOPs = min(huge, product(2, q[0], k[0], q[1])+product(2, q[0], k[0], v[1])+product(softmaxCost, heads, q[0], k[0]))
	return nil
}
