package exec

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/sandbox"
	"mbuild.dev/mbuild/planner"
)

type params struct {
	Command []string          `json:"command"`
	Outputs []string          `json:"outputs"`
	Env     map[string]string `json:"env"`
}

// baseEnv is what every command sees. SOURCE_DATE_EPOCH asks tools that would write the time into their output to write this
// one; Python would leave compiled files beside its modules.
var baseEnv = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "TZ=UTC", "SOURCE_DATE_EPOCH=0", "PYTHONDONTWRITEBYTECODE=1"}

func run(ctx context.Context, job *executor.Job) error {
	var p params
	if err := job.Bind(&p); err != nil {
		return err
	}
	c := &sandbox.Command{Args: p.Command, Env: environment(p.Env), Outputs: p.Outputs,
		Limits: sandbox.Limits{Memory: job.Limits.Memory, Processes: job.Limits.Processes, CPUs: job.Limits.CPUs}}
	for place := range job.Inputs {
		files, err := job.Fetch(place, place)
		if err != nil {
			return err
		}
		c.Inputs = append(c.Inputs, files...)
	}
	res, err := job.Command(ctx, c)
	if err != nil {
		return err
	}
	if err := judge(job, &p, res); err != nil {
		return err
	}
	files := make([]cache.TreeFile, len(res.Outputs))
	for i, o := range res.Outputs {
		files[i] = cache.TreeFile{Name: o.Place, Executable: o.Executable, Bytes: o.Bytes, Path: o.Path}
	}
	job.WriteTree("files", files)
	return nil
}

// environment is the base with what the block adds or sets otherwise.
func environment(own map[string]string) []string {
	var env []string
	for _, kv := range baseEnv {
		name, _, _ := strings.Cut(kv, "=")
		if _, set := own[name]; !set {
			env = append(env, kv)
		}
	}
	for k, v := range own {
		env = append(env, k+"="+v)
	}
	sort.Strings(env)
	return env
}

// judge words what became of a command; nil when it ended well and kept to what it declared.
func judge(job *executor.Job, p *params, res *sandbox.Result) error {
	f := verdict(p.Command[0], job.Limits, res)
	if f == nil {
		return nil
	}
	// Files of the project that the command speaks of and does not have are what it most likely missed.
	tail := job.LogTail()
	if missed := job.Undeclared(tail); len(missed) > 0 {
		f.Detail += fmt.Sprintf("\nIt speaks of %s, which the project has and the command does not see, for it is not declared under inputs.", quoted(missed))
	}
	if tail != "" {
		f.Detail += "\nThe end of its log:\n" + tail
	}
	return f
}

func verdict(name string, limits planner.Limits, res *sandbox.Result) *executor.Failure {
	switch {
	case res.NotFound != "":
		return &executor.Failure{Code: "command-not-found", Summary: "Command not found", Attr: "command", Detail: sentence(res.NotFound) + "."}
	case res.Exceeded == "memory":
		return &executor.Failure{Code: "memory-limit", Summary: "Out of memory", Attr: "memory",
			Detail: fmt.Sprintf("%q used %s, and its block allows %s; it was stopped.", name, megabytes(res.Peak), megabytes(limits.Memory))}
	case res.Exceeded == "processes":
		return &executor.Failure{Code: "process-limit", Summary: "Too many processes", Attr: "processes",
			Detail: fmt.Sprintf("%q had more than %d processes and threads at a time, and was stopped with all of them.", name, processLimit(limits))}
	case res.Signal != "":
		return &executor.Failure{Code: "command-failed", Summary: "Command failed", Attr: "command", Detail: fmt.Sprintf("%q was ended by a signal: %s.%s", name, res.Signal, nearLimit(limits, res))}
	case res.Exit != 0:
		return &executor.Failure{Code: "command-failed", Summary: "Command failed", Attr: "command", Detail: fmt.Sprintf("%q ended with exit status %d.%s", name, res.Exit, nearLimit(limits, res))}
	case len(res.Problems) > 0:
		return &executor.Failure{Code: "missing-output", Summary: "Output not produced", Attr: "outputs",
			Detail: fmt.Sprintf("The command ended well but its output %q %s.%s", res.Problems[0].Place, res.Problems[0].What, others(len(res.Problems)-1))}
	case len(res.Changed) > 0:
		return &executor.Failure{Code: "input-changed", Summary: "Command changed an input", Attr: "inputs",
			Detail: fmt.Sprintf("The command wrote to or removed %s, which it has as input. Let it write to another file, or list the file under outputs, too, if what becomes of it is wanted.", quoted(res.Changed))}
	case len(res.Undeclared) > 0:
		return &executor.Failure{Code: "undeclared-output", Summary: "Undeclared output", Attr: "outputs",
			Detail: fmt.Sprintf("The command left %s in its directory, which is not listed under outputs. List it if it is wanted; else let the command remove it, or write it to $TMPDIR.", quoted(res.Undeclared))}
	}
	return nil
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// quoted lists names.
func quoted(names []string) string {
	sort.Strings(names)
	more := ""
	if len(names) > 5 {
		more = fmt.Sprintf(" and %d more", len(names)-5)
		names = names[:5]
	}
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(q, ", ") + more
}

func others(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return " So it is with another output."
	}
	return fmt.Sprintf(" So it is with %d more outputs.", n)
}

func megabytes(n int64) string { return fmt.Sprintf("%d MB", (n+999_999)/1_000_000) }

func processLimit(l planner.Limits) int {
	if l.Processes > 0 {
		return l.Processes
	}
	return sandbox.DefaultProcesses
}

// nearLimit says that a failure may come from a limit: a program that is refused memory ends as it likes.
func nearLimit(l planner.Limits, res *sandbox.Result) string {
	switch {
	case l.Memory > 0:
		return fmt.Sprintf(" Its block allows it %s of memory; it used %s.", megabytes(l.Memory), megabytes(res.Peak))
	case res.Signal == "killed":
		return fmt.Sprintf(" If it did not do that itself, the machine ran out of memory: it used %s.", megabytes(res.Peak))
	}
	return ""
}
