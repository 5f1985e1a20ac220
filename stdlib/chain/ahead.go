package chain

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/stdlib/learn"
)

// ahead is an epoch that is done before its job is there: while the outputs of the segment before are written, hashed and stored.
// Nothing of it is seen before its job has come, with the state that it began from; a job that is another stops it.
type ahead struct {
	cancel context.CancelFunc
	done   chan struct{}
	relay  relay

	// when done is closed
	record *learn.Record
	took   time.Duration
	err    error
}

// relay passes progress on while somebody listens.
type relay struct {
	mu sync.Mutex
	to func(step, total int, loss float64)
}

func (r *relay) tell(step, total int, loss float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.to != nil {
		r.to(step, total, loss)
	}
}

func (r *relay) listen(to func(step, total int, loss float64)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
}

// goAhead begins the epoch that the executor says will follow, if it is one of the same trainer.
func (w *warm) goAhead(job *executor.Job) {
	enc, err := value.Canonical(job.Next)
	var config learn.Config
	if job.Next == nil || err != nil || executor.BindParams(job.Next, &config) != nil {
		return
	}
	if w.params != string(enc) && !w.trainer.Reschedule(config) {
		return
	}
	config.Only = w.only
	w.params, w.config = string(enc), config
	ctx, cancel := context.WithCancel(context.Background())
	a := &ahead{cancel: cancel, done: make(chan struct{})}
	w.ahead = a
	go func() {
		defer close(a.done)
		defer func() {
			if p := recover(); p != nil {
				a.err = fmt.Errorf("panic: %v", p)
			}
		}()
		begin := time.Now()
		a.record, a.err = w.trainer.Epoch(ctx, a.relay.tell)
		a.took = time.Since(begin)
	}()
}

// stop ends an epoch that nobody will ask for. The trainer is of no use afterwards.
func (a *ahead) stop() {
	a.cancel()
	<-a.done
}

// epoch does the epoch of a job, or waits for the end of the one that has begun ahead of it.
func (w *warm) epoch(ctx context.Context, job *executor.Job) (*learn.Record, time.Duration, error) {
	begin := time.Now()
	if w.ahead == nil {
		r, err := w.trainer.Epoch(ctx, w.progress(job, begin))
		return r, time.Since(begin), err
	}
	a := w.ahead
	w.ahead = nil
	a.relay.listen(w.progress(job, begin))
	defer a.relay.listen(nil)
	select {
	case <-a.done:
	case <-ctx.Done():
		a.stop()
		return nil, 0, ctx.Err()
	}
	return a.record, a.took, a.err
}
