package executor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/executor/sandbox"
	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/planner"
)

// Runner runs a job outside the process.
type Runner interface {
	// Run executes the verb of a kind on the job. The job's Log and Progress are called while it runs. An error that
	// wraps a *Failure came from the kind; every other error says what became of the worker.
	Run(ctx context.Context, kind, verb string, job *Job) (Ran, error)
}

// Ran says where and how a job ran.
type Ran struct {
	Worker string        // for people
	Peak   int64         // peak resident memory of the worker so far, bytes
	CPU    time.Duration // processor time of the job and its children, 0 when not known

	// Keep tells the runner the digests of the job's outputs, by name, once they are stored. May be nil.
	Keep func(digests map[string]string)
}

// execute is the goroutine of running nodes.
func (m *machine) execute(nodes []*node, slots []int) {
	r := report{outcomes: make([]outcome, len(nodes)), slots: slots}
	for i, n := range nodes {
		r.outcomes[i] = m.executeOne(n)
	}
	m.done <- r
}

// executeOne is the life of one action: lock, run, store, publish.
func (m *machine) executeOne(n *node) outcome {
	n.began = time.Now()
	defer func() { n.took = time.Since(n.began) }()
	unlock, err := m.lock(n)
	if err != nil {
		return outcome{node: n, err: err}
	}
	defer unlock()
	o := m.attempt(n)
	if o.err == nil && o.lost == nil {
		o.artifacts, o.err = m.publish(n, o.result)
	}
	return o
}

// lock makes sure that no other process runs the same action.
func (m *machine) lock(n *node) (unlock func(), err error) {
	l, ok := m.opts.Store.(cache.Locker)
	if !ok {
		return func() {}, nil
	}
	return l.Lock(m.ctx, n.key, func(holder string) { m.note(n, Event{Waits: &Waits{For: holder}}) })
}

// perform runs the action unless another process has just done so.
func (m *machine) perform(ctx context.Context, n *node) outcome {
	if !n.force {
		if res := m.lookup(n); res != nil {
			return outcome{node: n, result: res, cached: true}
		}
	}
	if n.run.InMemory {
		return m.performInMemory(ctx, n)
	}
	root, err := sandbox.New(m.opts.Scratch)
	if err != nil {
		return outcome{node: n, err: fmt.Errorf("making a private directory: %w", err)}
	}
	defer root.Remove()
	job, lost, err := m.prepare(n, root)
	if lost != nil || err != nil {
		return outcome{node: n, lost: lost, err: err}
	}
	log := job.Log.(*logBuffer)
	res := m.newResult(n)
	ran := Ran{Worker: "in-process"}
	if n.run.InProcess {
		err = runHere(ctx, n.run, job)
	} else {
		ran, err = m.opts.Runner.Run(ctx, n.step.Kind.Name(), n.step.Verb, job)
		m.sandbox.warnOfWorkers(m)
	}
	res.Execution.Worker, res.Execution.PeakMemory = ran.Worker, ran.Peak
	if err != nil {
		if changed := m.sourcesUnchanged(n); changed != nil { // a file that was replaced cannot be read by workers any more
			err = changed
		}
		return m.failed(n, err, log, ran)
	}
	res.Execution.Wall = time.Since(res.Execution.Started)
	if err := m.sourcesUnchanged(n); err != nil {
		return outcome{node: n, err: err}
	}
	if err := leaks(root, n.step.Action.Outputs, value.Secrets(n.step.Params)); err != nil {
		return outcome{node: n, err: err}
	}
	res.Metrics = job.Metrics
	if err := m.commit(n, root, res, log.bytes()); err != nil {
		return outcome{node: n, err: err}
	}
	if ran.Keep != nil {
		made := map[string]string{}
		for _, o := range res.Outputs {
			made[o.Name] = o.Digest.String()
		}
		ran.Keep(made)
	}
	return outcome{node: n, result: res, cpu: ran.CPU}
}

// failed words the failure of a run, and keeps what it printed, so that it can be looked at later.
func (m *machine) failed(n *node, err error, log *logBuffer, ran Ran) outcome {
	o := outcome{node: n, err: log.hide.error(withLog(err, log.tail())), cpu: ran.CPU, worker: ran.Worker}
	if text := log.bytes(); len(text) > 0 && m.ctx.Err() == nil {
		if d, err := m.opts.Store.Put(m.ctx, bytes.NewReader(text)); err == nil { // or the record goes without
			o.log = d
		}
	}
	return o
}

