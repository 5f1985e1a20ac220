package executor_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/memory"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
)

// fan is a long chain a-b-c and three single actions.
const fan = `
step "toy" "z1" { value = 1 }
step "toy" "z2" { value = 2 }
step "toy" "z3" { value = 3 }
step "toy" "a" { value = 4 }
step "toy" "b" { from = [step.toy.a.out] }
step "toy" "c" { from = [step.toy.b.out] }
`

// estimated plans a spec and sets what each action is expected to take, in seconds by address.
func (r *rig) estimated(seconds map[string]float64) *planner.Plan {
	p := r.plan(planner.Request{})
	for _, s := range p.Steps {
		if sec, ok := seconds[s.Addr]; ok {
			s.Estimate = planner.Estimate{Seconds: sec, Basis: "record"}
		}
	}
	return p
}

// TestForecast plays virtual schedules whose length can be worked out by hand.
func TestForecast(t *testing.T) {
	r := newRig(t, memory.New(), true, fan)
	one := map[string]float64{"step.toy.z1": 1, "step.toy.z2": 1, "step.toy.z3": 1, "step.toy.a": 1, "step.toy.b": 1, "step.toy.c": 1}
	long := map[string]float64{"step.toy.z1": 3, "step.toy.z2": 3, "step.toy.z3": 3, "step.toy.a": 2, "step.toy.b": 2, "step.toy.c": 2}
	for _, c := range []struct {
		seconds map[string]float64
		jobs    int
		want    float64
	}{
		{one, 1, 6},   // all after each other
		{one, 2, 3},   // the chain on one slot, the rest on the other
		{one, 16, 3},  // no shorter than the chain
		{long, 1, 15}, //
		{long, 2, 8},  // a 0-2, b 2-4, z3 4-7 (more is left of it than of c); z1 0-3, z2 3-6, c 6-8
		{long, 3, 6},  // three slots: chain 6, 3+3, 3
	} {
		p := r.estimated(c.seconds)
		got, known := executor.Forecast(p, r.kinds, c.jobs)
		if !known || math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v on %d slots: %v (known %v), want %v", c.seconds, c.jobs, got, known, c.want)
		}
	}
	if _, known := executor.Forecast(r.plan(planner.Request{}), r.kinds, 2); known {
		t.Error("a plan without estimates has a forecast")
	}
	rest := executor.Remaining(r.estimated(long))
	if m := slices.Max(rest); m != 6 {
		t.Errorf("the longest path takes %v, want 6", m)
	}
}

// TestCriticalPathFirst: with one slot, the chain that takes longest goes before what nothing waits for.
func TestCriticalPathFirst(t *testing.T) {
	r := newRig(t, memory.New(), true, fan)
	p := r.estimated(map[string]float64{"step.toy.z1": 1, "step.toy.z2": 4, "step.toy.z3": 1, "step.toy.a": 1, "step.toy.b": 1, "step.toy.c": 1})
	if _, diags := r.apply(context.Background(), p, executor.Options{Jobs: 1}); diags.HasErrors() {
		t.Fatal(diags)
	}
	want := []string{"step.toy.z2", "step.toy.a", "step.toy.b", "step.toy.c", "step.toy.z1", "step.toy.z3"}
	if !slices.Equal(r.order, want) {
		t.Errorf("ran %v, want %v", r.order, want)
	}
}

// TestEstimates: an action is expected to take what its last result under this address took, and the overhead that is known of its
// kind; without any, the median of the kind.
func TestEstimates(t *testing.T) {
	store := memory.New()
	r := newRig(t, store, true, `step "toy" "a" { value = 1 }`)
	p := r.plan(planner.Request{})
	if _, diags := r.apply(context.Background(), p, executor.Options{}); diags.HasErrors() {
		t.Fatal(diags)
	}
	res, err := store.Lookup(context.Background(), p.Steps[0].Key)
	if err != nil {
		t.Fatal(err)
	}
	res.Execution.Wall, res.Execution.PeakMemory = 2*time.Second, 1<<20
	if err := store.Record(context.Background(), p.Steps[0].Key, res); err != nil {
		t.Fatal(err)
	}
	costs := planner.Costs{Kinds: map[string]planner.Cost{"step.toy": {Seconds: 7, Overhead: 0.5}}}
	r.spec = `
step "toy" "a" { value = 2 }
step "toy" "b" { value = 3 }`
	p = r.plan(planner.Request{Costs: costs})
	want := []planner.Estimate{{Seconds: 2.5, MemoryBytes: 1 << 20, StoreBytes: 1, Basis: "record"}, {Seconds: 7, Basis: "model"}}
	for i, s := range p.Steps {
		if s.Estimate != want[i] {
			t.Errorf("%s: %+v, want %+v", s.Addr, s.Estimate, want[i])
		}
	}
	if c := p.Cost(); c.Basis != "model" || c.StoreBytes != 1 {
		t.Errorf("in sum %+v", c)
	}
	r.spec = `step "toy" "a" { value = 1 }`
	if p = r.plan(planner.Request{Costs: costs, NoCache: true}); p.Steps[0].Estimate.Seconds != 2.5 {
		t.Errorf("forced: %+v", p.Steps[0].Estimate)
	}
}

// TestEventsOfRuns: slots are numbered and never shared at a time, and a failed action keeps what it printed.
func TestEventsOfRuns(t *testing.T) {
	store := memory.New()
	r := newRig(t, store, true, `
step "toy" "a" { value = 1 }
step "toy" "b" { value = 2 }
step "toy" "c" { value = 3 }
step "toy" "bad" { op = "fail" }`)
	p := r.plan(planner.Request{})
	taken, log := map[int]string{}, cache.Digest{}
	where := map[*planner.Step]int{}
	_, diags := executor.Apply(context.Background(), p, executor.Options{Kinds: r.kinds, Store: store, Scratch: t.TempDir(), Jobs: 2, KeepGoing: true, Events: func(e executor.Event) {
		switch {
		case e.Started != nil:
			if other := taken[e.Started.Slot]; other != "" || e.Started.Slot > 1 || e.Started.Queued < 0 {
				t.Errorf("%s starts in slot %d beside %s", e.Step.Addr, e.Started.Slot, other)
			}
			taken[e.Started.Slot], where[e.Step] = e.Step.Addr, e.Started.Slot
		case e.Finished != nil:
			taken[where[e.Step]] = ""
			if e.Finished.State == executor.Failed {
				log = e.Finished.Log
			}
		}
	}})
	if !diags.HasErrors() {
		t.Error("nothing failed")
	}
	if b, err := cache.ReadAll(context.Background(), store, log, 100); err != nil || string(b) != "adding to 0\n" {
		t.Errorf("log of the failed action: %q %v", b, err)
	}
}
