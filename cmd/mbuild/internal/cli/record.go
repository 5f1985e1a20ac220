package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/planner/runs"
)

// phase begins a phase of planning; what it returns ends it. Phases are recorded with the run.
func (a *app) phase(name string) (done func()) {
	begin := time.Now()
	return func() {
		a.phases = append(a.phases, runs.Phase{Name: name, Start: begin.Sub(a.began).Seconds(), Seconds: time.Since(begin).Seconds()})
	}
}

// recorder writes the record of an apply from its events, and learns what actions cost.
type recorder struct {
	w       *runs.Writer
	dir     runs.Dir
	began   time.Time // of the process
	applied time.Time // of the apply itself, after planning and asking
	plan    *planner.Plan
	numbers []int // number of an action's last execution, by action index; -1 when it has none
	errors  map[*planner.Step]string
	running map[*planner.Step]launch
	learner runs.Learner

	busy    time.Duration // in which something ran
	since   time.Time     // of the stretch that is busy now
	gates   []runs.Gate
	arts    []runs.Artifact
	trace   string
	failure error
}

type launch struct {
	at     time.Time
	slot   int
	queued time.Duration
}

// record begins the record of an apply. An apply that has nothing to do leaves none, and one that cannot be recorded goes on
// without.
func (a *app) record(w *work, opts executor.Options, trace string) *recorder {
	r := &recorder{dir: runs.In(a.fs, a.dir), began: a.began, applied: time.Now(), plan: w.plan, trace: trace,
		errors: map[*planner.Step]string{}, running: map[*planner.Step]launch{}}
	if w.plan.Empty() && trace == "" {
		return r
	}
	r.numbers = make([]int, len(w.plan.Steps))
	for i := range r.numbers {
		r.numbers[i] = -1
	}
	r.w, r.failure = r.dir.Create(runs.Header{Started: a.began, Mbuild: Version, Args: a.safeArgs(w.spec), Toolchain: w.plan.Toolchain, Spec: specDigest(w.spec),
		Jobs: opts.Jobs, Planned: w.plan.Summary, Estimate: w.plan.Total.Seconds, Phases: a.phases})
	return r
}

// safeArgs are the arguments of the program without the values of sensitive variables.
func (a *app) safeArgs(spec *lang.Spec) []string {
	args := slices.Clone(a.args)
	hide := func(s string) string {
		if name, _, ok := strings.Cut(s, "="); ok && spec.Variables[name] == lang.Hidden {
			return name + "=" + lang.Hidden
		}
		return s
	}
	for i, arg := range args {
		dashes := arg[:len(arg)-len(strings.TrimLeft(arg, "-"))]
		switch body, isFlag := strings.CutPrefix(arg, dashes+"var="); {
		case isFlag && dashes != "":
			args[i] = dashes + "var=" + hide(body)
		case i > 0 && (args[i-1] == "-var" || args[i-1] == "--var"):
			args[i] = hide(arg)
		}
	}
	return args
}

// event takes one event of the apply.
func (r *recorder) event(e executor.Event) {
	if r.w == nil {
		return
	}
	switch {
	case e.Started != nil:
		if len(r.running) == 0 {
			r.since = e.Time
		}
		r.running[e.Step] = launch{e.Time, e.Started.Slot, e.Started.Queued}
		r.w.Start(e.Step.Addr, e.Started.Slot, e.Time.Sub(r.began))
	case e.Diagnostic != nil && e.Step != nil:
		r.errors[e.Step] = e.Diagnostic.Summary + ": " + e.Diagnostic.Detail
	case e.Finished != nil:
		r.finished(e)
	case e.Gate != nil:
		r.gates = append(r.gates, runs.Gate{Block: e.Gate.Block, Metric: e.Gate.Metric, Bound: e.Gate.Bound, Limit: e.Gate.Limit, Value: e.Gate.Value, Verdict: string(e.Gate.Verdict)})
	case e.Artifact != nil:
		r.arts = append(r.arts, runs.Artifact{Block: e.Artifact.Block, Path: e.Artifact.Path, Digest: e.Artifact.Digest.String(), Written: e.Artifact.Written})
	}
}

func (r *recorder) finished(e executor.Event) {
	l, ran := r.running[e.Step]
	if ran {
		delete(r.running, e.Step)
		if len(r.running) == 0 {
			r.busy += e.Time.Sub(r.since)
		}
	}
	f := e.Finished
	x := runs.Action{Addr: e.Step.Addr, Kind: e.Step.CostName(""), Key: f.Key.Digest(), Slot: l.slot, Queue: l.queued, CPU: f.CPU, Worker: f.Worker, Log: f.Log}
	switch f.State {
	case executor.Built:
		x.State = runs.Built
	case executor.Failed:
		x.State, x.Error = runs.Failed, r.errors[e.Step]
	case executor.Skipped:
		x.State, x.Error = runs.Skipped, f.Why
	default:
		return // cached: counted at the end
	}
	if ran && !f.Began.IsZero() {
		x.Start, x.Wall = f.Began.Sub(r.began), time.Duration(f.Seconds*float64(time.Second))
	}
	if len(e.Step.Reasons) > 0 {
		x.Reason = e.Step.Reasons[0]
	}
	if res := f.Result; res != nil && f.State == executor.Built {
		x.Log, x.Memory = res.Log, res.Execution.PeakMemory
		for _, o := range res.Outputs {
			x.Store += o.Digest.Size()
		}
		r.learner.Learn(e.Step.CostName(res.Execution.Backend), x.Wall.Seconds(), res)
	}
	if f.State != executor.Skipped {
		e.Step.Dependencies(func(d *planner.Action) {
			if n := r.numbers[d.Index]; n >= 0 && !slices.Contains(x.Deps, n) {
				x.Deps = append(x.Deps, n)
			}
		})
	}
	r.numbers[e.Step.Index] = r.w.Add(&x)
}

// close ends the record, keeps what was learned, and writes the trace that was asked for.
func (r *recorder) close(a *app, res *executor.Result) {
	if r.w == nil {
		a.recordFailed(r.failure)
		return
	}
	if len(r.running) > 0 { // an apply that was stopped
		r.busy += time.Since(r.since)
	}
	err := r.w.Close(runs.End{Seconds: time.Since(r.began).Seconds(), Built: res.Built, Cached: res.Cached, Failed: res.Failed, Skipped: res.Skipped,
		ExitCode: a.code, Interrupted: res.Interrupted, Gates: r.gates, Artifacts: r.arts})
	if res.Built > 0 && err == nil {
		fixed := -1.0
		if res.Failed == 0 && !res.Interrupted {
			fixed = max(0, (time.Since(r.applied) - r.busy).Seconds())
			for _, p := range a.phases {
				fixed += p.Seconds
			}
		}
		err = r.dir.Keep(&r.learner, fixed)
	}
	a.recordFailed(err)
	if r.trace == "" || err != nil {
		return
	}
	run, err := r.dir.Read(r.w.ID())
	if err == nil {
		err = writeTrace(r.trace, run)
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "Warning: no trace was written: %v\n", err)
	}
}

func (a *app) recordFailed(err error) {
	if err != nil {
		fmt.Fprintf(a.stderr, "Warning: this run is not recorded: %v\n", err)
	}
}

// writeTrace writes the trace of a run to a file.
func writeTrace(path string, run *runs.Run) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = runs.WriteTrace(f, run.Trace())
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
