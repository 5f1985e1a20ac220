package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/lang"
)

func (a *app) explainCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Say what the code of an error or warning means, and what to do",
		Long:  "explain prints the explanation of a code; without one, all codes. docs/errors.md has the same text.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, c := range lang.Codes() {
					fmt.Fprintln(a.stdout, c)
				}
				return nil
			}
			text := lang.Explain(args[0])
			if a.json && text != "" {
				return a.writeJSON(map[string]string{"code": args[0], "explanation": text})
			}
			if text == "" {
				near := lang.NearestCodes(args[0])
				if len(near) == 0 {
					return fmt.Errorf("there is no code %q; mbuild explain lists all", args[0])
				}
				return fmt.Errorf("there is no code %q; there are %s", args[0], strings.Join(near, ", "))
			}
			fmt.Fprintf(a.stdout, "%s\n\n%s\n", args[0], text)
			return nil
		},
	}
}
