package learn

import (
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Loss is a row of the table of losses. A row of data has the loss each; a batch has the mean of its rows', weighed with the
// weights of their classes: sum w l / sum w.
type Loss struct {
	Classes bool // compares one logit for each class with a class
	Binary  bool // compares one logit with one of two classes, or a number from 0 to 1
	smooths bool // has a use for label smoothing

	each  func(c *Config, out *Node, y target) *Node // the loss of each row, [rows]
	right func(out *Node, y target) *Node            // 1 for each row that is predicted right, else 0, [rows]; nil where there is no such thing
}

// target is the labels of rows: classes, int32, or numbers, float32, [rows]. Classes may be mixed: a row is of its class with its
// share of 1, and else of its partner's class. share is nil where nothing is mixed.
type target struct{ label, partner, share *Node }

// mixed is what f makes of the labels, and where they are mixed, both in their shares.
func (y target) mixed(f func(label *Node) *Node) *Node {
	a := f(y.label)
	if y.share == nil {
		return a
	}
	share := y.share
	for share.Rank() < a.Rank() {
		share = ExpandDims(share, -1)
	}
	return Add(Mul(share, a), Mul(OneMinus(share), f(y.partner)))
}

// Losses is the table by name. z are the logits, p their softmax, t the labels as a distribution: 1 for the class, or with
// label smoothing e: 1 - e + e/classes, and e/classes for the others (Szegedy et al. 2016). Of a row that mixup made of two, t is
// their distributions in their shares, and focal's loss its losses (Zhang et al. 2018).
var Losses = map[string]Loss{
	// - sum t log p
	"cross_entropy": {Classes: true, smooths: true, right: rightClass, each: func(c *Config, out *Node, y target) *Node {
		return Neg(ReduceSum(Mul(c.distribution(out, y), LogSoftmax(out, -1)), -1))
	}},
	// sum t (log t - log p): cross-entropy less the entropy of the labels, so that 0 is the best there is
	"kl": {Classes: true, smooths: true, right: rightClass, each: func(c *Config, out *Node, y target) *Node {
		t := c.distribution(out, y)
		entropy := Mul(t, Log(Max(t, Scalar(t.Graph(), t.DType(), 1e-30)))) // 0 log 0 = 0
		return ReduceSum(Sub(entropy, Mul(t, LogSoftmax(out, -1))), -1)
	}},
	// - (1-p)^gamma log p of the class (Lin et al. 2017)
	"focal": {Classes: true, right: rightClass, each: func(c *Config, out *Node, y target) *Node {
		return y.mixed(func(label *Node) *Node {
			logp := ReduceSum(Mul(c.distribution(out, target{label: label}), LogSoftmax(out, -1)), -1)
			return Neg(Mul(power(OneMinus(Exp(logp)), c.FocalGamma), logp))
		})
	}},
	// max(z,0) - z t + log(1 + e^-|z|), which is - t log s - (1-t) log(1-s) with s = sigmoid(z), without overflow
	"binary_cross_entropy": {Binary: true, smooths: true, each: func(c *Config, out *Node, y target) *Node {
		z, labels := Reshape(out, -1), y.label
		if e := c.LabelSmoothing; e != 0 {
			labels = AddScalar(MulScalar(labels, 1-e), e/2)
		}
		return Add(Sub(Max(z, ZerosLike(z)), Mul(z, labels)), Log1P(Exp(Neg(Abs(z)))))
	}, right: func(out *Node, y target) *Node {
		half := Scalar(out.Graph(), dtypes.Float32, 0.5)
		z := Reshape(out, -1)
		return ConvertDType(LogicalNot(LogicalXor(GreaterThan(z, ZerosLike(z)), GreaterThan(y.label, half))), dtypes.Float32)
	}},
	"mse": {each: func(_ *Config, out *Node, y target) *Node { return Square(Sub(Reshape(out, -1), y.label)) }},
	"mae": {each: func(_ *Config, out *Node, y target) *Node { return Abs(Sub(Reshape(out, -1), y.label)) }},
	// d^2/2 up to delta, and delta (|d| - delta/2) beyond (Huber 1964)
	"huber": {each: func(c *Config, out *Node, y target) *Node {
		delta := c.HuberDelta
		if delta == 0 {
			delta = 1
		}
		d := Abs(Sub(Reshape(out, -1), y.label))
		near := Min(d, Scalar(d.Graph(), d.DType(), delta))
		return Mul(near, Sub(d, MulScalar(near, 0.5)))
	}},
}

// lossesThat lists the names of the losses that something is true of.
func lossesThat(is func(Loss) bool) string {
	var names []string
	for _, n := range slices.Sorted(maps.Keys(Losses)) {
		if is(Losses[n]) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

// distribution is t of the table.
func (c *Config) distribution(out *Node, y target) *Node {
	classes := out.Shape().Dimensions[1]
	hot := y.mixed(func(label *Node) *Node { return OneHot(label, classes, dtypes.Float32) })
	if e := c.LabelSmoothing; e != 0 {
		hot = AddScalar(MulScalar(hot, 1-e), e/float64(classes))
	}
	return hot
}

// power is x^n for x from 0 on. Whole powers are products: Pow is slow, and has no derivative at 0.
func power(x *Node, n float64) *Node {
	switch n {
	case 0:
		return OnesLike(x)
	case 1:
		return x
	case 2:
		return Square(x)
	}
	return Pow(Max(x, Scalar(x.Graph(), x.DType(), 1e-7)), Scalar(x.Graph(), x.DType(), n))
}

func rightClass(out *Node, y target) *Node {
	predicted := ArgMax(out, -1, dtypes.Int32)
	return y.mixed(func(label *Node) *Node { return ConvertDType(Equal(predicted, label), dtypes.Float32) })
}

// Fit holds the loss against the shape of the model's output, without the batch dimension. A *Misfit.
func (l Loss) Fit(name, layer string, out []int) error {
	n := graph.Size(out)
	switch {
	case l.Classes && (len(out) > 2 || out[len(out)-1] < 2):
		return misfit("loss", "%s needs one output for each class, at least 2, but %q gives %s", name, layer, graph.ShapeText(out))
	case !l.Classes && n != 1:
		return misfit("loss", "%s needs one output, but %q gives %s. End the model with a dense layer of 1 unit, or use cross_entropy", name, layer, graph.ShapeText(out))
	}
	return nil
}

// fitData holds the loss against the labels.
func (l Loss) fitData(name string, d *dataset.Data, out []int) error {
	outputs := out[len(out)-1]
	tags := d.Of != nil && d.Of.Label != nil && d.Of.Label.Kind == "tags"
	switch {
	case tags && len(d.Of.Sequences) == 0:
		return misfit("data", "the label %q tags the words of %q, which are text: make tokens of them first", d.Of.Label.Name, d.Of.Label.Of)
	case tags && (!l.Classes || len(out) != 2):
		return misfit("data", "the label %q tags each token, and the model gives %s: a loss over classes and a model that ends with a dense layer over the sequence fit that", d.Of.Label.Name, graph.ShapeText(out))
	case l.Classes && len(out) == 2 && !tags:
		return misfit("data", "the model gives classes for each position, %s, and the dataset has one label a row: add a layer \"sequence_pool\" (or \"flatten\") before the last", graph.ShapeText(out))
	case d.Classes == nil && d.Numbers == nil:
		return misfit("data", "the dataset has no label: set label in its block")
	case l.Classes && d.Classes == nil:
		return misfit("loss", "%s needs a label that is a class; the dataset's is a number (use mse, mae or huber)", name)
	case l.Classes && d.Of != nil && d.Of.Label != nil && d.Of.Label.Classes != nil && len(d.Of.Label.Classes) != outputs:
		return misfit("data", "the model gives %d outputs, and the label %q has %d classes, %s: it must give one for each. Set the units of its last layer, or classes in the block of the dataset", outputs, d.Of.Label.Name, len(d.Of.Label.Classes), list(d.Of.Label.Classes))
	case l.Classes && int(slices.Max(d.Classes)) >= outputs:
		return misfit("data", "the model gives %d outputs, and the dataset has at least %d classes", outputs, slices.Max(d.Classes)+1)
	case l.Binary && d.Classes != nil && slices.Max(d.Classes) > 1:
		return misfit("loss", "%s needs a label of two classes; the dataset has at least %d (use cross_entropy)", name, slices.Max(d.Classes)+1)
	case l.Binary && d.Classes == nil && slices.ContainsFunc(d.Numbers, func(v float32) bool { return !(v >= 0 && v <= 1) }):
		return misfit("loss", "%s needs numbers from 0 to 1 as labels, and the dataset has others", name)
	case !l.Classes && !l.Binary && d.Numbers == nil:
		return misfit("loss", "%s needs a label that is a number; the dataset's is a class (use cross_entropy)", name)
	}
	return nil
}

// number is the label of a row as a number.
func number(d *dataset.Data, row int) float32 {
	if d.Numbers != nil {
		return d.Numbers[row]
	}
	return float32(d.Classes[row])
}
