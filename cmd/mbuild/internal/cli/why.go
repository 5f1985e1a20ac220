package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/planner/runs"
)

func (a *app) whyCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "why ADDRESS",
		Short: "Explain a status: why a block would run, is cached, waits or is blocked",
		Long: "why compares what a block's action is now with what it was at the last apply, attribute by attribute and input by input, and follows\n" +
			"changed inputs upstream to the attribute, file or part of the toolchain with which the change began. For a block that is cached it\n" +
			"says when and why it ran last; for one that failed or was skipped, how. ADDRESS is a block, or one of its actions:\n" +
			"train.supervised.base/segment[3].",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.makePlan(cmd.Context(), planFlags{about: args})
			if err != nil {
				return err
			}
			defer w.close()
			if w.plan == nil {
				return a.report(w.spec, w.diags)
			}
			b, err := findBlock(w.plan, args[0])
			if err != nil {
				return err
			}
			doc := a.why(cmd.Context(), w, b, args[0])
			if a.json {
				return a.writeJSON(doc)
			}
			a.view().Why(doc)
			return nil
		},
	}
}

// why explains a block, by the first of its actions that is not cached or else the first that changed last, or one action.
func (a *app) why(ctx context.Context, w *work, b *planner.BlockStep, addr string) *contract.Why {
	s, one := stepOf(w, b, addr)
	e := &planner.Explainer{Plan: w.plan, Store: w.store, Past: w.project, Older: a.olderKeys}
	changes, causes := e.Explain(ctx, s)
	doc := &contract.Why{Address: s.Addr, Block: b.Block.Addr.String(), Status: b.Status, Key: contract.Key(s.Key), PriorKey: contract.Key(s.PriorKey),
		Actions: contract.Counts{Cached: b.Counts.Cached, Build: b.Counts.Build, Unknown: b.Counts.Unknown},
		Changes: append([]planner.Reason{}, changes...), Upstream: upstream(s, changes), Causes: append([]planner.Cause{}, causes...),
		Gates: shutGates(w.plan, s), Last: a.lastRun(s)}
	if s.Status == planner.Cached {
		_, prior := w.project.Keys(s.Addr)
		doc.PriorKey = contract.Key(prior)
	}
	switch {
	case one:
		doc.Status = s.Status
	case (b.Status == planner.Build || b.Status == planner.Extend) && len(b.Reasons) > 0:
		doc.Changes = append([]planner.Reason{}, b.Reasons...) // in the words of the block
	}
	return doc
}

// stepOf is the step that was named (one is true then), else the first of the block that is not cached, else the first that ever
// had another key.
func stepOf(w *work, b *planner.BlockStep, addr string) (s *planner.Step, one bool) {
	for _, s := range b.Steps {
		if s.Addr == addr && addr != b.Block.Addr.String() {
			return s, true
		}
	}
	for _, s := range b.Steps {
		if s.Status != planner.Cached {
			return s, false
		}
	}
	for _, s := range b.Steps {
		if _, prior := w.project.Keys(s.Addr); !prior.IsZero() {
			return s, false
		}
	}
	return b.Steps[0], false
}

// olderKeys are the keys under which the records of earlier applies have an address.
func (a *app) olderKeys(addr string) []cache.ActionKey {
	var keys []cache.ActionKey
	_ = runs.In(a.fs, a.dir).Find(addr, func(f runs.Found) bool { // without records there are none
		if !f.Key.IsZero() {
			keys = append(keys, cache.KeyFrom(f.Key))
		}
		return true
	})
	return keys
}

// lastRun is how the action ran last: of a cached one, how it was built; of another, how the last apply that meant to run it went.
func (a *app) lastRun(s *planner.Step) *contract.LastRun {
	var last *contract.LastRun
	_ = runs.In(a.fs, a.dir).Find(s.Addr, func(f runs.Found) bool {
		if s.Status == planner.Cached && (f.State != runs.Built || f.Key != s.Key.Digest()) {
			return true
		}
		last = &contract.LastRun{Run: contract.Text(f.Run), Time: contract.Stamp(f.At), Result: f.State.String(), Seconds: f.Wall.Seconds(), Reasons: []planner.Reason{}, Error: f.Error}
		if f.Reason.Code != "" {
			last.Reasons = append(last.Reasons, f.Reason)
		}
		return false
	})
	if r := s.Result; last == nil && s.Status == planner.Cached && r != nil && !r.Execution.Started.IsZero() {
		last = &contract.LastRun{Time: contract.Stamp(r.Execution.Started.Add(r.Execution.Wall)), Result: runs.Built.String(), Seconds: r.Execution.Wall.Seconds(), Reasons: []planner.Reason{}}
	}
	return last
}

// shutGates are the gates before an action that are known not to have passed.
func shutGates(p *planner.Plan, s *planner.Step) []contract.Gate {
	gates := []contract.Gate{}
	for _, g := range s.Gates {
		step := p.Steps[g.Index]
		if step == nil || step.Result == nil || planner.Verdict(step.Result) == planner.Pass {
			continue
		}
		m := step.Result.Metrics
		gates = append(gates, contract.Gate{Address: step.Addr, Metric: g.Gate.Metric, Bound: g.Gate.Bound, Limit: m["bound"], Value: m["value"], Verdict: planner.Verdict(step.Result)})
	}
	return gates
}

// upstream are the inputs that changed.
func upstream(s *planner.Step, changes []planner.Reason) []contract.Upstream {
	out := []contract.Upstream{}
	for _, r := range changes {
		if r.Code != "input" {
			continue
		}
		for _, in := range s.Action.Inputs {
			if in.Name != r.Path {
				continue
			}
			u := contract.Upstream{Address: in.Source.String(), Before: digestText(r.Before), After: digestText(r.After)}
			if in.Action != nil {
				u.Address, u.Output = in.Action.Addr, in.Output
			}
			out = append(out, u)
		}
	}
	return out
}

// digestText is the sum of a digest with size, as encoded actions hold it.
func digestText(v any) *string {
	s, _ := v.(string)
	var d cache.Digest
	if s == "" || d.UnmarshalText([]byte(s)) != nil {
		return nil
	}
	return contract.Text(d.String())
}