// runHere runs a job in the process and turns a panic into an error.
func runHere(ctx context.Context, run Run, job *Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(job.Log, "panic: %v\n%s", p, debug.Stack())
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return run.Func(ctx, job)
}

// newJob makes the part of a job that does not depend on where it runs.
func (m *machine) newJob(n *node) *Job {
	return &Job{
		Addr: n.step.Addr, Params: value.Reveal(n.step.Params).(map[string]any), Backend: m.backend(n), Step: n.step.Work.Step, Limits: n.step.Limits,
		Inputs: make(map[string]JobInput, len(n.step.Action.Inputs)), Outputs: make(map[string]string, len(n.step.Action.Outputs)),
		Metrics: map[string]float64{}, Memory: &Memory{}, Next: m.next(n),
		Log: &logBuffer{hide: hider(value.Secrets(n.step.Params)), emit: func(line string) { m.note(n, Event{Log: &LogLine{Text: line}}) }},
		Progress: func(step, total int64, metrics map[string]float64) {
			m.note(n, Event{Progress: &Progress{Step: step, Total: total, Metrics: metrics}})
		},
	}
}

// next is Job.Next. It looks only at what does not change during an apply.
func (m *machine) next(n *node) map[string]any {
	a := n.step.Action
	if a.Series == "" {
		return nil
	}
	for _, d := range n.dependents {
		b := d.step.Action
		if b.Series != a.Series || b.Block != a.Block || b.Kind != a.Kind || b.Verb != a.Verb || d.step.Status == planner.Cached {
			continue
		}
		if !slices.ContainsFunc(b.Inputs, func(in planner.Input) bool {
			return in.Action != a && !slices.ContainsFunc(a.Inputs, func(own planner.Input) bool { return own.Source == in.Source })
		}) {
			return value.Reveal(d.step.Params).(map[string]any)
		}
	}
	return nil
}

// backend is the name of the backend that an action computes with, "" when it does not compute.
func (m *machine) backend(n *node) string {
	if !n.step.Compute {
		return ""
	}
	return m.plan.ToolchainOf(n.step.Action).Backend
}

// newResult begins the result of a run that starts now.
func (m *machine) newResult(n *node) *cache.ActionResult {
	res := new(cache.ActionResult)
	res.Execution.Started, res.Execution.Backend = time.Now().UTC(), m.backend(n)
	return res
}

// display names an input to the user. What an action of the same block has made of files of the user's goes by their names.
func display(a *planner.Action, s planner.Source) string {
	if s.Action.Block != a.Block {
		return s.String()
	}
	var files []string
	for _, in := range s.Action.Inputs {
		if in.Action == nil {
			files = append(files, in.File)
		}
	}
	if len(files) == 0 || len(files) > 2 {
		return s.String()
	}
	return strings.Join(files, " and ")
}

// prepare lays out the private root of an action. When the bytes of an input are gone it names the producer.
func (m *machine) prepare(n *node, root *sandbox.Root) (job *Job, lost *planner.Action, err error) {
	job = m.newJob(n)
	job.Scratch = root.Work()
	for i, in := range n.step.Action.Inputs {
		d := n.inputs[i]
		if in.Action == nil {
			path := filepath.Join(m.plan.Snapshot.Dir, filepath.FromSlash(in.File))
			job.Inputs[in.Name] = JobInput{Path: path, Digest: d.String(), Display: in.File}
			continue
		}
		path := root.Input(i)
		out, _ := output(m.nodes[in.Action.Index].result, in.Output)
		if err := cache.Materialize(m.ctx, m.opts.Store, out, path); err != nil {
			if errors.Is(err, cache.ErrNotFound) || errors.Is(err, cache.ErrCorrupt) {
				return nil, in.Action, nil
			}
			return nil, nil, fmt.Errorf("laying out input %s: %w", in.Source, err)
		}
		job.Inputs[in.Name] = JobInput{Path: path, Digest: d.String(), Display: display(n.step.Action, in.Source)}
	}
	for _, out := range n.step.Action.Outputs {
		path, err := root.Output(out.Name, out.Directory)
		if err != nil {
			return nil, nil, err
		}
		job.Outputs[out.Name] = path
	}
	return job, nil, m.sourcesUnchanged(n)
}

