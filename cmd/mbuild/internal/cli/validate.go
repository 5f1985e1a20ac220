package cli

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/planner"
)

func (a *app) validateCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the spec without looking at data or store",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			spec, _, diags, err := a.load(cmd.Context(), planner.Sight{})
			if err != nil {
				return err
			}
			if a.json {
				doc := contract.Validate{Valid: !diags.HasErrors(), Diagnostics: contract.Diagnostics(diags)}
				for _, d := range diags {
					if d.Severity == hcl.DiagError {
						doc.ErrorCount++
					} else {
						doc.WarningCount++
					}
				}
				if err := a.writeJSON(doc); err != nil || doc.Valid {
					return err
				}
				return errReported
			}
			if err := a.report(spec, diags); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "The spec is valid: %d blocks.\n", len(spec.Blocks))
			return nil
		},
	}
}
