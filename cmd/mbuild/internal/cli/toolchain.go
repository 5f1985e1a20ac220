package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/executor"
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
	asked  map[string]string      // fingerprints of what blocks and the spec ask for, auto among them, by the name as given
	passed *hcl.Diagnostic        // the warning that auto did without a pinned backend
}

func (a *app) backends() (*backends, hcl.Diagnostics) {
	dir, err := pjrt.UserDir()
	l, diags := lock.Read(a.dir)
	if diags.HasErrors() {
		return nil, diags
	}
	return &backends{root: a.dir, dir: dir, noDir: err, lock: l, probe: worker.Probe, chosen: map[string]*mlx.Choice{}, asked: map[string]string{}}, nil
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

// environment is what the worker of a job gets for its backend.
func (b *backends) environment(job *executor.Job) []string {
	for _, c := range b.chosen {
		if c.Name == job.Backend {
			return c.Environment(job.Step)
		}
	}
	return nil
}

// files is what workers of the chosen backends read for their plugins.
func (b *backends) files() (all []string) {
	for _, c := range b.chosen {
		if c.Plugin != nil {
			all = append(all, pjrt.Libraries(c.Plugin.Path)...)
		}
	}
	return all
}

// envBackend is the variable that asks for a backend.
const envBackend = "MBUILD_BACKEND"

// asked is the backend that -backend or the environment asks for, "" when neither does.
func (a *app) asked() string {
	env, _ := a.lookupEnv(envBackend)
	return cmp.Or(a.backend, env)
}

// wanted is the backend that was asked for: by -backend, by MBUILD_BACKEND, by a block, by the spec; else go.
func (a *app) wanted(block, settings string) string {
	return cmp.Or(a.asked(), block, settings, mlx.Go)
}

func toolchainOf(c *mlx.Choice) planner.Toolchain {
	return planner.Toolchain{Backend: c.Name, Fingerprint: c.Fingerprint(), Platform: platform()}
}

// toolchain is that of the backend that was asked for; it leaves the backends in w. at is where the spec asks for settings.
func (a *app) toolchain(ctx context.Context, w *work, settings string, at hcl.Range) (planner.Toolchain, hcl.Diagnostics) {
	if w.backends == nil {
		var diags hcl.Diagnostics
		if w.backends, diags = a.backends(); diags.HasErrors() {
			return planner.Toolchain{}, diags
		}
	}
	tc, err := w.backends.toolchain(ctx, a.wanted("", settings))
	if err != nil {
		by := ""
		if env, _ := a.lookupEnv(envBackend); a.backend != "" {
			at = hcl.Range{}
			by = " It is what -backend asks for."
		} else if env != "" {
			at = hcl.Range{}
			by = " It is what " + envBackend + " asks for."
		}
		return planner.Toolchain{}, hcl.Diagnostics{backendProblem(at, "%s.%s", sentence(err), by)}
	}
	return tc, nil
}

// toolchain is that of a backend; that of auto has the fingerprints of both that it chooses from.
func (b *backends) toolchain(ctx context.Context, name string) (planner.Toolchain, error) {
	if name == mlx.Auto {
		light, heavy := mlx.GoChoice(), b.heavy(ctx)
		b.asked[name] = light.Fingerprint() + " " + heavy.Fingerprint()
		return planner.Toolchain{Backend: mlx.Auto, Fingerprint: b.asked[name], Platform: platform()}, nil
	}
	c, err := b.choose(ctx, name)
	if err != nil {
		return planner.Toolchain{}, err
	}
	tc := toolchainOf(c)
	b.asked[name] = tc.Fingerprint
	return tc, nil
}

// heavy is what auto takes for much work: the first backend that is pinned and can be used, else go.
func (b *backends) heavy(ctx context.Context) *mlx.Choice {
	for _, name := range []string{mlx.XLACUDA, mlx.XLACPU} {
		if _, pinned := b.lock.Plugin(name, platform()); !pinned {
			continue
		}
		c, err := b.choose(ctx, name)
		if err == nil {
			return c
		}
		b.passed = backendProblem(hcl.Range{}, "The backend auto goes without %s, though it is pinned. %s.", name, sentence(err))
		b.passed.Severity, b.passed.Summary = hcl.DiagWarning, "Pinned backend cannot be used"
	}
	c, _ := b.choose(ctx, mlx.Go) // which is always there
	return c
}

// chooser is planner.Request.Choose: nil when every block takes the default. It is false when a block asks for a backend that
// cannot be used.
func (a *app) chooser(ctx context.Context, w *work, g *planner.Graph, snap *planner.Snapshot) (func(*planner.Action) planner.Toolchain, bool) {
	settings := w.settings
	own, computes := false, map[*lang.Block]bool{}
	for _, act := range g.Actions {
		computes[act.Block] = computes[act.Block] || act.Compute
		own = own || act.Block.Backend != ""
	}
	if !own && a.wanted("", settings) != mlx.Auto {
		return nil, true
	}
	named, ok := map[string]planner.Toolchain{}, true
	for _, block := range g.Spec.Blocks {
		if block.Backend == "" {
			continue
		}
		tc, err := w.backends.toolchain(ctx, a.wanted(block.Backend, settings))
		if err == nil && !computes[block] {
			err = fmt.Errorf("%s does not compute, so it has no use for a backend: remove the attribute", block.Addr)
		}
		if err != nil {
			d := lang.Errorf("backend", block.Addr, block.RangeOf("backend", false), "Backend cannot be used", "%s.", sentence(err))
			w.diags, ok = append(w.diags, d), false
			continue
		}
		named[a.wanted(block.Backend, settings)] = tc
	}
	if !ok {
		return nil, false
	}
	def := a.wanted("", settings)
	if tc, err := w.backends.toolchain(ctx, def); err == nil {
		named[def] = tc
	}
	var heavy *mlx.Choice
	if _, auto := named[mlx.Auto]; auto {
		heavy = w.backends.heavy(ctx)
		if w.backends.passed != nil {
			w.diags = append(w.diags, w.backends.passed)
		}
	}
	type series struct{ block, name string }
	chosen := map[series]planner.Toolchain{}
	return func(act *planner.Action) planner.Toolchain {
		name := a.wanted(act.Block.Backend, settings)
		if name != mlx.Auto {
			return named[name]
		}
		at := series{act.Block.Addr.String(), act.Series}
		tc, known := chosen[at]
		if !known {
			c := mlx.GoChoice()
			if mlx.Heavy(act.Work.Fixed + act.Work.PerByte*float64(snap.SourceBytes(act))) {
				c = heavy
			}
			tc = toolchainOf(c)
			chosen[at] = tc
		}
		return tc
	}, true
}

// same reports that the backends have the fingerprints they had.
func (b *backends) same(ctx context.Context, before map[string]string) bool {
	for name, fp := range before {
		if tc, err := b.toolchain(ctx, name); err != nil || tc.Fingerprint != fp {
			return false
		}
	}
	return true
}

// sentence is an error's text with a capital letter.
func sentence(err error) string {
	s := err.Error()
	if s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}
