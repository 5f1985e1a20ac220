package learn

import (
	"math"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

// Optimizer is how gradients become steps. With w a parameter, g its gradient, t the step from 1, wd the weight decay:
//
//	sgd        w -= lr (g + wd w)
//	momentum   v = momentum v + g + wd w; w -= lr v                (Polyak 1964, as in PyTorch, without dampening)
//	nesterov   v as above; w -= lr (g + wd w + momentum v)         (Sutskever et al. 2013, as in PyTorch)
//	adam       Kingma and Ba 2015, algorithm 1; wd w adds to the gradient
//	adamw      Loshchilov and Hutter 2019: w -= lr wd w, apart from the gradient
//	lamb       You et al. 2020: adamw's step u, times |w| / |u| of each parameter (1 where either is 0)
//	lion       Chen et al. 2023: w -= lr (sign(beta1 m + (1-beta1) g) + wd w); m = beta2 m + (1-beta2) g
//	adafactor  Shazeer and Stern 2018: the second moment of a matrix as its row and column means, which decay with 1 - t^-decay;
//	           steps clipped to an r.m.s. of clip_threshold, and scaled with the parameter's own r.m.s.; wd apart
//	rmsprop    Hinton 2012, as in PyTorch: s = decay s + (1-decay) g^2; w -= lr g / (sqrt(s) + epsilon), through momentum if any
type Optimizer struct {
	Type           string  `json:"type"`
	LR             float64 `json:"lr"`
	WeightDecay    float64 `json:"weight_decay"`
	Momentum       float64 `json:"momentum"`
	Beta1          float64 `json:"beta1"`
	Beta2          float64 `json:"beta2"`
	Epsilon        float64 `json:"epsilon"`
	Decay          float64 `json:"decay"`
	ClipThreshold  float64 `json:"clip_threshold"`
	ScaleParameter bool    `json:"scale_parameter"`
	FactorFrom     int     `json:"factor_from"` // adafactor: the two largest dimensions must both be at least this
}

// kept is a tensor that an optimizer keeps for a parameter.
type kept struct {
	name  string
	shape []int
}

// turn is one parameter at one step.
type turn struct {
	o     Optimizer
	w, g  *Node
	state map[string]*Node // what is kept, by name; step replaces it
	// of the step: 1/(1-beta1^t), 1/(1-beta2^t), adafactor's 1-t^-decay
	c1, c2, decay *Node
}

// rule is how one optimizer works. step returns what is to be subtracted from w, but for the learning rate.
type rule struct {
	keeps func(o Optimizer, shape []int) []kept
	step  func(t *turn) *Node
	apart bool // weight decay is added to the step, not to the gradient
}

var rules = map[string]rule{
	"sgd":       {keeps: none, step: func(t *turn) *Node { return t.g }},
	"momentum":  {keeps: like("velocity"), step: momentum},
	"nesterov":  {keeps: like("velocity"), step: func(t *turn) *Node { return Add(t.g, MulScalar(momentum(t), t.o.Momentum)) }},
	"adam":      {keeps: like("m", "v"), step: adam},
	"adamw":     {keeps: like("m", "v"), step: adam, apart: true},
	"lamb":      {keeps: like("m", "v"), step: adam, apart: true}, // scaled where the weight decay is in: delta
	"lion":      {keeps: like("m"), step: lion, apart: true},
	"adafactor": {keeps: factors, step: adafactor, apart: true},
	"rmsprop": {step: rmsprop, keeps: func(o Optimizer, shape []int) []kept {
		if o.Momentum != 0 {
			return like("square", "velocity")(o, shape)
		}
		return like("square")(o, shape)
	}},
}

func none(Optimizer, []int) []kept { return nil }

// like keeps tensors of the parameter's own shape.
func like(names ...string) func(Optimizer, []int) []kept {
	return func(_ Optimizer, shape []int) []kept {
		var ks []kept
		for _, n := range names {
			ks = append(ks, kept{n, shape})
		}
		return ks
	}
}

// delta is what is to be subtracted from w, but for the learning rate, with weight decay.
func (t *turn) delta(wd float64) *Node {
	r := rules[t.o.Type]
	if wd != 0 && !r.apart {
		t.g = Add(t.g, MulScalar(t.w, wd))
	}
	d := r.step(t)
	if wd != 0 && r.apart {
		d = Add(d, MulScalar(t.w, wd))
	}
	if t.o.Type == "lamb" {
		d = Mul(d, trust(norm(t.w), norm(d)))
	}
	return d
}

func norm(x *Node) *Node { return Sqrt(ReduceAllSum(Square(x))) }

// trust is |w| / |u|, or 1 where either is 0.
func trust(w, u *Node) *Node {
	zero, one := ScalarZero(w.Graph(), w.DType()), ScalarOne(w.Graph(), w.DType())
	some := And(GreaterThan(w, zero), GreaterThan(u, zero))
	return Where(some, Div(w, Where(some, u, one)), one)
}

// mix is beta old + (1-beta) new.
func mix(old, new *Node, beta float64) *Node {
	return Add(MulScalar(old, beta), MulScalar(new, 1-beta))
}

func momentum(t *turn) *Node {
	t.state["velocity"] = Add(MulScalar(t.state["velocity"], t.o.Momentum), t.g)
	return t.state["velocity"]
}

func adam(t *turn) *Node {
	m, v := mix(t.state["m"], t.g, t.o.Beta1), mix(t.state["v"], Square(t.g), t.o.Beta2)
	t.state["m"], t.state["v"] = m, v
	return Div(Mul(m, t.c1), AddScalar(Sqrt(Mul(v, t.c2)), t.o.Epsilon))
}

func lion(t *turn) *Node {
	m := t.state["m"]
	t.state["m"] = mix(m, t.g, t.o.Beta2)
	return Sign(mix(m, t.g, t.o.Beta1))
}

func rmsprop(t *turn) *Node {
	t.state["square"] = mix(t.state["square"], Square(t.g), t.o.Decay)
	step := Div(t.g, AddScalar(Sqrt(t.state["square"]), t.o.Epsilon))
	if t.o.Momentum == 0 {
		return step
	}
	t.state["velocity"] = Add(MulScalar(t.state["velocity"], t.o.Momentum), step)
	return t.state["velocity"]
}

// largest are the axes of the largest dimension and the one after it; ok where both are large enough to be kept as means.
func largest(o Optimizer, shape []int) (first, second int, ok bool) {
	if len(shape) < 2 {
		return 0, 0, false
	}
	axes := make([]int, len(shape))
	for i := range axes {
		axes[i] = i
	}
	slices.SortStableFunc(axes, func(a, b int) int { return shape[a] - shape[b] })
	first, second = axes[len(axes)-1], axes[len(axes)-2]
	return first, second, shape[second] >= o.FactorFrom
}

func factors(o Optimizer, shape []int) []kept {
	first, second, ok := largest(o, shape)
	if !ok {
		return []kept{{"v", shape}}
	}
	return []kept{{"v_row", without(shape, first)}, {"v_col", without(shape, second)}}
}

func without(shape []int, axis int) []int { return slices.Delete(slices.Clone(shape), axis, axis+1) }

func adafactor(t *turn) *Node {
	square := AddScalar(Square(t.g), t.o.Epsilon)
	grow := func(name string, sample *Node) *Node {
		t.state[name] = Add(Mul(t.state[name], t.decay), Mul(sample, OneMinus(t.decay)))
		return t.state[name]
	}
	var u *Node
	if first, second, ok := largest(t.o, t.w.Shape().Dimensions); !ok {
		u = Div(t.g, Sqrt(grow("v", square)))
	} else {
		row, col := grow("v_row", ReduceMean(square, first)), grow("v_col", ReduceMean(square, second))
		at := second // the axis of row that is left of second
		if second > first {
			at--
		}
		row = Div(row, ReduceAndKeep(row, ReduceMean, at))
		u = Div(t.g, Mul(ExpandDims(Sqrt(row), first), ExpandDims(Sqrt(col), second)))
	}
	one := ScalarOne(u.Graph(), u.DType())
	if t.o.ClipThreshold > 0 {
		u = Div(u, Max(one, DivScalar(rms(u), t.o.ClipThreshold)))
	}
	if t.o.ScaleParameter {
		u = Mul(u, Max(rms(t.w), Scalar(u.Graph(), u.DType(), 1e-3)))
	}
	return u
}

func rms(x *Node) *Node { return Sqrt(ReduceAllMean(Square(x))) }

// corrections are c1, c2 and decay of a turn at step t, from 1.
func (o Optimizer) corrections(t float64) (c1, c2, decay float64) {
	return 1 / (1 - math.Pow(o.Beta1, t)), 1 / (1 - math.Pow(o.Beta2, t)), 1 - math.Pow(t, -o.Decay)
}

// correctionsAt is the same of a step that only the device knows: where steps may be skipped. 1-beta^t is -expm1(t log beta),
// which loses nothing at small t.
func (o Optimizer) correctionsAt(t *Node) (c1, c2, decay *Node) {
	against := func(beta float64) *Node {
		if beta == 0 {
			return OnesLike(t)
		}
		return Reciprocal(Neg(Expm1(MulScalar(t, math.Log(beta)))))
	}
	return against(o.Beta1), against(o.Beta2), OneMinus(Exp(MulScalar(Log(t), -o.Decay)))
}
