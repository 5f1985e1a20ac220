package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

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

// movedSince says what is not as it was when a plan was written, in words; none when the plan would do the same now.
func movedSince(a, b *contract.Plan) []string {
	var moved []string
	if a.Toolchain != b.Toolchain {
		moved = append(moved, fmt.Sprintf("the toolchain was %s (%s) and is %s (%s)", a.Toolchain.Backend, a.Toolchain.Platform, b.Toolchain.Backend, b.Toolchain.Platform))
	}
	before := map[string]contract.Action{}
	for _, x := range a.Actions {
		before[x.Address] = x
	}
	sources, stored, actions := map[string]bool{}, 0, 0
	for _, y := range b.Actions {
		x, ok := before[y.Address]
		if !ok {
			actions++
			continue
		}
		delete(before, y.Address)
		found := false
		for name, in := range y.Inputs {
			if file, isFile := strings.CutPrefix(in.From, "file:"); isFile && deref(in.Digest) != deref(x.Inputs[name].Digest) {
				sources[file], found = true, true
			}
		}
		switch {
		case found:
		case deref(x.Key) == deref(y.Key) && x.Status != y.Status:
			stored++
		case deref(x.Key) != deref(y.Key):
			actions++
		}
	}
	for _, f := range slices.Sorted(maps.Keys(sources)) {
		moved = append(moved, fmt.Sprintf("the source %q has changed", f))
	}
	if a.SpecDigest != b.SpecDigest {
		moved = append(moved, "the spec has changed")
	} else if n := actions + len(before); n > 0 && len(moved) == 0 {
		moved = append(moved, fmt.Sprintf("%d actions have other keys", n))
	}
	if stored > 0 {
		moved = append(moved, fmt.Sprintf("the store has other results for %d actions", stored))
	}
	return moved
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
