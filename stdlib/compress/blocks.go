package compress

import (
	"fmt"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Drop says which blocks of a stack stay: those that Keep numbers from 0, or Count of them, which Strategy chooses.
//
//	top        the last go (Sajjad et al. 2020: what costs the least where one strategy is for all tasks)
//	bottom     the first go
//	middle     the first and the last stay, one more of the first where Count is odd
//	alternate  those that stay are spread evenly, from the first on: 0, 2 and 4 of six (DistilBERT, Sanh et al. 2019)
type Drop struct {
	Keep     []int
	Count    int
	Strategy string
}

// chosen are the numbers of the blocks that stay, of n, in ascending order.
func (d Drop) chosen(n int) ([]int, error) {
	if d.Keep != nil {
		keep := slices.Clone(d.Keep)
		slices.Sort(keep)
		for i, k := range keep {
			if k < 0 || k >= n {
				return nil, fmt.Errorf("keep has %d, and the model has the blocks 0 to %d", k, n-1)
			}
			if i > 0 && k == keep[i-1] {
				return nil, fmt.Errorf("keep has %d twice", k)
			}
		}
		if len(keep) == n {
			return nil, fmt.Errorf("keep has all %d blocks of the model: nothing would go", n)
		}
		return keep, nil
	}
	if d.Count < 1 || d.Count >= n {
		return nil, fmt.Errorf("blocks is %d, and the model has %d: of those 1 to %d may stay", d.Count, n, n-1)
	}
	keep := make([]int, d.Count)
	for i := range keep {
		switch d.Strategy {
		case "bottom":
			keep[i] = n - d.Count + i
		case "middle":
			if keep[i] = i; i >= (d.Count+1)/2 {
				keep[i] = n - d.Count + i
			}
		case "alternate":
			keep[i] = i * n / d.Count
		default:
			keep[i] = i
		}
	}
	return keep, nil
}

// block is the layers of a graph that are called layerN or layerN_…
type block struct {
	layers []string
	in     string // the one layer or input outside that it takes, beside inputs that all blocks take, as a mask
	out    string // its one layer that others take
}

// blocksOf finds the stack of blocks of a graph, and checks that each takes what the one before gives.
func blocksOf(g *graph.Graph, info *graph.Info) ([]block, error) {
	var all []block
	for _, l := range g.Layers {
		n, _, ok := graph.Block(l.Name)
		if !ok {
			continue
		}
		if n > len(all) {
			return nil, fmt.Errorf("there is a layer %q, and none of block %d", l.Name, len(all))
		}
		if n == len(all) {
			all = append(all, block{})
		}
		all[n].layers = append(all[n].layers, l.Name)
	}
	if len(all) < 2 {
		return nil, fmt.Errorf("the model has %d blocks, which are layers called layer0_…, layer1_… as those of model \"pretrained\", std/bert, std/transformer_encoder and std/transformer_decoder are: of two or more some can go", len(all))
	}
	shared := map[string]int{} // what is taken from outside, by how many blocks
	for i, b := range all {
		for _, name := range outside(g, b) {
			if n, _, ok := graph.Block(name); !ok || n != i-1 {
				shared[name]++
			}
		}
	}
	for i := range all {
		if err := all[i].connect(g, i, shared); err != nil {
			return nil, err
		}
		if i > 0 && all[i].in != all[i-1].out {
			return nil, fmt.Errorf("block %d takes %q, and block %d gives %q: they are not a stack", i, all[i].in, i-1, all[i-1].out)
		}
		if a, b := shapeOf(g, info, all[i].in), info.Layers[all[i].out].Out; !slices.Equal(a, b) {
			return nil, fmt.Errorf("block %d takes %s and gives %s; only a block that changes no shape can go", i, graph.ShapeText(a), graph.ShapeText(b))
		}
	}
	return all, nil
}

// outside are the names that layers of a block take and that are not of it, each once.
func outside(g *graph.Graph, b block) []string {
	var names []string
	for _, l := range b.layers {
		for _, in := range g.Layer(l).Inputs {
			if !slices.Contains(b.layers, in) && !slices.Contains(names, in) {
				names = append(names, in)
			}
		}
	}
	return names
}

// connect finds what a block takes and gives.
func (b *block) connect(g *graph.Graph, number int, shared map[string]int) error {
	for _, name := range outside(g, *b) {
		if shared[name] > 1 { // a mask, that blocks have in common
			continue
		}
		if b.in != "" {
			return fmt.Errorf("block %d takes %q and %q; only a block that takes one thing, beside what all take, can go", number, b.in, name)
		}
		b.in = name
	}
	if b.in == "" {
		return fmt.Errorf("block %d takes nothing that other blocks do not", number)
	}
	give := func(name string) error {
		if !slices.Contains(b.layers, name) || b.out == name {
			return nil
		}
		if b.out != "" {
			return fmt.Errorf("block %d gives %q and %q; only a block that gives one thing can go", number, b.out, name)
		}
		b.out = name
		return nil
	}
	for _, l := range g.Layers {
		if slices.Contains(b.layers, l.Name) {
			continue
		}
		for _, in := range l.Inputs {
			if err := give(in); err != nil {
				return err
			}
		}
	}
	for _, name := range g.Outputs {
		if err := give(name); err != nil {
			return err
		}
	}
	if b.out == "" {
		return fmt.Errorf("nothing takes what block %d gives", number)
	}
	return nil
}

func shapeOf(g *graph.Graph, info *graph.Info, name string) []int {
	if l := info.Layers[name]; l != nil {
		return l.Out
	}
	for _, in := range g.Inputs {
		if in.Name == name {
			return in.Shape
		}
	}
	return nil
}

// DropGraph takes whole blocks out of a stack: what took a block's result takes what the block took. Those that stay are numbered
// anew, so that the result is a model of its kind with fewer blocks. names says for each layer of the result what it was called;
// kept are the numbers of the blocks that stayed.
func DropGraph(g *graph.Graph, d Drop) (out *graph.Graph, names map[string]string, kept []int, err error) {
	info, err := graph.Infer(g)
	if err != nil {
		return nil, nil, nil, err
	}
	blocks, err := blocksOf(g, info)
	if err != nil {
		return nil, nil, nil, err
	}
	if kept, err = d.chosen(len(blocks)); err != nil {
		return nil, nil, nil, err
	}
	instead := map[string]string{} // what is taken in the place of a block that goes
	rename := func(name string) string {
		for instead[name] != "" {
			name = instead[name]
		}
		if n, rest, ok := graph.Block(name); ok {
			return fmt.Sprintf("layer%d%s", slices.Index(kept, n), rest)
		}
		return name
	}
	for i, b := range blocks {
		if !slices.Contains(kept, i) {
			instead[b.out] = b.in
		}
	}
	out, names = g.Clone(), map[string]string{}
	out.Layers = nil
	for _, l := range g.Clone().Layers {
		if n, _, ok := graph.Block(l.Name); ok && !slices.Contains(kept, n) {
			continue
		}
		was := l.Name
		l.Name = rename(was)
		for i, in := range l.Inputs {
			l.Inputs[i] = rename(in)
		}
		names[l.Name] = was
		out.Layers = append(out.Layers, l)
	}
	for i, name := range out.Outputs {
		out.Outputs[i] = rename(name)
	}
	_, err = graph.Infer(out)
	return out, names, kept, err
}

// DropBlocks takes whole blocks out of a model (DropGraph). The parameters of what stays are what they were.
func DropBlocks(m *bundle.Model, d Drop) (out *bundle.Model, kept []int, err error) {
	g, names, kept, err := DropGraph(m.Graph, d)
	if err != nil {
		return nil, nil, err
	}
	out = &bundle.Model{Graph: g, Params: map[string]bundle.Params{}}
	for name, was := range names {
		if ps := m.Params[was]; ps != nil {
			out.Params[name] = ps
		}
	}
	out.Info, err = graph.Infer(g)
	return out, kept, err
}
