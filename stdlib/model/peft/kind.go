// Package peft is the kind `model peft`: an adapter that the PEFT library has saved, over its model.
package peft

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/chain"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
	"mbuild.dev/mbuild/stdlib/pretrained"
)

// Kind is model.peft.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "model", Type: "peft", Version: 1, Schema: Schema, Determinism: planner.Bitwise, External: true,
		Outputs: []planner.Output{
			{Name: "adapter", Type: "adapter", MediaType: adapter.MediaType, Directory: true},
			{Name: "model", Type: "model", MediaType: bundle.MediaType, Directory: true},
		},
		Lower: lowerBlock,
	},
	Runs: map[string]executor.Run{"read": {InProcess: true, Func: run}, "apply": chain.Runs()["apply"]},
}

const (
	configFile  = "adapter_config.json"
	tensorsFile = "adapter_model.safetensors"
)

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	files, _ := l.Attr("files").([]any)
	found := map[string]planner.Input{}
	pickle := false
	for i, v := range files {
		p := path.Clean(v.(string))
		base := path.Base(p)
		at := "files." + strconv.Itoa(i)
		pickle = pickle || base == "adapter_model.bin"
		if base != configFile && base != tensorsFile {
			continue
		}
		if _, ok := found[base]; ok {
			l.Errorf(at, "bad-model", "Two adapters", "There is a second %s, %s; a block reads one directory.", base, p)
			return l.Diagnostics()
		}
		found[base] = l.File(map[string]string{configFile: "config", tensorsFile: "tensors"}[base], p, at)
	}
	for _, name := range []string{configFile, tensorsFile} {
		if _, ok := found[name]; ok {
			continue
		}
		text := fmt.Sprintf("There is no %s among %s. Name the files of an adapter's directory, for example fileset(\"adapter/*\").", name, some(files))
		if pickle && name == tensorsFile {
			text = "There is adapter_model.bin, but no adapter_model.safetensors. The former is a pickle, a program that Python runs to read it, and mbuild does not. Convert it once, with PEFT: load the adapter and call save_pretrained, which writes the latter."
		}
		l.Errorf("files", "bad-model", "Adapter is not whole", "%s", text)
		return l.Diagnostics()
	}
	base, ok := l.Input("base", "from")
	if !ok {
		return l.Diagnostics()
	}
	a := l.Emit("read", planner.Action{Verb: "read", Inputs: []planner.Input{base, found[configFile], found[tensorsFile]},
		Outputs: []planner.OutputDecl{{Name: "model", MediaType: adapter.MediaType, Directory: true}}})
	l.Bind("adapter", a, "model")
	l.Bind("model", chain.Apply(l, base, chain.Result{Model: a, ModelOutput: "model"}), "model")
	if g := look(l, found[configFile], found[tensorsFile]); g != nil {
		l.Provide("model", g)
	}
	return l.Diagnostics()
}

// mostLooked bounds the adapters that are read while planning; what does not fit a larger one is told when it runs.
const mostLooked = 64 << 20

// look makes the graph of base and adapter while planning, so that what does not fit is told before anything runs; nil where the base's is not
// known, or the files cannot be looked at.
func look(l *planner.Lowering, inputs ...planner.Input) *graph.Graph {
	base, _ := l.Static("from").(*graph.Graph)
	files, ok := l.Look(inputs...)
	if base == nil || !ok {
		return nil
	}
	for _, f := range files {
		if info, err := os.Stat(f); err != nil || info.Size() > mostLooked {
			return nil
		}
	}
	config, err := os.ReadFile(files[0])
	if err != nil {
		return nil // which the snapshot reports
	}
	tensors, err := readTensors(files[1])
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	var g *graph.Graph
	if err == nil {
		g, err = pretrained.PEFTGraph(base, config, tensors)
	}
	if err != nil {
		f := failure(err)
		l.Errorf(f.Attr, f.Code, f.Summary, "%s", f.Detail)
		return nil
	}
	return g
}

// some names files, the first ten of many.
func some(files []any) string {
	var names []string
	for _, f := range files[:min(len(files), 10)] {
		names = append(names, f.(string))
	}
	text := strings.Join(names, ", ")
	if more := len(files) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func run(_ context.Context, job *executor.Job) error {
	config, err := os.ReadFile(job.In("config"))
	if err != nil {
		return err
	}
	base, err := bundle.Read(job.In("base"))
	if err != nil {
		return err
	}
	tensors, err := readTensors(job.In("tensors"))
	if err != nil {
		return failure(err)
	}
	a, err := pretrained.LoadPEFT(base, job.Inputs["base"].Digest, config, tensors)
	if err != nil {
		return failure(err)
	}
	fmt.Fprintf(job.Log, "rank %d beside %s\n", a.Config.Rank, strings.Join(a.Config.Targets, ", "))
	return adapter.Write(job.Out("model"), a)
}

func readTensors(file string) ([]safetensors.Tensor, error) {
	tensors, _, err := safetensors.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tensorsFile, err)
	}
	return tensors, nil
}

func failure(err error) *executor.Failure {
	text := err.Error() + "."
	var m *learn.Misfit
	if errors.As(err, &m) {
		text = m.Sentence()
	}
	return &executor.Failure{Code: "bad-model", Summary: "Adapter cannot be read", Attr: "files", Detail: text}
}
