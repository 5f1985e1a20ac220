package adapt

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Merge makes the base and its adapter of LoRA a plain model, of the architecture of the base: each target's weight becomes
// W + scaling A B, summed in float64. The digest is that of the base.
func Merge(base *bundle.Model, digest string, a *adapter.Adapter) (*bundle.Model, error) {
	if a.Config.Type != adapter.LoRA {
		return nil, errors.New("a bottleneck adapter cannot be merged: there is an activation between its layers. Take the output model of its block as it is")
	}
	if _, err := a.Over(base, digest); err != nil {
		return nil, err
	}
	m := &bundle.Model{Graph: base.Graph, Info: base.Info, Params: map[string]bundle.Params{}}
	for layer, ps := range base.Params {
		m.Params[layer] = maps.Clone(ps)
	}
	for layer, ps := range a.Params {
		if m.Params[layer] != nil { // the adapter's own layers are no layers of the base
			maps.Copy(m.Params[layer], ps)
		}
	}
	for _, t := range a.Config.Targets {
		w := m.Params[t]["weight"]
		fa, fb := Matrices(a, t)
		switch {
		case w == nil || fa == nil || fb == nil:
			return nil, fmt.Errorf("the adapter has no matrices for the layer %q", t)
		case len(w.Shape) != 2 || len(fa.Shape) != 2 || fa.Shape[0] != w.Shape[0] || !slices.Equal(fb.Shape, []int{fa.Shape[1], w.Shape[1]}):
			return nil, fmt.Errorf("the layer %q has a weight of %v, and the adapter matrices of %v and %v", t, w.Shape, fa.Shape, fb.Shape)
		case w.DType != graph.F32:
			return nil, fmt.Errorf("the layer %q is stored as %s; merge into float32, then quantize or cast", t, w.DType)
		}
		m.Params[t]["weight"] = bundle.Float32(w.Shape, merged(w, fa, fb, Scaling(&a.Config)))
	}
	return m, m.Check()
}

// merged is w + s a b, w [in, out], a [in, r], b [r, out].
func merged(w, a, b *bundle.Tensor, s float64) []float32 {
	in, out, r := w.Shape[0], w.Shape[1], a.Shape[1]
	wv, av, bv := w.Float32s(), a.Float32s(), b.Float32s()
	y := make([]float32, len(wv))
	sum := make([]float64, out)
	for i := range in {
		clear(sum)
		for k := range r {
			f := float64(av[i*r+k])
			for j, v := range bv[k*out : (k+1)*out] {
				sum[j] += f * float64(v)
			}
		}
		for j := range out {
			y[i*out+j] = float32(float64(wv[i*out+j]) + s*sum[j])
		}
	}
	return y
}
