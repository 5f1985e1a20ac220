package view

import (
	"fmt"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
)

// Verify prints what was built again and what came out different.
func (v *View) Verify(d *contract.Verify) {
	for _, x := range d.Divergences {
		mark := v.paint(red, "DIFFERS")
		if !x.Promised {
			mark = v.paint(yellow, "differs")
		}
		where := x.Output
		if x.Path != "" {
			where += "/" + x.Path
		}
		fmt.Fprintf(v.out, "%s  %s  %s: %s\n", mark, x.Address, where, x.Detail)
		fmt.Fprintf(v.out, "    before %s\n    now    %s\n", x.Before, x.After)
	}
	word := "all equal to the bit"
	if n := len(d.Divergences); n > 0 {
		word = fmt.Sprintf("%d different", n)
	}
	for _, addr := range d.Skipped {
		fmt.Fprintf(v.out, "left out  %s: its kind promises nothing about its bytes\n", addr)
	}
	if d.Within > 0 {
		word += fmt.Sprintf(", %d within the tolerance of their kinds", d.Within)
	}
	fmt.Fprintf(v.out, "%d actions built again, %s.\n", d.Verified, word)
}
