package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"mbuild.dev/mbuild/cache/disk"
	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/cmd/mbuild/internal/view"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/sandbox"
	"mbuild.dev/mbuild/lang/lock"
	"mbuild.dev/mbuild/planner/project"
	"mbuild.dev/mbuild/planner/runs"
)

// littleSpace is the free space below which doctor warns.
const littleSpace = 1 << 30

func (a *app) doctorCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check what mbuild stands on: store, sandbox, backends, versions, the project's memory",
		Long:  "doctor looks at the store, its file system and permissions, at what the sandbox can do here, at backends, versions and the memory of\nthe project, and says of each problem what to do. It exits with 1 when it found one. It changes nothing but for a file that it\nmakes and removes in the store.",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			doc := contract.Doctor{FormatVersion: contract.FormatVersion, Checks: []contract.Check{}}
			for _, part := range []func() []contract.Check{a.checkVersions, a.checkBackends, a.checkStore, sandboxChecks, a.checkProject} {
				doc.Checks = append(doc.Checks, part()...)
			}
			for _, c := range doc.Checks {
				doc.Problems += map[string]int{"problem": 1}[c.Status]
			}
			if doc.Problems > 0 {
				a.code = exitError
			}
			if a.json {
				if err := a.writeJSON(doc); err != nil {
					return err
				}
			} else {
				a.view().Doctor(doc)
			}
			return reported(a.code)
		},
	}
}

func good(area, name, format string, args ...any) contract.Check {
	return contract.Check{Area: area, Name: name, Status: "ok", Value: fmt.Sprintf(format, args...)}
}

func bad(area, name, advice string, format string, args ...any) contract.Check {
	return contract.Check{Area: area, Name: name, Status: "problem", Value: fmt.Sprintf(format, args...), Advice: advice}
}

// modulesThatMatter decide what comes out of builds.
var modulesThatMatter = []string{"github.com/gomlx/gomlx", "github.com/gomlx/compute", "cuelang.org/go", "github.com/hashicorp/hcl/v2"}

func (a *app) checkVersions() []contract.Check {
	out := []contract.Check{good("versions", "mbuild", "%s", Version), good("versions", "go", "%s, %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())}
	versions := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			versions[d.Path] = d.Version
		}
	}
	for _, m := range modulesThatMatter {
		if v := versions[m]; v != "" {
			out = append(out, good("versions", m, "%s", v))
		}
	}
	return out
}

func (a *app) checkBackends() []contract.Check {
	fp, err := mlx.Fingerprint(mlx.Go)
	if err != nil {
		return []contract.Check{bad("backends", mlx.Go, "Install mbuild anew: the backend that is always there is not.", "%v", err)}
	}
	out := []contract.Check{good("backends", mlx.Go, "%s", fp)}
	if mlx.SIMD() == "none" && runtime.GOARCH == "amd64" {
		out = append(out, contract.Check{Area: "backends", Name: "vector code", Status: "warning", Value: "none", Advice: "Build mbuild with GOEXPERIMENT=simd: training is several times as fast."})
	}
	return append(out, a.checkWanted()...)
}

// checkWanted looks at the backend that the environment asks for, and at those that the lock file pins.
func (a *app) checkWanted() []contract.Check {
	b, diags := a.backends()
	if diags.HasErrors() {
		return []contract.Check{bad("backends", lock.Name, "Take the file from the history of the repository, or write it again with mbuild backend pin and mbuild lock.", "%s", diags[0].Detail)}
	}
	var out []contract.Check
	check := func(what, name, advice string) {
		if tc, err := b.toolchain(context.Background(), name); err != nil {
			out = append(out, bad("backends", what, advice, "%v", err))
		} else {
			out = append(out, good("backends", what, "%s", tc.Fingerprint))
		}
	}
	if name := os.Getenv(envBackend); name != "" {
		check(envBackend, name, "Unset MBUILD_BACKEND, or name a backend that this program has; mbuild backend list shows them.")
	}
	for _, pin := range b.lock.Pins {
		if pin.Platform == platform() && mlx.HasXLA {
			check(pin.Backend, pin.Backend, "Install the plugin that "+lock.Name+" pins, or pin another: docs/backends.md.")
		}
	}
	return out
}

