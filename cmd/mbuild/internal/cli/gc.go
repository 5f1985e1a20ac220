package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/disk"
	"mbuild.dev/mbuild/cmd/mbuild/internal/view"
	"mbuild.dev/mbuild/planner/project"
)

func (a *app) cacheGCCmd() *cobra.Command {
	var size, age string
	var dryRun bool
	c := &cobra.Command{
		Use:   "gc",
		Short: "Make room in the store",
		Long: "gc removes bytes until the store is below its cap: first those of results that no project names any more, by age; then intermediate\n" +
			"results, such as the states of a training between its first and last epoch; then last states, from which a training would go on; then\n" +
			"outputs of blocks. What a result said about itself stays much longer than its bytes, so that a project still plans as cached. What is\n" +
			"pinned, or used by a command that runs, stays.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			p := disk.Policy{DryRun: dryRun, Wait: time.Minute}
			if p.MaxBytes, err = sizeLimit(s); err != nil {
				return err
			}
			if size != "" {
				if p.MaxBytes, err = parseSize(size); err != nil {
					return fmt.Errorf("-max-size %w", err)
				}
			}
			if p.MaxAge, err = parseAge(age); err != nil {
				return err
			}
			if p.Roots, err = a.roots(s, dryRun); err != nil {
				return err
			}
			r, err := s.Collect(cmd.Context(), p)
			if err != nil {
				if cmd.Context().Err() != nil {
					a.code = exitInterrupted
				}
				return err
			}
			if a.json {
				return a.writeJSON(r)
			}
			a.printReport(r)
			return nil
		},
	}
	c.Flags().StringVar(&size, "max-size", "", "how large the store may be, as in 20GB; none is no limit (default: its cap)")
	c.Flags().StringVar(&age, "max-age", "", "how long bytes that no project names are kept, as in 30d or 12h (default: until there is no room)")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only say what would go")
	return c
}

func (a *app) printReport(r *disk.Report) {
	went := "went"
	if r.DryRun {
		went = "would go"
	}
	for _, e := range r.Bytes {
		fmt.Fprintf(a.stdout, "%-13s %d blobs, %s\n", e.Rank, e.Blobs, view.Bytes(e.Bytes))
	}
	fmt.Fprintf(a.stdout, "%s %s; the store takes %s on the disk", view.Bytes(max(0, r.Before-r.After)), went, view.Bytes(r.After))
	if r.Records > 0 {
		fmt.Fprintf(a.stdout, "; %d results are forgotten", r.Records)
	}
	fmt.Fprintln(a.stdout, ".")
	if r.Over {
		fmt.Fprintf(a.stdout, "That is more than it should: what is left is pinned or in use (%s), or what results say about themselves.\n", view.Bytes(r.Held))
	}
}

// makeRoom notes that the project uses the store and collects garbage when the store is over its cap. Neither keeps an apply
// from being done.
func (a *app) makeRoom(ctx context.Context, w *work) {
	if w.store.ReadOnly() {
		return
	}
	if dir, err := filepath.Abs(a.dir); err == nil {
		if err := w.store.Register(dir); err != nil {
			a.warn("the store cannot note that this project uses it", err)
		}
	}
	limit, err := sizeLimit(w.store)
	if err != nil {
		a.warn("the store is not kept below its cap", err)
		return
	}
	if size, err := w.store.Size(); err != nil || limit == 0 || size <= limit {
		return
	}
	if w.release != nil {
		w.release() // what this apply has used is named by the project now
	}
	roots, err := a.roots(w.store, false)
	if err == nil {
		_, err = w.store.Collect(ctx, disk.Policy{MaxBytes: limit / 10 * 9, Roots: roots})
	}
	if err != nil && !errors.Is(err, cache.ErrBusy) && ctx.Err() == nil {
		a.warn("no room was made in the store", err)
	}
}

// roots are the results that the projects of a store name. Projects whose directory is gone are forgotten.
func (a *app) roots(s *disk.Store, dryRun bool) ([]disk.Root, error) {
	seen, err := s.Projects()
	if err != nil {
		return nil, err
	}
	var roots []disk.Root
	var gone []string
	for _, p := range seen {
		if _, err := a.fs.Stat(p.Dir); errors.Is(err, fs.ErrNotExist) {
			gone = append(gone, p.Dir)
			continue
		}
		m := project.Open(a.fs, p.Dir)
		if m.Memory != nil {
			m.Memory.Results(func(k cache.ActionKey, worth project.Worth) {
				roots = append(roots, disk.Root{Key: k, Rank: rankOf(worth)})
			})
		}
		m.Close()
	}
	if len(gone) > 0 && !dryRun {
		err = s.Forget(gone...)
	}
	return roots, err
}

func rankOf(w project.Worth) disk.Rank {
	switch w {
	case project.Wanted:
		return disk.RankWanted
	case project.LastLink:
		return disk.RankLast
	}
	return disk.RankIntermediate
}

// sizeLimit is how large a store may be; 0 is no limit.
func sizeLimit(s *disk.Store) (int64, error) {
	text := os.Getenv("MBUILD_CACHE_SIZE")
	if text == "" {
		return s.DefaultCap(), nil
	}
	n, err := parseSize(text)
	if err != nil {
		return 0, fmt.Errorf("MBUILD_CACHE_SIZE=%w", err)
	}
	return n, nil
}

// parseSize reads a number of bytes with a unit; "none" is 0.
func parseSize(text string) (int64, error) {
	if text == "none" {
		return 0, nil
	}
	units := []struct {
		name string
		size float64
	}{{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}
	for _, u := range units {
		num, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(num), 64)
		if err != nil || !(n*u.size >= 1) || n*u.size > math.MaxInt64/2 {
			break
		}
		return int64(n * u.size), nil
	}
	return 0, fmt.Errorf("%q: write a size as in 500MB, 20GB or 1.5TB, or none", text)
}

// parseAge reads a time in days or smaller units; "" is never.
func parseAge(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	var d time.Duration
	var err error
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n float64
		n, err = strconv.ParseFloat(days, 64)
		d = time.Duration(n * 24 * float64(time.Hour))
	} else {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d < time.Hour {
		return 0, fmt.Errorf("-max-age %q: write at least an hour, as in 12h or 30d", text)
	}
	return d, nil
}
