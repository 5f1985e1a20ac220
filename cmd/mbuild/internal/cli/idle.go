package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/disk"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/planner/project"
)

// plainRun reports that a command asks for nothing but the usual plan, in words for people.
func (a *app) plainRun(f planFlags) bool {
	return !a.json && !a.verbose && !f.noCache && len(f.targets) == 0 && len(f.replace) == 0
}

// idle returns what the last plan, in which everything was cached, would report again; nil when anything that it looked at
// has changed, or may have.
func (a *app) idle(f planFlags) *executor.Result {
	start := time.Now()
	if !a.plainRun(f) {
		return nil
	}
	i, ok := project.LoadIdle(a.dir)
	if !ok {
		return nil
	}
	r, err := a.request()
	if err != nil || !lang.SameProvenance(r, i.Spec) {
		return nil
	}
	tc, err := a.backendOf(i.Backend)
	if err != nil || tc != i.Toolchain || !i.SourcesUnchanged(a.dir) {
		return nil
	}
	var w disk.Witness
	if json.Unmarshal(i.Store, &w) != nil || w.Dir != storeDir() || !disk.Holds(&w) {
		return nil
	}
	for path, stat := range i.Artifacts {
		if now, err := planner.StatTree(filepath.Join(a.dir, filepath.FromSlash(path))); err != nil || now != stat {
			return nil
		}
	}
	res := new(executor.Result)
	dec := json.NewDecoder(bytes.NewReader(i.Result))
	if dec.Decode(res) != nil {
		return nil
	}
	res.Seconds = time.Since(start).Seconds()
	return res
}

// rememberIdle keeps a plan in which everything is cached and every artifact in place; it forgets the last one otherwise. res is
// what an apply of it reported.
func (a *app) rememberIdle(ctx context.Context, w *work, f planFlags, res *executor.Result) {
	if !a.plainRun(f) {
		return // the memory is of the usual plan, and stays
	}
	w.project.SaveIdle(a.newIdle(ctx, w, res))
}

func (a *app) newIdle(ctx context.Context, w *work, res *executor.Result) *project.Idle {
	if !w.plan.Empty() || w.plan.Summary.Blocked > 0 || len(w.plan.Drift) > 0 || len(w.diags) > 0 || w.plan.Summary.Cached == 0 || res.Built+res.Failed+res.Skipped > 0 {
		return nil
	}
	r, err := a.request()
	if err != nil {
		return nil
	}
	i := &project.Idle{Spec: lang.Provenance(r, w.spec), Backend: w.spec.Settings.Backend, Toolchain: w.plan.Toolchain, Artifacts: map[string]string{}, Actions: w.plan.Summary.Cached}
	var outputs []cache.Output
	for _, s := range w.plan.Steps {
		if s != nil && s.Result != nil {
			outputs = append(outputs, s.Result.Outputs...)
		}
	}
	witness, err := w.store.Witness(ctx, outputs)
	if err != nil || i.Spec == nil {
		return nil
	}
	for _, art := range w.plan.Graph.Artifacts {
		i.Artifacts[art.Path] = w.project.Artifacts[art.Path].Stat
	}
	var ok bool
	if i.Sources, ok = project.SourceLines(w.plan.Snapshot); !ok {
		return nil
	}
	if i.Store, err = json.Marshal(witness); err != nil {
		return nil
	}
	if i.Result, err = json.Marshal(res); err != nil {
		return nil
	}
	return i
}

// storeDir is where the store is, "" when that cannot be said.
func storeDir() string {
	if dir := os.Getenv("MBUILD_CACHE"); dir != "" {
		return dir
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(base, "mbuild")
}

// backendOf is the toolchain that the flag, the environment or else the spec asks for.
func (a *app) backendOf(spec string) (planner.Toolchain, error) {
	s := &lang.Spec{Settings: lang.Settings{Backend: spec}}
	return a.toolchain(s)
}
