// Package hftokenizer is the kind `target hf_tokenizer`: a tokenizer as a directory that Hugging Face's libraries load.
package hftokenizer

import (
	"context"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/target"
	"mbuild.dev/mbuild/stdlib/token"
)

// Kind is target.hf_tokenizer.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "target", Type: "hf_tokenizer", Version: Schema.Version, Schema: Schema, Determinism: planner.Bitwise, Lower: lowerBlock,
		Outputs: []planner.Output{{Name: "artifact", Type: "artifact", MediaType: token.MediaType, Directory: true}},
	},
	Runs: map[string]executor.Run{"": {InProcess: true, Func: run}},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	p := target.Path(l, true)
	in, ok := l.Input("tokenizer", "from")
	if !ok || l.Diagnostics().HasErrors() {
		return l.Diagnostics()
	}
	a := l.Emit("", planner.Action{Inputs: []planner.Input{in}, Gates: l.Gates("gates"),
		Outputs: []planner.OutputDecl{{Name: "artifact", MediaType: token.MediaType, Directory: true}}})
	l.Bind("artifact", a, "artifact")
	l.Artifact(a, "artifact", p)
	return l.Diagnostics()
}

func run(_ context.Context, job *executor.Job) error {
	t, err := token.Open(job.In("tokenizer"))
	if err != nil {
		return err
	}
	job.Metrics["vocab_size"] = float64(t.VocabSize())
	return t.Write(job.Out("artifact"))
}
