package view

import (
	"fmt"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
)

// Doctor prints what was looked at, and what to do about what is not well.
func (v *View) Doctor(d contract.Doctor) {
	area := ""
	for _, c := range d.Checks {
		if c.Area != area {
			area = c.Area
			fmt.Fprintln(v.out, v.paint(bold, area))
		}
		mark := map[string]string{"ok": v.paint(green, "ok     "), "warning": v.paint(yellow, "warning"), "problem": v.paint(red, "PROBLEM")}[c.Status]
		fmt.Fprintf(v.out, "  %s  %s: %s\n", mark, c.Name, c.Value)
		if c.Advice != "" {
			fmt.Fprintf(v.out, "           %s\n", c.Advice)
		}
	}
	if d.Problems == 0 {
		fmt.Fprintln(v.out, "No problems.")
		return
	}
	fmt.Fprintf(v.out, "Problems: %d.\n", d.Problems)
}
