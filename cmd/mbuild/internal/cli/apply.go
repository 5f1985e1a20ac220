package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/worker"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/planner/project"
)

func (a *app) applyCmd() *cobra.Command {
	var f planFlags
	var approve, keepGoing, force bool
	var trace string
	c := &cobra.Command{
		Use:   "apply [PLANFILE]",
		Short: "Run what is missing, judge the gates, write the artifacts",
		Long:  "apply plans, asks, runs what is not cached, and writes the artifacts whose gates have passed. Interrupted, it leaves a\nconsistent store, and the next apply goes on after the last finished action.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var saved *planFile
			if len(args) == 1 {
				var err error
				if saved, err = readPlanFile(args[0]); err != nil {
					return err
				}
				if err := a.adopt(saved, &f, cmd); err != nil {
					return err
				}
			}
			if err := checkLockMode(f.lockfile); err != nil {
				return err
			}
			start := time.Now()
			f.whole, f.apply = a.json || a.verbose || saved != nil || trace != "", true
			w, err := a.makePlan(cmd.Context(), f)
			if interrupted(cmd.Context(), err) {
				a.code = exitInterrupted
			}
			if err != nil {
				return a.failEarly(start, err)
			}
			defer w.close()
			if w.idle {
				res := w.unchanged(start)
				a.view().Diagnostics(w.diags, nil)
				a.view().Result(res)
				a.code = exitCode(res, false)
				return reported(a.code)
			}
			if w.plan == nil {
				return a.failDiagnostics(start, w)
			}
			if saved != nil {
				if moved := saved.moved(contract.PlanOf(w.plan, Version, specDigest(w.spec), w.diags), lockDigest(a.dir)); len(moved) > 0 {
					a.code = exitStale
					return a.failEarly(start, fmt.Errorf("the plan %s is stale: %s. Make a new one with mbuild plan -out", args[0], strings.Join(moved, "; ")))
				}
			}
			if err := a.approve(w, approve || saved != nil); err != nil {
				return a.failEarly(start, err)
			}
			return a.run(cmd.Context(), w, f, executor.Options{Jobs: f.jobs, KeepGoing: keepGoing, NoCache: f.noCache}, force, trace)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&approve, "auto-approve", false, "do not ask")
	c.Flags().StringVar(&trace, "trace", "", "write a trace of the run to a `file` that Perfetto (ui.perfetto.dev) and chrome://tracing open")
	c.Flags().IntVarP(&f.jobs, "jobs", "j", 0, "actions at a time (default: number of CPUs)")
	c.Flags().BoolVar(&keepGoing, "keep-going", false, "after a failure go on with what does not depend on it")
	c.Flags().BoolVar(&force, "force", false, "let artifacts overwrite files that mbuild did not write; they are named")
	return c
}

// approve shows the plan and asks, unless nothing would run or the answer was given.
func (a *app) approve(w *work, given bool) error {
	if !a.json {
		a.view().Diagnostics(w.diags, w.spec.Files)
		if !w.plan.Empty() {
			a.view().Plan(w.plan)
		}
	}
	if given || w.plan.Empty() {
		return nil
	}
	f, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || a.json {
		return errors.New("standard input is no terminal, so apply cannot ask. Use -auto-approve, or make a plan file first: mbuild plan -out FILE, mbuild apply FILE")
	}
	fmt.Fprint(a.stdout, "\nRun this? Only \"yes\" is taken as yes: ")
	line, _ := bufio.NewReader(f).ReadString('\n')
	if strings.TrimSpace(line) != "yes" {
		return errors.New("not approved; nothing was run")
	}
	return nil
}

// run executes the plan and prints what happens.
func (a *app) run(ctx context.Context, w *work, f planFlags, opts executor.Options, force bool, trace string) error {
	pool := workers(w.plan, w.backends, w.store.Scratch())
	defer pool.Close()
	if opts.Jobs <= 0 {
		opts.Jobs = runtime.GOMAXPROCS(0)
	}
	var known map[string]planner.ArtifactState
	if m := w.project.Memory; m != nil {
		known = m.Artifacts
	}
	arts := executor.NewArtifacts(a.dir, known)
	arts.Force = force
	opts.Kinds, opts.Store, opts.Runner, opts.Project, opts.Scratch = a.kinds, w.store, pool, arts, w.store.Scratch()
	var finish func(*executor.Result)
	if a.json {
		opts.Events, finish = a.jsonEvents(w.plan)
	} else {
		live := a.view().Live(w.plan, opts.Jobs, w.spec.Files)
		opts.Events, finish = live.Event, live.Close
	}
	rec, show := a.record(w, opts, trace), opts.Events
	opts.Events = func(e executor.Event) {
		rec.event(e)
		show(e)
	}
	w.project.Begin(w.plan)
	res, diags := executor.Apply(ctx, w.plan, opts)
	w.merge(res)
	if w.project.Memory == nil {
		w.project.Memory = &project.Memory{}
	}
	w.project.Memory.Artifacts = arts.Known()
	pins := a.pinUsed(w, res)
	a.rememberApply(context.WithoutCancel(ctx), w, f, res)
	w.project.End()
	a.makeRoom(ctx, w)
	a.code = exitCode(res, diags.HasErrors())
	rec.close(a, res)
	if a.json {
		a.jsonPins(pins)
	}
	finish(res)
	if !a.json {
		a.view().Pinned(pins)
	}
	return reported(a.code)
}

