package cli

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/disk"
	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/planner/runs"
)

func (a *app) logCmd() *cobra.Command {
	var n int
	c := &cobra.Command{
		Use:   "log",
		Short: "Look at earlier applies: what ran, why, how long, how it ended",
		Long: "log lists the applies of this project that ran something, the newest first. RUN is the name of a run or the beginning of it, last, or\n" +
			"last~1 for the one before; without it, last. Records are kept in .mbuild/runs: the last 100, and no more than 64 MB.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.listRuns(n) },
	}
	c.Flags().IntVarP(&n, "number", "n", 20, "how many runs to list, from the newest; 0 lists all")
	c.AddCommand(
		a.logActions("what-ran", "List what ran, in the order in which it ended, and why it ran", func(r *runs.Run, _ int) []runs.Action { return r.Ran() }),
		a.logActions("what-failed", "List what failed, with the errors", func(r *runs.Run, _ int) []runs.Action { return r.With(runs.Failed) }),
		a.logActions("slowest", "List what took longest", func(r *runs.Run, n int) []runs.Action { return r.Slowest(n) }),
		a.logCritical(), a.logDiff(), a.logShow(), a.logTrace())
	return c
}

func (a *app) listRuns(n int) error {
	dir := runs.In(a.fs, a.dir)
	ids, err := dir.IDs()
	if err != nil {
		return err
	}
	slices.Reverse(ids)
	if n > 0 {
		ids = ids[:min(n, len(ids))]
	}
	doc := contract.Log{FormatVersion: contract.FormatVersion, Runs: []contract.RunSummary{}}
	for _, id := range ids {
		r, err := dir.Read(id)
		if err != nil {
			fmt.Fprintf(a.stderr, "Warning: %v\n", err)
			continue
		}
		doc.Runs = append(doc.Runs, contract.RunOf(r))
	}
	if a.json {
		return a.writeJSON(doc)
	}
	a.view().Log(doc)
	return nil
}

// readRun reads the run that an argument names, the last one without.
func (a *app) readRun(args []string, i int) (*runs.Run, error) {
	name := "last"
	if i < len(args) {
		name = args[i]
	}
	dir := runs.In(a.fs, a.dir)
	id, err := dir.Resolve(name)
	if err != nil {
		return nil, err
	}
	return dir.Read(id)
}

// logActions is a command that lists executions of one run.
func (a *app) logActions(name, short string, pick func(*runs.Run, int) []runs.Action) *cobra.Command {
	n := 20
	c := &cobra.Command{
		Use:   name + " [RUN]",
		Short: short,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := a.readRun(args, 0)
			if err != nil {
				return err
			}
			doc := contract.LogActions{FormatVersion: contract.FormatVersion, Run: contract.RunOf(r), Actions: contract.ExecutionsOf(pick(r, n))}
			if a.json {
				return a.writeJSON(doc)
			}
			a.view().Executions(doc, name == "what-failed")
			return nil
		},
	}
	if name == "slowest" {
		c.Flags().IntVarP(&n, "number", "n", 20, "how many to list")
	}
	return c
}

func (a *app) logCritical() *cobra.Command {
	return &cobra.Command{
		Use:   "critical-path [RUN]",
		Short: "List the chain of actions, each waiting for the one before, that took longest",
		Long:  "critical-path lists what a run could not have been shorter than, however many slots it had: make these faster to make it faster.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := a.readRun(args, 0)
			if err != nil {
				return err
			}
			doc := contract.LogActions{FormatVersion: contract.FormatVersion, Run: contract.RunOf(r), Actions: []contract.Execution{}}
			for _, l := range r.CriticalPath() {
				x, wait := contract.ExecutionOf(l.Action), l.Wait.Seconds()
				x.Wait = &wait
				doc.Actions = append(doc.Actions, x)
			}
			if a.json {
				return a.writeJSON(doc)
			}
			a.view().CriticalPath(doc)
			return nil
		},
	}
}

func (a *app) logDiff() *cobra.Command {
	return &cobra.Command{
		Use:   "diff [RUN1 [RUN2]]",
		Short: "Compare two runs: what ran, how it ended, under which key, and how long it took",
		Long:  "diff compares a run with a later one: without arguments the last two, with one argument that run with the last one.",
		Args:  cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"last~1"}
			}
			before, err := a.readRun(args, 0)
			if err != nil {
				return err
			}
			after, err := a.readRun(args, 1)
			if err != nil {
				return err
			}
			doc := a.diffRuns(cmd.Context(), before, after)
			if a.json {
				return a.writeJSON(doc)
			}
			a.view().RunDiff(doc)
			return nil
		},
	}
}

