// Package huggingface is the kind `target huggingface`: a model as a directory that transformers loads.
package huggingface

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/learn"
	"mbuild.dev/mbuild/stdlib/pretrained"
	"mbuild.dev/mbuild/stdlib/target"
	"mbuild.dev/mbuild/stdlib/token"
)

// mediaType is the media type of the directory.
const mediaType = "application/vnd.mbuild.huggingface.v1"

// Kind is target.huggingface.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "target", Type: "huggingface", Version: Schema.Version, Schema: Schema, Determinism: planner.Bitwise, Lower: lowerBlock,
		Outputs: []planner.Output{{Name: "artifact", Type: "artifact", MediaType: mediaType, Directory: true}},
	},
	Runs: map[string]executor.Run{"": {InProcess: true, Func: run}},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	p := target.Path(l, true)
	in, ok := l.Input("model", "from")
	if !ok || l.Diagnostics().HasErrors() {
		return l.Diagnostics()
	}
	inputs := []planner.Input{in}
	if l.Attr("tokenizer") != nil {
		t, ok := l.Input("tokenizer", "tokenizer")
		if !ok {
			return l.Diagnostics()
		}
		inputs = append(inputs, t)
	}
	a := l.Emit("", planner.Action{Params: l.Params("from", "tokenizer", "gates", "path"), Inputs: inputs, Gates: l.Gates("gates"),
		Outputs: []planner.OutputDecl{{Name: "artifact", MediaType: mediaType, Directory: true}}})
	l.Bind("artifact", a, "artifact")
	l.Artifact(a, "artifact", p)
	return l.Diagnostics()
}

func run(_ context.Context, job *executor.Job) error {
	var p struct {
		Labels []string `json:"labels"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	m, err := bundle.Read(job.In("model"))
	if err != nil {
		return err
	}
	var tokenizer *token.Tokenizer
	if job.Has("tokenizer") {
		if tokenizer, err = token.Open(job.In("tokenizer")); err != nil {
			return err
		}
	}
	s, err := pretrained.Save(m, p.Labels, tokenizer)
	var misfit *learn.Misfit
	if errors.As(err, &misfit) {
		return &executor.Failure{Code: "misfit", Summary: "Tokenizer does not fit the model", Attr: misfit.Attr, Detail: misfit.Sentence()}
	} else if err != nil {
		return &executor.Failure{Code: "misfit", Summary: "Model cannot be exported", Attr: "from", Detail: err.Error() + "."}
	}
	if tokenizer != nil {
		tokenizer.Untyped = !s.Types
		if err := tokenizer.Write(job.Out("artifact")); err != nil {
			return err
		}
	}
	job.Metrics["bytes"] = float64(m.Count().Bytes)
	if err := os.WriteFile(filepath.Join(job.Out("artifact"), "config.json"), s.Config, 0o644); err != nil {
		return err
	}
	// transformers refuses files that do not say which library's conventions their tensors have
	return safetensors.WriteFile(filepath.Join(job.Out("artifact"), "model.safetensors"), s.Tensors, map[string]string{"format": "pt"})
}
