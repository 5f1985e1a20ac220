package executor_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/memory"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
)

// The tests of this file run applies in virtual time: actions that last minutes take none, and what the scheduler does is
// exact. A nap is an action that lasts `seconds` and takes as many slots as its type says.

// naps is what the naps of one test do.
type naps struct {
	mu        sync.Mutex
	slots     int // in use
	peak      int
	started   []string // addresses
	starts    map[string]time.Time
	ends      map[string]time.Time
	cancelled int
}

func (n *naps) kind(typ string, cpus int) *executor.Kind {
	ref := &schema.Type{Op: schema.Ref, RefTypes: []string{"number"}}
	number := &schema.Type{Op: schema.Int}
	return &executor.Kind{
		Kind: planner.Kind{
			Family: "step", Type: typ, Version: 1,
			Schema: &schema.Kind{Family: "step", Type: typ, Struct: &schema.Type{Op: schema.Struct, Fields: []schema.Field{
				{Name: "seconds", Type: number, Default: int64(1)},
				{Name: "salt", Type: number, Default: int64(0)},
				{Name: "fail", Type: &schema.Type{Op: schema.Bool}, Default: false},
				{Name: "from", Type: &schema.Type{Op: schema.List, Elem: ref}, Default: []any{}},
			}}},
			Outputs: []planner.Output{{Name: "out", Type: "number"}},
			Lower:   lowerToy,
		},
		Runs: map[string]executor.Run{"": {Func: n.run(cpus), InProcess: true, CPUs: cpus}},
	}
}

func (n *naps) run(cpus int) func(context.Context, *executor.Job) error {
	return func(ctx context.Context, job *executor.Job) error {
		n.mu.Lock()
		n.slots += cpus
		n.peak = max(n.peak, n.slots)
		n.started = append(n.started, job.Addr)
		n.starts[job.Addr] = time.Now()
		n.mu.Unlock()
		defer func() {
			n.mu.Lock()
			n.slots -= cpus
			n.ends[job.Addr] = time.Now()
			n.mu.Unlock()
		}()
		seconds, _ := job.Params["seconds"].(int64)
		select {
		case <-time.After(time.Duration(seconds) * time.Second):
		case <-ctx.Done():
			n.mu.Lock()
			n.cancelled++
			n.mu.Unlock()
			return ctx.Err()
		}
		if job.Params["fail"] == true {
			return fmt.Errorf("told to")
		}
		return job.WriteOutput("out", []byte(job.Addr))
	}
}

// nap applies a spec of naps in virtual time and returns how long that took there.
func nap(t *testing.T, spec string, opts executor.Options, before func(cancel func())) (*naps, *executor.Result, hcl.Diagnostics, time.Duration) {
	t.Helper()
	n := &naps{starts: map[string]time.Time{}, ends: map[string]time.Time{}}
	r := newRig(t, memory.New(), true, spec)
	r.kinds = executor.NewTable(n.kind("nap", 1), n.kind("wide", 3))
	p := r.plan(planner.Request{})
	scratch := t.TempDir()
	var res *executor.Result
	var diags hcl.Diagnostics
	var took time.Duration
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if before != nil {
			go before(cancel)
		}
		opts.Kinds, opts.Store, opts.Scratch = r.kinds, r.store, scratch
		start := time.Now()
		res, diags = executor.Apply(ctx, p, opts)
		took = time.Since(start)
	})
	if sum := res.Built + res.Cached + res.Failed + res.Skipped; sum != len(p.Steps) {
		t.Errorf("%+v: together not %d", res, len(p.Steps))
	}
	return n, res, diags, took
}

// randomNaps is a graph of naps, and its seconds of work in slots and along its longest path.
func randomNaps(r *rand.Rand, count int) (spec string, work, path int) {
	longest := make([]int, count)
	var b strings.Builder
	for i := range count {
		seconds, typ := 1+r.IntN(60), "nap"
		if r.IntN(6) == 0 {
			typ = "wide"
		}
		var from []string
		for j := range i {
			if r.IntN(i+1) < 2 {
				from = append(from, fmt.Sprintf("n%d", j))
				longest[i] = max(longest[i], longest[j])
			}
		}
		longest[i] += seconds
		path = max(path, longest[i])
		work += seconds
		if typ == "wide" {
			work += 2 * seconds
		}
		// Names say the type so that references can be written without a table.
		fmt.Fprintf(&b, "step %q \"n%d\" {\n  seconds = %d\n  salt = %d\n  from = [", typ, i, seconds, i)
		for k, f := range from {
			if k > 0 {
				b.WriteString(", ")
			}
			b.WriteString("local." + f)
		}
		fmt.Fprintf(&b, "]\n}\nlocals {\n  n%d = step.%s.n%d.out\n}\n", i, typ, i)
	}
	return b.String(), work, path
}

