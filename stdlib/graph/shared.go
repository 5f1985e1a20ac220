package graph

import "fmt"

// shared: another layer of the graph, dense or embedding, once more: with the same weights, and another input. What gradients say
// of the two adds up. attrs weights (the name of that layer, which comes before).

func inferShared(_ *Layer, li *LayerInfo) error {
	of := *li.shared
	last := len(li.In[0]) - 1
	if of.Op == "dense" && li.In[0][last] != li.width {
		return &Error{Needs: fmt.Sprintf("an input of %d features, as %q has", li.width, of.Name)}
	}
	infer := inferDense
	if of.Op == "embedding" {
		infer = inferEmbedding
	}
	err := infer(&of, li)
	li.Params = nil
	return err
}

// share looks up the layer that the i-th one is once more.
func (info *Info) share(g *Graph, i int, li *LayerInfo) error {
	name := g.Layers[i].Text("weights", "")
	for k := range g.Layers[:i] {
		if l := &g.Layers[k]; l.Name == name && (l.Op == "dense" || l.Op == "embedding") {
			in := info.Layers[name].In[0]
			li.shared, li.width = l, in[len(in)-1]
			return nil
		}
	}
	return &Error{Needs: "the name of a layer \"dense\" or \"embedding\" before it in \"weights\"", Got: fmt.Sprintf("there is none called %q", name)}
}

// Sharers are the layers that are another one once more, with the name of that.
func (g *Graph) Sharers() map[string]string {
	of := map[string]string{}
	for i := range g.Layers {
		if l := &g.Layers[i]; l.Op == "shared" {
			of[l.Name] = l.Text("weights", "")
		}
	}
	return of
}

// Unshared is the graph with copies of the layers that are shared, by the names that share them: for who gives each the same
// parameters. Without such layers it is the graph itself.
func (g *Graph) Unshared() *Graph {
	of := g.Sharers()
	if len(of) == 0 {
		return g
	}
	g = g.Clone()
	for i := range g.Layers {
		l := &g.Layers[i]
		if from := g.Layer(of[l.Name]); from != nil {
			*l = Layer{Name: l.Name, Op: from.Op, Inputs: l.Inputs, Attrs: from.Attrs, Quant: from.Quant, Store: from.Store}
		}
	}
	return g
}
