package executor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/disk"
	"mbuild.dev/mbuild/cache/memory"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/worker"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
)

// TestMain lets the test binary be a worker.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == worker.Arg {
		os.Exit(worker.Serve(executor.NewTable(toy(false)), os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// calls counts the runs of toys in this process.
var calls atomic.Int64

// toy is a kind of one action that adds up its inputs and its value, or misbehaves.
func toy(inProcess bool) *executor.Kind {
	number := &schema.Type{Op: schema.Int}
	ref := &schema.Type{Op: schema.Ref, RefTypes: []string{"number"}}
	return &executor.Kind{
		Kind: planner.Kind{
			Family: "step", Type: "toy", Version: 1,
			Schema: &schema.Kind{Family: "step", Type: "toy", Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "value", Type: number, Default: int64(0)},
				{Name: "op", Type: &schema.Type{Op: schema.String}, Default: "sum"},
				{Name: "from", Type: &schema.Type{Op: schema.List, Elem: ref}, Default: []any{}},
			}}},
			Outputs: []planner.Output{{Name: "out", Type: "number"}},
			Lower:   lowerToy, Transient: true,
		},
		Runs: map[string]executor.Run{"": {Func: runToy, InProcess: inProcess}},
	}
}

func lowerToy(l *planner.Lowering) hcl.Diagnostics {
	a := planner.Action{Params: l.Params("from"), Outputs: []planner.OutputDecl{{Name: "out"}}}
	refs, _ := l.Attr("from").([]any)
	for i := range refs {
		in, ok := l.Input(fmt.Sprintf("in%d", i), fmt.Sprintf("from.%d", i))
		if !ok {
			return l.Diagnostics()
		}
		a.Inputs = append(a.Inputs, in)
	}
	l.Bind("out", l.Emit("", a), "out")
	return l.Diagnostics()
}

func runToy(ctx context.Context, job *executor.Job) error {
	calls.Add(1)
	sum, _ := job.Params["value"].(int64)
	fmt.Fprintf(job.Log, "adding to %d\n", sum)
	switch job.Params["op"] {
	case "fail":
		return &executor.Failure{Summary: "Toy broke", Detail: "It was told to.", Attr: "op", Code: "toy"}
	case "panic":
		panic("toy panic")
	case "exit":
		fmt.Fprintln(os.Stderr, "last words")
		os.Exit(9)
	case "kill":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "flaky": // succeeds when it runs for the third time, in whatever process
		if n := countRuns(os.Getenv("TMPDIR")); n < 3 {
			return fmt.Errorf("failed for the %d. time", n)
		}
	case "breakout":
		if err := breakOut(os.Getenv("HOME")); err != nil {
			return err
		}
	case "garble": // what a native library may do with the descriptor that was standard output
		fmt.Fprint(os.NewFile(1, "stdout"), "half a line")
	case "nothing":
		return nil
	case "sleep":
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Minute):
		}
	}
	for _, in := range job.Inputs {
		b, err := os.ReadFile(in.Path)
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(b), 10, 64)
		if err != nil {
			return err
		}
		sum += n
	}
	return os.WriteFile(job.Out("out"), []byte(strconv.FormatInt(sum, 10)), 0o644)
}

// past remembers keys.
type past struct {
	planner.NoPast
	keys map[string][2]cache.ActionKey
}

func (p past) Keys(addr string) (last, prior cache.ActionKey) {
	return p.keys[addr][0], p.keys[addr][1]
}

// rig is a spec with a store, planned and applied as often as a test likes.
type rig struct {
	t      *testing.T
	store  cache.Store
	kinds  *executor.Table
	runner executor.Runner
	past   past
	spec   string
	states map[string]executor.State
	order  []string
	logs   map[string][]string

	retried  []*executor.Retry
	warnings hcl.Diagnostics
}

func newRig(t *testing.T, store cache.Store, inProcess bool, spec string) *rig {
	r := &rig{t: t, store: store, kinds: executor.NewTable(toy(inProcess)), spec: spec, past: past{keys: map[string][2]cache.ActionKey{}}}
	if !inProcess {
		pool := worker.NewPool()
		t.Cleanup(pool.Close)
		r.runner = pool
	}
	return r
}

