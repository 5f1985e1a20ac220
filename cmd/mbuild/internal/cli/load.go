package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/disk"
	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/planner/project"
	"mbuild.dev/mbuild/stdlib"
)

// request says where the spec is and what its variables are.
func (a *app) request() (lang.Request, error) {
	r := lang.Request{Dir: a.dir, Kinds: a.kinds.Planner, Std: stdlib.Modules, VarFiles: a.varFiles, Env: a.lookupEnv,
		FS: a.fs, Version: Version, Cache: filepath.Join(a.dir, project.Dir, project.SpecFile)}
	for _, v := range a.vars {
		name, val, ok := strings.Cut(v, "=")
		if !ok {
			return r, fmt.Errorf("-var %q: write name=value", v)
		}
		r.Vars = append(r.Vars, lang.VarArg{Name: name, Value: val})
	}
	return r, nil
}

// lookupEnv reads the environment, or what a plan file has of it.
func (a *app) lookupEnv(name string) (string, bool) {
	if a.env != nil {
		return a.env(name)
	}
	return os.LookupEnv(name)
}

// load reads the spec and lowers it.
func (a *app) load(ctx context.Context, sight planner.Sight) (*lang.Spec, *planner.Graph, hcl.Diagnostics, error) {
	r, err := a.request()
	if err != nil {
		return nil, nil, nil, err
	}
	done := a.phase("load")
	spec, diags := lang.Load(ctx, r)
	done()
	if diags.HasErrors() {
		return spec, nil, diags, nil
	}
	if d := checkVersion(spec); d != nil {
		return spec, nil, append(diags, d), nil
	}
	done = a.phase("lower")
	graph, d := planner.LowerIn(spec, a.kinds.Planner, sight)
	done()
	return spec, graph, append(diags, d...), nil
}

// hasSpec reports that a directory holds a spec file: nothing is written into others.
func hasSpec(dir string) bool {
	entries, _ := os.ReadDir(dir)
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return lang.IsSpecFile(e.Name()) })
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

// openStore opens $MBUILD_CACHE, else the user's cache directory.
func (a *app) openStore() (*disk.Store, error) {
	dir := storeDir()
	if dir == "" {
		return nil, errors.New("there is no cache directory for this user: set MBUILD_CACHE")
	}
	s, err := disk.OpenOn(a.fs, dir)
	if err == nil {
		where, _ := filepath.Abs(a.dir)
		s.Identify(a.command + " in " + where)
	}
	return s, err
}

// report prints diagnostics and returns errReported when there are errors.
func (a *app) report(spec *lang.Spec, diags hcl.Diagnostics) error {
	var files map[string]*hcl.File
	if spec != nil {
		files = spec.Files
	}
	a.view().Diagnostics(diags, files)
	if diags.HasErrors() {
		return errReported
	}
	return nil
}

// writeJSON writes one document to standard output.
func (a *app) writeJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// specDigest is the digest of what the spec means.
func specDigest(spec *lang.Spec) string {
	blocks := make([]any, len(spec.Blocks))
	for i, b := range spec.Blocks {
		blocks[i] = map[string]any{"address": b.Addr.String(), "attrs": b.Attrs()}
	}
	enc, err := value.Canonical(blocks)
	if err != nil {
		return ""
	}
	return cache.Sum(enc).String()
}

// failedPlanJSON is the document of a plan that could not be made.
func failedPlanJSON(w *work) *contract.Plan {
	return &contract.Plan{FormatVersion: contract.FormatVersion, MbuildVersion: Version, Variables: map[string]any{}, Blocks: []contract.Block{},
		Actions: []contract.Action{}, Drift: []planner.Drift{}, Pins: []contract.Pin{}, Estimate: planner.Estimate{Basis: "none"}, Diagnostics: contract.Diagnostics(w.diags)}
}

// lastPart of the text of an error that wraps context cancellation.
func interrupted(ctx context.Context, err error) bool {
	return err != nil && errors.Is(err, ctx.Err()) && ctx.Err() != nil
}