// maxExplained bounds the actions whose preimages a diff of runs reads.
const maxExplained = 1000

func (a *app) diffRuns(ctx context.Context, before, after *runs.Run) *contract.LogDiff {
	doc := &contract.LogDiff{FormatVersion: contract.FormatVersion, Before: contract.RunOf(before), After: contract.RunOf(after),
		Toolchain: append([]planner.Reason{}, before.Toolchain.Diff(after.Toolchain)...), Actions: []contract.LogChange{}, Times: []contract.LogTime{}}
	store, err := a.openStore() // only for what differs in an action: without it the rest stands
	if err == nil {
		defer store.Close()
	}
	for i, c := range runs.Diff(before, after) {
		x := contract.LogChange{Address: c.Addr, Changes: []planner.Reason{}}
		if c.Before != nil {
			e := contract.ExecutionOf(*c.Before)
			x.Before = &e
		}
		if c.After != nil {
			e := contract.ExecutionOf(*c.After)
			x.After = &e
		}
		if c.Before != nil && c.After != nil && err == nil && i < maxExplained {
			x.Changes = append(x.Changes, keyChanges(ctx, store, c.Before.Key, c.After.Key)...)
		}
		doc.Actions = append(doc.Actions, x)
	}
	for _, c := range runs.Both(before, after) {
		doc.Times = append(doc.Times, contract.LogTime{Address: c.Addr, Before: c.Before.Wall.Seconds(), After: c.After.Wall.Seconds()})
	}
	slices.SortStableFunc(doc.Times, func(x, y contract.LogTime) int {
		return cmp.Compare(math.Abs(y.After-y.Before), math.Abs(x.After-x.Before))
	})
	return doc
}

// keyChanges is what differs between the actions that two keys stand for, where the store has both.
func keyChanges(ctx context.Context, store *disk.Store, before, after cache.Digest) []planner.Reason {
	if before == after || before.IsZero() || after.IsZero() {
		return nil
	}
	x, err1 := planner.ReadEncoded(ctx, store, before)
	y, err2 := planner.ReadEncoded(ctx, store, after)
	if err1 != nil || err2 != nil {
		return nil
	}
	return planner.Diff(x, y)
}

func (a *app) logShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show RUN [ADDRESS]",
		Short: "Show a run, or one action of it with what it printed",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.readRun(args, 0)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				doc := contract.RunOf(r)
				if a.json {
					return a.writeJSON(doc)
				}
				a.view().Run(doc, r)
				return nil
			}
			x, err := findExecution(r, args[1])
			if err != nil {
				return err
			}
			doc := contract.LogShow{FormatVersion: contract.FormatVersion, Run: contract.RunOf(r), Action: contract.ExecutionOf(*x), Text: a.logText(cmd.Context(), x.Log)}
			if a.json {
				return a.writeJSON(doc)
			}
			a.view().Execution(doc)
			return nil
		},
	}
}

func findExecution(r *runs.Run, addr string) (*runs.Action, error) {
	var addrs []string
	for i := len(r.Actions) - 1; i >= 0; i-- {
		if r.Actions[i].Addr == addr {
			return &r.Actions[i], nil
		}
		addrs = append(addrs, r.Actions[i].Addr)
	}
	hint := ""
	if s := schema.Nearest(addr, addrs); s != "" {
		hint = fmt.Sprintf(" Did you mean %s?", s)
	}
	return nil, fmt.Errorf("%s did not run in %s.%s Actions that were cached leave no record; mbuild log what-ran %s lists those that ran", addr, r.ID, hint, r.ID)
}

// maxLogShown bounds the log that is read from the store.
const maxLogShown = 8 << 20

// logText is what an action printed, nil when there was nothing or the store no longer has it.
func (a *app) logText(ctx context.Context, d cache.Digest) *string {
	if d.IsZero() {
		return nil
	}
	store, err := a.openStore()
	if err != nil {
		return nil
	}
	defer store.Close()
	b, err := cache.ReadAll(ctx, store, d, maxLogShown)
	if err != nil {
		return nil
	}
	return contract.Text(string(b))
}

func (a *app) logTrace() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "trace [RUN]",
		Short: "Write a trace of a run for Perfetto",
		Long:  "trace writes a run in the Chrome trace event format, which https://ui.perfetto.dev and chrome://tracing open: slots are threads.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := a.readRun(args, 0)
			if err != nil {
				return err
			}
			if out == "" {
				return runs.WriteTrace(a.stdout, r.Trace())
			}
			return writeTrace(out, r)
		},
	}
	c.Flags().StringVar(&out, "out", "", "`file` to write to (default: standard output)")
	return c
}
