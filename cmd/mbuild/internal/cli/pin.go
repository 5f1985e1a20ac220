package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/disk"
	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/cmd/mbuild/internal/view"
	"mbuild.dev/mbuild/planner"
)

func (a *app) cachePinCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "pin ADDRESS | DIGEST",
		Short: "Keep a result or a blob in the store, whatever its cap",
		Long:  "pin keeps the present results of a block, or the result or blob with a digest, with their bytes, until unpin takes that back. A block that\nis built again with other inputs has other results: pin those too if they shall stay.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withPins(cmd.Context(), args[0], func(s *disk.Store, pins []disk.Pin) error {
				for _, p := range pins {
					if err := s.Pin(p); err != nil {
						return err
					}
					fmt.Fprintf(a.stderr, "pinned %s\n", pinned(p))
				}
				return nil
			})
		},
	}
}

func (a *app) cacheUnpinCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "unpin ADDRESS | DIGEST",
		Short: "Take a pin back",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			sum := strings.TrimPrefix(args[0], "sha256:")
			n, err := s.Unpin(func(p disk.Pin) bool {
				d := p.Digest
				if !p.Key.IsZero() {
					d = p.Key.Digest()
				}
				return p.Label == args[0] || len(sum) >= 8 && strings.HasPrefix(d.Hex(), sum)
			})
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("nothing is pinned as %s: mbuild cache ls lists what is", args[0])
			}
			fmt.Fprintf(a.stderr, "%d pins taken back\n", n)
			return nil
		},
	}
}

func pinned(p disk.Pin) string {
	if p.Key.IsZero() {
		return "blob " + p.Digest.String()
	}
	return "result " + p.Key.String()
}

// withPins finds what a person means by an address or a digest.
func (a *app) withPins(ctx context.Context, name string, f func(*disk.Store, []disk.Pin) error) error {
	if strings.HasPrefix(name, "sha256:") {
		s, err := a.openStore()
		if err != nil {
			return err
		}
		defer s.Close()
		key, blob, err := s.Named(name)
		if err != nil {
			return err
		}
		return f(s, []disk.Pin{{Key: key, Digest: blob}})
	}
	return a.withBlock(ctx, name, func(w *work, b *planner.BlockStep) error {
		var pins []disk.Pin
		for _, s := range b.Steps {
			if s.Result != nil && s.Visible {
				pins = append(pins, disk.Pin{Key: s.Key, Label: b.Block.Addr.String()})
			}
		}
		if len(pins) == 0 {
			return fmt.Errorf("%s has no result in the store: it is %s. Apply first", name, b.Status)
		}
		return f(w.store, pins)
	})
}

// withBlock plans a block.
func (a *app) withBlock(ctx context.Context, name string, f func(*work, *planner.BlockStep) error) error {
	w, err := a.makePlan(ctx, planFlags{about: []string{name}})
	if err != nil {
		return err
	}
	defer w.close()
	if w.plan == nil {
		return a.report(w.spec, w.diags)
	}
	b, err := findBlock(w.plan, name)
	if err != nil {
		return err
	}
	return f(w, b)
}

func (a *app) cacheLsCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the results of the store",
		Long:  "ls lists the results of the store, those that were used last first: key, kind, size of the outputs, whether their bytes are there, and\nwhether they are pinned.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			list, err := a.list(cmd.Context(), s)
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(map[string]any{"format_version": "1.0", "results": list})
			}
			for _, r := range list {
				notes := ""
				if !r.Present {
					notes += " bytes gone"
				}
				if r.Pinned {
					notes += " pinned"
				}
				fmt.Fprintf(a.stdout, "%s  %-24s %9s%s\n", strings.TrimPrefix(r.Key, "sha256:")[:16], r.Kind, view.Bytes(r.Size), notes)
			}
			return nil
		},
	}
}

// listed is a line of cache ls.
type listed struct {
	Key     string                     `json:"key"`
	Kind    string                     `json:"kind"` // "" when its preimage is gone
	Size    int64                      `json:"size"` // of the outputs; of a directory its listing
	Present bool                       `json:"present"`
	Pinned  bool                       `json:"pinned"`
	Used    string                     `json:"used,omitempty"`
	Outputs map[string]contract.Output `json:"outputs"`
}

func (a *app) list(ctx context.Context, s *disk.Store) ([]listed, error) {
	results, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	pins, err := s.Pins()
	if err != nil {
		return nil, err
	}
	kept := map[cache.ActionKey]bool{}
	for _, p := range pins {
		kept[p.Key] = true
	}
	list := make([]listed, 0, len(results))
	for _, r := range results {
		l := listed{Key: r.Key.String(), Present: true, Pinned: kept[r.Key], Outputs: map[string]contract.Output{}}
		if !r.Used.IsZero() {
			l.Used = contract.Stamp(r.Used)
		}
		var action struct{ Kind string }
		if b, err := cache.ReadAll(ctx, s, r.Key.Digest(), 16<<20); err == nil && json.Unmarshal(b, &action) == nil {
			l.Kind = action.Kind
		}
		for _, o := range r.Result.Outputs {
			ok, err := cache.Present(ctx, s, o)
			if err != nil {
				return nil, err
			}
			l.Present = l.Present && ok
			l.Size += o.Digest.Size()
			l.Outputs[o.Name] = contract.OutputOf(o)
		}
		list = append(list, l)
	}
	return list, nil
}

func (a *app) cacheGetCmd() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "get ADDRESS.OUTPUT | DIGEST",
		Short: "Write the bytes of an output or a blob",
		Long:  "get writes the bytes of an output of a block, or the blob with a digest, to standard output, or to a path that does not exist yet. A\ndirectory needs a path.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !strings.HasPrefix(args[0], "sha256:") {
				return a.getOutput(cmd.Context(), args[0], out)
			}
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			key, blob, err := s.Named(args[0])
			if err != nil {
				return err
			}
			if blob.IsZero() {
				blob = key.Digest() // the encoded action
			}
			return a.get(cmd.Context(), s, cache.Output{Digest: blob}, out)
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "`path` to write to (default: standard output)")
	return c
}

func (a *app) getOutput(ctx context.Context, name, path string) error {
	block, output, ok := cutLast(name, ".")
	if !ok {
		return fmt.Errorf("%q names no output: write family.type.name.output, or a digest", name)
	}
	return a.withBlock(ctx, block, func(w *work, _ *planner.BlockStep) error {
		src, ok := w.plan.Graph.Output(name)
		if !ok {
			return fmt.Errorf("%s has no output %q", block, output)
		}
		out, ok := w.plan.Output(src)
		if !ok {
			return fmt.Errorf("%s is not built. Apply first", name)
		}
		return a.get(ctx, w.store, out, path)
	})
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func (a *app) get(ctx context.Context, s *disk.Store, out cache.Output, path string) error {
	err := a.write(ctx, s, out, path)
	if errors.Is(err, cache.ErrNotFound) || errors.Is(err, cache.ErrCorrupt) {
		return fmt.Errorf("its bytes are not in the store any more; apply makes them again where they are needed (%w)", err)
	}
	return err
}

func (a *app) write(ctx context.Context, s *disk.Store, out cache.Output, path string) error {
	if path != "" {
		return cache.Materialize(ctx, copying{s}, out, path)
	}
	if out.Directory {
		return errors.New("it is a directory: say with -out where to put it")
	}
	r, err := s.Open(ctx, out.Digest)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(a.stdout, r)
	return err
}

// copying hides that a store can link: what is given away is the user's to change.
type copying struct{ cache.CAS }
