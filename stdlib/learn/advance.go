package learn

import (
	"slices"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"

	lower "mbuild.dev/mbuild/stdlib/graph/mlx"
)

// advance makes a step out of gradients, which are tame, and adds it to the window.
func (p *Program) advance(scalars *Node, d *pass, w window, keep, state []*Node, n norming) (window, []*Node) {
	g := scalars.Graph()
	zero := ScalarZero(g, dtypes.Float32)
	grads := d.grads
	var size *Node
	switch n {
	case normAlways:
		size = globalNorm(grads)
		grads = p.clip(grads, size)
	case normAsked:
		size = normIf(GreaterThan(element(scalars, lookAt), zero), grads)
	}
	if size != nil {
		w.norm = size
	}
	ok := IsFinite(d.loss)
	if size != nil {
		ok = And(ok, IsFinite(size))
	}
	next := p.update(scalars, grads, d.stats, keep, state)
	never, index := Scalar(g, dtypes.Float32, noStep), element(scalars, indexAt)
	if !p.half() {
		w.sums = Add(w.sums, Stack([]*Node{d.loss, d.right, zero, zero}, 0))
		w.bad = Min(w.bad, Where(ok, never, index))
		return w, next
	}
	last := len(state) - 1
	after := scaler{state[last]}.next(ok)
	for i, sl := range p.slots {
		if sl.live {
			next[i] = Where(ok, next[i], state[i])
		}
	}
	next[last] = after.n
	skipped := func(i int) *Node { return Where(ok, zero, element(scalars, i)) }
	w.sums = Add(w.sums, Stack([]*Node{Where(ok, d.loss, zero), Where(ok, d.right, zero), skipped(rowsAt), skipped(weightAt)}, 0))
	w.norm = Where(ok, w.norm, zero)
	long := GreaterOrEqual(after.at(runAt), Scalar(g, dtypes.Float32, maxSkips))
	w.bad = Min(w.bad, Where(long, index, never))
	return w, next
}

// tame takes the scale off the gradients, and clips each of their elements.
func (p *Program) tame(d *pass, state []*Node) *pass {
	grads := slices.Clone(d.grads)
	for i, g := range grads {
		if p.half() {
			g = Div(g, scaler{state[len(state)-1]}.at(scaleAt))
		}
		if c := p.config.ClipValue; c > 0 {
			g = ClipScalar(g, -c, c)
		}
		grads[i] = g
	}
	return &pass{loss: d.loss, right: d.right, grads: grads, stats: d.stats}
}

// globalNorm is the L2 norm of all gradients together.
func globalNorm(grads []*Node) *Node {
	sum := ReduceAllSum(Square(grads[0]))
	for _, g := range grads[1:] {
		sum = Add(sum, ReduceAllSum(Square(g)))
	}
	return Sqrt(sum)
}

// normOf is globalNorm by products: it takes no sums of a function, which go-xla keeps for the one that asked first.
func normOf(grads []*Node) *Node {
	var sum *Node
	for _, d := range grads {
		flat := Reshape(d, -1)
		square := DotGeneral(flat, []int{0}, nil, flat, []int{0}, nil)
		if sum == nil {
			sum = square
		} else {
			sum = Add(sum, square)
		}
	}
	return Sqrt(sum)
}

// normIf is the norm where it is asked for, else 0. What a branch makes of values of its parent alone, go-xla puts into the parent;
// so the branch takes slices of them, all there is, at a place of its own.
func normIf(asked *Node, grads []*Node) *Node {
	g := asked.Graph()
	var flat []*Node
	for _, d := range grads {
		flat = append(flat, Reshape(d, -1))
	}
	yes := NewClosure(g, func(g *Graph) []*Node {
		begin := Reshape(Const(g, []int32{0}))
		var own []*Node
		for _, d := range flat {
			own = append(own, DynamicSlice(d, []*Node{begin}, d.Shape().Dimensions))
		}
		return []*Node{normOf(own)}
	})
	no := NewClosure(g, func(g *Graph) []*Node { return []*Node{Reshape(Const(g, []float32{0}))} })
	return If(asked, yes, no)[0]
}

// clip scales all gradients down to a global norm.
func (p *Program) clip(grads []*Node, size *Node) []*Node {
	if p.config.ClipNorm <= 0 {
		return grads
	}
	limit := Scalar(size.Graph(), dtypes.Float32, p.config.ClipNorm)
	factor := Min(ScalarOne(size.Graph(), dtypes.Float32), Div(limit, AddScalar(size, 1e-6)))
	out := make([]*Node, len(grads))
	for i, g := range grads {
		out[i] = Mul(g, factor)
	}
	return out
}

// update makes the next state.
func (p *Program) update(scalars *Node, grads []*Node, stats lower.Values, keep, state []*Node) []*Node {
	next := slices.Clone(state)
	lr, c1, c2, decay := element(scalars, lrAt), element(scalars, c1At), element(scalars, c2At), element(scalars, decayAt)
	if p.half() { // only the device knows how many steps were not skipped
		c1, c2, decay = p.config.Optimizer.correctionsAt(AddScalar(scaler{state[len(state)-1]}.at(doneAt), 1))
	}
	kept := p.keptBy()
	k := 0
	for i, sl := range p.slots {
		if s := stats[sl.layer][sl.param]; sl.statistic() && s != nil {
			next[i] = s
		}
		if sl.moment != "" || !sl.trained {
			continue
		}
		t := &turn{o: p.config.Optimizer, w: state[i], g: grads[k], state: map[string]*Node{}, c1: c1, c2: c2, decay: decay}
		k++
		if keep[i] != nil {
			t.g = Mul(t.g, keep[i])
		}
		for name, j := range kept[sl.layer+"/"+sl.param] {
			t.state[name] = state[j]
		}
		rate := lr
		if sl.scale != 1 {
			rate = MulScalar(lr, sl.scale)
		}
		w := Sub(t.w, Mul(t.delta(sl.decay), rate))
		if keep[i] != nil {
			w = Mul(w, keep[i])
		}
		if old := t.state[emaName]; old != nil {
			d := element(scalars, emaAt)
			t.state[emaName] = Add(Mul(old, d), Mul(w, OneMinus(d)))
		}
		next[i] = w
		for name, j := range kept[sl.layer+"/"+sl.param] {
			next[j] = t.state[name]
		}
	}
	return next
}

// keptBy finds the slots of what is kept for a parameter, by name.
func (p *Program) keptBy() map[string]map[string]int {
	kept := map[string]map[string]int{}
	for i, sl := range p.slots {
		if sl.moment == "" || sl.layer == "" {
			continue
		}
		at := sl.layer + "/" + sl.param
		if kept[at] == nil {
			kept[at] = map[string]int{}
		}
		kept[at][sl.moment] = i
	}
	return kept
}