// reported is the error of a command that has said how it ended.
func reported(code int) error {
	if code == exitOK {
		return nil
	}
	return errReported
}

func exitCode(res *executor.Result, failed bool) int {
	counts := gateCounts(res)
	switch {
	case res.Interrupted:
		return exitInterrupted
	case failed:
		return exitError
	case counts.Fail > 0:
		return exitGateFailed
	case counts.Inconclusive > 0:
		return exitInconclusive
	}
	return exitOK
}

func gateCounts(res *executor.Result) contract.Gates {
	var g contract.Gates
	for _, r := range res.Gates {
		switch r.Verdict {
		case planner.Pass:
			g.Pass++
		case planner.Fail:
			g.Fail++
		default:
			g.Inconclusive++
		}
	}
	return g
}

// jsonEvents writes one object a line.
func (a *app) jsonEvents(p *planner.Plan) (func(executor.Event), func(*executor.Result)) {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	now := func() string { return contract.Stamp(time.Now()) }
	enc.Encode(contract.Event{Type: "version", Time: now(), Mbuild: Version, FormatVersion: contract.FormatVersion})
	enc.Encode(contract.Event{Type: "plan_summary", Time: now(), Summary: &p.Summary})
	return func(e executor.Event) { enc.Encode(contract.EventOf(e)) }, func(res *executor.Result) {
		enc.Encode(contract.Complete{Type: "apply_complete", Time: now(), Built: res.Built, Cached: res.Cached, Failed: res.Failed, Skipped: res.Skipped,
			Gates: gateCounts(res), Seconds: res.Seconds, ExitCode: a.code})
	}
}

// jsonPins writes a line for each file that was pinned.
func (a *app) jsonPins(pins []contract.Pin) {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	for _, p := range pins {
		enc.Encode(contract.Event{Type: "pin", Time: contract.Stamp(time.Now()), Path: p.Path, Digest: &p.Digest})
	}
}

// failEarly ends an apply that never began; under -json with the lines that always come.
func (a *app) failEarly(start time.Time, err error) error {
	if a.code == exitOK {
		a.code = exitError
	}
	if !a.json {
		return err
	}
	enc := json.NewEncoder(a.stdout)
	now := contract.Stamp(time.Now())
	enc.Encode(contract.DiagnosticLine{Type: "diagnostic", Time: now, Diagnostic: contract.Diagnostic{Severity: "error", Code: "apply", Summary: "Apply did not begin", Detail: err.Error()}})
	enc.Encode(contract.Complete{Type: "apply_complete", Time: now, Seconds: time.Since(start).Seconds(), ExitCode: a.code})
	return errReported
}

func (a *app) failDiagnostics(start time.Time, w *work) error {
	if !a.json {
		return a.report(w.spec, w.diags)
	}
	a.code = exitError
	enc := json.NewEncoder(a.stdout)
	now := contract.Stamp(time.Now())
	for _, d := range w.diags {
		enc.Encode(contract.DiagnosticLine{Type: "diagnostic", Time: now, Diagnostic: contract.DiagnosticOf(d)})
	}
	enc.Encode(contract.Complete{Type: "apply_complete", Time: now, Seconds: time.Since(start).Seconds(), ExitCode: a.code})
	return errReported
}

// manySources is when workers may read the whole project rather than each file that the plan names.
const manySources = 4096

// workers returns a pool whose workers reach what a plan declares: its source files, the plugins of its backends, and the
// scratch directory.
func workers(plan *planner.Plan, b *backends, scratch string) *worker.Pool {
	c := worker.Confinement{Write: []string{scratch}}
	os.MkdirAll(scratch, 0o755) // a failure shows when the first root is made in it
	if files := plan.Graph.Files; len(files) <= manySources {
		for _, f := range files {
			c.Read = append(c.Read, filepath.Join(plan.Snapshot.Dir, filepath.FromSlash(f.Path)))
		}
	} else {
		c.Read = append(c.Read, plan.Snapshot.Dir)
	}
	c.Read = append(c.Read, b.files()...)
	pool := worker.NewPool()
	pool.Environment = b.environment
	pool.Confine(c)
	return pool
}
