// Package peft is the kind `target peft`: an adapter as a directory that the PEFT library loads.
package peft

import (
	"context"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/pretrained"
	"mbuild.dev/mbuild/stdlib/target"
)

// mediaType is the media type of the directory.
const mediaType = "application/vnd.mbuild.peft.v1"

// Kind is target.peft.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "target", Type: "peft", Version: 1, Schema: Schema, Determinism: planner.Bitwise, Lower: lowerBlock,
		Outputs: []planner.Output{{Name: "artifact", Type: "artifact", MediaType: mediaType, Directory: true}},
	},
	Runs: map[string]executor.Run{"": {InProcess: true, Func: run}},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	p := target.Path(l, true)
	if b := l.Producer(l.Block, "from"); b != nil && b.Family == "train" && b.Type == "adapter" {
		l.Errorf("from", "misfit", "Adapter cannot be exported", "%s makes a bottleneck adapter, which PEFT does not have. Take the adapter of a train \"lora\"; or export %s.model, to ONNX for example.", b.Addr, b.Addr)
	}
	in, ok := l.Input("adapter", "from")
	if !ok || l.Diagnostics().HasErrors() {
		return l.Diagnostics()
	}
	a := l.Emit("", planner.Action{Params: l.Params("from", "gates", "path"), Inputs: []planner.Input{in}, Gates: l.Gates("gates"),
		Outputs: []planner.OutputDecl{{Name: "artifact", MediaType: mediaType, Directory: true}}})
	l.Bind("artifact", a, "artifact")
	l.Artifact(a, "artifact", p)
	return l.Diagnostics()
}

func run(_ context.Context, job *executor.Job) error {
	var p struct {
		BaseModel string `json:"base_model"`
	}
	if err := job.Bind(&p); err != nil {
		return err
	}
	a, err := adapter.Read(job.In("adapter"))
	if err != nil {
		return err
	}
	s, err := pretrained.SavePEFT(a, p.BaseModel)
	if err != nil {
		return &executor.Failure{Code: "misfit", Summary: "Adapter cannot be exported", Attr: "from", Detail: err.Error() + "."}
	}
	bytes := 0
	for _, t := range s.Tensors {
		bytes += len(t.Data)
	}
	job.Metrics["bytes"] = float64(bytes)
	if err := os.WriteFile(filepath.Join(job.Out("artifact"), "adapter_config.json"), s.Config, 0o644); err != nil {
		return err
	}
	return safetensors.WriteFile(filepath.Join(job.Out("artifact"), "adapter_model.safetensors"), s.Tensors, map[string]string{"format": "pt"})
}
