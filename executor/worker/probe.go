package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/pjrt"
)

// ProbeArg is the first argument that makes the binary ask a plugin what it is.
const ProbeArg = "__probe"

// probeTime bounds a probe: a plugin that waits for a device it does not get would wait for ever.
const probeTime = time.Minute

// ServeProbe is the main of a probe: it opens the plugin that the environment describes, writes what it says to out, and
// returns the exit code.
func ServeProbe(out io.Writer) int {
	var a probeAnswer
	c := new(mlx.Choice)
	err := json.Unmarshal([]byte(os.Getenv(mlx.EnvChoice)), c)
	if err == nil && c.Plugin == nil {
		err = errors.New("no plugin to ask")
	}
	if err == nil {
		a.Probed, err = mlx.Probe(c)
	}
	if err != nil {
		a.Error = err.Error()
	}
	if json.NewEncoder(out).Encode(a) != nil {
		return 1
	}
	return 0
}

type probeAnswer struct {
	Probed *mlx.Probed `json:"probed,omitempty"`
	Error  string      `json:"error,omitempty"`
}

// Probe asks the plugin of a choice what it is and what devices it has found, in a process of its own, which it may crash, and
// which reads no more than a worker may.
func Probe(ctx context.Context, c *mlx.Choice) (*mlx.Probed, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	cmd := self(ProbeArg)
	cmd.Env = append(environment(), c.Environment(0)...)
	var out bytes.Buffer
	said := &tail{}
	cmd.Stdout, cmd.Stderr = &out, said
	isolate(cmd)
	launch := confined(Confinement{Read: pjrt.Libraries(c.Plugin.Path)})
	defer launch.close()
	if err := launch.start(cmd); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	end := cmd.Wait()
	if !stop() && ctx.Err() != nil {
		return nil, fmt.Errorf("the plugin gave no answer: %w", ctx.Err())
	}
	var exit *exec.ExitError
	if errors.As(end, &exit) {
		how, text := ending(exit, said.String())
		return nil, fmt.Errorf("the plugin ended the process that opened it: %s%s", how, lastLine(text))
	}
	if end != nil {
		return nil, end
	}
	var a probeAnswer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil {
		return nil, fmt.Errorf("the probe's answer: %w", err)
	}
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	return a.Probed, nil
}

// lastLine is the last line of what a process printed, to be put behind a message.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		s = s[i+1:]
	}
	if s == "" {
		return ""
	}
	return "; it said: " + s
}