func (r *rig) plan(req planner.Request) *planner.Plan {
	r.t.Helper()
	dir := r.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.mbuild.hcl"), []byte(r.spec), 0o644); err != nil {
		r.t.Fatal(err)
	}
	spec, diags := lang.Load(context.Background(), lang.Request{Dir: dir, Kinds: r.kinds.Planner})
	graph, d := planner.Lower(spec, r.kinds.Planner)
	if diags = append(diags, d...); diags.HasErrors() {
		r.t.Fatal(diags)
	}
	req.Graph, req.Store, req.Last = graph, r.store, r.past
	req.Snapshot, _ = planner.TakeSnapshot(context.Background(), dir, graph.Files, func(string) (planner.FileStat, bool) { return planner.FileStat{}, false })
	p, err := planner.Make(context.Background(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// lower gives what planning says against the spec.
func (r *rig) lower() hcl.Diagnostics {
	r.t.Helper()
	dir := r.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.mbuild.hcl"), []byte(r.spec), 0o644); err != nil {
		r.t.Fatal(err)
	}
	spec, diags := lang.Load(context.Background(), lang.Request{Dir: dir, Kinds: r.kinds.Planner})
	if diags.HasErrors() {
		r.t.Fatal(diags)
	}
	_, diags = planner.Lower(spec, r.kinds.Planner)
	return diags
}

func (r *rig) apply(ctx context.Context, p *planner.Plan, opts executor.Options) (*executor.Result, hcl.Diagnostics) {
	return r.applyIn(ctx, p, opts, r.t.TempDir())
}

func (r *rig) applyIn(ctx context.Context, p *planner.Plan, opts executor.Options, scratch string) (*executor.Result, hcl.Diagnostics) {
	r.states, r.order, r.logs, r.retried = map[string]executor.State{}, nil, map[string][]string{}, nil
	opts.Kinds, opts.Store, opts.Runner, opts.Scratch = r.kinds, r.store, r.runner, scratch
	opts.Events = func(e executor.Event) {
		switch {
		case e.Finished != nil:
			if s, twice := r.states[e.Step.Addr]; twice && s != executor.Cached && s != executor.Built {
				r.t.Errorf("%s finished twice", e.Step.Addr)
			}
			r.states[e.Step.Addr] = e.Finished.State
			r.order = append(r.order, e.Step.Addr)
		case e.Diagnostic != nil && e.Diagnostic.Severity == hcl.DiagWarning:
			r.warnings = append(r.warnings, e.Diagnostic)
		case e.Retry != nil:
			r.retried = append(r.retried, e.Retry)
		case e.Log != nil:
			r.logs[e.Step.Addr] = append(r.logs[e.Step.Addr], e.Log.Text)
		}
	}
	res, diags := executor.Apply(ctx, p, opts)
	for _, step := range p.Steps {
		if key := res.Finished(step.Index); !key.IsZero() && key != r.past.keys[step.Addr][0] {
			r.past.keys[step.Addr] = [2]cache.ActionKey{key, r.past.keys[step.Addr][0]}
		}
	}
	if n := res.Built + res.Cached + res.Failed + res.Skipped; n != len(p.Steps) {
		r.t.Errorf("built %d, cached %d, failed %d, skipped %d: together not %d", res.Built, res.Cached, res.Failed, res.Skipped, len(p.Steps))
	}
	return res, diags
}

func (r *rig) number(p *planner.Plan, ref string) string {
	src, ok := p.Graph.Output(ref)
	if !ok {
		r.t.Fatalf("no output %s", ref)
	}
	out, ok := p.Output(src)
	if !ok {
		return "?"
	}
	b, err := cache.ReadAll(context.Background(), r.store, out.Digest, 100)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

const diamond = `
step "toy" "a" { value = 1 }
step "toy" "b" {
  value = 10
  from  = [step.toy.a.out]
}
step "toy" "c" {
  value = 100
  from  = [step.toy.a.out]
}
step "toy" "d" { from = [step.toy.b.out, step.toy.c.out] }
`

// TestApplyTwice: everything is built once, in order, with any number of slots, and the second apply runs nothing.
func TestApplyTwice(t *testing.T) {
	for _, jobs := range []int{1, 2, 16} {
		r := newRig(t, memory.New(), true, diamond)
		calls.Store(0)
		p := r.plan(planner.Request{})
		if s := p.Summary; s.Build != 1 || s.Unknown != 3 {
			t.Errorf("first plan: %+v", s)
		}
		if _, diags := r.apply(context.Background(), p, executor.Options{Jobs: jobs}); diags.HasErrors() {
			t.Fatal(diags)
		}
		if r.order[0] != "step.toy.a" || r.order[3] != "step.toy.d" || calls.Load() != 4 {
			t.Errorf("-j %d: order %v, %d calls", jobs, r.order, calls.Load())
		}
		p = r.plan(planner.Request{})
		if !p.Empty() || r.number(p, "step.toy.d.out") != "112" {
			t.Errorf("second plan: %+v, d = %s", p.Summary, r.number(p, "step.toy.d.out"))
		}
		if res, _ := r.apply(context.Background(), p, executor.Options{}); res.Cached != 4 || calls.Load() != 4 {
			t.Errorf("second apply: %+v", res)
		}
	}
}

// TestEarlyCutoff: a step that runs again and gives the same bytes stops the rebuild there.
func TestEarlyCutoff(t *testing.T) {
	r := newRig(t, memory.New(), true, diamond)
	r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{})
	r.spec = strings.Replace(diamond, `{ value = 1 }`, "{\n  value = 1\n  op = \"other\"\n}", 1)
	res, _ := r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{})
	if res.Built != 1 || res.Cached != 3 {
		t.Errorf("built %d, cached %d; want only a built", res.Built, res.Cached)
	}
}

