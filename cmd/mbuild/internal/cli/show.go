package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/planner"
)

func (a *app) showCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "show ADDRESS | PLANFILE",
		Short: "Show what is known of a block, or a saved plan",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if info, err := os.Stat(args[0]); err == nil && info.Mode().IsRegular() {
				return a.showPlanFile(args[0])
			}
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
			doc := showBlock(cmd.Context(), w, b)
			if a.json {
				return a.writeJSON(doc)
			}
			a.view().Show(doc)
			return nil
		},
	}
}

func (a *app) showPlanFile(path string) error {
	f, err := readPlanFile(path)
	if err != nil {
		return err
	}
	if a.json {
		return a.writeJSON(f.Plan)
	}
	a.view().Saved(f.Plan)
	return nil
}

// findBlock finds a block of the plan; the error names what is near.
func findBlock(p *planner.Plan, addr string) (*planner.BlockStep, error) {
	base, _, _ := strings.Cut(addr, "/")
	if b := p.Block(base); b != nil && len(p.Graph.At(addr)) > 0 {
		return b, nil
	}
	return nil, fmt.Errorf("there is no block %s in this spec.%s", addr, p.Graph.Hint(addr))
}

// showBlock gathers what the store knows of a block.
func showBlock(ctx context.Context, w *work, b *planner.BlockStep) *contract.Show {
	doc := &contract.Show{Address: b.Block.Addr.String(), Kind: b.Kind.Name(), Status: b.Status, Outputs: map[string]contract.Output{},
		Metrics: map[string]float64{}, Actions: []contract.Action{}}
	for _, s := range b.Steps {
		doc.Actions = append(doc.Actions, contract.ActionOf(w.plan, s))
	}
	for _, o := range b.Kind.Outputs {
		src, ok := w.plan.Graph.Output(b.Block.Addr.String() + "." + o.Name)
		if !ok {
			continue
		}
		step := w.plan.Steps[src.Action.Index]
		doc.Key = contract.Key(step.Key)
		out, ok := w.plan.Output(src)
		if !ok {
			continue
		}
		x := contract.OutputOf(out)
		for _, art := range w.plan.Graph.Artifacts {
			if art.Source == src {
				x.Path = art.Path
			}
		}
		doc.Outputs[o.Name] = x
		for k, v := range step.Result.Metrics {
			doc.Metrics[k] = v
		}
		switch o.Type {
		case "report":
			doc.Report = readJSON(ctx, w.store, out)
		case "history":
			doc.History = readJSON(ctx, w.store, out)
		case "effect":
			doc.Report = readJSON(ctx, w.store, out)
		}
	}
	return doc
}

func readJSON(ctx context.Context, cas cache.CAS, out cache.Output) any {
	b, err := cache.ReadAll(ctx, cas, out.Digest, 64<<20)
	if err != nil {
		return nil
	}
	var v any
	if json.Unmarshal(b, &v) != nil {
		return nil
	}
	return v
}
