package view

import (
	"encoding/json"
	"fmt"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
)

// Show prints what is known of a block.
func (v *View) Show(d *contract.Show) {
	fmt.Fprintf(v.out, "%s  %s\n", v.paint(bold, d.Address), d.Status)
	for _, name := range sortedKeys(d.Outputs) {
		o := d.Outputs[name]
		fmt.Fprintf(v.out, "  %-12s %s  %s\n", name, o.MediaType, *o.Digest)
		if o.Path != "" {
			fmt.Fprintf(v.out, "  %-12s %s\n", "", o.Path)
		}
	}
	for _, name := range sortedKeys(d.Metrics) {
		fmt.Fprintf(v.out, "  %-16s %.6g\n", name, d.Metrics[name])
	}
	if h, ok := d.History.([]any); ok {
		for _, e := range h {
			b, _ := json.Marshal(e)
			fmt.Fprintf(v.out, "  %s\n", b)
		}
	}
}