// TestFailure: dependents of a failure are skipped; with keep-going everything else is built; nothing of it is cached.
func TestFailure(t *testing.T) {
	spec := strings.Replace(diamond, "value = 10\n", "value = 10\n  op = \"fail\"\n", 1) + "step \"toy\" \"e\" { value = 7 }\n"
	for _, keep := range []bool{false, true} {
		r := newRig(t, memory.New(), true, spec)
		res, diags := r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{Jobs: 1, KeepGoing: keep})
		if res.Failed != 1 || len(diags) != 1 || diags[0].Summary != "Toy broke" || diags[0].Subject.Start.Line != 5 {
			t.Fatalf("keep=%v: %+v, %v", keep, res, diags)
		}
		if r.states["step.toy.d"] != executor.Skipped {
			t.Errorf("keep=%v: d is %s", keep, r.states["step.toy.d"])
		}
		if keep && (r.states["step.toy.c"] != executor.Built || r.states["step.toy.e"] != executor.Built) {
			t.Errorf("keep-going left c %s and e %s", r.states["step.toy.c"], r.states["step.toy.e"])
		}
		if s := r.plan(planner.Request{}).Summary; s.Build == 0 {
			t.Errorf("the failure was cached: %+v", s)
		}
	}
}

// TestMisbehaviour: a panic, an exit and a kill of a worker, and an output that is not written, cost one action, with a
// diagnostic at its block that shows the end of the log; the others go on.
func TestMisbehaviour(t *testing.T) {
	want := map[string]string{"panic": "toy panic", "exit": "exit status 9", "kill": "signal 9", "nothing": "was not written"}
	for op, text := range want {
		spec := "step \"toy\" \"bad\" {\n  op = \"" + op + "\"\n}\nstep \"toy\" \"good\" { value = 3 }\nstep \"toy\" \"sum\" { from = [step.toy.good.out] }\n"
		r := newRig(t, memory.New(), false, spec)
		res, diags := r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{KeepGoing: true, Jobs: 2})
		if res.Failed != 1 || res.Built != 2 || len(diags) != 1 {
			t.Errorf("%s: %+v %v", op, res, diags)
			continue
		}
		d := diags[0]
		if !strings.Contains(d.Detail, text) || d.Subject.Start.Line != 1 {
			t.Errorf("%s: %v: %s", op, d.Subject, d.Detail)
		}
		if op != "nothing" && !strings.Contains(d.Detail, "adding to 0") {
			t.Errorf("%s: the log is missing from %s", op, d.Detail)
		}
		if op == "exit" && !strings.Contains(d.Detail, "last words") {
			t.Errorf("exit: standard error is missing from %s", d.Detail)
		}
	}
}

