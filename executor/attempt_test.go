package executor_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mbuild.dev/mbuild/cache/memory"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
)

// countRuns counts its calls in a directory, over processes.
func countRuns(dir string) int {
	for n := 1; ; n++ {
		if f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint("run", n)), os.O_CREATE|os.O_EXCL, 0o644); err == nil {
			f.Close()
			return n
		}
	}
}

// TestTimeout: what runs longer than its block allows is killed, in the process and in a worker, and fails with a diagnostic
// at the attribute.
func TestTimeout(t *testing.T) {
	for _, inProcess := range []bool{true, false} {
		r := newRig(t, memory.New(), inProcess, "step \"toy\" \"a\" {\n  op = \"sleep\"\n  timeout = \"1s\"\n}\nstep \"toy\" \"b\" { timeout = \"1h\" }\n")
		begin := time.Now()
		res, diags := r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{KeepGoing: true})
		if res.Failed != 1 || res.Built != 1 || res.Interrupted || len(diags) != 1 {
			t.Fatalf("in process %v: %+v %v", inProcess, res, diags)
		}
		if took := time.Since(begin); took < time.Second || took > 30*time.Second {
			t.Errorf("in process %v: it took %v", inProcess, took)
		}
		d := diags[0]
		if d.Summary != "Action took too long" || d.Subject.Start.Line != 3 || !strings.Contains(d.Detail, "longer than 1s") || !strings.Contains(d.Detail, "adding to 0") {
			t.Errorf("in process %v: %v %s: %s", inProcess, d.Subject, d.Summary, d.Detail)
		}
	}
}

// TestRetries: a failure that passes is got past when the block has enough retries, each told as an event; neither timeout nor
// retries is part of a key.
func TestRetries(t *testing.T) {
	for _, inProcess := range []bool{true, false} {
		for retries, want := range map[int]executor.State{0: executor.Failed, 1: executor.Failed, 2: executor.Built, 3: executor.Built} {
			t.Setenv("TMPDIR", t.TempDir())
			r := newRig(t, memory.New(), inProcess, fmt.Sprintf("step \"toy\" \"a\" {\n  op = \"flaky\"\n  retries = %d\n}\n", retries))
			r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{})
			if r.states["step.toy.a"] != want || len(r.retried) != min(retries, 2) {
				t.Errorf("in process %v, %d retries: %s after %v", inProcess, retries, r.states["step.toy.a"], r.retried)
			}
			if len(r.retried) > 0 && (r.retried[0].Attempt != 1 || !strings.Contains(r.retried[0].Why, "failed for the 1. time")) {
				t.Errorf("first retry: %+v", r.retried[0])
			}
			if want == executor.Built {
				r.spec = "step \"toy\" \"a\" {\n  op = \"flaky\"\n  timeout = \"5h\"\n}\n"
				if p := r.plan(planner.Request{}); !p.Empty() {
					t.Errorf("timeout and retries are in the key: %+v", p.Summary)
				}
			}
		}
	}
}

// TestRetriesRefused: kinds whose failures do not pass take no retries.
func TestRetriesRefused(t *testing.T) {
	r := newRig(t, memory.New(), true, "step \"toy\" \"a\" { retries = 2 }\n")
	kind := toy(true)
	kind.Transient = false
	r.kinds = executor.NewTable(kind)
	diags := r.lower()
	if len(diags) != 1 || diags[0].Summary != "Retries make no sense here" || diags[0].Subject.Start.Column != 28 {
		t.Errorf("%v", diags)
	}
}
