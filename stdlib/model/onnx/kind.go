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
		Family: "model", Type: "onnx", Version: 2, Schema: Schema, Determinism: planner.Bitwise,
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
	return l.Diagnostics()
}

func run(_ context.Context, job *executor.Job) error {
	var p struct {
		SHA256 string `json:"sha256"`
		Length int    `json:"length"`

		ExternalData []string `json:"external_data"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	in := job.Inputs["file"]
	if p.SHA256 != "" && in.Digest != "sha256:"+p.SHA256 {
		return &executor.Failure{Code: "integrity", Summary: "File is another", Attr: "sha256",
			Detail: fmt.Sprintf("%s has digest %s, and sha256 says sha256:%s. Look at what changed before you write the new digest.", in.Display, in.Digest, p.SHA256)}
	}
	b, err := os.ReadFile(in.Path)
	if err != nil {
		return err
	}
	external := map[string]string{}
	for i, name := range p.ExternalData {
		external[name] = job.Inputs["data"+strconv.Itoa(i)].Path
	}
	m, err := onnx.Import(b, onnx.ImportOptions{Length: p.Length, External: external, Note: func(text string) { fmt.Fprintf(job.Log, "note: %s\n", text) }})
	var missing *onnx.MissingData
	if errors.As(err, &missing) {
		return &executor.Failure{Code: "bad-model", Summary: "Model without its data", Attr: "file",
			Detail: fmt.Sprintf("%s. Name it, for example external_data = [%q].", err, path.Join(path.Dir(in.Display), missing.Location))}
	}
	if err != nil {
		return &executor.Failure{Code: "bad-model", Summary: "Model cannot be read", Attr: "file", Detail: err.Error() + "."}
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