// TestCancel: a cancelled apply stops running workers at once, and its counts add up.
func TestCancel(t *testing.T) {
	for _, inProcess := range []bool{true, false} {
		r := newRig(t, memory.New(), inProcess, "step \"toy\" \"a\" { op = \"sleep\" }\nstep \"toy\" \"b\" { from = [step.toy.a.out] }\n")
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(100*time.Millisecond, cancel)
		begin := time.Now()
		res, diags := r.apply(ctx, r.plan(planner.Request{}), executor.Options{})
		if !res.Interrupted || res.Skipped != 2 || diags.HasErrors() || time.Since(begin) > 20*time.Second {
			t.Errorf("in process %v: %+v %v after %v", inProcess, res, diags, time.Since(begin))
		}
	}
}

// TestSameKey: actions with one key run once, in one apply and in two at the same time on one store.
func TestSameKey(t *testing.T) {
	spec := ""
	for i := range 8 {
		spec += fmt.Sprintf("step \"toy\" \"x%d\" { value = 5 }\n", i)
	}
	r := newRig(t, memory.New(), true, spec)
	calls.Store(0)
	res, _ := r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{Jobs: 4})
	if calls.Load() != 1 || res.Built != 1 || res.Cached != 7 {
		t.Errorf("%d calls, %+v", calls.Load(), res)
	}
}

// TestLostInput: bytes that are gone when a consumer needs them are made again in the same run.
func TestLostInput(t *testing.T) {
	store := memory.New()
	r := newRig(t, store, true, diamond)
	r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{})
	r.spec = strings.Replace(diamond, "value = 100", "value = 200", 1)
	p := r.plan(planner.Request{})
	src, _ := p.Graph.Output("step.toy.a.out")
	out, _ := p.Output(src)
	store.Delete(out.Digest) // after the plan has seen it
	res, diags := r.apply(context.Background(), p, executor.Options{})
	if diags.HasErrors() || r.states["step.toy.d"] != executor.Built {
		t.Fatalf("%+v %v", res, diags)
	}
	p = r.plan(planner.Request{})
	if got := r.number(p, "step.toy.d.out"); got != "212" || !p.Empty() {
		t.Errorf("d = %s, %+v", got, p.Summary)
	}
}

// TestRecordsOutliveBytes: what nothing asks the bytes of is cached while its record is; what is asked for is built again.
func TestRecordsOutliveBytes(t *testing.T) {
	store := memory.New()
	r := newRig(t, store, true, diamond)
	r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{})
	p := r.plan(planner.Request{})
	src, _ := p.Graph.Output("step.toy.d.out")
	out, _ := p.Output(src)
	store.Delete(out.Digest)
	p = r.plan(planner.Request{})
	if p.Summary.Build != 1 || p.Block("step.toy.d").Reasons[0].Code != "lost" {
		t.Errorf("%+v %+v", p.Summary, p.Block("step.toy.d"))
	}
	if res, _ := r.apply(context.Background(), p, executor.Options{}); res.Built != 1 || res.Cached != 3 {
		t.Errorf("%+v", res)
	}
}

