package view

import (
	"fmt"
	"strings"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/planner"
)

// Saved prints a plan that was read from a file.
func (v *View) Saved(p *contract.Plan) {
	fmt.Fprintf(v.out, "mbuild %s, backend %s on %s\n", p.MbuildVersion, p.Toolchain.Backend, p.Toolchain.Platform)
	for _, name := range sortedKeys(p.Variables) {
		fmt.Fprintf(v.out, "  var.%s = %s\n", name, shown(p.Variables[name]))
	}
	width := 10
	for _, b := range p.Blocks {
		width = max(width, len(b.Address))
	}
	for _, b := range p.Blocks {
		if b.Status == planner.Cached && !v.opts.Verbose {
			continue
		}
		var why []string
		for i, r := range b.Reasons {
			if i == 3 {
				why = append(why, fmt.Sprintf("and %d more", len(b.Reasons)-3))
				break
			}
			why = append(why, ReasonText(r))
		}
		fmt.Fprintf(v.out, "%-8s %-*s  %s\n", b.Status, min(width, 48), b.Address, strings.Join(why, ", "))
	}
	for _, d := range p.Drift {
		fmt.Fprintf(v.out, "  ~ %s  %s\n", d.Path, DriftText(d))
	}
	s := p.Summary
	fmt.Fprintf(v.out, "Plan: %d to run, %d known after them, %d cached%s.  %s\n", s.Build, s.Unknown, s.Cached, blockedText(s), estimate(p.Estimate))
}
