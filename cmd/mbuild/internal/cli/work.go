package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/disk"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/planner/project"
	"mbuild.dev/mbuild/planner/runs"
)

// work is a plan with what it was made of.
type work struct {
	spec    *lang.Spec
	plan    *planner.Plan
	project *project.Project
	store   *disk.Store
	diags   hcl.Diagnostics

	backends *backends
	settings string // the backend that the spec asks for

	lowered hcl.Diagnostics  // the part of diags that loading and lowering gave
	numbers []int            // of the blocks in spec, when it is a part of the whole
	before  *executor.Result // gates and artifacts of the last apply, those of blocks beyond the plan among them
	release func()           // gives back what keeps the results of the plan from the collection of garbage
	idle    bool             // nothing has changed since everything was found cached and in place; there is no plan
}

// close lets go of the store and of the memory.
func (w *work) close() {
	w.project.Close()
	if w.release != nil {
		w.release()
	}
	if w.store != nil {
		w.store.Close()
	}
}

// planFlags are the flags that plan and apply share.
type planFlags struct {
	targets []string
	exclude []string
	replace []string
	noCache bool
	jobs    int

	about    []string // addresses of blocks: nothing but these and what they need has to be in the plan
	lockfile string   // "update", which "" stands for, or "readonly"

	apply bool // what the last apply reported is needed
	whole bool // every block has to be in the plan, the unchanged too
}

