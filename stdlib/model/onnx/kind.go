// Package onnx is the kind `model onnx`: a model in an ONNX file, read by package stdlib/graph/onnx.
package onnx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/onnx"
)

// Kind is model.onnx.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "model", Type: "onnx", Version: 2, Schema: Schema, Determinism: planner.Bitwise, External: true,
		Outputs: []planner.Output{
			{Name: "graph", Type: "graph", MediaType: graph.MediaType},
			{Name: "model", Type: "model", MediaType: bundle.MediaType, Directory: true},
		},
		Lower: lowerBlock,
	},
	Runs: map[string]executor.Run{"": {Func: run}},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	file, _ := l.Attr("file").(string)
	inputs, params := []planner.Input{l.File("file", file, "file")}, l.Params("file", "external_data")
	data, _ := l.Attr("external_data").([]any)
	var names []any // as the file names them
	for i, v := range data {
		at := "external_data." + strconv.Itoa(i)
		name, err := filepath.Rel(path.Dir(path.Clean(file)), path.Clean(v.(string)))
		if err != nil || !filepath.IsLocal(name) || slices.Contains(names, any(name)) {
			l.Errorf(at, "bad-model", "Data of a model elsewhere", "%s is not in the directory of %s, or below it, or named twice. An ONNX file names the files of its data by where they are from its own directory.", v, file)
			continue
		}
		names = append(names, filepath.ToSlash(name))
		inputs = append(inputs, l.File("data"+strconv.Itoa(i), v.(string), at))
	}
	if l.Diagnostics().HasErrors() {
		return l.Diagnostics()
	}
	if names != nil {
		params["external_data"] = names
	}
	a := l.Emit("", planner.Action{Params: params, Inputs: inputs, Outputs: []planner.OutputDecl{
		{Name: "graph", MediaType: graph.MediaType}, {Name: "model", MediaType: bundle.MediaType, Directory: true}}})
	l.Bind("graph", a, "graph")
	l.Bind("model", a, "model")
	if g := look(l, a); g != nil {
		l.Provide("graph", g)
		l.Provide("model", g)
	}
	return l.Diagnostics()
}

// mostLooked bounds the files that are read while planning; what does not fit the model of a larger one is told when it runs.
const mostLooked = 512 << 20

// look makes the graph while planning, so that what does not fit the model is told before anything runs; nil where the file cannot be
// looked at, or has its data elsewhere.
func look(l *planner.Lowering, a *planner.Action) *graph.Graph {
	if len(a.Inputs) > 1 {
		return nil
	}
	b, err := l.Derive(a.Inputs[0], a.Params, func(path string) ([]byte, error) {
		if info, err := os.Stat(path); err != nil || info.Size() > mostLooked {
			return nil, nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, nil // which the snapshot reports
		}
		length, _ := a.Params["length"].(int64)
		m, err := onnx.Import(text, onnx.ImportOptions{Length: int(length)})
		if err != nil {
			return nil, err
		}
		return m.Graph.Encode()
	})
	if err != nil {
		f := failure(err, l.Attr("file").(string))
		l.Errorf(f.Attr, f.Code, f.Summary, "%s", f.Detail)
		return nil
	}
	g, _, err := graph.Decode(b)
	if err != nil {
		return nil // nothing was looked at
	}
	return g
}

func failure(err error, file string) *executor.Failure {
	var missing *onnx.MissingData
	if errors.As(err, &missing) {
		return &executor.Failure{Code: "bad-model", Summary: "Model without its data", Attr: "file",
			Detail: fmt.Sprintf("%s. Name it, for example external_data = [%q].", err, path.Join(path.Dir(file), missing.Location))}
	}
	return &executor.Failure{Code: "bad-model", Summary: "Model cannot be read", Attr: "file", Detail: err.Error() + "."}
}

func run(_ context.Context, job *executor.Job) error {
	var p struct {
		Length       int      `json:"length"`
		ExternalData []string `json:"external_data"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	b, err := os.ReadFile(job.In("file"))
	if err != nil {
		return err
	}
	external := map[string]string{}
	for i, name := range p.ExternalData {
		external[name] = job.Inputs["data"+strconv.Itoa(i)].Path
	}
	m, err := onnx.Import(b, onnx.ImportOptions{Length: p.Length, External: external, Note: func(text string) { fmt.Fprintf(job.Log, "note: %s\n", text) }})
	if err != nil {
		return failure(err, job.Inputs["file"].Display)
	}
	for _, in := range m.Graph.Inputs {
		fmt.Fprintf(job.Log, "input %q: %s, %s\n", in.Name, in.DType, graph.ShapeText(in.Shape))
	}
	job.Metrics["parameters"], job.Metrics["flops"] = float64(m.Info.Parameters), float64(m.Info.FLOPs)
	enc, err := m.Graph.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(job.Out("graph"), enc, 0o644); err != nil {
		return err
	}
	return bundle.Write(job.Out("model"), m)
}
