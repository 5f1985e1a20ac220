package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/schema"
)

func (a *app) schemaCmd() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the schema of specs, for editors",
		Long: "schema prints a JSON Schema (2020-12) of specs in HCL's JSON syntax (*.mbuild.hcl.json), or with -format cue the source of the\n" +
			"CUE package mbuild.dev/std/schema, which has a definition for each kind.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			switch format {
			case "json":
				enc := json.NewEncoder(a.stdout)
				enc.SetIndent("", "  ")
				enc.SetEscapeHTML(false)
				return enc.Encode(lang.SchemaJSON(a.kinds.Planner))
			case "cue":
				_, err := a.stdout.Write(lang.SchemaCUE(a.kinds.Planner))
				return err
			}
			return fmt.Errorf("there is no format %q; there are %s", format, schema.Words([]string{"cue", "json"}))
		},
	}
	cmd.Flags().StringVar(&format, "format", "json", "json or cue")
	return cmd
}
