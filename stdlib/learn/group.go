package learn

import (
	"path"
	"slices"
	"strings"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Group treats some parameters otherwise than the optimizer says. A parameter belongs to the first group that matches it.
type Group struct {
	// Match are patterns of "<layer>/<param>"; one without a slash matches all parameters of the layers it matches. * stands
	// for any number of characters but the slash, ? for one, [ab] for one of some.
	Match       []string `json:"match"`
	LRScale     *float64 `json:"lr_scale"`     // factor of the learning rate; nil for 1
	WeightDecay *float64 `json:"weight_decay"` // instead of the optimizer's; nil to leave that
	Freeze      bool     `json:"freeze"`       // leave the parameters as they are; batch_norm uses its running statistics
}

// Trains reports whether a parameter is what Only asks for, and not frozen by a group: whether a step may change it.
func (c *Config) Trains(layer, param string) bool { return !c.treat(layer, param).frozen }

func (g Group) matches(pattern, layer, param string) bool {
	name := layer
	if strings.Contains(pattern, "/") {
		name += "/" + param
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// treatment is what becomes of one parameter.
type treatment struct {
	scale, decay float64
	frozen       bool
}

// treat finds how a parameter is treated.
func (c *Config) treat(layer, param string) treatment {
	t := treatment{scale: 1, decay: c.Optimizer.WeightDecay}
	if len(c.Only) > 0 && !slices.ContainsFunc(c.Only, func(p string) bool { return Group{}.matches(p, layer, param) }) {
		t.frozen = true
		return t
	}
	for _, g := range c.Groups {
		for _, p := range g.Match {
			if !g.matches(p, layer, param) {
				continue
			}
			t.frozen = g.Freeze
			if g.LRScale != nil {
				t.scale = *g.LRScale
			}
			if g.WeightDecay != nil {
				t.decay = *g.WeightDecay
			}
			return t
		}
	}
	return t
}

// CheckGroups holds the groups against a graph: a pattern that is none or matches nothing, and groups that freeze everything,
// are a *Misfit.
func (c *Config) CheckGroups(g *graph.Graph, info *graph.Info) error {
	var names []string
	for _, l := range g.Layers {
		for _, p := range info.Layers[l.Name].Params {
			names = append(names, l.Name+"/"+p.Name)
		}
	}
	for _, group := range append([]Group{{Match: c.Only}}, c.Groups...) {
		for _, p := range group.Match {
			if err := group.used(p, names); err != nil {
				return err
			}
		}
	}
	for _, l := range g.Layers {
		for _, p := range info.Layers[l.Name].Params {
			if t := c.treat(l.Name, p.Name); p.Trainable && !t.frozen && t.scale != 0 {
				return nil
			}
		}
	}
	if len(c.Groups) == 0 && len(c.Only) == 0 {
		return misfit("", "the model has no parameters to train")
	}
	return misfit("group", "the groups freeze everything: none of the model's %d parameter tensors is left to train. Freeze fewer (freeze = true, or lr_scale = 0)", len(names))
}

func (g Group) used(pattern string, names []string) error {
	if _, err := path.Match(pattern, "x"); err != nil {
		return misfit("group", "%q is no pattern: a bracket is not closed", pattern)
	}
	var near []string
	for _, n := range names {
		layer, param, _ := strings.Cut(n, "/")
		if g.matches(pattern, layer, param) {
			return nil
		}
		near = append(near, n, layer)
	}
	hint := "the model has " + list(names)
	if s := schema.Nearest(pattern, near); s != "" {
		hint += "; did you mean \"" + s + "\"?"
	}
	return misfit("group", "no parameter matches %q: %s", pattern, hint)
}
