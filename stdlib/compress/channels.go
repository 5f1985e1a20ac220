package compress

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// PruneChannels removes whole units of dense layers and channels of convolutions, so that shapes, parameters and operations
// really shrink: floor(ratio n) of n, those whose weights are the smallest (mean of |w|, or root of the mean of w^2: Li et al.
// 2017), and at least one stays. Everything that carries a channel loses it too: norms, biases, and the rows of the layers that
// read it.
//
// Channels that a DAG ties together go together. The layers on both sides of an addition lose the same ones, judged by the mean
// over all that make them; so do a depthwise convolution and what feeds it. What cannot lose channels stays whole: inputs and
// outputs of the model, groups of a grouped convolution or group_norm, what goes through a softmax or a reshape that mixes
// channels, and what embeddings, attention and recurrent layers take and give (of a transformer's block the inner units go). left says which layers that is, and why.
func PruneChannels(m *bundle.Model, ratio float64, norm string, skip []string) (out *bundle.Model, left []string, err error) {
	if m.Info, err = graph.Infer(m.Graph); err != nil {
		return nil, nil, err
	}
	for _, s := range skip {
		if m.Graph.Layer(s) == nil {
			return nil, nil, fmt.Errorf("skip names %q, which is no layer", s)
		}
	}
	for _, l := range m.Graph.Layers {
		if l.Quant != "" || l.Store != "" {
			return nil, nil, fmt.Errorf("layer %q is quantized or cast: remove channels before that", l.Name)
		}
	}
	for name, from := range m.Graph.Sharers() {
		return nil, nil, fmt.Errorf("the layer %q shares the weights of %q: channels of models with shared weights are not removed", name, from)
	}
	t := &ties{model: m, units: map[string][]int{}, why: map[int]string{}}
	t.walk(skip)
	gone, possible := t.choose(ratio, norm)
	left = t.left()
	if len(gone) == 0 {
		if possible {
			return nil, nil, fmt.Errorf("a ratio of %g removes nothing from layers as narrow as these", ratio)
		}
		if len(left) == 0 {
			return nil, nil, fmt.Errorf("the model has no dense layer and no convolution")
		}
		return nil, nil, fmt.Errorf("no channel can go: %s", strings.Join(left, "; "))
	}
	out, err = t.cut(gone)
	return out, left, err
}

// ties says which channels are one: each element of the last axis of each tensor has a unit, and units are tied in sets.
type ties struct {
	model  *bundle.Model
	parent []int            // of a unit in its set; itself at the root
	units  map[string][]int // by input or layer: the unit of each element of its last axis
	why    map[int]string   // by root: why the set must stay
}

func (t *ties) fresh(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = len(t.parent)
		t.parent = append(t.parent, out[i])
	}
	return out
}

func (t *ties) root(u int) int {
	for t.parent[u] != u {
		t.parent[u] = t.parent[t.parent[u]]
		u = t.parent[u]
	}
	return u
}

func (t *ties) tie(a, b int) {
	a, b = t.root(a), t.root(b)
	if a == b {
		return
	}
	t.parent[b] = a
	if t.why[a] == "" {
		t.why[a] = t.why[b]
	}
}

// keep says that units must stay.
func (t *ties) keep(units []int, why string) {
	for _, u := range units {
		if r := t.root(u); t.why[r] == "" {
			t.why[r] = why
		}
	}
}

// walk finds the units of every tensor, in order.
func (t *ties) walk(skip []string) {
	g := t.model.Graph
	for _, in := range g.Inputs {
		t.units[in.Name] = t.fresh(in.Shape[len(in.Shape)-1])
		t.keep(t.units[in.Name], fmt.Sprintf("it is tied to the input %q", in.Name))
	}
	for i := range g.Layers {
		l := &g.Layers[i]
		t.units[l.Name] = t.layer(l)
		if l.Text("activation", l.Text("function", "")) == "softmax" {
			t.keep(t.units[l.Name], fmt.Sprintf("%q is a softmax over it", l.Name))
		}
		if slices.Contains(skip, l.Name) {
			t.keep(t.units[l.Name], fmt.Sprintf("skip names %q", l.Name))
		}
	}
	for _, name := range g.Outputs {
		t.keep(t.units[name], fmt.Sprintf("it makes the output %q", name))
	}
}

