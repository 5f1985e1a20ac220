package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/pjrt"
	"mbuild.dev/mbuild/lang/lock"
)

// fetcher is the word for go-xla's own installer in place of a file.
const fetcher = "go-xla"

func (a *app) backendCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "backend",
		Short: "List, install, pin and remove compute backends",
		Long: "The backend go is in every mbuild. xla:cpu and xla:cuda need a build with -tags xla and a PJRT plugin, a shared library that is\n" +
			"installed once per user: in $MBUILD_BACKENDS, else in mbuild/backends of the user's data directory. docs/backends.md tells more.",
	}
	c.AddCommand(a.backendListCmd(), a.backendInstallCmd(), a.backendPinCmd(), a.backendRemoveCmd())
	return c
}

func (a *app) backendListCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Say which backends there are, with their plugins and devices, and why one cannot be used",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := a.openBackends()
			if err != nil {
				return err
			}
			doc, err := b.list(cmd.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.writeJSON(doc)
			}
			return a.printBackends(doc)
		},
	}
}

// openBackends is backends for commands that need the directory.
func (a *app) openBackends() (*backends, error) {
	b, diags := a.backends()
	if diags.HasErrors() {
		return nil, a.report(nil, diags)
	}
	return b, b.noDir
}

// list describes go, every installed plugin, and what is pinned and not installed.
func (b *backends) list(ctx context.Context) (*contract.Backends, error) {
	doc := &contract.Backends{FormatVersion: contract.FormatVersion, Directory: b.dir.Path, XLA: mlx.HasXLA}
	doc.Backends = append(doc.Backends, contract.Backend{Name: mlx.Go, Usable: true, Devices: []string{platform() + " " + mlx.SIMD()}, Fingerprint: mlx.GoChoice().Fingerprint()})
	all, err := b.dir.List()
	if err != nil {
		return nil, err
	}
	here := map[string]bool{}
	for _, p := range all {
		here[p.Backend+" "+p.Digest] = true
		doc.Backends = append(doc.Backends, b.describe(ctx, p))
	}
	for _, pin := range b.lock.Pins {
		if pin.Platform != platform() || here[pin.Backend+" "+pin.Digest] {
			continue
		}
		n, err := mlx.ParseName(pin.Backend)
		if err == nil && n.Path() != "" {
			if _, err = b.plugin(n); err == nil {
				err = mlx.Known(pin.Backend)
			}
		} else if err == nil {
			err = fmt.Errorf("%s pins it, and it is not installed", lock.Name)
		}
		e := contract.Backend{Name: pin.Backend, Plugin: pin.Source, Digest: pin.Digest, Pinned: true, Usable: err == nil, Devices: []string{}}
		if err != nil {
			e.Problem = err.Error()
		}
		doc.Backends = append(doc.Backends, e)
	}
	if len(doc.Backends) == 1 {
		err := mlx.Known(mlx.XLACPU)
		if err == nil {
			_, err = b.dir.Find(mlx.XLACPU, "")
		}
		doc.Backends = append(doc.Backends, contract.Backend{Name: mlx.XLACPU, Problem: err.Error(), Devices: []string{}})
	}
	return doc, nil
}

// describe verifies a plugin and asks it what it is.
func (b *backends) describe(ctx context.Context, p *pjrt.Plugin) contract.Backend {
	pin, pinned := b.lock.Plugin(p.Backend, platform())
	e := contract.Backend{Name: p.Backend, Plugin: p.Source, Version: p.Version, Digest: p.Digest, Pinned: pinned && pin.Digest == p.Digest, Devices: []string{}}
	err := mlx.Known(p.Backend)
	if err == nil {
		err = pjrt.Verify(p)
	}
	n, perr := mlx.ParseName(p.Backend)
	if err = errors.Join(err, perr); err == nil {
		var probed *mlx.Probed
		c := mlx.Choose(n, p, n.Platform(), "")
		if probed, err = b.probe(ctx, c); err == nil {
			e.Version, e.Devices = probed.Version, probed.Devices
			if p.Version != probed.Version {
				p.Version = probed.Version
				b.dir.Save(p)
			}
			if want := n.Platform(); want != "" && probed.Platform != want { // a plugin by path may be of any
				err = fmt.Errorf("the plugin is one of %q, and is installed for %s", probed.Platform, p.Backend)
			} else if len(probed.Devices) == 0 {
				err = errors.New("the plugin has found no device")
			}
		}
	}
	if e.Usable = err == nil; !e.Usable {
		e.Problem = err.Error()
	}
	return e
}