// sourcesUnchanged holds the files the action reads against the snapshot of the plan.
func (m *machine) sourcesUnchanged(n *node) error {
	for _, in := range n.step.Action.Inputs {
		if in.Action == nil && !m.plan.Snapshot.Unchanged(in.File) {
			return &Failure{Code: "source-changed", Summary: "Source changed during the apply",
				Detail: fmt.Sprintf("The file %q is no longer what the plan saw. Apply again.", in.File)}
		}
	}
	return nil
}

// commit stores what the run left behind: blobs, then the preimage, then the result.
func (m *machine) commit(n *node, root *sandbox.Root, res *cache.ActionResult, log []byte) error {
	ctx := context.WithoutCancel(m.ctx) // a finished run is not thrown away by a late interrupt
	for _, decl := range n.step.Action.Outputs {
		path := root.OutputPath(decl.Name)
		if err := root.Check(path, decl.Directory); err != nil {
			return &Failure{Code: "missing-output", Summary: "Output not produced",
				Detail: fmt.Sprintf("%s ended well but its output %q %v.", n.step.Addr, decl.Name, err)}
		}
		d, err := cache.PutPath(ctx, m.opts.Store, path, decl.Directory)
		if err != nil {
			return storeFailure(fmt.Errorf("storing output %q of %s: %w", decl.Name, n.step.Addr, err))
		}
		res.Outputs = append(res.Outputs, cache.Output{Name: decl.Name, MediaType: decl.MediaType, Digest: d, Directory: decl.Directory})
	}
	return m.record(ctx, n, res, log)
}

// record stores the log, the preimage, then the result, when all outputs are there. blobs are outputs that are not.
func (m *machine) record(ctx context.Context, n *node, res *cache.ActionResult, log []byte, blobs ...[]byte) error {
	if len(log) > 0 {
		res.Log = cache.Sum(log)
		blobs = append(blobs, log)
	}
	if err := cache.Commit(ctx, m.opts.Store, blobs, n.encoded, n.key, res); err != nil {
		return storeFailure(fmt.Errorf("recording the result of %s: %w", n.step.Addr, err))
	}
	n.encoded = nil // it may be the largest part of what is kept of an action
	return nil
}

// storeFailure words the failures of a store that the user can do something about.
func storeFailure(err error) error {
	f := &Failure{Code: "store", Summary: "Store not writable", Detail: err.Error()}
	switch {
	case errors.Is(err, cache.ErrReadOnly):
		f.Detail += ". Choose another store with MBUILD_CACHE, or make this one writable."
	case errors.Is(err, cache.ErrNoSpace):
		f.Summary = "Disk full"
		f.Detail += ". Free some space, or choose a store on another disk with MBUILD_CACHE, and apply again: nothing that was finished is lost."
	default:
		return err
	}
	return f
}

// withLog adds the tail of an action's log to an error that has no words of its own for the user.
func withLog(err error, tail string) error {
	var f *Failure
	if errors.As(err, &f) || tail == "" {
		return err
	}
	return &loggedError{err, tail}
}

// loggedError is an error of a run with the end of what it wrote.
type loggedError struct {
	err  error
	tail string
}

func (e *loggedError) Error() string {
	return fmt.Sprintf("%v\nThe end of its log:\n%s", e.err, e.tail)
}

func (e *loggedError) Unwrap() error { return e.err }

// logBuffer collects an action's log and passes on whole lines.
type logBuffer struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	partial int // start of the line that has no end yet
	hide    *secretHider
	emit    func(string)
}

// maxLog bounds the log that is kept of one action.
const maxLog = 4 << 20

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len()+len(p) > maxLog {
		return len(p), nil
	}
	l.buf.Write(p)
	for {
		rest := l.buf.Bytes()[l.partial:]
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		l.emit(l.hide.text(string(rest[:i])))
		l.partial += i + 1
	}
}

func (l *logBuffer) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hide == nil {
		return l.buf.Bytes()
	}
	return []byte(l.hide.text(l.buf.String()))
}

// tail is the last lines of the log, indented.
func (l *logBuffer) tail() string {
	lines := strings.Split(strings.TrimRight(string(l.bytes()), "\n"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return ""
	}
	if len(lines) > 40 {
		lines = lines[len(lines)-40:]
	}
	return "  " + strings.Join(lines, "\n  ")
}
