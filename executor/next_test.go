package executor_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache/memory"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
)

// chainToy is a toy whose block is a series of four links, of which the third waits for a flag as well, and an action beside them.
func chainToy() *executor.Kind {
	k := toy(false)
	k.Lower = func(l *planner.Lowering) hcl.Diagnostics {
		outputs := []planner.OutputDecl{{Name: "out"}}
		link := func(i int, inputs ...planner.Input) *planner.Action {
			return l.Emit(fmt.Sprintf("link[%d]", i), planner.Action{Verb: "link", Series: "s", Params: map[string]any{"i": int64(i)}, Inputs: inputs, Outputs: outputs})
		}
		from := func(a *planner.Action, name string) planner.Input {
			return planner.Input{Name: name, Source: planner.Source{Action: a, Output: "out"}}
		}
		first := link(0)
		second := link(1, from(first, "state"))
		flag := l.Emit("flag", planner.Action{Verb: "flag", Params: l.Params("from"), Inputs: []planner.Input{from(second, "state")}, Outputs: outputs})
		third := link(2, from(second, "state"), from(flag, "flag"))
		l.Bind("out", link(3, from(third, "state")), "out")
		return l.Diagnostics()
	}
	run := executor.Run{Func: runToy}
	k.Runs = map[string]executor.Run{"link": run, "flag": run}
	return k
}

// nextRunner notes what jobs are told of the next one.
type nextRunner struct{ next map[string]map[string]any }

func (r *nextRunner) Run(_ context.Context, _, _ string, job *executor.Job) (executor.Ran, error) {
	r.next[job.Addr] = job.Next
	return executor.Ran{}, os.WriteFile(job.Out("out"), []byte(job.Addr), 0o644)
}

// TestNext: a link is told the parameters of the one that follows, unless that takes more than this one has.
func TestNext(t *testing.T) {
	run := &nextRunner{map[string]map[string]any{}}
	r := newRig(t, memory.New(), true, `step "toy" "c" {}`)
	r.kinds, r.runner = executor.NewTable(chainToy()), run
	if _, diags := r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{Jobs: 1}); diags.HasErrors() {
		t.Fatal(diags)
	}
	for addr, want := range map[string]int64{"link[0]": 1, "link[1]": -1, "link[2]": 3, "link[3]": -1, "flag": -1} {
		got, ran := run.next["step.toy.c/"+addr]
		if !ran || want < 0 && got != nil || want >= 0 && !maps.Equal(got, map[string]any{"i": want}) {
			t.Errorf("%s ran: %v; it was told %v, want %d", addr, ran, got, want)
		}
	}
}
