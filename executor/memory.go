package executor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/planner"
)

// maxInMemory bounds an input of a run in memory.
const maxInMemory = 64 << 20

// lostInput says that the bytes of an input are gone; its producer is to run again.
type lostInput struct{ producer *planner.Action }

func (l *lostInput) Error() string { return "the bytes of an input are gone from the store" }

// performInMemory runs an action without a private directory: inputs come straight from the store or the source tree, outputs
// go straight into the store.
func (m *machine) performInMemory(n *node) outcome {
	log := &logBuffer{emit: func(line string) { m.note(n, Event{Log: &LogLine{Text: line}}) }}
	secrets := value.Secrets(n.step.Params)
	log.hide = hider(secrets)
	job := &Job{Addr: n.step.Addr, Params: value.Reveal(n.step.Params).(map[string]any), Backend: m.plan.Toolchain.Backend,
		Inputs: make(map[string]JobInput, len(n.step.Action.Inputs)), Outputs: make(map[string]string, len(n.step.Action.Outputs)),
		Metrics: map[string]float64{}, Memory: &Memory{}, Log: log, Progress: func(int64, int64, map[string]float64) {},
		wrote: make(map[string][]byte, len(n.step.Action.Outputs))}
	sources := map[string]planner.Input{}
	for _, in := range n.step.Action.Inputs {
		job.Inputs[in.Name] = JobInput{Digest: n.inputs[in.Name].String(), Display: in.Source.String()}
		sources[in.Name] = in
	}
	for _, out := range n.step.Action.Outputs {
		job.Outputs[out.Name] = out.Name
	}
	job.open = func(name string) ([]byte, error) { return m.readInput(n, sources[name]) }
	res := &cache.ActionResult{Metrics: job.Metrics}
	res.Execution.Started = time.Now().UTC()
	res.Execution.Backend, res.Execution.Worker = m.plan.Toolchain.Backend, "in-process"
	err := runHere(m.ctx, n.run, job)
	var lost *lostInput
	if errors.As(err, &lost) {
		return outcome{node: n, lost: lost.producer}
	}
	if err == nil {
		err = m.sourcesUnchanged(n)
	}
	if err != nil {
		return outcome{node: n, err: log.hide.error(withLog(err, log.tail()))}
	}
	res.Execution.Wall = time.Since(res.Execution.Started)
	if err := m.commitBytes(n, job.wrote, res, log.bytes()); err != nil {
		return outcome{node: n, err: err}
	}
	return outcome{node: n, result: res}
}

// readInput reads an input that is one file.
func (m *machine) readInput(n *node, in planner.Input) ([]byte, error) {
	d := n.inputs[in.Name]
	if d.Size() > maxInMemory {
		return nil, &Failure{Code: "misfit", Summary: "Input is too large", Attr: "inputs." + in.Name, Detail: fmt.Sprintf("%s has %d bytes; at most %d are read here.", in.Source, d.Size(), maxInMemory)}
	}
	if in.Action == nil {
		return os.ReadFile(filepath.Join(m.plan.Snapshot.Dir, filepath.FromSlash(in.File)))
	}
	if out, ok := output(m.nodes[in.Action.Index].result, in.Output); ok && out.Directory {
		return nil, &Failure{Code: "misfit", Summary: "Input is a directory", Attr: "inputs." + in.Name, Detail: fmt.Sprintf("%s is a directory, and one file is needed.", in.Source)}
	}
	b, err := cache.ReadAll(m.ctx, m.opts.Store, d, maxInMemory)
	if errors.Is(err, cache.ErrNotFound) || errors.Is(err, cache.ErrCorrupt) {
		return nil, &lostInput{in.Action}
	}
	return b, err
}

// commitBytes stores what a run in memory wrote: blobs, then the preimage, then the result.
func (m *machine) commitBytes(n *node, wrote map[string][]byte, res *cache.ActionResult, log []byte) error {
	ctx := context.WithoutCancel(m.ctx) // a finished run is not thrown away by a late interrupt
	for _, decl := range n.step.Action.Outputs {
		b, ok := wrote[decl.Name]
		if !ok {
			return &Failure{Code: "missing-output", Summary: "Output not produced", Detail: fmt.Sprintf("%s ended well but its output %q was not written.", n.step.Addr, decl.Name)}
		}
		d, err := m.opts.Store.Put(ctx, bytes.NewReader(b))
		if err != nil {
			return storeFailure(fmt.Errorf("storing output %q of %s: %w", decl.Name, n.step.Addr, err))
		}
		res.Outputs = append(res.Outputs, cache.Output{Name: decl.Name, MediaType: decl.MediaType, Digest: d})
	}
	if len(log) > 0 {
		d, err := m.opts.Store.Put(ctx, bytes.NewReader(log))
		if err != nil {
			return storeFailure(fmt.Errorf("storing the log of %s: %w", n.step.Addr, err))
		}
		res.Log = d
	}
	return m.record(ctx, n, res)
}
