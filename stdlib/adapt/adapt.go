// Package adapt puts adapters into graphs and takes them out again: LoRA and bottleneck adapters, for the kinds that train them,
// `pass merge` and `target peft`.
//
// An adapter is nothing but layers of the graph, so that training, evaluation and export know nothing of it. Beside a dense layer
// D that gives x W + b, LoRA of rank r puts
//
//	D_lora_dropout   dropout of x; only with dropout
//	D_lora_a         dense of r units, no bias, of it: A begins uniform in ±1/sqrt(in), as PEFT has it
//	D_lora_b         dense of as many units as D, no bias: B begins at zero, so that training begins from what the base computes
//	D_lora_scale     scale by alpha/r, or alpha/sqrt(r) with rslora (Kalajdzievski 2023)
//	D_lora           add of D and that
//	D_lora_activation  what D applied itself, if anything
//
// and what took D takes the last of them. Behind any layer D, a bottleneck adapter puts
//
//	D_adapter_down   dense of width units, with the activation; normal with deviation 0.02
//	D_adapter_up     dense of as many units as D; begins at zero
//	D_adapter        add of D and that
//
// What may change in training are these layers and what the configuration names besides; the rest is frozen.
package adapt

import (
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// The suffixes of an adapter's layers. Adapter and LoRA layers of a graph are known by them.
const (
	loraA, loraB, loraDropout, loraScale, loraSum, loraActivation = "_lora_a", "_lora_b", "_lora_dropout", "_lora_scale", "_lora", "_lora_activation"

	down, up, bottleneck = "_adapter_down", "_adapter_up", "_adapter"
)

func misfit(attr, format string, args ...any) error {
	return &learn.Misfit{Attr: attr, Text: fmt.Sprintf(format, args...)}
}

// Attach returns a graph with an adapter, and the configuration with names of layers where it has patterns of them: * stands for
// any characters, ? for one. What does not fit is a *learn.Misfit.
func Attach(g *graph.Graph, c adapter.Config) (*graph.Graph, *adapter.Config, error) {
	info, err := graph.Infer(g)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range g.Layers {
		for _, suffix := range []string{loraA, up} {
			if strings.HasSuffix(l.Name, suffix) {
				return nil, nil, misfit("from", "the model has an adapter already, of layers like %q. Merge it, or train another on the model without it", l.Name)
			}
		}
	}
	fits := unfit(g, info, c.Type)
	if c.Targets, err = matching(g, "targets", c.Targets, fits); err != nil {
		return nil, nil, err
	}
	if c.ModulesToSave, err = matching(g, "modules_to_save", c.ModulesToSave, func(l *graph.Layer) string {
		if len(info.Layers[l.Name].Params) == 0 {
			return "has no parameters"
		}
		return ""
	}); err != nil {
		return nil, nil, err
	}
	for _, t := range c.Targets {
		if slices.Contains(c.ModulesToSave, t) && c.Type == adapter.LoRA {
			return nil, nil, misfit("modules_to_save", "the layer %q is among targets, too: it has an adapter, or is trained as a whole", t)
		}
	}
	out := g.Clone()
	for _, t := range c.Targets {
		if c.Type == adapter.LoRA {
			beside(out, t, &c)
		} else {
			behind(out, t, info, &c)
		}
	}
	if _, err := graph.Infer(out); err != nil {
		return nil, nil, err
	}
	return out, &c, nil
}

// unfit says of a layer why an adapter of a type cannot go there; "" where it can.
func unfit(g *graph.Graph, info *graph.Info, typ string) func(*graph.Layer) string {
	sharers := g.Sharers()
	return func(l *graph.Layer) string {
		for name, from := range sharers {
			if from == l.Name || name == l.Name {
				return fmt.Sprintf("shares weights: %q has those of %q", name, from)
			}
		}
		switch li := info.Layers[l.Name]; {
		case typ == adapter.LoRA && l.Op != "dense":
			return fmt.Sprintf("is of type %s, and LoRA goes beside layers of type dense", l.Op)
		case typ == adapter.Bottleneck && (len(li.Out) > 2 || li.DType != graph.F32):
			return fmt.Sprintf("gives %s, and an adapter goes behind what gives vectors, or sequences of them", graph.ShapeText(li.Out))
		}
		return ""
	}
}

// Passed are the layers with parameters that the targets of a configuration match and where its adapter cannot go, each with the
// reason, in the graph's order. Attach passes them over where a pattern also matches others.
func Passed(g *graph.Graph, c adapter.Config) []string {
	info, err := graph.Infer(g)
	if err != nil {
		return nil
	}
	why := unfit(g, info, c.Type)
	var out []string
	for i := range g.Layers {
		l := &g.Layers[i]
		matches := slices.ContainsFunc(c.Targets, func(p string) bool { ok, _ := path.Match(p, l.Name); return ok })
		if w := why(l); matches && w != "" && len(info.Layers[l.Name].Params) > 0 {
			out = append(out, fmt.Sprintf("%q %s", l.Name, w))
		}
	}
	return out
}

// matching are the layers that patterns name, in the graph's order. Each pattern must match some that fit.
func matching(g *graph.Graph, attr string, patterns []string, unfit func(*graph.Layer) string) ([]string, error) {
	found := map[string]bool{}
	for _, p := range patterns {
		some, why := false, ""
		for i := range g.Layers {
			l := &g.Layers[i]
			ok, err := path.Match(p, l.Name)
			if err != nil {
				return nil, misfit(attr, "%q is no pattern: a bracket is not closed", p)
			}
			if !ok {
				continue
			}
			if w := unfit(l); w != "" {
				why = fmt.Sprintf("%q, which it matches, %s", l.Name, w)
				continue
			}
			some, found[l.Name] = true, true
		}
		if some {
			continue
		}
		if why == "" {
			why = "the model has " + near(g, p, unfit)
		}
		return nil, misfit(attr, "no layer fits %q: %s", p, why)
	}
	var out []string
	for _, l := range g.Layers {
		if found[l.Name] {
			out = append(out, l.Name)
		}
	}
	return out, nil
}

// near names layers that a pattern might have meant, the first ten of many.
func near(g *graph.Graph, pattern string, unfit func(*graph.Layer) string) string {
	var names, quoted []string
	for i := range g.Layers {
		if l := &g.Layers[i]; unfit(l) == "" {
			names = append(names, l.Name)
		}
	}
	for _, n := range names[:min(len(names), 10)] {
		quoted = append(quoted, strconv.Quote(n))
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - len(quoted); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if len(names) == 0 {
		return "no layer that would do"
	}
	if s := schema.Nearest(pattern, names); s != "" {
		text += "; did you mean " + strconv.Quote(s) + "?"
	}
	return text
}

// Scaling is what the product of the matrices of LoRA is multiplied with.
func Scaling(c *adapter.Config) float64 {
	if c.RSLoRA {
		return c.Alpha / math.Sqrt(float64(c.Rank))
	}
	return c.Alpha / float64(c.Rank)
}

func beside(g *graph.Graph, name string, c *adapter.Config) {
	l := g.Layer(name)
	x, units, f := l.Inputs[0], l.Attrs["units"], l.Text("activation", "linear")
	if f != "linear" {
		l.Attrs["activation"] = "linear"
	}
	var layers []graph.Layer
	add := func(op, suffix string, inputs []string, attrs map[string]any) string {
		layers = append(layers, graph.Layer{Name: name + suffix, Op: op, Inputs: inputs, Attrs: attrs})
		return name + suffix
	}
	if c.Dropout > 0 {
		x = add("dropout", loraDropout, []string{x}, map[string]any{"rate": c.Dropout})
	}
	y := add("dense", loraA, []string{x}, map[string]any{"units": int64(c.Rank), "use_bias": false, "init": "fan_in_uniform"})
	y = add("dense", loraB, []string{y}, map[string]any{"units": units, "use_bias": false, "init": "zeros"})
	if s := Scaling(c); s != 1 {
		y = add("scale", loraScale, []string{y}, map[string]any{"factor": number(s)})
	}
	y = add("add", loraSum, []string{name, y}, nil)
	if f != "linear" {
		add("activation", loraActivation, []string{y}, map[string]any{"function": f})
	}
	insert(g, name, layers)
}

// number is a number in normal form: whole ones are int64.
func number(v float64) any {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return int64(v)
	}
	return v
}

func behind(g *graph.Graph, name string, info *graph.Info, c *adapter.Config) {
	shape := info.Shapes[name]
	insert(g, name, []graph.Layer{
		{Name: name + down, Op: "dense", Inputs: []string{name}, Attrs: map[string]any{"units": int64(c.Width), "activation": c.Activation, "init": "normal"}},
		{Name: name + up, Op: "dense", Inputs: []string{name + down}, Attrs: map[string]any{"units": int64(shape[len(shape)-1]), "init": "zeros"}},
		{Name: name + bottleneck, Op: "add", Inputs: []string{name, name + up}},
	})
}

// insert puts layers behind a layer, and gives the last of them to all that took it.
func insert(g *graph.Graph, name string, layers []graph.Layer) {
	at := slices.IndexFunc(g.Layers, func(l graph.Layer) bool { return l.Name == name })
	last := layers[len(layers)-1].Name
	swap := func(names []string) {
		for i, n := range names {
			if n == name {
				names[i] = last
			}
		}
	}
	for i := at + 1; i < len(g.Layers); i++ {
		swap(g.Layers[i].Inputs)
	}
	swap(g.Outputs)
	g.Layers = slices.Insert(g.Layers, at+1, layers...)
}

// Trained are the parameters that training may change, as LAYER/PARAMETER: those of the adapter's layers, of ModulesToSave, and
// the biases that Bias says.
func Trained(g *graph.Graph, c *adapter.Config) ([]string, error) {
	info, err := graph.Infer(g)
	if err != nil {
		return nil, err
	}
	own := map[string]bool{}
	for _, t := range c.Targets {
		for _, suffix := range []string{loraA, loraB, down, up} {
			own[t+suffix] = true
		}
	}
	for _, l := range c.ModulesToSave {
		own[l] = true
	}
	var out []string
	for _, l := range g.Layers {
		for _, p := range info.Layers[l.Name].Params {
			bias := strings.HasPrefix(p.Name, "bias") || strings.HasPrefix(p.Name, "recurrent_bias") || p.Name == "beta"
			if own[l.Name] || bias && (c.Bias == "all" || c.Bias == "lora_only" && slices.Contains(c.Targets, l.Name)) {
				out = append(out, l.Name+"/"+p.Name)
			}
		}
	}
	return out, nil
}

// New makes an untrained adapter of a model of a digest, which must be trainable (learn.Trainable). New parameters are pure functions of
// the seed and their name.
func New(base *bundle.Model, digest string, c adapter.Config, seed int64) (*adapter.Adapter, error) {
	if err := learn.Trainable(base.Graph); err != nil {
		return nil, err
	}
	g, resolved, err := Attach(base.Graph, c)
	if err != nil {
		return nil, err
	}
	a := &adapter.Adapter{Config: *resolved, Base: digest, Graph: g, Params: map[string]bundle.Params{}}
	info, err := graph.Infer(g)
	if err != nil {
		return nil, err
	}
	trained, err := Trained(g, resolved)
	if err != nil {
		return nil, err
	}
	fresh := &graph.Info{Layers: map[string]*graph.LayerInfo{}}
	for _, name := range trained {
		layer, param, _ := strings.Cut(name, "/")
		if base.Params[layer] == nil {
			fresh.Layers[layer] = info.Layers[layer]
			continue
		}
		if a.Params[layer] == nil {
			a.Params[layer] = bundle.Params{}
		}
		a.Params[layer][param] = base.Params[layer][param]
	}
	maps.Copy(a.Params, learn.Init(fresh, seed))
	return a, nil
}

// Detach returns the graph that Attach was given, of what it returned.
func Detach(g *graph.Graph, c *adapter.Config) *graph.Graph {
	g = g.Clone()
	for _, t := range c.Targets {
		l := g.Layer(t)
		if l == nil {
			continue
		}
		if f := g.Layer(t + loraActivation); f != nil {
			l.Attrs["activation"] = f.Attrs["function"]
		}
		own := []string{t + loraDropout, t + loraA, t + loraB, t + loraScale, t + loraSum, t + loraActivation, t + down, t + up, t + bottleneck}
		g.Layers = slices.DeleteFunc(g.Layers, func(l graph.Layer) bool { return slices.Contains(own, l.Name) })
		swap := func(names []string) {
			for i, n := range names {
				if slices.Contains(own, n) {
					names[i] = t
				}
			}
		}
		for i := range g.Layers {
			swap(g.Layers[i].Inputs)
		}
		swap(g.Outputs)
	}
	return g
}

// Matrices are the two matrices of LoRA that belong to a layer, A [in, rank] and B [rank, out].
func Matrices(a *adapter.Adapter, layer string) (first, second *bundle.Tensor) {
	return a.Params[layer+loraA]["weight"], a.Params[layer+loraB]["weight"]
}

// SetMatrices puts the two into an adapter.
func SetMatrices(a *adapter.Adapter, layer string, first, second *bundle.Tensor) {
	a.Params[layer+loraA], a.Params[layer+loraB] = bundle.Params{"weight": first}, bundle.Params{"weight": second}
}
