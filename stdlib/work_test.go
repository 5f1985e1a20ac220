package stdlib

import (
	"context"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
)

// TestWork: what the planner is told of the work of training is about what its products take: forward, and twice that for gradients.
func TestWork(t *testing.T) {
	table := executor.NewTable(Kinds()...).Planner
	spec, diags := lang.Load(context.Background(), lang.Request{Dir: "../examples/digits", Kinds: table, Std: Modules})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	graph, diags := planner.Lower(spec, table)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	example := 3 * 2 * float64(64*128+128*64+64*10)
	seen := false
	for _, a := range graph.Actions {
		if a.Addr != "train.supervised.base/segment[0]" {
			continue
		}
		seen = true
		if least := 64 * example; a.Work.Step < least || a.Work.Step > 1.1*least {
			t.Errorf("a step of 64 examples is said to take %g operations; its products take %g", a.Work.Step, least)
		}
		if least := 30 * example / 160; a.Work.PerByte < least || a.Work.PerByte > 1.1*least { // 64 numbers of 2.5 bytes
			t.Errorf("30 epochs are said to take %g operations for each byte of data, not about %g", a.Work.PerByte, least)
		}
	}
	if !seen {
		t.Error("there is no such segment")
	}
}
