package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
)

func (a *app) planCmd() *cobra.Command {
	var f planFlags
	var out string
	var detailed bool
	c := &cobra.Command{
		Use:   "plan",
		Short: "Say what apply would run, and why",
		Long:  "plan evaluates the spec, asks the store for every result whose inputs are known, and says for each block whether it is\ncached, what would run, and what changed. It changes nothing.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkLockMode(f.lockfile); err != nil {
				return err
			}
			f.whole = a.json || a.verbose || out != ""
			w, err := a.makePlan(cmd.Context(), f)
			if err != nil {
				return err
			}
			defer w.close()
			if w.idle {
				a.view().Diagnostics(w.diags, nil)
				a.view().Idle(w.project.Memory.Actions(), "")
				return nil
			}
			if w.plan == nil {
				if a.json {
					a.writeJSON(failedPlanJSON(w))
					return errReported
				}
				return a.report(w.spec, w.diags)
			}
			var doc *contract.Plan
			if out != "" || a.json {
				doc = contract.PlanOf(w.plan, Version, specDigest(w.spec), w.diags)
			}
			if out != "" {
				if err := a.newPlanFile(w, f, doc).write(out); err != nil {
					return err
				}
			}
			if detailed && !w.plan.Empty() {
				a.code = exitChanges
			}
			if a.json {
				return a.writeJSON(doc)
			}
			a.view().Diagnostics(w.diags, w.spec.Files)
			a.view().Plan(w.plan)
			a.rememberPlan(cmd.Context(), w, f)
			if out != "" {
				fmt.Fprintf(a.stdout, "\nWritten to %s. To run exactly this: mbuild apply %s\n", out, out)
			}
			return nil
		},
	}
	f.add(c)
	c.Flags().StringVar(&out, "out", "", "write the plan to a `file` that apply takes")
	c.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 2 when something would run")
	return c
}

func (f *planFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.targets, "target", nil, "plan only the block at this `address` and what it needs; may be repeated")
	c.Flags().StringArrayVar(&f.exclude, "exclude", nil, "leave out the block at this `address` and what depends on it; may be repeated")
	c.Flags().StringArrayVar(&f.replace, "replace", nil, "run the block or action at this `address` even though it is cached; may be repeated")
	c.Flags().StringVar(&f.lockfile, "lockfile", lockUpdate, "`mode` of mbuild.lock.hcl: update lets apply pin checkpoints and tokenizers that it does not have, readonly makes them errors")
	c.Flags().BoolVar(&f.noCache, "no-cache", false, "run everything, whatever is cached")
}
