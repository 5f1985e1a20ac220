package cli

import (
	"context"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/planner"
)

func (a *app) whyCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "why ADDRESS",
		Short: "Explain why a block would run, or ran last",
		Long: "why compares what a block's action is now with what it was at the last apply, attribute by attribute and input by input.\n" +
			"For a block that is cached it explains its last change. ADDRESS is a block, or one of its actions: train.supervised.base/segment[3].",
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
			doc := why(cmd.Context(), w, b, stepOf(b, args[0]))
			if a.json {
				return a.writeJSON(doc)
			}
			a.view().Why(doc)
			return nil
		},
	}
}

// stepOf is the step that was named, else the first of the block that is not cached, else the first that ever changed.
func stepOf(b *planner.BlockStep, addr string) *planner.Step {
	for _, s := range b.Steps {
		if s.Addr == addr && addr != b.Block.Addr.String() {
			return s
		}
	}
	for _, s := range b.Steps {
		if s.Status != planner.Cached {
			return s
		}
	}
	return b.Steps[0]
}

func why(ctx context.Context, w *work, b *planner.BlockStep, s *planner.Step) *contract.Why {
	doc := &contract.Why{Address: s.Addr, Status: s.Status, Key: contract.Key(s.Key), PriorKey: contract.Key(s.PriorKey),
		Changes: append([]planner.Reason{}, s.Reasons...), Upstream: []contract.Upstream{}}
	if s.Status == planner.Cached {
		_, prior := w.project.Keys(s.Addr)
		if prior.IsZero() {
			return doc
		}
		doc.PriorKey = contract.Key(prior)
		doc.Changes = planner.Changes(ctx, w.store, s, prior, w.plan.Toolchain)
	}
	for _, r := range doc.Changes {
		if r.Code != "input" {
			continue
		}
		for _, in := range s.Action.Inputs {
			if in.Name == r.Path {
				doc.Upstream = append(doc.Upstream, upstream(in, r))
			}
		}
	}
	return doc
}

func upstream(in planner.Input, r planner.Reason) contract.Upstream {
	u := contract.Upstream{Address: in.Source.String(), Before: digestText(r.Before), After: digestText(r.After)}
	if in.Action != nil {
		u.Address, u.Output = in.Action.Addr, in.Output
	}
	return u
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
