package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cmd/mbuild/internal/view"
)

func (a *app) cacheCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "cache",
		Short: "Look at the store, check it, and make room in it",
		Long: "The store holds results by key and bytes by digest: $MBUILD_CACHE, else mbuild in the user's cache directory. Every project and\n" +
			"process may share one. It takes no more room than $MBUILD_CACHE_SIZE (20GB, none), else a tenth of its disk and at most 50 GB: an\n" +
			"apply that leaves it larger removes what is needed least (see cache gc).",
	}
	c.AddCommand(a.cacheStatCmd(), a.cacheVerifyCmd(), a.cacheGCCmd(), a.cachePinCmd(), a.cacheUnpinCmd(), a.cacheLsCmd(), a.cacheGetCmd())
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
			limit, err := sizeLimit(s)
			if err != nil {
				return err
			}
			pins, err := s.Pins()
			if err != nil {
				return err
			}
			seen, err := s.Projects()
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(map[string]any{"format_version": "1.0", "directory": s.Dir(), "usage": u, "read_only": s.ReadOnly(), "size_cap": limit,
					"pins": len(pins), "projects": len(seen)})
			}
			fmt.Fprintf(a.stdout, "store       %s\nresults     %d\nblobs       %d, %s (%d as files of their own)\npins        %d\nprojects    %d\n",
				s.Dir(), u.Results, u.Blobs, view.Bytes(u.BlobBytes), u.Files, len(pins), len(seen))
			fmt.Fprintf(a.stdout, "on disk     %s: log %s, index %s, blobs %s, work in progress %s, the rest %s\n", view.Bytes(u.DiskBytes),
				view.Bytes(u.LogBytes), view.Bytes(u.IndexBytes), view.Bytes(u.FileBytes), view.Bytes(u.TempBytes), view.Bytes(u.OtherBytes))
			if limit == 0 {
				fmt.Fprintln(a.stdout, "size cap    none (MBUILD_CACHE_SIZE)")
				return nil
			}
			fmt.Fprintf(a.stdout, "size cap    %s, %.3g%% of it used; set another with MBUILD_CACHE_SIZE\n", view.Bytes(limit), 100*float64(u.DiskBytes)/float64(limit))
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
				fmt.Fprintf(a.stdout, "partial  result of %s: an output or the encoded action is lost\n", p)
			}
			fmt.Fprintf(a.stdout, "%d blobs and %d results looked at, %d damaged.\n", d.Blobs, d.Results, bad)
			if d.Evicted > 0 {
				fmt.Fprintf(a.stdout, "The bytes of %d results were removed to make room, which is no damage.\n", d.Evicted)
			}
			if bad > 0 {
				fmt.Fprintln(a.stderr, "What is damaged will be built again when it is needed.")
				return errReported
			}
			return nil
		},
	}
}