func (t *ties) layer(l *graph.Layer) []int {
	in := t.units[l.Inputs[0]]
	li := t.model.Info.Layers[l.Name]
	n := li.Out[len(li.Out)-1]
	switch l.Op {
	case "dense":
		return t.fresh(n)
	case "conv1d", "conv2d", "conv1d_transpose", "conv2d_transpose":
		return t.convolution(l, in, n)
	case "group_norm":
		t.keep(in, fmt.Sprintf("%q has groups of it", l.Name))
	case "flatten", "reshape":
		return t.reshape(l, in, n)
	case "concat":
		var all []int
		for _, name := range l.Inputs {
			all = append(all, t.units[name]...)
		}
		return all
	case "add", "multiply":
		return t.join(l, n)
	case "dot":
		t.join(l, n)
		return t.fixed(l, n)
	}
	if whole(l) {
		for _, name := range l.Inputs {
			t.keep(t.units[name], fmt.Sprintf("%q takes all of it", l.Name))
		}
		return t.fixed(l, n)
	}
	return in
}

// whole reports whether all channels of a layer's inputs and result stay: those of embeddings, which the sums around blocks of a
// transformer are tied to; of attention, whose heads share them; and of recurrent layers, which are their own input.
func whole(l *graph.Layer) bool {
	switch l.Op {
	case "embedding", "position_embedding", "type_embedding", "tied_dense", "padding_mask", "attention", "lstm", "gru":
		return true
	}
	return false
}

// fixed are new units that stay.
func (t *ties) fixed(l *graph.Layer, n int) []int {
	out := t.fresh(n)
	t.keep(out, fmt.Sprintf("%q makes it", l.Name))
	return out
}

func (t *ties) convolution(l *graph.Layer, in []int, n int) []int {
	out := t.fresh(n)
	switch groups := l.Groups(); {
	case groups == 1:
	case groups == len(in): // each channel has filters of its own
		for i, u := range out {
			t.tie(in[i/(n/groups)], u)
		}
	default:
		t.keep(in, fmt.Sprintf("%q is a convolution in %d groups of it", l.Name, groups))
		t.keep(out, fmt.Sprintf("%q is a convolution in %d groups", l.Name, groups))
	}
	return out
}

// reshape follows channels through a reshape that leaves each stretch of them whole.
func (t *ties) reshape(l *graph.Layer, in []int, n int) []int {
	if n%len(in) != 0 {
		t.keep(in, fmt.Sprintf("%q mixes it", l.Name))
		out := t.fresh(n)
		t.keep(out, fmt.Sprintf("%q mixes it", l.Name))
		return out
	}
	out := make([]int, n)
	for i := range out {
		out[i] = in[i%len(in)]
	}
	return out
}

// join ties the inputs of an addition or product, element by element. One of size 1 goes with all others, and stays.
func (t *ties) join(l *graph.Layer, n int) []int {
	var out []int
	for _, name := range l.Inputs {
		in := t.units[name]
		if len(in) == 1 && n > 1 {
			t.keep(in, fmt.Sprintf("%q repeats it", l.Name))
			continue
		}
		if out == nil {
			out = in
			continue
		}
		for i, u := range in {
			t.tie(out[i], u)
		}
	}
	return out
}

// produces reports whether a layer's weight makes the channels of its output.
func produces(l *graph.Layer) bool { return l.Op == "dense" || convolution(l) }

