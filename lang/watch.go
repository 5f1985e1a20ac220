package lang

import (
	"context"
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Limits of one evaluation, far above what specs need: 100,000 blocks take a few seconds and less than 1 GB.
const (
	maxEvaluation = 2 * time.Minute
	maxMemory     = 6 << 30
)

// guarded runs an evaluation and gives it up when it takes too long or too much memory: neither HCL nor CUE can be
// interrupted, and both can be told to count to a very large number. A panic in either is reported as a diagnostic.
func guarded(ctx context.Context, l *loader, evaluate func()) *hcl.Diagnostic {
	done := make(chan *hcl.Diagnostic, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- l.gaveUp("internal", "Evaluation failed", fmt.Sprintf("mbuild failed here by its own fault: %v. Please report it with this spec and these lines:\n%s", p, debug.Stack()))
			}
		}()
		evaluate()
		done <- nil
	}()
	deadline := time.NewTimer(evaluationLimit(ctx))
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case d := <-done:
			return d
		case <-ctx.Done():
			return l.gaveUp("interrupted", "Interrupted", fmt.Sprintf("%v.", ctx.Err()))
		case <-deadline.C:
			return l.gaveUp("endless", "Evaluation takes too long", fmt.Sprintf("This has been evaluated for %s without an end. Look here for loops over very many elements, or for definitions that expand without end.", evaluationLimit(ctx)))
		case <-tick.C:
			if heap() > memoryLimit(ctx) {
				return l.gaveUp("endless", "Evaluation takes too much memory", fmt.Sprintf("Evaluating this has taken more than %d MB. Look here for loops over very many elements, or for values that double from step to step.", memoryLimit(ctx)>>20))
			}
		}
	}
}

func (l *loader) gaveUp(code, summary, detail string) *hcl.Diagnostic {
	rng := hcl.Range{Filename: l.req.Dir, Start: hcl.InitialPos, End: hcl.InitialPos}
	if p := l.position.Load(); p != nil {
		rng = *p
	}
	return problem(code, rng, summary, "%s", detail)
}

// limitsKey carries smaller limits in tests.
type limitsKey struct{}

type limits struct {
	time   time.Duration
	memory uint64
}

func evaluationLimit(ctx context.Context) time.Duration {
	if l, ok := ctx.Value(limitsKey{}).(limits); ok {
		return l.time
	}
	return maxEvaluation
}

func memoryLimit(ctx context.Context) uint64 {
	if l, ok := ctx.Value(limitsKey{}).(limits); ok {
		return l.memory
	}
	return maxMemory
}

// heap is the memory that live and not yet collected objects take.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
