package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/planner"
)

func (a *app) showCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "show ADDRESS | PLANFILE",
		Short: "Show what is known of a block, or a saved plan",
		Long:  "Show prints outputs, metrics and history of a block. Given the address of a block with for_each or count, without a key, it compares its\ninstances in one table: the attributes in which they differ, and their metrics.",
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
			if all := instancesOf(w.plan, args[0]); len(all) > 0 {
				doc := showInstances(cmd.Context(), w, args[0], all)
				if a.json {
					return a.writeJSON(doc)
				}
				a.view().Instances(doc)
				return nil
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

// instancesOf finds the instances of a block under for_each or count, by the address without a key.
func instancesOf(p *planner.Plan, addr string) []*planner.BlockStep {
	var all []*planner.BlockStep
	for _, b := range p.Blocks {
		if a := b.Block.Addr; a.Key != "" && a.Base().String() == addr {
			all = append(all, b)
		}
	}
	return all
}

// showInstances gathers what is known of all instances, and in what their attributes differ.
func showInstances(ctx context.Context, w *work, addr string, all []*planner.BlockStep) *contract.Instances {
	doc := &contract.Instances{Address: addr, Kind: all[0].Kind.Name()}
	flat := make([]map[string]any, len(all))
	differ := map[string]bool{}
	for i, b := range all {
		flat[i] = map[string]any{}
		flatten(flat[i], "", b.Block.Attrs())
		for _, pair := range [][2]map[string]any{{flat[0], flat[i]}, {flat[i], flat[0]}} {
			for path, v := range pair[0] {
				differ[path] = differ[path] || !reflect.DeepEqual(v, pair[1][path])
			}
		}
	}
	for i, b := range all {
		show := showBlock(ctx, w, b)
		show.Attributes = map[string]any{}
		for path, is := range differ {
			if v, ok := flat[i][path]; is && ok {
				show.Attributes[path] = v
			}
		}
		doc.Instances = append(doc.Instances, show)
	}
	return doc
}

// flatten lists attributes by path; references stand for what they lead to.
func flatten(into map[string]any, prefix string, v any) {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			flatten(into, join(prefix, k), e)
		}
	case []any:
		for i, e := range x {
			flatten(into, join(prefix, strconv.Itoa(i)), e)
		}
	case value.Ref:
		into[prefix] = x.To
	case value.Secret:
		into[prefix] = "(sensitive)"
	default:
		into[prefix] = x
	}
}

func join(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + "." + name
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
			if _, known := doc.Metrics[k]; !known { // outputs stand in the order of what they say of the block: a model goes before the history
				doc.Metrics[k] = v
			}
		}
		switch o.Type {
		case "report":
			doc.Report = readJSON(ctx, w.store, out)
		case "history":
			doc.History = readJSON(ctx, w.store, out)
		case "effect", "summary":
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
