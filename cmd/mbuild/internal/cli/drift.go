package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cmd/mbuild/internal/view"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
)

func (a *app) driftCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "drift",
		Short: "Say which artifacts are no longer what apply wrote",
		Long:  "drift compares the artifacts in the project with what the store has for them, and changes nothing. It exits with 2 when one was\nedited, replaced or deleted; apply writes it again. Files that mbuild did not write are left alone unless apply has -force.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := a.makePlan(cmd.Context(), planFlags{})
			if err != nil {
				return err
			}
			defer w.close()
			var drift []planner.Drift
			switch {
			case w.plan != nil:
				drift = w.plan.Drift
			case !w.idle:
				return a.report(w.spec, w.diags)
			}
			if len(drift) > 0 {
				a.code = exitChanges
			}
			if a.json {
				return a.writeJSON(map[string]any{"format_version": "1.0", "drift": nonNil(drift)})
			}
			for _, d := range drift {
				fmt.Fprintf(a.stdout, "%s  %s  %s\n", d.Path, d.Block, view.DriftText(d))
			}
			if len(drift) == 0 {
				fmt.Fprintln(a.stdout, "No drift.")
			}
			return nil
		},
	}
}

// inTheWay warns of foreign files where a step that is still to run will want to write: better now than after hours.
func inTheWay(p *planner.Plan) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, d := range p.InTheWay {
		b := p.Block(d.Block)
		x := lang.Errorf("foreign-file", b.Block.Addr, b.Block.RangeOf("path", false), "File in the way",
			"%s exists, and mbuild did not write it. Unless the build gives the same bytes, apply will leave it alone and fail: move it away, choose another path, or use apply -force.", d.Path)
		x.Severity = hcl.DiagWarning
		diags = append(diags, x)
	}
	return diags
}

// nonNil is the list, and an empty one for none: JSON tells them apart.
func nonNil[T any](d []T) []T {
	if d == nil {
		return []T{}
	}
	return d
}

// makeWritable lets everything in a tree be removed.
func makeWritable(dir string) {
	_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(p, 0o755)
		}
		return nil
	})
}
