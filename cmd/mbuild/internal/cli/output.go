package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/planner"
)

func (a *app) outputCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "output [NAME]",
		Short: "Print the outputs of the spec",
		Long:  "output prints the values of the spec's output blocks. A reference prints as the digest of what it names, when that is built.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := a.makePlan(cmd.Context(), planFlags{whole: true})
			if err != nil {
				return err
			}
			defer w.close()
			if w.plan == nil {
				return a.report(w.spec, w.diags)
			}
			all := map[string]any{}
			var names []string
			for _, o := range w.spec.Outputs {
				all[o.Name] = resolve(w.plan, o.Value)
				if o.Sensitive {
					all[o.Name] = lang.Hidden
				}
				names = append(names, o.Name)
			}
			if len(args) == 1 {
				v, ok := all[args[0]]
				if !ok {
					return fmt.Errorf("there is no output %q; there are %s", args[0], schema.Words(names))
				}
				if a.json {
					return a.writeJSON(v)
				}
				if s, ok := v.(string); ok {
					fmt.Fprintln(a.stdout, s)
				} else {
					fmt.Fprintln(a.stdout, jsonText(v))
				}
				return nil
			}
			if a.json {
				return a.writeJSON(all)
			}
			for _, n := range names {
				fmt.Fprintf(a.stdout, "%s = %s\n", n, jsonText(all[n]))
			}
			return nil
		},
	}
}

// resolve replaces references by what the store has for them: digest and, for an artifact, its path.
func resolve(p *planner.Plan, v any) any {
	switch t := v.(type) {
	case value.Ref:
		m := map[string]any{"address": t.To, "type": t.Type}
		if src, ok := p.Graph.Output(t.To); ok {
			if out, ok := p.Output(src); ok {
				m["digest"] = out.Digest.String()
			}
			for _, a := range p.Graph.Artifacts {
				if a.Source == src {
					m["path"] = a.Path
				}
			}
		}
		return m
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = resolve(p, e)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range t {
			out[k] = resolve(p, e)
		}
		return out
	}
	return v
}

// jsonText is a value as canonical JSON.
func jsonText(v any) string {
	b, err := value.Canonical(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
