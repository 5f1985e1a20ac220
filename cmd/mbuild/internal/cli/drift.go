package cli

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/planner"
)

func (a *app) driftCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "drift",
		Short: "Say which artifacts are no longer what apply wrote",
		Long:  "drift compares the artifacts in the project with what the store has for them, and changes nothing. It exits with 2 when one was\nedited, replaced or deleted; apply writes it again.",
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
				fmt.Fprintf(a.stdout, "%s  %s  %s\n", d.Path, d.Block, d.Change)
			}
			if len(drift) == 0 {
				fmt.Fprintln(a.stdout, "No drift.")
			}
			return nil
		},
	}
}

func nonNil(d []planner.Drift) []planner.Drift {
	if d == nil {
		return []planner.Drift{}
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
