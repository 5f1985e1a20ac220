package compress

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Fold multiplies batch normalisation into the layer before it, which then does both in one: with s = gamma /
// sqrt(variance + epsilon), the weight's columns become w s and the bias (b - mean) s + beta. That is exact, up to rounding, for
// a dense layer or convolution without activation whose result nobody else takes. Other batch norms stay; left says which, and
// why.
//
// The layer keeps its name, unless the norm is an output of the model: then it takes the norm's, for an output's name is what
// users of the model know.
func Fold(m *bundle.Model) (out *bundle.Model, folded, left []string, err error) {
	out = copyModel(m)
	for _, l := range m.Graph.Layers {
		if l.Op != "batch_norm" {
			continue
		}
		if why := unfoldable(out.Graph, &l); why != "" {
			left = append(left, fmt.Sprintf("%q %s", l.Name, why))
			continue
		}
		foldOne(out, l.Name)
		folded = append(folded, l.Name)
	}
	if len(folded) == 0 && len(left) == 0 {
		return nil, nil, nil, fmt.Errorf("the model has no batch_norm")
	}
	if len(folded) == 0 {
		return nil, nil, nil, fmt.Errorf("no batch_norm can be folded: %s", strings.Join(left, "; "))
	}
	out.Info, err = graph.Infer(out.Graph)
	return out, folded, left, err
}

// unfoldable says why a batch_norm cannot go into the layer before it; "" when it can.
func unfoldable(g *graph.Graph, norm *graph.Layer) string {
	l := g.Layer(g.Layer(norm.Name).Inputs[0])
	switch {
	case l == nil:
		return "follows an input"
	case l.Op != "dense" && !convolution(l):
		return fmt.Sprintf("follows a layer %q, which has no weight", l.Op)
	case l.Text("activation", "linear") != "linear":
		return fmt.Sprintf("follows the activation of %q", l.Name)
	case l.Quant != "" || l.Store != "" || norm.Store != "":
		return "is quantized or cast: fold before that"
	case slices.Contains(g.Outputs, l.Name):
		return fmt.Sprintf("follows %q, which is an output itself", l.Name)
	}
	for name, from := range g.Sharers() {
		if from == l.Name {
			return fmt.Sprintf("follows %q, whose weights %q shares", from, name)
		}
	}
	for i := range g.Layers {
		if other := &g.Layers[i]; other.Name != norm.Name && slices.Contains(other.Inputs, l.Name) {
			return fmt.Sprintf("follows %q, which %q takes too", l.Name, other.Name)
		}
	}
	return ""
}

func convolution(l *graph.Layer) bool {
	return l.Op == "conv1d" || l.Op == "conv2d" || l.Op == "conv1d_transpose" || l.Op == "conv2d_transpose"
}

func foldOne(m *bundle.Model, name string) {
	g := m.Graph
	norm := *g.Layer(name)
	l := g.Layer(norm.Inputs[0])
	was := l.Name
	ps, stats := m.Params[was], m.Params[name]
	gamma, beta, mean, variance := stats["gamma"].Float32s(), stats["beta"].Float32s(), stats["mean"].Float32s(), stats["variance"].Float32s()
	n := len(gamma)
	w := slices.Clone(ps["weight"].Float32s())
	b := make([]float32, n)
	if ps["bias"] != nil {
		copy(b, ps["bias"].Float32s())
	}
	for i := range n {
		s := float64(gamma[i]) / math.Sqrt(float64(variance[i])+norm.Float("epsilon", 1e-5))
		for j := i; j < len(w); j += n {
			w[j] = float32(float64(w[j]) * s)
		}
		b[i] = float32((float64(b[i])-float64(mean[i]))*s + float64(beta[i]))
	}
	delete(m.Params, was)
	delete(m.Params, name)
	l.Attrs["use_bias"] = true
	if slices.Contains(g.Outputs, name) {
		l.Name = name
	}
	m.Params[l.Name] = bundle.Params{"weight": bundle.Float32(ps["weight"].Shape, w), "bias": bundle.Float32([]int{n}, b)}
	kept := l.Name
	at := slices.IndexFunc(g.Layers, func(x graph.Layer) bool { return x.Op == "batch_norm" && x.Name == name })
	g.Layers = slices.Delete(g.Layers, at, at+1)
	for i := range g.Layers {
		for k, in := range g.Layers[i].Inputs {
			if in == name {
				g.Layers[i].Inputs[k] = kept
			}
		}
	}
}