// TestVirtualSchedule: over random graphs, no more slots are in use than there are, nothing starts before what it needs has
// ended, and no slot is idle while something could run: the apply ends within the bound of list scheduling (Graham 1966), which
// for actions of one slot is work/slots + longest path.
func TestVirtualSchedule(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 9))
		spec, work, path := randomNaps(r, 12+r.IntN(20))
		for _, jobs := range []int{1, 3, 4, 16} {
			n, res, diags, took := nap(t, spec, executor.Options{Jobs: jobs}, nil)
			if diags.HasErrors() || res.Failed+res.Skipped > 0 {
				t.Fatalf("seed %d, %d slots: %+v %v", seed, jobs, res, diags)
			}
			if n.peak > max(jobs, 1) && jobs >= 3 {
				t.Errorf("seed %d: %d slots in use of %d", seed, n.peak, jobs)
			}
			seconds := int(took / time.Second)
			// An action of three slots may have to wait for them while two are idle.
			if low, high := max(path, work/max(jobs, 3)), 3*work/jobs+path; seconds < min(low, path) || seconds > high {
				t.Errorf("seed %d, %d slots: took %d s; work %d, longest path %d: must be between %d and %d", seed, jobs, seconds, work, path, low, high)
			}
			if jobs == 16 && seconds != path && work/16 < path/4 {
				t.Errorf("seed %d: with slots for all it took %d s, and the longest path has %d", seed, seconds, path)
			}
		}
	}
}

// TestVirtualOrder: what is needed has ended before its user begins.
func TestVirtualOrder(t *testing.T) {
	spec, _, _ := randomNaps(rand.New(rand.NewPCG(77, 9)), 30)
	n, _, _, _ := nap(t, spec, executor.Options{Jobs: 4}, nil)
	r := newRig(t, memory.New(), true, spec)
	r.kinds = executor.NewTable(n.kind("nap", 1), n.kind("wide", 3))
	for _, s := range r.plan(planner.Request{}).Steps {
		s.Dependencies(func(a *planner.Action) {
			if n.starts[s.Addr].Before(n.ends[a.Addr]) {
				t.Errorf("%s began before %s had ended", s.Addr, a.Addr)
			}
		})
	}
}

// TestVirtualCancel: a cancelled apply stops what runs at once and begins nothing more.
func TestVirtualCancel(t *testing.T) {
	var b strings.Builder
	for i := range 10 {
		fmt.Fprintf(&b, "step \"nap\" \"n%d\" {\n  seconds = 100\n  salt = %d\n}\n", i, i)
	}
	n, res, _, took := nap(t, b.String(), executor.Options{Jobs: 2}, func(cancel func()) {
		time.Sleep(150 * time.Second)
		cancel()
	})
	if took != 150*time.Second || !res.Interrupted || res.Built != 2 || res.Skipped != 8 || n.cancelled != 2 || len(n.started) != 4 {
		t.Errorf("took %v: %+v, %d cancelled, started %v", took, res, n.cancelled, n.started)
	}
}

// TestVirtualFailure: after a failure what runs goes on to its end and nothing else begins; with keep-going everything that does
// not need what failed is built.
func TestVirtualFailure(t *testing.T) {
	spec := `
step "nap" "bad" {
  seconds = 10
  fail    = true
}
step "nap" "long" {
  seconds = 30
  salt    = 1
}
step "nap" "later" {
  seconds = 5
  salt    = 2
  from    = [step.nap.long.out]
}
step "nap" "after_bad" { from = [step.nap.bad.out] }
`
	for _, c := range []struct {
		keep    bool
		seconds int
		built   int
		skipped int
	}{{false, 30, 1, 2}, {true, 35, 2, 1}} {
		_, res, diags, took := nap(t, spec, executor.Options{Jobs: 2, KeepGoing: c.keep}, nil)
		if took != time.Duration(c.seconds)*time.Second || res.Built != c.built || res.Skipped != c.skipped || res.Failed != 1 || len(diags) != 1 {
			t.Errorf("keep-going %v: took %v, %+v, %v", c.keep, took, res, diags)
		}
	}
}

// TestVirtualSameKey: actions of one key run once; the others wait for it and take its result.
func TestVirtualSameKey(t *testing.T) {
	var b strings.Builder
	for i := range 6 {
		fmt.Fprintf(&b, "step \"nap\" \"n%d\" { seconds = 40 }\n", i)
	}
	n, res, _, took := nap(t, b.String(), executor.Options{Jobs: 4}, nil)
	if took != 40*time.Second || res.Built != 1 || res.Cached != 5 || len(n.started) != 1 {
		t.Errorf("took %v: %+v, started %v", took, res, n.started)
	}
}

// TestVirtualJobs: the number of slots changes when actions run, and nothing of what they make.
func TestVirtualJobs(t *testing.T) {
	spec, _, _ := randomNaps(rand.New(rand.NewPCG(5, 9)), 25)
	var first []cache.ActionKey
	for _, jobs := range []int{1, 16} {
		_, res, _, _ := nap(t, spec, executor.Options{Jobs: jobs}, nil)
		if first == nil {
			first = res.Keys
		}
		if !slices.Equal(first, res.Keys) {
			t.Errorf("-j %d gives other keys", jobs)
		}
	}
}
