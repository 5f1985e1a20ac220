package onnx

import (
	"fmt"
	"slices"
	"strings"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// recurrent is LSTM or GRU over a sequence that was turned to have time in front. Lengths are those of a mask.
func (m *importer) recurrent(n *node, in []*value) (*value, error) {
	of, axes, from, ok := m.viewed(in[0])
	if !ok || len(axes) != 3 || len(of.shape) != 3 || len(in) < 4 || !sameAxes(axes[:2], [][]run{asIs(of.shape)[1], asIs(of.shape)[0]}) {
		return nil, m.unsupported("its input is no sequence [batch, length, features] that was turned, or it has no bias")
	}
	x, err := m.real(m.view(of, [][]run{axes[1], axes[0], axes[2]}, from, in[0]))
	if err != nil {
		return nil, err
	}
	op := strings.ToLower(n.op)
	units := int(n.int("hidden_size", 0))
	direction := n.text("direction", "forward")
	plain := n.attrs["activations"] == nil && n.attrs["clip"] == nil && n.int("layout", 0) == 0 && n.int("input_forget", 0) == 0 && (op == "lstm" || n.int("linear_before_reset", 0) == 1)
	for k := 5; k < len(in); k++ { // states to begin with, that are 0, and no peepholes
		plain = plain && (in[k] == nil || k < 7 && in[k].known != nil && !in[k].probe && !slices.ContainsFunc(in[k].known.f, func(v float32) bool { return v != 0 }))
	}
	if !plain || units < 1 || direction != "forward" && direction != "bidirectional" {
		return nil, m.unsupported("activations, an initial state, the direction or the place of the reset gate are others than mbuild's")
	}
	inputs := []string{x.layer}
	if len(in) > 4 && in[4] != nil {
		mask, err := m.counted(in[4].known)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, mask)
	}
	returns := "sequence"
	if n.out[0] == "" {
		returns = "state"
	}
	l := graph.Layer{Op: op, Attrs: map[string]any{"units": int64(units), "bidirectional": direction == "bidirectional", "returns": returns}}
	params, err := m.gates(op, in[1:4], l.Directions(), x.shape[2], units)
	if err != nil {
		return nil, err
	}
	wide := units * len(l.Directions())
	shape := []int{m.batch, x.shape[1], wide}
	if returns == "state" {
		shape = []int{m.batch, wide}
	}
	y, err := m.emit(op, inputs, l.Attrs, shape, params)
	if err != nil {
		return nil, err
	}
	if returns == "sequence" && len(n.out) > 1 && slices.ContainsFunc(n.out[1:], func(o string) bool { return m.uses[o] > 0 }) {
		return nil, m.unsupported("both steps and the last state are taken")
	}
	seen, last := asIs(shape), len(shape)-1 // time, directions, rows, units
	axes = [][]run{joined([]run{{last, len(l.Directions()), units}}), seen[0], joined([]run{{last, units, 1}})}
	if returns == "sequence" {
		axes = append([][]run{seen[1]}, axes...)
	}
	return m.view(y, axes, 0, y), nil
}

// counted is the mask whose ones lengths count.
func (m *importer) counted(lengths *array) (string, error) {
	for _, name := range sortedNames(m.masks) {
		mask := m.masks[name]
		fits := lengths != nil && lengths.size() == m.batch && mask.shape[0] == m.batch
		for row := 0; fits && row < m.batch; row++ {
			sum := 0.0
			for j := range mask.shape[1] {
				sum += mask.at(row*mask.shape[1] + j)
			}
			fits = sum == lengths.at(row)
		}
		if fits {
			return m.maskLayer(name)
		}
	}
	return "", m.unsupported("its lengths are not those of a mask")
}

// gates brings the weights of a recurrent layer into the graph's form: [in, gates units], the gates in its order.
func (m *importer) gates(op string, in []*value, dirs []string, features, units int) (bundle.Params, error) {
	order := map[string][]int{"lstm": {0, 3, 1, 2}, "gru": {1, 0, 2}}[op] // of the graph's gates, in the file
	count := len(order)
	shapes := [][]int{{len(dirs), count * units, features}, {len(dirs), count * units, units}, {len(dirs), 2 * count * units}}
	for k, v := range in {
		if v == nil || v.known == nil || v.probe || !v.known.floats() || !slices.Equal(v.shape, shapes[k]) {
			return nil, m.unsupported(fmt.Sprintf("its weights are not constants of shapes %v", shapes))
		}
	}
	turn := func(rows []float32, width int) *bundle.Tensor {
		out := make([]float32, len(rows))
		for place, gate := range order {
			for j := range units {
				for i := range width {
					out[i*count*units+gate*units+j] = rows[(place*units+j)*width+i]
				}
			}
		}
		return bundle.Float32([]int{width, count * units}, out)
	}
	params := bundle.Params{}
	for d, suffix := range dirs {
		half := func(a *array) []float32 { n := a.size() / len(dirs); return a.f[d*n : (d+1)*n] }
		params["weight"+suffix], params["recurrent"+suffix] = turn(half(in[0].known), features), turn(half(in[1].known), units)
		both := half(in[2].known)
		sum := slices.Clone(both[:count*units])
		for k, v := range both[count*units:] {
			if op == "gru" && k >= 2*units {
				continue // of the candidate, behind the reset
			}
			sum[k] += v
		}
		b := turn(sum, 1)
		params["bias"+suffix] = bundle.Float32([]int{count * units}, b.Float32s())
		if op == "gru" {
			params["recurrent_bias"+suffix] = bundle.Float32([]int{units}, slices.Clone(both[count*units+2*units:]))
		}
	}
	return params, nil
}
