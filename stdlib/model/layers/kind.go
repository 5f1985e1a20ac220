// Package layers is the kind `model layers`: an architecture written out layer by layer, without weights.
package layers

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/graph"
)

// Kind is model.layers.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "model", Type: "layers", Version: 1, Schema: Schema, Determinism: planner.Bitwise,
		Outputs: []planner.Output{{Name: "graph", Type: "graph", MediaType: graph.MediaType}},
		Lower:   lowerBlock,
	},
	Runs: map[string]executor.Run{"": {Func: run, InProcess: true}, "statistics": {Func: statistics}},
}

// lowerBlock checks shapes at once, and hands the graph itself to the action as its parameter.
func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	g, places := fromBlock(l)
	if _, err := infer(g); err != nil {
		at := ""
		var ge *graph.Error
		if errors.As(err, &ge) {
			at = places[cmp.Or(ge.Layer, ge.Input, ge.At)]
		}
		l.Errorf(at, "bad-graph", "Layers do not fit", "%v.", err)
		return l.Diagnostics()
	}
	statistics, ok := lowerStatistics(l)
	if !ok {
		return l.Diagnostics()
	}
	params := map[string]any{"input": plainInputs(l), "layer": l.Attr("layer")}
	if outputs := l.Attr("outputs"); outputs != nil {
		params["outputs"] = outputs
	}
	suffix := ""
	if statistics != nil {
		suffix = "graph"
	}
	a := l.Emit(suffix, planner.Action{Params: params, Inputs: statistics, Outputs: []planner.OutputDecl{{Name: "graph", MediaType: graph.MediaType}}})
	l.Bind("graph", a, "graph")
	l.Provide("graph", g)
	return l.Diagnostics()
}

// fromBlock builds the graph that a block describes, and says where each input and layer stands in it.
func fromBlock(l *planner.Lowering) (*graph.Graph, map[string]string) {
	inputs, _ := l.Attr("input").([]any)
	layers, _ := l.Attr("layer").([]any)
	outputs, _ := l.Attr("outputs").([]any)
	return build(inputs, layers, outputs)
}

// dtypes are the types of inputs by the names that specs have for them.
var dtypes = map[string]graph.DType{"": graph.F32, "float32": graph.F32, "int32": graph.I32, "int64": graph.I64}

func build(inputs, layers, outputs []any) (*graph.Graph, map[string]string) {
	g := &graph.Graph{}
	places := map[string]string{}
	for i, v := range inputs {
		m := v.(map[string]any)
		in := graph.Input{Name: text(m["name"]), DType: dtypes[text(m["dtype"])], Scale: number(m["scale"]), Shift: number(m["shift"])}
		for _, d := range m["shape"].([]any) {
			n, _ := d.(int64)
			in.Shape = append(in.Shape, int(n))
		}
		places[in.Name] = "input." + strconv.Itoa(i)
		g.Inputs = append(g.Inputs, in)
	}
	last := ""
	if len(g.Inputs) > 0 {
		last = g.Inputs[0].Name
	}
	for i, v := range layers {
		m := v.(map[string]any)
		layer := graph.Layer{Name: text(m["name"]), Op: text(m["type"])}
		for k, a := range m {
			switch k {
			case "name", "type":
			case "inputs":
				for _, in := range a.([]any) {
					layer.Inputs = append(layer.Inputs, text(in))
				}
			default:
				if layer.Attrs == nil {
					layer.Attrs = map[string]any{}
				}
				layer.Attrs[k] = a
			}
		}
		if layer.Inputs == nil {
			layer.Inputs = []string{last}
		}
		places[layer.Name] = "layer." + strconv.Itoa(i)
		last = layer.Name
		g.Layers = append(g.Layers, layer)
	}
	g.Outputs = []string{last}
	if outputs != nil {
		g.Outputs = nil
	}
	for i, v := range outputs {
		g.Outputs = append(g.Outputs, text(v))
		if places[text(v)] == "" {
			places[text(v)] = "outputs." + strconv.Itoa(i)
		}
	}
	return g, places
}

// infer checks a graph, and makes one number of an extent that is the same on all axes, so that both ways to write it give one
// graph.
func infer(g *graph.Graph) (*graph.Info, error) {
	info, err := graph.Infer(g)
	if err != nil {
		return nil, err
	}
	for _, l := range g.Layers {
		for k, v := range l.Attrs {
			list, ok := v.([]any)
			if ok && graph.Ops[l.Op].Attrs[k] == graph.Extents && !slices.ContainsFunc(list, func(n any) bool { return n != list[0] }) {
				l.Attrs[k] = list[0]
			}
		}
	}
	return info, nil
}

func run(_ context.Context, job *executor.Job) error {
	inputs, _ := job.Params["input"].([]any)
	layers, _ := job.Params["layer"].([]any)
	outputs, _ := job.Params["outputs"].([]any)
	g, _ := build(inputs, layers, outputs)
	if err := normalize(job, g); err != nil {
		return err
	}
	info, err := infer(g)
	if err != nil {
		return err
	}
	job.Metrics["parameters"], job.Metrics["flops"] = float64(info.Parameters), float64(info.FLOPs)
	enc, err := g.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(job.Out("graph"), enc, 0o644)
}

func text(v any) string { s, _ := v.(string); return s }

func number(v any) float64 {
	switch t := v.(type) {
	case int64:
		return float64(t)
	case float64:
		return t
	}
	return 0
}
