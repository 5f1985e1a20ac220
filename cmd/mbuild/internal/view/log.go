package view

import (
	"fmt"
	"strings"
	"time"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/planner/runs"
)

// Log lists runs.
func (v *View) Log(d contract.Log) {
	if len(d.Runs) == 0 {
		fmt.Fprintln(v.out, "No run is recorded here yet: mbuild apply records what it runs.")
		return
	}
	for _, r := range d.Runs {
		fmt.Fprintf(v.out, "%s  %s  %9s  %s  %s\n", r.Run, v.status(r.Status), Duration(r.Seconds), counts(r), v.paint(faint, strings.Join(r.Args, " ")))
	}
}

func (v *View) status(s string) string {
	padded := fmt.Sprintf("%-17s", s)
	switch s {
	case "ok":
		return v.paint(green, padded)
	case "running":
		return padded
	case "interrupted", "gate inconclusive":
		return v.paint(yellow, padded)
	}
	return v.paint(red, padded)
}

func counts(r contract.RunSummary) string {
	text := fmt.Sprintf("%d built, %d cached", r.Built, r.Cached)
	if r.Failed > 0 {
		text += fmt.Sprintf(", %d failed", r.Failed)
	}
	if r.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", r.Skipped)
	}
	return text
}

// Executions lists what ran; with errors where they are asked for.
func (v *View) Executions(d contract.LogActions, errors bool) {
	fmt.Fprintf(v.out, "run %s, %s: %s in %s\n", d.Run.Run, d.Run.Status, counts(d.Run), Duration(d.Run.Seconds))
	for _, x := range d.Actions {
		fmt.Fprintf(v.out, "%9s  %-7s  %s%s\n", Duration(x.Seconds), v.result(x.Result), x.Address, v.why(x))
		if errors && x.Error != "" {
			fmt.Fprintf(v.out, "  %s\n", strings.ReplaceAll(x.Error, "\n", "\n  "))
			if x.Log != nil {
				fmt.Fprintf(v.out, "  What it printed: mbuild log show %s '%s'\n", d.Run.Run, x.Address)
			}
		}
	}
	if d.Run.Omitted > 0 {
		fmt.Fprintf(v.out, "%d more are not listed: the record was full.\n", d.Run.Omitted)
	}
}

func (v *View) result(s string) string {
	switch s {
	case "built":
		return v.paint(green, s)
	case "failed":
		return v.paint(red, s)
	}
	return s
}

func (v *View) why(x contract.Execution) string {
	if len(x.Reasons) == 0 {
		return ""
	}
	return "  " + v.paint(faint, ranBecause(x.Reasons[0]))
}

// ranBecause is a reason in words, afterwards: what was waited for has come.
func ranBecause(r planner.Reason) string {
	if r.Code == "input" && r.Before == nil && r.After == nil {
		return "after " + r.From
	}
	return ReasonText(r)
}

// CriticalPath lists the links of the longest chain.
func (v *View) CriticalPath(d contract.LogActions) {
	var run, wait float64
	for _, x := range d.Actions {
		run += x.Seconds
		wait += *x.Wait
		fmt.Fprintf(v.out, "%9s  %s", Duration(x.Seconds), x.Address)
		if *x.Wait > 0.001 {
			fmt.Fprintf(v.out, "  %s", v.paint(faint, "after waiting "+Duration(*x.Wait)))
		}
		fmt.Fprintln(v.out)
	}
	fmt.Fprintf(v.out, "%s of %s on the critical path, and %s between its actions.\n", Duration(run), Duration(d.Run.Seconds), Duration(wait))
}

// maxTimes bounds the list of times that differ.
const maxTimes = 10

// RunDiff prints how two runs differ.
func (v *View) RunDiff(d *contract.LogDiff) {
	for _, r := range []contract.RunSummary{d.Before, d.After} {
		fmt.Fprintf(v.out, "run %s, %s: %s in %s\n", r.Run, r.Status, counts(r), Duration(r.Seconds))
	}
	if d.Before.Mbuild != d.After.Mbuild {
		fmt.Fprintf(v.out, "mbuild %s -> %s\n", d.Before.Mbuild, d.After.Mbuild)
	}
	for _, r := range d.Toolchain {
		fmt.Fprintln(v.out, ReasonText(r))
	}
	for _, c := range d.Actions {
		fmt.Fprintf(v.out, "  %s  %s\n", c.Address, changeText(c))
		for _, r := range c.Changes {
			fmt.Fprintf(v.out, "      %s\n", ReasonText(r))
		}
	}
	for i, t := range d.Times {
		if i == maxTimes {
			break
		}
		fmt.Fprintf(v.out, "  %9s -> %9s  %s\n", Duration(t.Before), Duration(t.After), t.Address)
	}
	if len(d.Actions)+len(d.Times) == 0 {
		fmt.Fprintln(v.out, "Neither ran anything that the other did.")
	}
}

