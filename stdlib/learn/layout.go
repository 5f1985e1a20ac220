package learn

import (
	"maps"
	"slices"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// The names of tensors of the state that no optimizer keeps.
const (
	emaName    = "ema"    // the moving average of a weight
	scalerName = "scaler" // of the loss; belongs to no layer
)

// slot is one tensor of the state on the device.
type slot struct {
	layer, param string
	moment       string // "" for the parameter itself
	shape        []int
	trained      bool // the parameter has a gradient
	live         bool // a step may change it; the others stay on the device as they are
	treatment
}

// layout lists the tensors of the state: parameters, then what is kept for those that are trained, in order of names, then the
// scaler.
func layout(g *graph.Graph, info *graph.Info, c *Config) []slot {
	var params, kepts []slot
	var depths map[string]float64
	if c.LayerDecay != 0 {
		depths = c.depths(g)
	}
	for _, layer := range slices.Sorted(maps.Keys(info.Layers)) {
		for _, p := range info.Layers[layer].Params {
			t := c.treat(layer, p.Name)
			if d, ok := depths[layer]; ok {
				t.scale *= d
			}
			s := slot{layer: layer, param: p.Name, shape: p.Shape, treatment: t, live: !t.frozen}
			s.trained = p.Trainable && s.live
			params = append(params, s)
			if !s.trained {
				continue
			}
			for _, k := range rules[c.Optimizer.Type].keeps(c.Optimizer, p.Shape) {
				kepts = append(kepts, slot{layer: layer, param: p.Name, moment: k.name, shape: k.shape, live: true})
			}
			if c.EMA != nil {
				kepts = append(kepts, slot{layer: layer, param: p.Name, moment: emaName, shape: p.Shape, live: true})
			}
		}
	}
	out := append(params, kepts...)
	if c.Precision == "float16" {
		out = append(out, slot{moment: scalerName, shape: []int{scalerSize}, live: true})
	}
	return out
}

// load finds the values of a slot in a state. What is kept for a parameter begins at zero, an average at the weight.
func (s slot) load(state *State) ([]float32, error) {
	if s.moment == scalerName && s.layer == "" {
		if state.Scaler != nil {
			return state.Scaler, nil
		}
		return firstScaler(), nil
	}
	ps, name := state.Params[s.layer], s.param
	if s.moment != "" {
		ps, name = state.Moments[s.layer], s.param+"."+s.moment
		if ps[name] == nil && s.moment == emaName {
			ps, name = state.Params[s.layer], s.param
		} else if state.Moments == nil {
			return make([]float32, graph.Size(s.shape)), nil
		}
	}
	v := ps[name]
	if v == nil || v.DType != graph.F32 || !slices.Equal(v.Shape, s.shape) {
		return nil, misfit("", "the state has no float32 tensor %s of shape %v in layer %q", name, s.shape, s.layer)
	}
	return v.Float32s(), nil
}

// store puts the values of a slot into a state.
func (s slot) store(state *State, v []float32) {
	if s.layer == "" {
		state.Scaler = v
		return
	}
	into, name := state.Params, s.param
	if s.moment != "" {
		into, name = state.Moments, s.param+"."+s.moment
	}
	if into[s.layer] == nil {
		into[s.layer] = bundle.Params{}
	}
	into[s.layer][name] = bundle.Float32(s.shape, v)
}
