package graph

import (
	"fmt"
	"slices"
)

// A graph says how long its sequences are: shapes, costs and memory follow from it. But most layers do not care, and a batch of
// shorter rows need not be computed at full length. AtLengths is the graph for such a batch.

// Sequences names the inputs that are sequences of whole numbers, one for each position, in order.
func (g *Graph) Sequences() []string {
	var names []string
	for _, in := range g.Inputs {
		if in.DType != F32 && len(in.Shape) == 1 {
			names = append(names, in.Name)
		}
	}
	return names
}

// AtLengths returns the graph with other lengths of the sequences that are named. It is an error when it does not fit together
// then, or does not have the parameters of the graph: layers that have weights for each position make it so.
func (g *Graph) AtLengths(lengths map[string]int) (*Graph, *Info, error) {
	was, err := Infer(g)
	if err != nil {
		return nil, nil, err
	}
	c := g.Clone()
	for i := range c.Inputs {
		if n, ok := lengths[c.Inputs[i].Name]; ok {
			c.Inputs[i].Shape = []int{n}
		}
	}
	info, err := Infer(c)
	if err != nil {
		return nil, nil, err
	}
	for name, li := range info.Layers {
		if !slices.EqualFunc(li.Params, was.Layers[name].Params, func(a, b Param) bool { return slices.Equal(a.Shape, b.Shape) }) {
			l := g.Layer(name)
			return nil, nil, &Error{Layer: name, Op: l.Op, Needs: "sequences of one length", Got: fmt.Sprintf("lengths of %v give it other parameters", lengths)}
		}
	}
	return c, info, nil
}

// Elastic says which sequences may be shorter, by themselves or together: groups of their names, of each of which any lengths from
// 1 to that of the graph fit.
func (g *Graph) Elastic() [][]string {
	var groups [][]string
	var rest []string
	fits := func(names []string) bool {
		for _, shorter := range []func(n int) int{func(n int) int { return n - 1 }, func(int) int { return 1 }} {
			lengths := map[string]int{}
			for _, in := range g.Inputs {
				if slices.Contains(names, in.Name) {
					if in.Shape[0] == 1 {
						return false
					}
					lengths[in.Name] = shorter(in.Shape[0])
				}
			}
			if _, _, err := g.AtLengths(lengths); err != nil {
				return false
			}
		}
		return len(names) > 0
	}
	for _, name := range g.Sequences() {
		if fits([]string{name}) {
			groups = append(groups, []string{name})
		} else {
			rest = append(rest, name)
		}
	}
	byLength := map[int][]string{}
	var order []int
	for _, in := range g.Inputs {
		if slices.Contains(rest, in.Name) {
			if byLength[in.Shape[0]] == nil {
				order = append(order, in.Shape[0])
			}
			byLength[in.Shape[0]] = append(byLength[in.Shape[0]], in.Name)
		}
	}
	for _, n := range order {
		if fits(byLength[n]) {
			groups = append(groups, byLength[n])
		}
	}
	return groups
}
