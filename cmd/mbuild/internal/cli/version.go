package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/executor/mlx"
)

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and the toolchain",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			fp, err := mlx.Fingerprint(mlx.Go)
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(map[string]string{"version": Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH, "backend": mlx.Go, "fingerprint": fp})
			}
			fmt.Fprintf(a.stdout, "mbuild %s (%s, %s/%s)\nbackend %s\n", Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, fp)
			return nil
		},
	}
}

// kindsCmd lists what blocks there are.
func (a *app) kindsCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "kinds",
		Short: "List the kinds of blocks",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			for _, k := range a.kinds.Planner.Kinds() {
				fmt.Fprintf(a.stdout, "%-24s %s\n", k.Name(), k.Schema.Doc)
			}
			return nil
		},
	}
}
