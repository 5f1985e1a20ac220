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
		if !x.Promised {
			fmt.Fprintln(v.out, "    its kind does not promise equal bytes, so this is no failure")
		}
	}
	word := "all equal to the bit"
	if n := len(d.Divergences); n > 0 {
		word = fmt.Sprintf("%d different", n)
	}
	fmt.Fprintf(v.out, "%d actions built again, %s.\n", d.Verified, word)
}