func changeText(c contract.LogChange) string {
	switch {
	case c.Before == nil:
		return "only in the second run: " + c.After.Result
	case c.After == nil:
		return "only in the first run: " + c.Before.Result
	case c.Before.Result != c.After.Result:
		return c.Before.Result + " -> " + c.After.Result
	}
	return "another key"
}

// Run prints a run.
func (v *View) Run(d contract.RunSummary, r *runs.Run) {
	fmt.Fprintf(v.out, "run        %s\nstatus     %s\nstarted    %s\n", d.Run, d.Status, r.Started.Local().Format(time.DateTime))
	fmt.Fprintf(v.out, "took       %s", Duration(d.Seconds))
	if d.Estimate > 0 {
		fmt.Fprintf(v.out, " (the plan said %s)", Duration(d.Estimate))
	}
	fmt.Fprintf(v.out, "\nactions    %s\nslots      %d\nmbuild     %s, backend %s on %s\narguments  %s\nspec       %s\n",
		counts(d), d.Jobs, d.Mbuild, d.Toolchain.Backend, d.Toolchain.Platform, strings.Join(d.Args, " "), d.Spec)
	for _, p := range r.Phases {
		fmt.Fprintf(v.out, "phase      %-9s %s\n", p.Name, Duration(p.Seconds))
	}
	for _, x := range r.With(runs.Running) {
		fmt.Fprintf(v.out, "running    %s\n", x.Addr)
	}
	if r.End == nil {
		return
	}
	for _, g := range r.End.Gates {
		fmt.Fprintf(v.out, "gate       %s %s %s: %.4f against %g\n", g.Verdict, g.Block, g.Metric, g.Value, g.Limit)
	}
	for _, a := range r.End.Artifacts {
		state := "unchanged"
		if a.Written {
			state = "written"
		}
		fmt.Fprintf(v.out, "artifact   %s (%s)\n", a.Path, state)
	}
}

// Execution prints one action of a run and what it printed.
func (v *View) Execution(d contract.LogShow) {
	x := d.Action
	fmt.Fprintf(v.out, "%s  %s in run %s\n", v.paint(bold, x.Address), v.result(x.Result), d.Run.Run)
	for _, r := range x.Reasons {
		fmt.Fprintf(v.out, "  why        %s\n", ranBecause(r))
	}
	fmt.Fprintf(v.out, "  time       %s, from %s on, queued for %s\n", Duration(x.Seconds), Duration(x.Start), Duration(x.Queued))
	fmt.Fprintf(v.out, "  where      slot %d", x.Slot+1)
	if x.Worker != "" {
		fmt.Fprintf(v.out, ", %s", x.Worker)
	}
	fmt.Fprintln(v.out)
	if x.CPU != nil {
		fmt.Fprintf(v.out, "  processor  %s\n", Duration(*x.CPU))
	}
	if x.Memory != nil {
		fmt.Fprintf(v.out, "  memory     %s\n", Bytes(*x.Memory))
	}
	if x.Store > 0 {
		fmt.Fprintf(v.out, "  store      %s\n", Bytes(x.Store))
	}
	if x.Key != nil {
		fmt.Fprintf(v.out, "  key        %s\n", *x.Key)
	}
	if x.Error != "" {
		fmt.Fprintf(v.out, "  error      %s\n", strings.ReplaceAll(x.Error, "\n", "\n             "))
	}
	switch {
	case d.Text != nil:
		fmt.Fprintf(v.out, "\n%s", *d.Text)
		if !strings.HasSuffix(*d.Text, "\n") {
			fmt.Fprintln(v.out)
		}
	case x.Log != nil:
		fmt.Fprintln(v.out, "\nWhat it printed is no longer in the store.")
	}
}
