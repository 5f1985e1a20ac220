package graphtest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"mbuild.dev/mbuild/stdlib/graph"
)

// Random makes a graph of about n layers over an image or a line: what is drawn and does not fit is drawn again, so that it
// has anything that Infer accepts. Everything that nobody reads is an output.
func Random(r *rand.Rand, n int) *graph.Graph {
	shape := []int{2 + r.IntN(6), 2 + r.IntN(6), 1 + r.IntN(4)}
	if r.IntN(3) == 0 {
		shape = shape[1:]
	}
	g := Over(shape, Layer("activation", "l0", "function", "tanh"))
	for tries := 0; len(g.Layers) < n && tries < 50*n; tries++ {
		next := g.Clone()
		l := draw(r, fmt.Sprintf("l%d", len(g.Layers)))
		from := make([]string, 1+r.IntN(2)*r.IntN(3))
		for i := range from {
			at := len(g.Layers) - 1
			if r.IntN(2) == 0 {
				at = r.IntN(len(g.Layers))
			}
			from[i] = g.Layers[at].Name
		}
		l.Inputs = inputs(r, g, &l, from)
		for _, in := range sequenceInputs(shape[0], 0)[1:] {
			if slices.Contains(l.Inputs, in.Name) && !slices.ContainsFunc(next.Inputs, func(o graph.Input) bool { return o.Name == in.Name }) {
				next.Inputs = append(next.Inputs, in)
			}
		}
		next.Layers = append(next.Layers, l)
		next.Outputs = unread(next)
		if info, err := graph.Infer(next); err == nil && graph.Size(info.Shapes[l.Name]) <= 2000 && info.Parameters <= 50000 {
			g = next
		}
	}
	return g
}

// inputs are those of a layer that are drawn from others: as many as it takes, and where it takes whole numbers or a mask, an input
// of these.
func inputs(r *rand.Rand, g *graph.Graph, l *graph.Layer, from []string) []string {
	op := graph.Ops[l.Op]
	switch {
	case op.Whole:
		return []string{"ids"}
	case l.Op == "attention":
		from = []string{from[0], from[0], from[0]}
	case op.MaxInputs == 1 || op.Steps == 1:
		from = from[:1]
	}
	if op.Steps > 0 && r.IntN(2) == 0 {
		from = append(from, map[bool]string{true: "types", false: "mask"}[l.Op == "type_embedding"])
	}
	if l.Op == "tied_dense" { // of any embedding, from what fits it
		for _, e := range g.Layers {
			if e.Op == "embedding" {
				l.Attrs["embedding"] = e.Name
				from = []string{e.Name}
			}
		}
	}
	return from
}

func unread(g *graph.Graph) []string {
	read := map[string]bool{}
	for _, l := range g.Layers {
		for _, in := range l.Inputs {
			read[in] = true
		}
	}
	var out []string
	for _, l := range g.Layers {
		if !read[l.Name] {
			out = append(out, l.Name)
		}
	}
	return out
}

// draw makes a layer of any op with any options.
func draw(r *rand.Rand, name string) graph.Layer {
	names := slices.Sorted(maps.Keys(graph.Ops))
	op := names[r.IntN(len(names))]
	var attrs []any
	set := func(key string, v any) { attrs = append(attrs, key, v) }
	for _, key := range slices.Sorted(maps.Keys(graph.Ops[op].Attrs)) {
		switch key {
		case "units", "filters":
			set(key, 1+r.IntN(8))
		case "kernel":
			set(key, extent(r, 1, 4))
		case "stride", "dilation", "factor":
			if op == "scale" {
				set(key, r.NormFloat64())
				continue
			}
			if r.IntN(2) == 0 || key == "factor" {
				set(key, extent(r, 1, 3))
			}
		case "output_padding":
			if r.IntN(3) == 0 {
				set(key, extent(r, 0, 2))
			}
		case "pads":
			if r.IntN(4) == 0 {
				set(key, [][]int{{r.IntN(3), r.IntN(3)}, {r.IntN(3), r.IntN(3), r.IntN(3), r.IntN(3)}}[r.IntN(2)])
			}
		case "padding":
			set(key, []string{"valid", "same"}[r.IntN(2)])
		case "groups":
			if r.IntN(2) == 0 || op == "group_norm" {
				set(key, 1+r.IntN(4))
			}
		case "activation", "function":
			set(key, graph.Activations[r.IntN(len(graph.Activations))])
		case "use_bias":
			set(key, r.IntN(2) == 0)
		case "mode":
			modes := graph.UpsampleModes
			if op == "sequence_pool" {
				modes = graph.PoolModes
			}
			set(key, modes[r.IntN(len(modes))])
		case "vocabulary", "positions":
			set(key, 8+r.IntN(4))
		case "types":
			set(key, 2)
		case "heads":
			set(key, 1+r.IntN(2))
		case "causal", "rotary", "bidirectional":
			set(key, r.IntN(2) == 0)
		case "returns":
			set(key, graph.Returns[r.IntN(2)])
		case "shape":
			set(key, [][]int{{-1}, {-1, 2}, {2, -1, 3}, {1, 1, -1}, {4, -1}}[r.IntN(5)])
		}
	}
	return Layer(op, name, attrs...)
}

// extent is one number for all axes, or one each.
func extent(r *rand.Rand, least, most int) any {
	n := func() int { return least + r.IntN(most-least+1) }
	return []any{n(), n(), []int{n(), n()}, []int{n()}}[r.IntN(4)]
}
