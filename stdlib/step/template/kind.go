// Package template is the kind `step template`: a text file rendered from a template. It runs inside the process, so it costs
// what the store costs.
package template

import (
	"bytes"
	"context"
	"errors"
	"sort"
	"sync"
	"text/template"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
)

// MediaType is the media type of the output.
const MediaType = "text/plain"

// Kind is step.template. Templates have no functions that see anything but their arguments.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "step", Type: "template", Version: 1, Schema: Schema, Determinism: planner.Bitwise,
		Outputs: []planner.Output{{Name: "file", Type: "file", MediaType: MediaType}},
		Lower:   lowerBlock,
	},
	Runs: map[string]executor.Run{"": {Func: run, InProcess: true, InMemory: true}},
}

// outputs is shared by all actions: it is never changed.
var outputs = []planner.OutputDecl{{Name: "file", MediaType: MediaType}}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	text, _ := l.Attr("template").(string)
	if _, err := parse(text); err != nil {
		l.Errorf("template", "bad-template", "Invalid template", "%v.", err)
		return l.Diagnostics()
	}
	a := planner.Action{Params: l.Params("inputs"), Outputs: outputs}
	inputs, _ := l.Attr("inputs").(map[string]any)
	names := make([]string, 0, len(inputs))
	for name := range inputs {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		in, ok := l.Source(name, inputs[name], "inputs."+name)
		if !ok {
			return l.Diagnostics()
		}
		a.Inputs = append(a.Inputs, in)
	}
	l.Bind("file", l.Emit("", a), "file")
	return l.Diagnostics()
}

// parsed keeps templates: a block with for_each has one, and very many instances.
var parsed sync.Map

func parse(text string) (*template.Template, error) {
	if t, ok := parsed.Load(text); ok {
		return t.(*template.Template), nil
	}
	t, err := template.New("template").Option("missingkey=error").Parse(text)
	if err == nil {
		parsed.Store(text, t)
	}
	return t, err
}

func run(_ context.Context, job *executor.Job) error {
	text, _ := job.Params["template"].(string)
	t, err := parse(text)
	if err != nil {
		return err
	}
	texts, digests := make(map[string]string, len(job.Inputs)), make(map[string]string, len(job.Inputs))
	for name, in := range job.Inputs {
		b, err := job.ReadInput(name)
		if err != nil {
			return err
		}
		texts[name], digests[name] = string(b), in.Digest
	}
	var out bytes.Buffer
	err = t.Execute(&out, map[string]any{"values": job.Params["values"], "inputs": texts, "digests": digests})
	var te template.ExecError
	if errors.As(err, &te) {
		return &executor.Failure{Code: "bad-template", Summary: "Invalid template", Attr: "template", Detail: err.Error() + "."}
	}
	if err != nil {
		return err
	}
	return job.WriteOutput("file", out.Bytes())
}
