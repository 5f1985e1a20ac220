// Package exec is the kind `step exec`: a command in a private directory with a cleared environment.
package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	osexec "os/exec"
	"path"
	"path/filepath"
	"sort"
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
	Runs: map[string]executor.Run{"": {Func: run, InProcess: true}},
}

func lowerBlock(l *planner.Lowering) hcl.Diagnostics {
	inputs, _ := l.Attr("inputs").(map[string]any)
	a := planner.Action{Params: l.Params("inputs"), Host: true, Outputs: []planner.OutputDecl{{Name: "files", MediaType: MediaType, Directory: true}}}
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

type params struct {
	Command []string          `json:"command"`
	Outputs []string          `json:"outputs"`
	Env     map[string]string `json:"env"`
}

func run(ctx context.Context, job *executor.Job) error {
	var p params
	if err := job.Bind(&p); err != nil {
		return err
	}
	dir := filepath.Join(job.Scratch, "dir")
	if err := layOut(job, dir); err != nil {
		return err
	}
	cmd := osexec.CommandContext(ctx, p.Command[0], p.Command[1:]...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + job.Scratch, "TMPDIR=" + job.Scratch, "SOURCE_DATE_EPOCH=0"}
	for k, v := range p.Env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Stdout, cmd.Stderr = job.Log, job.Log
	killGroup(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, osexec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			return &executor.Failure{Code: "command-not-found", Summary: "Command not found", Attr: "command", Detail: fmt.Sprintf("There is no program %q.", p.Command[0])}
		}
		return fmt.Errorf("%s: %w", strings.Join(p.Command, " "), err)
	}
	for _, o := range p.Outputs {
		if err := collect(filepath.Join(dir, filepath.FromSlash(o)), filepath.Join(job.Out("files"), filepath.FromSlash(o))); err != nil {
			return &executor.Failure{Code: "missing-output", Summary: "Output not produced", Attr: "outputs", Detail: fmt.Sprintf("The command ended well but left no file %q.", o)}
		}
	}
	return nil
}

// layOut copies the inputs to their places: the command may do with them what it likes.
func layOut(job *executor.Job, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for place, in := range job.Inputs {
		if err := copyAll(in.Path, filepath.Join(dir, filepath.FromSlash(place))); err != nil {
			return err
		}
	}
	return nil
}

// copyAll copies a file, or a directory with what is in it.
func copyAll(from, to string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		return collect(p, filepath.Join(to, rel))
	})
}

func collect(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", from)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, info.Mode().Perm()|0o200)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	return err
}
