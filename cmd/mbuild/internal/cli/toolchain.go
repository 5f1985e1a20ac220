package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/pjrt"
	"mbuild.dev/mbuild/executor/worker"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/lock"
	"mbuild.dev/mbuild/planner"
)

// platform is this machine's, as in the lock and in keys.
func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// backends turns names of backends into choices: which plugin, by the lock and by what is installed.
type backends struct {
	root   string // of the spec
	dir    pjrt.Dir
	noDir  error // why there is none
	lock   *lock.File
	probe  func(context.Context, *mlx.Choice) (*mlx.Probed, error)
	chosen map[string]*mlx.Choice // by the name as given
}

func (a *app) backends() (*backends, hcl.Diagnostics) {
	dir, err := pjrt.UserDir()
	l, diags := lock.Read(a.dir)
	if diags.HasErrors() {
		return nil, diags
	}
	return &backends{root: a.dir, dir: dir, noDir: err, lock: l, probe: worker.Probe, chosen: map[string]*mlx.Choice{}}, nil
}

func backendProblem(at hcl.Range, format string, args ...any) *hcl.Diagnostic {
	d := lang.Errorf("backend", lang.Addr{}, at, "Backend cannot be used", format, args...)
	if at == (hcl.Range{}) {
		d.Subject = nil
	}
	return d
}

// choose resolves a name. Its errors are one line.
func (b *backends) choose(ctx context.Context, name string) (*mlx.Choice, error) {
	if c := b.chosen[name]; c != nil {
		return c, nil
	}
	n, err := mlx.ParseName(name)
	if err == nil {
		err = mlx.Known(name)
	}
	if err != nil {
		return nil, err
	}
	c := mlx.GoChoice()
	if n.Base != mlx.Go {
		if b.noDir != nil {
			return nil, b.noDir
		}
		if c, err = b.plugged(ctx, n); err != nil {
			return nil, err
		}
	}
	b.chosen[name] = c
	return c, nil
}

// plugged chooses the plugin of a name and asks it what only it knows: the kind of device, and the platform of one by path.
func (b *backends) plugged(ctx context.Context, n mlx.Name) (*mlx.Choice, error) {
	p, err := b.plugin(n)
	if err != nil {
		return nil, err
	}
	if n.Platform() == mlx.PlatformCPU {
		return mlx.Choose(n, p, mlx.PlatformCPU, ""), nil
	}
	probed, err := b.ask(ctx, mlx.Choose(n, p, n.Platform(), ""))
	if err != nil {
		return nil, fmt.Errorf("backend %q: %w", n, err)
	}
	if n.Device >= len(probed.Devices) {
		return nil, fmt.Errorf("backend %q: its plugin has found %d devices, so there is no device %d", n, len(probed.Devices), n.Device)
	}
	return mlx.Choose(n, p, probed.Platform, probed.Devices[n.Device]), nil
}

// plugin is the one that the lock pins, else the only one that is installed.
func (b *backends) plugin(n mlx.Name) (*pjrt.Plugin, error) {
	pin, pinned := b.lock.Plugin(n.Base, platform())
	if path := n.Path(); path != "" {
		if !filepath.IsAbs(path) {
			path = filepath.Join(b.root, path)
		}
		p, err := b.dir.ByPath(n.Base, path)
		if err != nil {
			return nil, fmt.Errorf("backend %q: %w", n, err)
		}
		if pinned && p.Digest != pin.Digest {
			return nil, fmt.Errorf("backend %q: %s pins the plugin %s, and %s is %s: put the other file there, or run mbuild backend pin %s", n, lock.Name, pin.Digest, path, p.Digest, n.Base)
		}
		return p, nil
	}
	p, err := b.dir.Find(n.Base, pin.Digest)
	switch {
	case errors.Is(err, pjrt.ErrNone) && pinned:
		return nil, fmt.Errorf("backend %q: %s pins the plugin %s (%s), and %w. Install that one, or run mbuild backend pin %s to take another", n, lock.Name, pin.Digest, pin.Source, err, n.Base)
	case err != nil:
		return nil, fmt.Errorf("backend %q: %w", n, err)
	}
	if err := pjrt.Verify(p); err != nil {
		return nil, fmt.Errorf("backend %q: %w", n, err)
	}
	return p, nil
}

// ask probes a plugin, or takes what it said before about the same machine.
func (b *backends) ask(ctx context.Context, c *mlx.Choice) (*mlx.Probed, error) {
	key := machineKey(c)
	p := new(mlx.Probed)
	if b.dir.Recall(key, p) {
		return p, nil
	}
	p, err := b.probe(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(p.Devices) == 0 {
		return nil, errors.New("its plugin has found no device")
	}
	b.dir.Remember(key, p)
	return p, nil
}

// machineKey is what a plugin's answer depends on: itself, and the devices that the system and the environment show it.
func machineKey(c *mlx.Choice) []string {
	key := []string{c.Plugin.Digest, c.Platform, os.Getenv("CUDA_VISIBLE_DEVICES"), os.Getenv("CUDA_DEVICE_ORDER")}
	files, _ := filepath.Glob("/proc/driver/nvidia/gpus/*/information") // the pattern is well formed
	for _, f := range append(files, "/proc/driver/nvidia/version") {
		if text, err := os.ReadFile(f); err == nil {
			key = append(key, string(text))
		}
	}
	return key
}

// environment is what workers of a backend get.
func (b *backends) environment(name string) []string {
	for _, c := range b.chosen {
		if c.Name == name {
			return c.Environment()
		}
	}
	return nil
}

// files is what workers of the chosen backends read: each plugin's directory, for the libraries that lie beside it.
func (b *backends) files() (dirs []string) {
	for _, c := range b.chosen {
		if c.Plugin != nil {
			dirs = append(dirs, filepath.Dir(c.Plugin.Path))
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// wanted is the backend that was asked for: -backend, MBUILD_BACKEND, the spec's, go.
func (a *app) wanted(settings string) string {
	for _, n := range []string{a.backend, os.Getenv("MBUILD_BACKEND"), settings} {
		if n != "" {
			return n
		}
	}
	return mlx.Go
}

func toolchainOf(c *mlx.Choice) planner.Toolchain {
	return planner.Toolchain{Backend: c.Name, Fingerprint: c.Fingerprint(), Platform: platform()}
}

// toolchain is that of the backend that was asked for; it leaves the backends in w.
func (a *app) toolchain(ctx context.Context, w *work, settings string) (planner.Toolchain, hcl.Diagnostics) {
	if w.backends == nil {
		var diags hcl.Diagnostics
		if w.backends, diags = a.backends(); diags.HasErrors() {
			return planner.Toolchain{}, diags
		}
	}
	c, err := w.backends.choose(ctx, a.wanted(settings))
	if err != nil {
		return planner.Toolchain{}, hcl.Diagnostics{backendProblem(hcl.Range{}, "%s.", sentence(err))}
	}
	return toolchainOf(c), nil
}

// sentence is an error's text with a capital letter.
func sentence(err error) string {
	s := err.Error()
	if s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}
