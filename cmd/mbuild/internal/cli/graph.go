package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
)

// edge leads from a block to one it needs.
type edge struct {
	From   string `json:"from"`
	To     string `json:"to"`
	Output string `json:"output,omitempty"` // "" for depends_on
}

func (a *app) graphCmd() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Print the graph of blocks",
		Long:  "graph prints which block needs which: for Graphviz (dot), for Markdown (mermaid), or for programs (json).",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.json {
				format = "json"
			}
			writers := map[string]func([]string, []edge) error{"dot": a.writeDot, "mermaid": a.writeMermaid, "json": a.writeGraphJSON}
			write := writers[format]
			if write == nil {
				return fmt.Errorf("there is no format %q; there are %s", format, schema.Words([]string{"dot", "json", "mermaid"}))
			}
			spec, _, diags, err := a.load(cmd.Context(), planner.Sight{})
			if err != nil {
				return err
			}
			if diags.HasErrors() {
				return a.report(spec, diags)
			}
			nodes, edges := blockGraph(spec)
			return write(nodes, edges)
		},
	}
	cmd.Flags().StringVar(&format, "format", "dot", "dot, mermaid or json")
	return cmd
}

func blockGraph(spec *lang.Spec) (nodes []string, edges []edge) {
	nodes, edges = []string{}, []edge{}
	for _, b := range spec.Blocks {
		from := b.Addr.String()
		nodes = append(nodes, from)
		seen := map[edge]bool{}
		add := func(e edge) {
			if !seen[e] {
				seen[e] = true
				edges = append(edges, e)
			}
		}
		for _, r := range b.Refs {
			add(edge{from, r.To.String(), r.Output})
		}
		for _, d := range b.DependsOn {
			add(edge{From: from, To: d.String()})
		}
	}
	return nodes, edges
}

func (a *app) writeDot(nodes []string, edges []edge) error {
	var b strings.Builder
	b.WriteString("digraph mbuild {\n  rankdir = LR\n  node [shape = box]\n")
	for _, n := range nodes {
		fmt.Fprintf(&b, "  %q\n", n)
	}
	for _, e := range edges {
		fmt.Fprintf(&b, "  %q -> %q [label = %q]\n", e.To, e.From, e.Output)
	}
	b.WriteString("}\n")
	_, err := fmt.Fprint(a.stdout, b.String())
	return err
}

func (a *app) writeMermaid(nodes []string, edges []edge) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	id := map[string]string{}
	for i, n := range nodes {
		id[n] = "n" + strconv.Itoa(i)
		fmt.Fprintf(&b, "  %s[\"%s\"]\n", id[n], strings.ReplaceAll(n, `"`, "#quot;"))
	}
	for _, e := range edges {
		arrow := " --> "
		if e.Output != "" {
			arrow = " -->|" + e.Output + "| "
		}
		fmt.Fprintf(&b, "  %s%s%s\n", id[e.To], arrow, id[e.From])
	}
	_, err := fmt.Fprint(a.stdout, b.String())
	return err
}

func (a *app) writeGraphJSON(nodes []string, edges []edge) error {
	return a.writeJSON(map[string]any{"format_version": "1.0", "blocks": nodes, "edges": edges})
}