func (a *app) checkStore() []contract.Check {
	dir := storeDir()
	if dir == "" {
		return []contract.Check{bad("store", "directory", "Set MBUILD_CACHE to a directory that you may write to.", "there is no cache directory for this user")}
	}
	s, err := a.openStore()
	if err != nil {
		return []contract.Check{bad("store", "directory", "Choose another directory with MBUILD_CACHE, or give yourself permission to read and write this one.", "%s: %v", dir, err)}
	}
	defer s.Close()
	out := []contract.Check{good("store", "directory", "%s", s.Dir())}
	if s.ReadOnly() {
		out = append(out, bad("store", "permission", "Make the directory writable, or choose another with MBUILD_CACHE: nothing that is built here can be kept.", "the store is read-only"))
	} else {
		out = append(out, good("store", "permission", "readable and writable"))
	}
	if u, err := s.Usage(); err != nil {
		out = append(out, bad("store", "content", "Run mbuild cache verify.", "%v", err))
	} else {
		out = append(out, good("store", "content", "%d results, %d blobs, %s on disk", u.Results, u.Blobs, view.Bytes(u.DiskBytes)))
	}
	return append(out, a.checkDisk(s)...)
}

// checkDisk looks at the file system under the store: room, kind, locks.
func (a *app) checkDisk(s *disk.Store) []contract.Check {
	var out []contract.Check
	if free, kind, ok := diskSpace(s.Dir()); ok {
		out = append(out, good("store", "file system", "%s, %s free", kind, view.Bytes(free)))
		if free < littleSpace {
			out = append(out, bad("store", "free space", "Free some space, run mbuild cache gc, or choose another disk with MBUILD_CACHE.", "only %s are free", view.Bytes(free)))
		}
		if strings.HasPrefix(kind, "network") {
			out = append(out, contract.Check{Area: "store", Name: "network", Status: "warning", Value: kind, Advice: "Locks and hard links may not work between machines: a local disk is safer, and faster."})
		}
	}
	if s.ReadOnly() {
		return out
	}
	if err := a.tryLocks(s.Dir()); err != nil {
		return append(out, bad("store", "locks", "Use a file system with file locks: without them two processes may do the same work twice.", "%v", err))
	}
	return append(out, good("store", "locks", "file locks work"))
}

// tryLocks makes a file in the store and sees whether one lock on it excludes another.
func (a *app) tryLocks(dir string) error {
	f, err := a.fs.CreateTemp(dir, "doctor-")
	if err != nil {
		return err
	}
	defer a.fs.Remove(f.Name())
	defer f.Close()
	if ok, err := f.TryLock(0, 1, false); err != nil || !ok {
		return fmt.Errorf("a lock cannot be taken: %v", err)
	}
	g, err := a.fs.OpenFile(f.Name(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer g.Close()
	if ok, err := g.TryLock(0, 1, false); err == nil && ok {
		return fmt.Errorf("a lock that is held can be taken again")
	}
	return nil
}

// sandboxChecks says what the sandbox guarantees on this machine.
func sandboxChecks() []contract.Check {
	var out []contract.Check
	for _, ability := range sandbox.Abilities() {
		c := good("sandbox", ability.Name, "%s", ability.What)
		if !ability.On {
			c.Status, c.Value, c.Advice = "warning", "off: "+ability.What, "This machine does not allow it: "+ability.Why+". docs/sandbox.md says what that means."
		}
		out = append(out, c)
	}
	return out
}

func (a *app) checkProject() []contract.Check {
	if !hasSpec(a.dir) {
		return []contract.Check{good("project", "spec", "no spec in this directory")}
	}
	p := project.Open(a.fs, a.dir)
	defer p.Close()
	var out []contract.Check
	for _, w := range p.Warnings {
		out = append(out, contract.Check{Area: "project", Name: "memory", Status: "warning", Value: w, Advice: "Nothing to do: the next apply writes it anew."})
	}
	if p.Memory != nil {
		out = append(out, good("project", "memory", "%d blocks, %d actions, %d artifacts", p.Memory.Blocks(), p.Memory.Actions(), len(p.Memory.Artifacts)))
	} else if len(out) == 0 {
		out = append(out, good("project", "memory", "none yet"))
	}
	project.Prepare(a.fs, a.dir)
	f, err := a.fs.CreateTemp(filepath.Join(a.dir, project.Dir), "doctor-")
	if err != nil {
		out = append(out, bad("project", "permission", "Give yourself permission to write .mbuild: without it plans cannot say what changed, and look at everything each time.", "%s cannot be written: %v", project.Dir, err))
	} else {
		f.Close()
		a.fs.Remove(f.Name())
	}
	if ids, err := runs.In(a.fs, a.dir).IDs(); err == nil {
		out = append(out, good("project", "runs", "%d recorded", len(ids)))
	}
	return out
}
