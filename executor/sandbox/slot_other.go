//go:build !linux

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// Arg is the first argument that makes the binary a slot; here there are none.
const Arg = "__sandbox"

// Main has nothing to serve here.
func Main(io.Reader, io.Writer) int { return 1 }

// slot is a directory; commands run as children of this process, in it and with an environment of their own.
type slot struct {
	limits Limits
	onDisk bool
	spent  bool
	dir    string
}

// lacks says why a part of the guarded mode is not to be had.
func lacks(string) string { return "not on " + runtime.GOOS }

// memoryArea is how much a command may bring along before it goes to disk, where here all of them are.
func memoryArea() int64 { return 1 << 30 }

func startSlot(c Config, mode Mode, l Limits, onDisk bool) (*slot, error) {
	if mode != Bare {
		return nil, fmt.Errorf("%s has no sandbox that mbuild knows", runtime.GOOS)
	}
	dir, err := c.scratchDir("slot-")
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, err
	}
	return &slot{limits: l, onDisk: onDisk, dir: dir}, nil
}

func (s *slot) run(ctx context.Context, c *Command) (res *Result, full bool, err error) {
	a := area{dir: filepath.Join(s.dir, "build"), beyond: func(f func() error) error { return f() }}
	temp := filepath.Join(s.dir, "tmp")
	defer func() { s.spent = removeAll(a.dir) != nil || removeAll(temp) != nil }()
	for _, d := range []string{a.dir, temp} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, false, err
		}
	}
	if err := a.layOut(c.Inputs, c.Outputs); err != nil {
		return nil, false, err
	}
	res = &Result{}
	if err := s.command(ctx, c, a.dir, temp, res); err != nil || res.NotFound != "" {
		return res, false, err
	}
	spill, err := c.Spill()
	if err != nil {
		return nil, false, err
	}
	return res, false, a.collect(c.Outputs, spill, res)
}

func (s *slot) command(ctx context.Context, c *Command, dir, temp string, res *Result) error {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(append([]string{}, c.Env...), "HOME="+temp, "TMPDIR="+temp, "PWD="+dir)
	cmd.Stdout, cmd.Stderr = c.Log, c.Log
	killGroup(cmd)
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit):
		res.Exit, res.Signal = exit.ExitCode(), signalOf(exit)
	case err != nil:
		res.NotFound = fmt.Sprintf("%q cannot be started: %v", c.Args[0], err)
	}
	return nil
}

func (s *slot) alive() bool { return true }

func (s *slot) close() { removeAll(s.dir) }
