// Package shardtest builds datasets in tests: a spec is loaded, lowered, and its actions are run one after the other in
// directories of the test, without a store.
package shardtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
)

// Result is a dataset that was built.
type Result struct {
	Dir     string
	M       *dataset.Manifest
	Log     string
	Metrics map[string]float64 // of the last action
	Actions []string           // addresses, in the order in which they ran
	Keys    []string           // of each action: its parameters and the digests of its files
}

// Build builds the one block of an HCL spec over files.
func Build(t testing.TB, kind *executor.Kind, spec string, files map[string][]byte) (*Result, error) {
	t.Helper()
	dir := t.TempDir()
	files["a.mbuild.hcl"] = []byte(spec)
	for name, b := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return In(t, kind, dir)
}

// In builds the one block of the specs of a directory.
func In(t testing.TB, kind *executor.Kind, dir string) (*Result, error) {
	t.Helper()
	p, err := plan(kind, dir)
	if err != nil {
		return nil, err
	}
	return p.build(t, dir)
}

// Plan is a block that was lowered and can be built over other files again and again.
type Plan struct {
	kind    *executor.Kind
	actions []*planner.Action
}

func plan(kind *executor.Kind, dir string) (*Plan, error) {
	table := planner.NewTable(&kind.Kind)
	parsed, diags := lang.Load(context.Background(), lang.Request{Dir: dir, Kinds: table})
	if diags.HasErrors() {
		return nil, diags
	}
	graph, diags := planner.Lower(parsed, table)
	if diags.HasErrors() {
		return nil, diags
	}
	return &Plan{kind, graph.Actions}, nil
}

// Prepare lowers the one block of an HCL spec.
func Prepare(t testing.TB, kind *executor.Kind, spec string) *Plan {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.mbuild.hcl"), []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := plan(kind, dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Check builds over files, and reads back every split of what comes out; nil when the files are refused.
func (p *Plan) Check(t testing.TB, files map[string][]byte) *Result {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := p.build(t, dir)
	if err != nil {
		return nil
	}
	for _, s := range r.M.Splits {
		r.Read(t, s.Name)
	}
	return r
}

func (p *Plan) build(t testing.TB, dir string) (*Result, error) {
	r := &Result{}
	made := map[*planner.Action]map[string]string{}
	for _, a := range p.actions {
		out, log, metrics, err := run(t, p.kind, dir, a, made)
		r.Log += log
		if err != nil {
			return r, err
		}
		made[a], r.Metrics = out, metrics
		r.Dir = out["data"]
		r.Actions = append(r.Actions, a.Addr)
		r.Keys = append(r.Keys, key(t, dir, a))
	}
	var err error
	r.M, err = dataset.ReadManifest(r.Dir)
	return r, err
}

func run(t testing.TB, kind *executor.Kind, dir string, a *planner.Action, made map[*planner.Action]map[string]string) (map[string]string, string, map[string]float64, error) {
	var log bytes.Buffer
	job := &executor.Job{Addr: a.Addr, Params: a.Params, Inputs: map[string]executor.JobInput{}, Outputs: map[string]string{},
		Scratch: t.TempDir(), Log: &log, Metrics: map[string]float64{}, Progress: func(int64, int64, map[string]float64) {}}
	for _, in := range a.Inputs {
		if in.Source.Action == nil {
			job.Inputs[in.Name] = executor.JobInput{Path: filepath.Join(dir, filepath.FromSlash(in.Source.File)), Display: in.Source.File}
			continue
		}
		job.Inputs[in.Name] = executor.JobInput{Path: made[in.Source.Action][in.Source.Output], Display: in.Source.Action.Addr}
	}
	for _, o := range a.Outputs {
		p := filepath.Join(t.TempDir(), o.Name)
		if o.Directory {
			if err := os.Mkdir(p, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		job.Outputs[o.Name] = p
	}
	r, ok := kind.Runs[a.Verb]
	if !ok {
		return nil, "", nil, fmt.Errorf("%s has no run %q", kind.Name(), a.Verb)
	}
	err := r.Func(context.Background(), job)
	return job.Outputs, log.String(), job.Metrics, err
}

// key is what decides on an action's result, inputs that other actions make left aside.
func key(t testing.TB, dir string, a *planner.Action) string {
	h := sha256.New()
	enc, err := value.Canonical(a.Params)
	if err != nil {
		t.Fatal(err)
	}
	h.Write(enc)
	for _, in := range a.Inputs {
		if in.Source.Action == nil {
			fmt.Fprintf(h, "%s\n", in.Name)
			f, err := os.Open(filepath.Join(dir, filepath.FromSlash(in.Source.File)))
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(h, f)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// Read reads a split.
func (r *Result) Read(t testing.TB, split string) *dataset.Data {
	t.Helper()
	d, err := dataset.Read(r.Dir, r.M, split)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// HeapPeak runs f and returns the most bytes that live and dead objects of the heap took meanwhile, looked at every 2 ms.
func HeapPeak(f func()) uint64 {
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		top := uint64(0)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			top = max(top, m.HeapAlloc)
			select {
			case <-stop:
				peak <- top
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	return <-peak
}
