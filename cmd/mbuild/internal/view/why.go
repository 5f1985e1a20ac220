package view

import (
	"fmt"
	"strings"
	"time"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/planner"
)

// Why prints an explanation: the status, what changed, where it began, and how the action ran last.
func (v *View) Why(d *contract.Why) {
	fmt.Fprintf(v.out, "%s  %s%s\n", v.paint(bold, d.Address), d.Status, whyText(d))
	for _, g := range d.Gates {
		op := map[string]string{"min": "at least", "max": "at most"}[g.Bound]
		fmt.Fprintf(v.out, "  gate %s: %s is %.4g and must be %s %g\n", g.Address, g.Metric, g.Value, op, g.Limit)
	}
	if d.Status == planner.Cached && len(d.Changes) > 0 {
		fmt.Fprintln(v.out, "  its last change:")
	}
	for _, r := range d.Changes {
		fmt.Fprintf(v.out, "  %s\n", ReasonText(r))
	}
	if d.Status == planner.Cached && len(d.Changes) == 0 {
		fmt.Fprintln(v.out, "  nothing has changed since it was first built")
	}
	for _, c := range d.Causes {
		if len(c.Via) == 0 {
			continue // it lies here, and was just said
		}
		fmt.Fprintf(v.out, "  it began in %s%s:\n", v.paint(bold, c.Addr), wayText(c.Via))
		for _, r := range c.Reasons {
			fmt.Fprintf(v.out, "    %s\n", ReasonText(r))
		}
	}
	if d.Last != nil {
		v.lastRun(d)
	}
}

// whyText is the status in a few words.
func whyText(d *contract.Why) string {
	switch d.Status {
	case planner.Cached:
		return ": the store has its result, and nothing that it depends on has changed"
	case planner.Build:
		return ": it would run, because"
	case planner.Extend:
		return fmt.Sprintf(": %d of its actions are cached, and %d would run on top of them, because", d.Actions.Cached, d.Actions.Build+d.Actions.Unknown)
	case planner.Unknown:
		return ": what it works on does not exist yet"
	case planner.Blocked:
		return ": a gate before it has not passed"
	}
	return ""
}

// wayText is the way from a cause to what was asked about, the middle of a long one left out.
func wayText(via []string) string {
	between := via[:len(via)-1]
	switch n := len(between); {
	case n == 0:
		return ""
	case n > 4:
		return fmt.Sprintf(", by way of %s, %d more and %s", between[0], n-2, between[n-1])
	}
	return ", by way of " + strings.Join(between, ", ")
}

func (v *View) lastRun(d *contract.Why) {
	l := d.Last
	when := l.Time
	if t, err := time.Parse(time.RFC3339Nano, l.Time); err == nil {
		when = t.Local().Format(time.DateTime)
	}
	if l.Run == nil {
		fmt.Fprintf(v.out, "  built %s in %s; no run of this project that is still recorded did it\n", when, Duration(l.Seconds))
		return
	}
	switch l.Result {
	case "failed":
		fmt.Fprintf(v.out, "  %s in run %s, %s: %s\n", v.paint(red, "failed"), *l.Run, when, firstLine(l.Error))
		fmt.Fprintf(v.out, "  more: mbuild log show %s '%s'\n", *l.Run, d.Address)
	case "skipped":
		fmt.Fprintf(v.out, "  skipped in run %s, %s: %s\n", *l.Run, when, l.Error)
	default:
		why := ""
		if len(l.Reasons) > 0 {
			why = ", because: " + ranBecause(l.Reasons[0])
		}
		fmt.Fprintf(v.out, "  %s in run %s, %s, in %s%s\n", l.Result, *l.Run, when, Duration(l.Seconds), why)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
