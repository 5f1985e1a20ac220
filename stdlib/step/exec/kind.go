// Package exec is the kind `step exec`: a command in a sandbox (package executor/sandbox), which sees its declared inputs and
// leaves its declared outputs.
package exec

import (
	"fmt"
	"path"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
)

// MediaType is the media type of the output: a directory of whatever the command made.
const MediaType = "application/vnd.mbuild.files.v1"

// Kind is step.exec. Nothing is known of the command, so nothing is promised of its output but that it is cached.
var Kind = &executor.Kind{
	Kind: planner.Kind{
		Family: "step", Type: "exec", Version: 2, Schema: Schema, Determinism: planner.None,
		Transient: true, Timeout: time.Hour,
		Outputs: []planner.Output{{Name: "files", Type: "files", MediaType: MediaType, Directory: true}},
		Lower:   lowerBlock,
	},
	Runs: map[string]executor.Run{"": {Func: run, InProcess: true, InMemory: true, Programs: true}},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	inputs, _ := l.Attr("inputs").(map[string]any)
	a := planner.Action{Params: l.Params("inputs", "memory", "processes", "cpus"), Host: true, Limits: limits(l), Outputs: []planner.OutputDecl{{Name: "files", MediaType: MediaType, Directory: true}}}
	places := make([]string, 0, len(inputs))
	for p := range inputs {
		checkPath(l, "inputs."+p, p)
		places = append(places, p)
	}
	sort.Strings(places)
	for _, p := range places {
		in, ok := l.Source(p, inputs[p], "inputs."+p)
		if !ok {
			return l.Diagnostics()
		}
		a.Inputs = append(a.Inputs, in)
	}
	outs, _ := l.Attr("outputs").([]any)
	for i, o := range outs {
		checkPath(l, fmt.Sprintf("outputs.%d", i), o.(string))
	}
	l.Bind("files", l.Emit("", a), "files")
	return l.Diagnostics()
}

func checkPath(l *planner.Lowering, at, p string) {
	if clean := path.Clean(p); p == "" || path.IsAbs(p) || clean == "." || clean == ".." || strings.HasPrefix(clean, "../") {
		l.Errorf(at, "bad-path", "Invalid path", "%q must be a relative path inside the command's directory.", p)
	}
}

// limits reads what the command may use at most.
func limits(l *planner.Lowering) planner.Limits {
	var lim planner.Limits
	if text, ok := l.Attr("memory").(string); ok {
		n, err := strconv.ParseInt(text[:len(text)-2], 10, 32)
		if err != nil || n == 0 {
			l.Errorf("memory", "bad-memory", "Invalid amount of memory", "%q must be a whole number of MB or GB, from 1MB to 2000000000GB.", text)
		}
		lim.Memory = n * map[string]int64{"MB": 1e6, "GB": 1e9}[text[len(text)-2:]]
	}
	if n, ok := l.Attr("processes").(int64); ok {
		lim.Processes = int(n)
	}
	if n, ok := l.Attr("cpus").(int64); ok {
		lim.CPUs = int(n)
	}
	return lim
}