func (a *app) printBackends(doc *contract.Backends) error {
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "BACKEND\tPLUGIN\tPJRT\tDIGEST\tPINNED\tDEVICES")
	for _, e := range doc.Backends {
		pinned := ""
		if e.Pinned {
			pinned = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", e.Name, dash(e.Plugin), dash(e.Version), dash(shortDigest(e.Digest)), dash(pinned), dash(strings.Join(e.Devices, ", ")))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, e := range doc.Backends {
		if e.Problem != "" {
			fmt.Fprintf(a.stdout, "\n%s %s cannot be used: %s\n", e.Name, shortDigest(e.Digest), e.Problem)
		}
	}
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// shortDigest is as much of a digest as tells plugins apart.
func shortDigest(d string) string {
	if len(d) < len("sha256:")+12 {
		return d
	}
	return d[:len("sha256:")+12]
}

func (a *app) backendInstallCmd() *cobra.Command {
	var member, digest string
	var pin bool
	c := &cobra.Command{
		Use:   "install BACKEND FILE|go-xla[@VERSION]",
		Short: "Install a plugin from a file, a wheel, or with go-xla's installer",
		Long: "install copies the PJRT plugin for xla:cpu or xla:cuda out of a file, or a wheel, which it does not change. Nothing is downloaded,\n" +
			"unless go-xla stands in the place of the file: then the installer of the library of that name fetches its own plugin, of the version\n" +
			"given or the latest.",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := mlx.ParseName(args[0])
			if err != nil {
				return err
			}
			if n.String() != n.Base || n.Platform() == "" {
				return fmt.Errorf("plugins are installed for %q or %q, not %q; one by path (pjrt:PATH) needs no installing", mlx.XLACPU, mlx.XLACUDA, args[0])
			}
			if digest != "" {
				if digest, err = pjrt.ParseDigest(digest); err != nil {
					return err
				}
			}
			b, err := a.openBackends()
			if err != nil {
				return err
			}
			p, err := b.install(n, args[1], member, digest)
			if err != nil {
				return err
			}
			if pin {
				if err := b.pin(n.Base, p); err != nil {
					return err
				}
			}
			return a.printPlugin(cmd.Context(), b, p)
		},
	}
	c.Flags().StringVar(&member, "member", "", "`path` of the plugin within the wheel (default: the only library there is)")
	c.Flags().StringVar(&digest, "digest", "", "`sha256` that the file must have")
	c.Flags().BoolVar(&pin, "pin", false, "pin the plugin in the lock file, too")
	return c
}

func (b *backends) install(n mlx.Name, source, member, digest string) (*pjrt.Plugin, error) {
	word, version, _ := strings.Cut(source, "@")
	if word != fetcher {
		return b.dir.Install(pjrt.Request{Backend: n.Base, File: source, Member: member, Digest: digest})
	}
	if err := mlx.Known(n.Base); err != nil {
		return nil, err
	}
	path, err := mlx.Fetch(b.dir, n.Base, version)
	if err != nil {
		return nil, fmt.Errorf("go-xla's installer: %w", err)
	}
	p, err := b.dir.Install(pjrt.Request{Backend: n.Base, File: path, Digest: digest})
	if strings.HasPrefix(filepath.Base(filepath.Dir(path)), ".fetch-") {
		os.RemoveAll(filepath.Dir(path))
	}
	return p, err
}

// printPlugin says what was installed or pinned, and whether it works here.
func (a *app) printPlugin(ctx context.Context, b *backends, p *pjrt.Plugin) error {
	e := b.describe(ctx, p)
	if a.json {
		return a.writeJSON(contract.Backends{FormatVersion: contract.FormatVersion, Directory: b.dir.Path, XLA: mlx.HasXLA, Backends: []contract.Backend{e}})
	}
	fmt.Fprintf(a.stdout, "%s\n  plugin  %s\n  digest  %s\n", e.Name, p.Path, e.Digest)
	if e.Pinned {
		fmt.Fprintf(a.stdout, "  pinned  in %s, for %s\n", b.lock.Path, platform())
	}
	if e.Usable {
		fmt.Fprintf(a.stdout, "  PJRT    %s\n  devices %s\n", e.Version, strings.Join(e.Devices, ", "))
	} else {
		fmt.Fprintf(a.stderr, "Warning: it cannot be used as it is: %s\n", e.Problem)
	}
	return nil
}

func (a *app) backendPinCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "pin BACKEND [DIGEST]",
		Short: "Write a plugin's digest into the lock file of the spec",
		Long:  "pin writes the digest of the installed plugin, or of the one at the path of pjrt:PATH, into " + lock.Name + ". From then on a plugin with\nanother digest is an error, and the backend auto may choose this one.",
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := mlx.ParseName(args[0])
			if err != nil {
				return err
			}
			b, err := a.openBackends()
			if err != nil {
				return err
			}
			p, err := b.toPin(n, args[1:])
			if err != nil {
				return err
			}
			if err := b.pin(n.Base, p); err != nil {
				return err
			}
			return a.printPlugin(cmd.Context(), b, p)
		},
	}
}

// toPin finds the plugin to pin, whatever the lock says now.
func (b *backends) toPin(n mlx.Name, digest []string) (*pjrt.Plugin, error) {
	if path := n.Path(); path != "" {
		if !filepath.IsAbs(path) {
			path = filepath.Join(b.root, path)
		}
		return b.dir.ByPath(n.Base, path)
	}
	if n.Platform() == "" {
		return nil, fmt.Errorf("backend %q has no plugin to pin", n.Base)
	}
	if len(digest) == 0 {
		return b.dir.Find(n.Base, "")
	}
	d, err := pjrt.ParseDigest(digest[0])
	if err != nil {
		return nil, err
	}
	return b.dir.Find(n.Base, d)
}

func (b *backends) pin(backend string, p *pjrt.Plugin) error {
	return b.lock.Set(lock.Pin{Backend: backend, Platform: platform(), Digest: p.Digest, Source: p.Source})
}

func (a *app) backendRemoveCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "remove DIGEST",
		Short: "Delete an installed plugin, by the beginning of its digest",
		Long:  "remove deletes plugins from the user's directory. Pins of lock files stay, and results that were computed with the plugin stay cached.",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(strings.TrimPrefix(args[0], "sha256:")) < 4 {
				return fmt.Errorf("%q is too short: give at least 4 digits of the digest", args[0])
			}
			b, err := a.openBackends()
			if err != nil {
				return err
			}
			gone, err := b.dir.Remove(args[0])
			if err != nil {
				return err
			}
			doc := contract.Removed{FormatVersion: contract.FormatVersion, Removed: []string{}}
			for _, p := range gone {
				doc.Removed = append(doc.Removed, p.Digest)
				if !a.json {
					fmt.Fprintf(a.stdout, "removed %s %s (%s)\n", p.Backend, p.Digest, p.Source)
				}
			}
			if a.json {
				return a.writeJSON(doc)
			}
			return nil
		},
	}
}