// makePlan loads, takes the snapshot and plans. Where the memory of the project tells that most of the spec is as it was, only
// the rest is looked at. Diagnostics with errors leave plan nil.
func (a *app) makePlan(ctx context.Context, f planFlags) (*work, error) {
	if hasSpec(a.dir) {
		project.Prepare(a.fs, a.dir)
	}
	w := &work{project: project.Open(a.fs, a.dir)}
	for _, text := range w.project.Warnings {
		fmt.Fprintf(a.stderr, "Warning: %s\n", text)
	}
	ok, err := a.planPart(ctx, f, w)
	if err == nil && !ok {
		err = a.planWhole(ctx, f, w)
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// planWhole plans every block of the spec.
func (a *app) planWhole(ctx context.Context, f planFlags, w *work) error {
	spec, graph, diags, err := a.load(ctx, a.sight(w))
	if err != nil {
		return err
	}
	w.spec, w.diags, w.lowered = spec, diags, diags
	if diags.HasErrors() {
		if d := a.swapped(ctx, w, graph); d.HasErrors() {
			w.diags = d
		}
		return nil
	}
	w.settings = spec.Settings.Backend
	tc, d := a.toolchain(ctx, w, spec.Settings.Backend, spec.Settings.BackendRange)
	if w.diags = append(w.diags, d...); d.HasErrors() {
		return nil
	}
	if w.store, err = a.openStore(); err != nil {
		return err
	}
	return a.plan(ctx, f, w, graph, planner.Request{Toolchain: tc})
}

// plan takes the snapshot of a graph's sources and makes its plan.
func (a *app) plan(ctx context.Context, f planFlags, w *work, graph *planner.Graph, r planner.Request) error {
	done := a.phase("snapshot")
	snap, d := planner.TakeSnapshot(ctx, a.dir, graph.Files, func(path string) (planner.FileStat, bool) {
		if st, ok := graph.Stats[path]; ok {
			return st, true
		}
		return w.knownFile(path)
	})
	done()
	w.diags = append(w.diags, d...)
	if d.HasErrors() {
		return nil
	}
	unpinned, d := hold(graph, snap, w.backends.lock, f.lockfile == lockReadonly, a.inDir())
	w.diags = append(w.diags, d...)
	if d.HasErrors() {
		return nil
	}
	choose, ok := a.chooser(ctx, w, graph, snap)
	if !ok {
		return nil
	}
	r.Choose = choose
	free, err := w.store.Planning()
	if err != nil {
		return err
	}
	defer free()
	r.Graph, r.Snapshot, r.Store, r.Last, r.Targets, r.Exclude, r.Replace, r.NoCache = graph, snap, w.store, w.project, f.targets, f.exclude, f.replace, f.noCache
	r.Costs = runs.In(a.fs, a.dir).Costs()
	done = a.phase("probe")
	w.plan, err = planner.Make(ctx, r)
	done()
	if err != nil {
		return err
	}
	w.plan.Unpinned = unpinned
	if f.apply && !w.plan.Empty() {
		if w.release, err = w.store.Lease(keysOf(w.plan)); err != nil {
			return err
		}
	}
	w.plan.Total = a.total(w.plan, f.jobs)
	var known map[string]planner.ArtifactState
	if m := w.project.Memory; m != nil {
		known = m.Artifacts
	}
	if err := w.plan.FindDrift(ctx, w.store, known); err != nil {
		return err
	}
	w.diags = append(w.diags, inTheWay(w.plan)...)
	return nil
}

// keysOf lists the keys that a plan knows.
func keysOf(p *planner.Plan) []cache.ActionKey {
	keys := make([]cache.ActionKey, 0, len(p.Steps))
	for _, s := range p.Steps {
		if s != nil && !s.Key.IsZero() {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// total is what a plan is expected to take as a whole.
func (a *app) total(p *planner.Plan, jobs int) planner.Estimate {
	t := p.Cost()
	if p.Empty() {
		return t
	}
	seconds, known := executor.Forecast(p, a.kinds, jobs)
	if known {
		t.Seconds = seconds + p.Costs.Fixed
	}
	return t
}

// sight is what kinds may see of the source files.
func (a *app) sight(w *work) planner.Sight {
	return planner.Sight{Dir: a.dir, Known: w.knownFile, Notes: w.project}
}

func (w *work) knownFile(path string) (planner.FileStat, bool) {
	if w.project.Memory == nil {
		return planner.FileStat{}, false
	}
	return w.project.Memory.Stat(path)
}

// planPart plans what may have changed since the memory of the project was written, or what the flags are about, with what
// that needs; or finds that nothing has changed. It returns false when there is no memory that fits, or too much has changed.
//
// What is left out was found cached and in place under the same spec, toolchain and sources, by a store that has lost nothing
// since: a plan of everything would say the same of it.
func (a *app) planPart(ctx context.Context, f planFlags, w *work) (bool, error) {
	m := w.project.Memory
	if m == nil || m.Spec == "" || len(f.exclude) > 0 || f.whole || f.noCache || f.apply && m.Result == nil {
		return false, nil
	}
	r, err := a.request()
	if err != nil {
		return false, err
	}
	done := a.phase("load")
	packed := lang.OpenPacked(ctx, r)
	done()
	if packed == nil {
		return false, nil
	}
	defer packed.Close()
	if packed.ID() != m.Spec || packed.Len() != m.Blocks() || m.Lock != lockDigest(a.dir) {
		return false, nil
	}
	w.settings = m.Backend
	tc, problems := a.toolchain(ctx, w, m.Backend, hcl.Range{})
	if problems.HasErrors() || tc != m.Toolchain || !w.backends.same(ctx, m.Backends) || !a.holds(w) {
		return false, nil
	}
	warnings, ok := lang.UnpackDiagnostics(m.Warnings)
	numbers, known := a.mayDiffer(f, w, packed)
	if !ok || !known || 2*len(numbers) > m.Blocks() && m.Blocks() > 64 {
		return false, nil
	}
	w.before = new(executor.Result)
	if m.Result != nil && json.Unmarshal(m.Result, w.before) != nil {
		return false, nil
	}
	w.lowered, w.diags = warnings, warnings
	if len(numbers) == 0 {
		w.idle = true
		return true, nil
	}
	spec, _ := packed.Spec(numbers) // whose warnings are among those that are remembered
	if spec == nil {
		return false, nil
	}
	done = a.phase("lower")
	graph, d := planner.LowerIn(spec, a.kinds.Planner, a.sight(w))
	done()
	if d.HasErrors() {
		return false, nil
	}
	w.spec, w.numbers = spec, numbers
	if w.store, err = a.openStore(); err != nil {
		return false, err
	}
	request := planner.Request{Toolchain: tc}
	if len(f.targets)+len(f.about) == 0 {
		request.Beyond = m.Actions() - len(graph.Actions)
	}
	return true, a.plan(ctx, f, w, graph, request)
}

// holds reports that the store still has what the memory saw in it.
func (a *app) holds(w *work) bool {
	var seen disk.Witness
	return json.Unmarshal(w.project.Memory.Store, &seen) == nil && seen.Dir == storeDir() && disk.Holds(a.fs, &seen)
}

// mayDiffer lists the blocks of which a plan may say something else than the last one, with all that they need: those that read a
// source or own an artifact that is not as it was, those that were not complete, and what depends on them; or the blocks that
// the flags name. It returns false when it cannot tell.
func (a *app) mayDiffer(f planFlags, w *work, packed *lang.Packed) ([]int, bool) {
	m := w.project.Memory
	named := slices.Concat(f.targets, f.about)
	blocks, ok := find(packed, slices.Concat(named, f.replace))
	if !ok {
		return nil, false
	}
	if len(named) > 0 {
		return m.Closure(blocks), true
	}
	for b := range m.Blocks() {
		if !m.Complete(b) {
			blocks = append(blocks, b)
		}
	}
	for _, i := range planner.Changed(a.dir, m.Files(), m.File) {
		blocks = append(blocks, m.Readers(i)...)
	}
	for path, state := range m.Artifacts {
		stat, err := planner.StatTree(filepath.Join(a.dir, filepath.FromSlash(path)))
		if err == nil && stat == state.Stat {
			continue
		}
		owner, ok := find(packed, []string{state.Block})
		if !ok {
			continue // of a block that the spec no longer has
		}
		blocks = append(blocks, owner...)
	}
	if len(blocks) == 0 {
		return nil, true
	}
	return m.Closure(m.Cone(blocks)), true
}

// find returns the numbers of blocks; false when one is not in the spec under exactly that address.
func find(packed *lang.Packed, addrs []string) ([]int, bool) {
	var numbers []int
	for _, text := range addrs {
		base, _, _ := strings.Cut(text, "/")
		addr, err := lang.ParseAddr(base)
		if err != nil {
			return nil, false
		}
		n, ok := packed.Find(addr)
		if !ok {
			return nil, false
		}
		numbers = append(numbers, n)
	}
	return numbers, true
}

// unchanged is what an apply reports where the memory of the project told that nothing is to be done.
func (w *work) unchanged(start time.Time) *executor.Result {
	res := &executor.Result{Cached: w.project.Memory.Actions(), Gates: w.before.Gates, Artifacts: w.before.Artifacts}
	for i := range res.Artifacts {
		res.Artifacts[i].Written = false
	}
	res.Seconds = time.Since(start).Seconds()
	return res
}

// merge adds to the result of an apply the gates and artifacts that lie beyond its plan.
func (w *work) merge(res *executor.Result) {
	if w.before == nil {
		return
	}
	here := map[string]bool{}
	for _, b := range w.plan.Blocks {
		here[b.Block.Addr.String()] = true
	}
	for _, g := range w.before.Gates {
		if !here[g.Block] {
			res.Gates = append(res.Gates, g)
		}
	}
	for _, art := range w.before.Artifacts {
		if !here[art.Block] {
			art.Written = false
			res.Artifacts = append(res.Artifacts, art)
		}
	}
}

// planned is the outcome of a plan that nobody applies.
type planned struct{ drifted map[string]bool }

// Finished implements project.Outcome.
func (planned) Finished(int) cache.ActionKey { return cache.ActionKey{} }

// Complete implements project.Outcome.
func (p planned) Complete(b *planner.BlockStep) bool {
	return b.Status == planner.Cached && !p.drifted[b.Block.Addr.String()]
}

// rememberPlan keeps what a plan has found, so that the next one can be made of what changes until then.
func (a *app) rememberPlan(ctx context.Context, w *work, f planFlags) {
	if w.plan == nil || len(f.targets)+len(f.exclude)+len(f.replace)+len(f.about) > 0 || f.noCache {
		return
	}
	o := planned{map[string]bool{}}
	for _, d := range w.plan.Drift {
		o.drifted[d.Block] = true
	}
	results := make([]*cache.ActionResult, len(w.plan.Steps))
	for i, s := range w.plan.Steps {
		if s != nil && s.Status == planner.Cached {
			results[i] = s.Result
		}
	}
	a.remember(ctx, w, o, results, nil)
}

// rememberApply keeps what an apply has done.
func (a *app) rememberApply(ctx context.Context, w *work, f planFlags, res *executor.Result) {
	summary, err := json.Marshal(executor.Result{Gates: res.Gates, Artifacts: res.Artifacts})
	if err != nil {
		summary = nil // a gate's value is not finite; the next apply makes its whole plan
	}
	a.remember(ctx, w, res, res.Results, summary)
	whole := w.spec.ID != "" && len(f.targets)+len(f.exclude) == 0 && !res.Interrupted && res.Failed+res.Skipped == 0
	var done []*lang.Block
	for _, b := range w.plan.Blocks {
		if !whole && res.Complete(b) {
			done = append(done, b.Block)
		}
	}
	if err := w.project.KeepApplied(done, whole); err != nil {
		a.warn("what was applied cannot be kept, so plans will not say which attributes change", err)
	}
}

// remember brings the memory of the project up to date. results are those whose bytes are in the store, by action; summary is
// what an apply reported, nil for a plan.
func (a *app) remember(ctx context.Context, w *work, o project.Outcome, results []*cache.ActionResult, summary json.RawMessage) {
	m := w.project.Memory
	var seen *disk.Witness
	same := w.numbers != nil || m != nil && m.Spec != "" && m.Spec == w.spec.ID && m.Toolchain == w.plan.Toolchain && w.backends.same(ctx, m.Backends) && a.holds(w)
	if same {
		seen = new(disk.Witness)
		if json.Unmarshal(m.Store, seen) != nil {
			seen = nil
		}
	}
	var visible []cache.Output
	for i, r := range results {
		if r != nil && w.plan.Steps[i].Visible {
			visible = append(visible, r.Outputs...)
		}
	}
	witness, err := w.store.Witness(ctx, seen, visible)
	if err != nil {
		witness = nil // the next plan looks at everything
	}
	meta := project.Meta{Spec: w.spec.ID, Backend: w.spec.Settings.Backend, Toolchain: w.plan.Toolchain, Backends: w.backends.asked, Lock: a.lockOf(w.plan), Warnings: lang.PackDiagnostics(w.lowered), Result: summary}
	if m != nil {
		meta.Artifacts = m.Artifacts
		if same && summary == nil {
			meta.Result = m.Result
		}
	}
	meta.Store, _ = json.Marshal(witness)
	switch {
	case w.numbers != nil:
		m.Meta = meta
		m.Update(w.plan, w.numbers, o)
	case same:
		m.Meta = meta
		all := make([]int, m.Blocks())
		for i := range all {
			all[i] = i
		}
		m.Update(w.plan, all, o)
	default:
		w.project.Memory = project.Remember(m, meta, w.plan, o)
	}
	if err := w.project.Save(); err != nil {
		a.warn("the memory of the project cannot be written", err)
	}
}

// warn says that something went wrong which only costs time.
func (a *app) warn(what string, err error) {
	fmt.Fprintf(a.stderr, "Warning: %s: %v\n", what, err)
}
