package executor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
func (m *machine) performInMemory(ctx context.Context, n *node) outcome {
	job := m.newJob(n)
	log := job.Log.(*logBuffer)
	job.wrote = make(map[string][]byte, len(n.step.Action.Outputs))
	for i, in := range n.step.Action.Inputs {
		job.Inputs[in.Name] = JobInput{Digest: n.inputs[i].String(), Display: in.Source.String()}
	}
	for _, out := range n.step.Action.Outputs {
		job.Outputs[out.Name] = out.Name
	}
	job.open = func(name string) ([]byte, error) {
		i := slices.IndexFunc(n.step.Action.Inputs, func(in planner.Input) bool { return in.Name == name })
		return m.readInput(n, n.step.Action.Inputs[i], n.inputs[i])
	}
	job.files = &fileAccess{m: m, n: n}
	defer job.files.close()
	res := m.newResult(n)
	res.Execution.Worker = "in-process"
	err := runHere(ctx, n.run, job)
	var lost *lostInput
	if errors.As(err, &lost) {
		return outcome{node: n, lost: lost.producer}
	}
	if err == nil {
		err = m.sourcesUnchanged(n)
	}
	if err != nil {
		return m.failed(n, err, log, Ran{Worker: res.Execution.Worker})
	}
	res.Execution.Wall, res.Metrics = time.Since(res.Execution.Started), job.Metrics
	if err := m.commitBytes(n, job, res, log.bytes()); err != nil {
		return outcome{node: n, err: err}
	}
	return outcome{node: n, result: res}
}

// readInput reads an input that is one file.
func (m *machine) readInput(n *node, in planner.Input, d cache.Digest) ([]byte, error) {
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
func (m *machine) commitBytes(n *node, job *Job, res *cache.ActionResult, log []byte) error {
	ctx := context.WithoutCancel(m.ctx) // a finished run is not thrown away by a late interrupt
	secrets := value.Secrets(n.step.Params)
	blobs := make([][]byte, 0, len(n.step.Action.Outputs)+1)
	for _, decl := range n.step.Action.Outputs {
		d, err := m.gather(ctx, decl, job, secrets, &blobs)
		if err != nil {
			return err
		}
		res.Outputs = append(res.Outputs, cache.Output{Name: decl.Name, MediaType: decl.MediaType, Digest: d, Directory: decl.Directory})
	}
	return m.record(ctx, n, res, log, blobs...)
}

// gather adds the blobs of one output, a file or a directory, to those that are to be stored. Files on disk are stored at once.
func (m *machine) gather(ctx context.Context, decl planner.OutputDecl, job *Job, secrets []string, blobs *[][]byte) (cache.Digest, error) {
	b, wrote := job.wrote[decl.Name]
	tree, isTree := job.files.trees[decl.Name]
	if decl.Directory != isTree || !decl.Directory && !wrote {
		return cache.Digest{}, &Failure{Code: "missing-output", Summary: "Output not produced", Detail: fmt.Sprintf("%s ended well but its output %q was not written.", job.Addr, decl.Name)}
	}
	put := func(f cache.TreeFile) (cache.Digest, error) {
		if holds(f.Bytes, secrets) {
			return cache.Digest{}, leakFailure(f.Name, decl.Name)
		}
		if f.Path == "" {
			*blobs = append(*blobs, f.Bytes)
			return cache.Sum(f.Bytes), nil
		}
		if len(secrets) > 0 {
			if text, err := os.ReadFile(f.Path); err != nil || holds(text, secrets) {
				return cache.Digest{}, leakFailure(f.Name, decl.Name)
			}
		}
		d, err := cache.PutPath(ctx, m.opts.Store, f.Path, false)
		if err != nil {
			err = storeFailure(fmt.Errorf("storing output %q of %s: %w", decl.Name, job.Addr, err))
		}
		return d, err
	}
	if isTree {
		return cache.PutFiles(tree, put)
	}
	return put(cache.TreeFile{Name: decl.Name, Bytes: b})
}
