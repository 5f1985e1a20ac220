package chain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/learn"
)

// TestAhead: epochs that begin before their job is there give the bytes of those that wait for it; one that turns out to be
// another job's is done anew, from the files; and while one is under way the worker does other work.
func TestAhead(t *testing.T) {
	b := newBench(t, 50)
	memory := &executor.Memory{}
	var prev *executor.Job
	var want []string
	for k := range 6 {
		job, err := b.segment(memory, everything(k), prev, true)
		if err != nil {
			t.Fatal(err)
		}
		prev, want = job, append(want, b.files(job))
	}

	for _, broken := range []int{-1, 3} { // before this epoch the executor announces another one than comes
		memory, prev = &executor.Memory{}, nil
		for k := range 6 {
			if k < 5 {
				b.next = everything(k + 1)
			}
			if k+1 == broken {
				b.next["schedule"] = map[string]any{"type": "linear", "epochs": int64(9), "final": 0.5}
			}
			job, err := b.segment(memory, everything(k), prev, true)
			if err != nil {
				t.Fatal(err)
			}
			w := memory.Get(warmSlot).(*warm)
			if (w.ahead != nil) != (b.next != nil) {
				t.Fatalf("epoch %d: next is announced: %v, has begun: %v", k, b.next != nil, w.ahead != nil)
			}
			b.next = nil
			m, err := bundle.Read(job.Out("model"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := learn.Predict(t.Context(), mlxtest.Open(t), m, &dataset.Data{Rows: 20, Width: 6, Features: make([]float32, 6*20)}); err != nil {
				t.Fatal(err)
			}
			if got := b.files(job); got != want[k] {
				t.Errorf("epoch %d has other bytes", k)
			}
			prev = job
		}
	}
}

// TestAheadFails: an epoch that goes wrong ahead of its job is that job's failure, in full; the one before is kept.
func TestAheadFails(t *testing.T) {
	b := newBench(t, 50)
	params := everything(0)
	maps.Copy(params, map[string]any{"precision": "float32", "clip_norm": int64(0), "clip_value": int64(0), "schedule": map[string]any{"type": "constant"},
		"optimizer": map[string]any{"type": "sgd", "lr": 1e3}, "log_every": int64(0)})
	memory := &executor.Memory{}
	b.next = params
	var prev *executor.Job
	for k := range 50 {
		job, err := b.segment(memory, params, prev, true)
		if err == nil {
			prev = job
			continue
		}
		var f *executor.Failure
		if k == 0 || !errors.As(err, &f) || f.Code != "diverged" || !strings.Contains(f.Detail, fmt.Sprintf("of epoch %d on", k+1)) {
			t.Fatalf("epoch %d: %v", k, err)
		}
		if memory.Get(warmSlot) != nil {
			t.Error("the trainer is kept")
		}
		return
	}
	t.Fatal("it never diverges")
}

// TestAheadCancelled: a job that is cancelled while it waits ends, and the epoch with it.
func TestAheadCancelled(t *testing.T) {
	b := newBench(t, 50)
	memory := &executor.Memory{}
	b.next = everything(1)
	first, err := b.segment(memory, everything(0), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	w := memory.Get(warmSlot).(*warm)
	w.ahead.stop()
	w.ahead.done = make(chan struct{}) // it never ends by itself
	ctx, cancel := context.WithCancel(context.Background())
	a := w.ahead
	a.cancel = func() { close(a.done) }
	cancel()
	if _, _, err := w.epoch(ctx, &executor.Job{ID: first.ID, Log: io.Discard}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
