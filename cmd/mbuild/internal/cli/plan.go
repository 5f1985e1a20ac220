package cli

import (
	"encoding/json"
	"fmt"
	"os"

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
			if out == "" {
				if res := a.idle(f); res != nil {
					a.view().Idle(res.Cached, "")
					return nil
				}
			}
			w, err := a.makePlan(cmd.Context(), f)
			if err != nil {
				return err
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
				if err := writePlanFile(out, planFile{Plan: doc, Dir: a.dir, Vars: a.vars, VarFiles: a.varFiles, Targets: f.targets, Replace: f.replace}); err != nil {
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
	c.Flags().StringArrayVar(&f.replace, "replace", nil, "run the block at this `address` even though it is cached; may be repeated")
	c.Flags().BoolVar(&f.noCache, "no-cache", false, "run everything, whatever is cached")
}

// planFile is what plan -out writes: the plan as a document, and how to make it again. apply makes it again and refuses when
// it came out different.
type planFile struct {
	Plan     *contract.Plan `json:"plan"`
	Dir      string         `json:"dir"`
	Vars     []string       `json:"vars"`
	VarFiles []string       `json:"var_files"`
	Targets  []string       `json:"targets"`
	Replace  []string       `json:"replace"`
}

func writePlanFile(path string, f planFile) error {
	b, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

func readPlanFile(path string) (*planFile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := new(planFile)
	if err := json.Unmarshal(b, f); err != nil || f.Plan == nil {
		return nil, fmt.Errorf("%s is no plan file of mbuild", path)
	}
	if f.Plan.FormatVersion != contract.FormatVersion {
		return nil, fmt.Errorf("%s is a plan of format %s; this mbuild reads %s", path, f.Plan.FormatVersion, contract.FormatVersion)
	}
	return f, nil
}

// same reports whether two plans would do the same.
func same(a, b *contract.Plan) bool {
	if a.SpecDigest != b.SpecDigest || len(a.Actions) != len(b.Actions) || a.Toolchain != b.Toolchain {
		return false
	}
	for i := range a.Actions {
		x, y := a.Actions[i], b.Actions[i]
		if x.Address != y.Address || x.Status != y.Status || deref(x.Key) != deref(y.Key) {
			return false
		}
	}
	return true
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