// TestTwoApplies: two processes on one store at the same time (here two stores opened on one directory, with workers of their
// own) both succeed, and the work is done once.
func TestTwoApplies(t *testing.T) {
	dir := t.TempDir()
	built := make(chan int, 2)
	for range 2 {
		store, err := disk.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		r := newRig(t, store, false, diamond)
		p := r.plan(planner.Request{})
		go func() {
			res, diags := r.apply(context.Background(), p, executor.Options{})
			if diags.HasErrors() {
				t.Error(diags)
			}
			built <- res.Built
		}()
	}
	if n := <-built + <-built; n != 4 {
		t.Errorf("%d actions built by both together, want 4", n)
	}
}

// TestKeys: the key changes if and only if meaning changes; names, order and comments are no meaning.
func TestKeys(t *testing.T) {
	keys := func(spec string) string {
		r := newRig(t, memory.New(), true, spec)
		r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{})
		var ks []string
		for _, s := range r.plan(planner.Request{}).Steps {
			ks = append(ks, s.Key.String())
		}
		sort.Strings(ks)
		return strings.Join(ks, "\n")
	}
	base := keys(diamond)
	for _, same := range []string{
		strings.ReplaceAll(diamond, `"a"`, `"renamed"`),
		"# comment\n" + strings.ReplaceAll(diamond, "value = 10\n", "value = 2 * 5.0 # ten\n"),
		"step \"toy\" \"d\" { from = [step.toy.b.out, step.toy.c.out] }\n" + strings.Replace(diamond, "step \"toy\" \"d\" { from = [step.toy.b.out, step.toy.c.out] }\n", "", 1),
	} {
		same = strings.ReplaceAll(same, "step.toy.a.", map[bool]string{true: "step.toy.renamed.", false: "step.toy.a."}[strings.Contains(same, `"renamed"`)])
		if keys(same) != base {
			t.Errorf("keys changed with\n%s", same)
		}
	}
	if keys(strings.Replace(diamond, "value = 1 ", "value = 2 ", 1)) == base {
		t.Error("keys did not change with a value")
	}
}

// TestCommitOrder: a store that fails at any Put or Record leaves no result without its blobs and its preimage.
func TestCommitOrder(t *testing.T) {
	for k := range 20 {
		store := memory.New()
		f := &failing{Store: store}
		f.left.Store(int64(k))
		r := newRig(t, f, true, diamond)
		p := r.plan(planner.Request{})
		r.apply(context.Background(), p, executor.Options{Jobs: 1})
		for _, s := range p.Steps {
			ak, _ := r.past.Keys(s.Addr)
			if ak.IsZero() {
				continue
			}
			got, err := store.Lookup(context.Background(), ak)
			if err != nil {
				t.Errorf("k=%d: %s is noted as finished and not in the store", k, s.Addr)
				continue
			}
			if _, err := planner.ReadAction(context.Background(), store, ak); err != nil {
				t.Errorf("k=%d: the preimage of %s is missing: %v", k, s.Addr, err)
			}
			if ok, _ := cache.Present(context.Background(), store, got.Outputs[0]); !ok {
				t.Errorf("k=%d: the output of %s is missing", k, s.Addr)
			}
		}
		f.left.Store(1 << 30)
		res, diags := r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{})
		if diags.HasErrors() || r.number(r.plan(planner.Request{}), "step.toy.d.out") != "112" {
			t.Errorf("k=%d: the next apply: %+v %v", k, res, diags)
		}
	}
}

// failing is a store whose writes fail after a number of them.
type failing struct {
	*memory.Store
	left atomic.Int64
}

var errFull = errors.New("out of luck")

func (f *failing) Put(ctx context.Context, r io.Reader) (cache.Digest, error) {
	if f.left.Add(-1) < 0 {
		return cache.Digest{}, fmt.Errorf("%w: %w", cache.ErrNoSpace, errFull)
	}
	return f.Store.Put(ctx, r)
}

func (f *failing) Record(ctx context.Context, k cache.ActionKey, res *cache.ActionResult) error {
	if f.left.Add(-1) < 0 {
		return fmt.Errorf("%w: %w", cache.ErrNoSpace, errFull)
	}
	return f.Store.Record(ctx, k, res)
}