// choose picks the roots of the sets that go, ranked among those of the same layers, and says whether there was any to choose
// from.
func (t *ties) choose(ratio float64, norm string) (gone map[int]bool, possible bool) {
	size, count := map[int]float64{}, map[int]float64{}
	makers := map[int][]string{}
	for i := range t.model.Graph.Layers {
		l := &t.model.Graph.Layers[i]
		if !produces(l) {
			continue
		}
		units := t.units[l.Name]
		for j, v := range t.model.Params[l.Name]["weight"].Float32s() {
			r := t.root(units[j%len(units)])
			if norm == "l2" {
				size[r] += float64(v) * float64(v)
			} else {
				size[r] += math.Abs(float64(v))
			}
			count[r]++
		}
		for _, u := range units {
			if r := t.root(u); !slices.Contains(makers[r], l.Name) {
				makers[r] = append(makers[r], l.Name)
			}
		}
	}
	families := map[string][]int{}
	for r := range makers {
		if t.why[r] == "" {
			key := strings.Join(makers[r], " ")
			families[key] = append(families[key], r)
		}
	}
	gone = map[int]bool{}
	for _, family := range families {
		slices.Sort(family)
		slices.SortStableFunc(family, func(a, b int) int {
			x, y := size[a]/count[a], size[b]/count[b]
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
		for _, r := range family[:min(int(ratio*float64(len(family))), len(family)-1)] {
			gone[r] = true
		}
	}
	return gone, len(families) > 0
}

// left says of each layer with a weight of which nothing may go, why.
func (t *ties) left() []string {
	var out []string
	for i := range t.model.Graph.Layers {
		l := &t.model.Graph.Layers[i]
		if !produces(l) {
			continue
		}
		whole := ""
		for _, u := range t.units[l.Name] {
			if whole = t.why[t.root(u)]; whole == "" {
				break
			}
		}
		if whole != "" {
			out = append(out, fmt.Sprintf("%q stays whole, for %s", l.Name, whole))
		}
	}
	return out
}

// cut makes the smaller model.
func (t *ties) cut(gone map[int]bool) (*bundle.Model, error) {
	out := copyModel(t.model)
	stay := func(name string) []int {
		var kept []int
		for i, u := range t.units[name] {
			if !gone[t.root(u)] {
				kept = append(kept, i)
			}
		}
		return kept
	}
	for i := range out.Graph.Layers {
		l := &out.Graph.Layers[i]
		if whole(l) {
			continue
		}
		in, own := stay(l.Inputs[0]), stay(l.Name)
		for _, name := range slices.Sorted(maps.Keys(out.Params[l.Name])) {
			p := out.Params[l.Name][name]
			last := len(p.Shape) - 1
			p = take(p, last, own)
			if name == "weight" && l.Groups() == 1 {
				p = take(p, last-1, in)
			}
			out.Params[l.Name][name] = p
		}
		switch {
		case l.Op == "dense":
			l.Attrs["units"] = int64(len(own))
		case convolution(l):
			l.Attrs["filters"] = int64(len(own))
			if l.Groups() > 1 && l.Groups() == len(t.units[l.Inputs[0]]) {
				l.Attrs["groups"] = int64(len(in))
			}
		case l.Op == "reshape":
			shape := slices.Clone(l.Attrs["shape"].([]any))
			if last := len(shape) - 1; shape[last] != int64(-1) {
				shape[last] = int64(len(own))
			}
			l.Attrs["shape"] = shape
		}
	}
	var err error
	out.Info, err = graph.Infer(out.Graph)
	return out, err
}

// take keeps some places of an axis.
func take(p *bundle.Tensor, axis int, places []int) *bundle.Tensor {
	inner := graph.Size(p.Shape[axis+1:])
	v := p.Float32s()
	var kept []float32
	for at := 0; at < len(v); at += p.Shape[axis] * inner {
		for _, i := range places {
			kept = append(kept, v[at+i*inner:at+(i+1)*inner]...)
		}
	}
	shape := slices.Clone(p.Shape)
	shape[axis] = len(places)
	return bundle.Float32(shape, kept)
}
