package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cmd/mbuild/internal/view"
)

func (a *app) cacheCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "cache",
		Short: "Look at the store, and check it",
		Long:  "The store holds results by key and bytes by digest: $MBUILD_CACHE, else mbuild in the user's cache directory. Every project and\nprocess may share one.",
	}
	c.AddCommand(a.cacheStatCmd(), a.cacheVerifyCmd())
	return c
}

func (a *app) cacheStatCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "stat",
		Short: "Say what the store holds and how much room it takes",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			u, err := s.Usage()
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(map[string]any{"format_version": "1.0", "directory": s.Dir(), "usage": u, "read_only": s.ReadOnly()})
			}
			fmt.Fprintf(a.stdout, "store       %s\nresults     %d\nblobs       %d, %s (%d as files of their own)\nlog         %s\non disk     %s\n",
				s.Dir(), u.Results, u.Blobs, view.Bytes(u.BlobBytes), u.Files, view.Bytes(u.LogBytes), view.Bytes(u.DiskBytes))
			if u.TempFiles > 0 {
				fmt.Fprintf(a.stdout, "tmp         %d files of running or dead processes\n", u.TempFiles)
			}
			fmt.Fprintln(a.stdout, "size cap    none: this version removes nothing by itself; the directory may be deleted as a whole at any time")
			return nil
		},
	}
}

func (a *app) cacheVerifyCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Read every blob of the store and compare it with its digest",
		Long:  "verify reads all bytes of the store. What is damaged or gone is marked as lost, so that it is built again when it is needed, and\nmakes the exit code 1.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			d, err := s.Check(cmd.Context())
			if err != nil {
				if cmd.Context().Err() != nil {
					a.code = exitInterrupted
				}
				return err
			}
			bad := len(d.Lost) + len(d.Partial)
			if bad > 0 {
				a.code = exitError
			}
			if a.json {
				return a.writeJSON(d)
			}
			for _, l := range d.Lost {
				fmt.Fprintf(a.stdout, "lost     %s\n", l)
			}
			for _, p := range d.Partial {
				fmt.Fprintf(a.stdout, "partial  result of %s: an output or the encoded action is missing\n", p)
			}
			fmt.Fprintf(a.stdout, "%d blobs and %d results looked at, %d damaged.\n", d.Blobs, d.Results, bad)
			if bad > 0 {
				fmt.Fprintln(a.stderr, "What is damaged will be built again when it is needed.")
				return errReported
			}
			return nil
		},
	}
}
