package chain

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// transfer makes a model of a graph, with the parameters of another model's layers where that has a layer of the same name, operation
// and parameters, and new ones in the others: a body that was pre-trained, and another head on it.
func transfer(_ context.Context, job *executor.Job) error {
	var p struct {
		Seed int64 `json:"seed"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	b, err := os.ReadFile(job.In("graph"))
	if err != nil {
		return err
	}
	g, info, err := graph.Decode(b)
	if err != nil {
		return err
	}
	from, err := bundle.Read(job.In("model"))
	if err != nil {
		return err
	}
	taken, left, err := Shared(g, from.Graph)
	if err != nil {
		return &executor.Failure{Code: "misfit", Summary: "Model and graph do not fit", Attr: "from", Detail: err.Error() + "."}
	}
	m := &bundle.Model{Graph: g, Info: info, Params: learn.Init(info, p.Seed)}
	var made []string
	for i := range g.Layers {
		name := g.Layers[i].Name
		if slices.Contains(taken, name) {
			m.Params[name] = from.Params[name]
			job.Metrics["taken_parameters"] += float64(countOf(info, name))
		} else if len(info.Layers[name].Params) > 0 {
			made = append(made, name)
			job.Metrics["new_parameters"] += float64(countOf(info, name))
		}
	}
	fmt.Fprintf(job.Log, "of the model: %s\n", names(taken))
	fmt.Fprintf(job.Log, "new: %s\n", names(made))
	fmt.Fprintf(job.Log, "left, for the graph does not have them: %s\n", names(left))
	return bundle.Write(job.Out("model"), m)
}

func countOf(info *graph.Info, layer string) (n int) {
	for _, p := range info.Layers[layer].Params {
		n += graph.Size(p.Shape)
	}
	return n
}

func names(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// Shared are the layers with parameters that a graph takes from a model of another graph, those of the same name, and the layers
// of the other that it leaves. Layers of one name whose operation or parameters differ are an error, for nobody means that, and so are graphs that have
// nothing in common.
func Shared(g, from *graph.Graph) (taken, left []string, err error) {
	a, err := graph.Infer(g)
	if err != nil {
		return nil, nil, err
	}
	b, err := graph.Infer(from)
	if err != nil {
		return nil, nil, err
	}
	for i := range from.Layers {
		old := &from.Layers[i]
		have := b.Layers[old.Name].Params
		if len(have) == 0 {
			continue
		}
		l := g.Layer(old.Name)
		if l == nil {
			left = append(left, old.Name)
			continue
		}
		if old.Quant != "" || old.Store != "" {
			return nil, nil, fmt.Errorf("layer %q of the model is quantised or cast, and training needs float32 weights: take the model from before that", old.Name)
		}
		if want := a.Layers[l.Name].Params; l.Op != old.Op || paramsText(want) != paramsText(have) {
			return nil, nil, fmt.Errorf("layer %q is %s with %s in the graph, and %s with %s in the model. Give both one size, or the layer another name in the graph, where it shall be new",
				l.Name, l.Op, paramsText(want), old.Op, paramsText(have))
		}
		taken = append(taken, l.Name)
	}
	if len(taken) == 0 {
		return nil, nil, fmt.Errorf("no layer of the graph has the name of a layer of the model, so that it would take nothing: the graph has %s, the model %s", names(withParams(g, a)), names(left))
	}
	return taken, left, nil
}

// withParams are the first ten layers that have parameters.
func withParams(g *graph.Graph, info *graph.Info) []string {
	var out []string
	for i := range g.Layers {
		if l := &g.Layers[i]; len(info.Layers[l.Name].Params) > 0 && len(out) < 10 {
			out = append(out, l.Name)
		}
	}
	return out
}

// paramsText names parameters with their shapes.
func paramsText(ps []graph.Param) string {
	var out []string
	for _, p := range ps {
		out = append(out, fmt.Sprintf("%s%v", p.Name, p.Shape))
	}
	if len(out) == 0 {
		return "no parameters"
	}
	return strings.Join(out, ", ")
}
