package cli

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/disk"
	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib"
)

func (a *app) verifyCmd() *cobra.Command {
	var sample string
	var jobs int
	c := &cobra.Command{
		Use:   "verify [ADDRESS]...",
		Short: "Build again what is cached, and compare to the bit",
		Long: "verify runs cached actions again, in private roots and into a store of their own, and compares what they make with what the\n" +
			"store has: to the bit, where the kind promises that. It names the first action of a chain that differs, the file, the\n" +
			"tensor and by how much, and exits with 5. Kinds that promise nothing, such as step \"exec\", are left out. Nothing of the store or the project changes.",
		RunE: func(cmd *cobra.Command, args []string) error {
			share, err := parseShare(sample)
			if err != nil {
				return err
			}
			w, err := a.makePlan(cmd.Context(), planFlags{targets: args, whole: true})
			if err != nil {
				return err
			}
			defer w.close()
			if w.plan == nil {
				return a.report(w.spec, w.diags)
			}
			return a.verify(cmd.Context(), w, args, share, jobs)
		},
	}
	c.Flags().StringVar(&sample, "sample", "100%", "`share` of the cached actions to build again; which ones changes from day to day")
	c.Flags().IntVarP(&jobs, "jobs", "j", 0, "actions at a time (default: number of CPUs)")
	return c
}

func parseShare(s string) (float64, error) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !strings.HasSuffix(s, "%") || n <= 0 || n > 100 {
		return 0, fmt.Errorf("-sample %q: write a share above 0%% and up to 100%%", s)
	}
	return n / 100, nil
}

// verify builds again into a store beside the store, and compares.
func (a *app) verify(ctx context.Context, w *work, targets []string, share float64, jobs int) error {
	chosen := map[cache.ActionKey]*planner.Step{}
	free := map[string]bool{} // blocks of kinds that promise nothing
	for _, s := range w.plan.Steps {
		switch {
		case s == nil || s.Status != planner.Cached:
		case s.Kind.Determinism == planner.None:
			free[s.Block.Addr.String()] = true
		case inSample(s.Key, share):
			chosen[s.Key] = s
		}
	}
	skipped := slices.Sorted(maps.Keys(free))
	if len(chosen) == 0 && a.json {
		return a.writeJSON(contract.Verify{Reproducible: true, Divergences: []contract.Divergence{}, Skipped: nonNil(skipped)})
	}
	if len(chosen) == 0 && len(skipped) > 0 {
		a.view().Verify(&contract.Verify{Skipped: skipped})
		return nil
	}
	if len(chosen) == 0 {
		fmt.Fprintln(a.stdout, "Nothing of this is cached: there is nothing to compare with. Run mbuild apply first.")
		return nil
	}
	dir, err := os.MkdirTemp(w.store.Scratch(), "verify-")
	if err != nil {
		return fmt.Errorf("making a store to build into: %w", err)
	}
	defer removeAll(dir)
	top, err := disk.Open(dir)
	if err != nil {
		return err
	}
	defer top.Close()
	over := cache.Overlay{Top: top, Base: w.store, Hidden: func(k cache.ActionKey) bool { return chosen[k] != nil }}
	plan, err := planner.Make(ctx, planner.Request{Graph: w.plan.Graph, Snapshot: w.plan.Snapshot, Store: over, Toolchain: w.plan.Toolchain, Choose: w.plan.ToolchainOf,
		Targets: targets})
	if err != nil {
		return err
	}
	pool := workers(plan, w.backends, top.Scratch())
	defer pool.Close()
	res, diags := executor.Apply(ctx, plan, executor.Options{Kinds: a.kinds, Store: over, Runner: pool, Scratch: top.Scratch(), Jobs: jobs, KeepGoing: true})
	if res.Interrupted {
		a.code = exitInterrupted
		return errReported
	}
	if diags.HasErrors() {
		return a.report(w.spec, diags)
	}
	return a.judge(ctx, w.plan, chosen, top, w.store, skipped)
}

// inSample chooses actions by a hash of their key and the day's number, so that samples cover everything in time.
func inSample(k cache.ActionKey, share float64) bool {
	if share >= 1 {
		return true
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s", k, contract.Day())
	return float64(h.Sum64()%1_000_000) < share*1_000_000
}

// judge compares the results that both stores have, in the order of the plan, and prints what differs.
func (a *app) judge(ctx context.Context, p *planner.Plan, chosen map[cache.ActionKey]*planner.Step, fresh, stored cache.Store, skipped []string) error {
	doc := contract.Verify{Divergences: []contract.Divergence{}, Skipped: nonNil(skipped)}
	broken := map[string]bool{} // blocks of which an action differs: what follows from it is no news
	for _, s := range p.Steps {
		if s == nil || chosen[s.Key] == nil {
			continue
		}
		got, err := fresh.Lookup(ctx, s.Key)
		if errors.Is(err, cache.ErrNotFound) {
			continue // an input of it differs: it has another key now
		}
		if err != nil {
			return err
		}
		doc.Verified++
		for i, out := range got.Outputs {
			want := s.Result.Outputs[i]
			if out.Digest == want.Digest {
				continue
			}
			if s.Kind.Determinism == planner.Tolerance && stdlib.Within(ctx, stored, want, fresh, out, s.Kind.Tolerance) {
				doc.Within++
				continue
			}
			d := contract.Divergence{Address: s.Addr, Output: out.Name, Before: want.Digest.String(), After: out.Digest.String(), Promised: s.Kind.Determinism != planner.None}
			d.Path, d.Detail = stdlib.Difference(ctx, stored, want, fresh, out)
			if !broken[s.Block.Addr.String()] {
				doc.Divergences = append(doc.Divergences, d)
			}
			broken[s.Block.Addr.String()] = true
		}
	}
	doc.Reproducible = !slices.ContainsFunc(doc.Divergences, func(d contract.Divergence) bool { return d.Promised })
	if !doc.Reproducible {
		a.code = exitNotReproducible
	}
	if a.json {
		return a.writeJSON(doc)
	}
	a.view().Verify(&doc)
	if !doc.Reproducible {
		return errReported
	}
	return nil
}

// removeAll removes a tree in which files and directories may be read-only.
func removeAll(dir string) {
	makeWritable(dir)
	os.RemoveAll(dir)
}
