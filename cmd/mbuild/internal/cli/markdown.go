package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib"
)

// Markdown is docs/cli.md: the help of every command.
func Markdown() string {
	a := &app{kinds: executor.NewTable(stdlib.Kinds()...)}
	root := a.root()
	var b strings.Builder
	b.WriteString("# Commands\n\nThe text of `mbuild help`, generated; `-flag` and `--flag` both work. What `-json` prints is fixed by types that a test holds against `testdata/contract`.\n\n")
	b.WriteString("Exit codes: 0 done; 1 error; 2 changes pending (`plan -detailed-exitcode`); 3 a gate failed; 4 a gate is inconclusive; 5 not reproducible; 7 stale plan; 8 interrupted.\n\n")
	fmt.Fprintf(&b, "## Flags of all commands\n\n```\n%s```\n", root.PersistentFlags().FlagUsages())
	for _, c := range root.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		writeCommand(&b, c)
	}
	return b.String()
}

func writeCommand(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n", c.UseLine(), strings.TrimSuffix(c.Short, "."))
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", strings.ReplaceAll(c.Long, "\n", " "))
	}
	if f := c.LocalFlags(); f.HasAvailableFlags() {
		fmt.Fprintf(b, "\n```\n%s```\n", f.FlagUsages())
	}
	for _, sub := range c.Commands() {
		writeCommand(b, sub)
	}
}
