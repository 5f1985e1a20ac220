package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/value"
)

// Serve is the worker's main: it runs jobs from in until it ends and returns the exit code. Interrupts of the terminal are
// the parent's business.
func Serve(kinds *executor.Table, in io.Reader, out io.Writer) int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	in, out = private(in, out)
	s := &server{kinds: kinds, out: bufio.NewWriter(out), memory: &executor.Memory{}}
	requests := make(chan request)
	go func() {
		dec := json.NewDecoder(bufio.NewReaderSize(in, 1<<16))
		for {
			var r request
			if err := dec.Decode(&r); err != nil {
				os.Exit(0) // the parent is gone or done with us: nothing we could finish is of use to anybody
			}
			requests <- r
		}
	}()
	for r := range requests {
		s.send(message{Answer: s.run(r)}, true)
	}
	return 0
}

type server struct {
	kinds  *executor.Table
	mu     sync.Mutex
	out    *bufio.Writer
	memory *executor.Memory
}

func (s *server) send(m message, flush bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	enc, err := json.Marshal(m)
	if err != nil {
		return
	}
	s.out.Write(append(enc, '\n'))
	if flush {
		s.out.Flush()
	}
}

// run executes one job and words its end.
func (s *server) run(r request) (a *answer) {
	a = &answer{ID: r.ID}
	before := cpuTime()
	job := &executor.Job{
		ID: r.ID, Addr: r.Addr, Inputs: r.Inputs, Outputs: r.Outputs, Scratch: r.Scratch, Backend: r.Backend,
		Metrics: map[string]float64{}, Memory: s.memory, Log: logWriter{s}, Progress: s.progress(),
		Expected: func(need int64) { s.send(message{Need: need}, true) },
	}
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(job.Log, "panic: %v\n%s", p, debug.Stack())
			a.Error = fmt.Sprintf("panic: %v", p)
			s.memory = &executor.Memory{} // whatever it holds may be half-changed
		}
		a.Peak, a.CPU = peakMemory(), cpuTime()-before
	}()
	err := s.call(job, r)
	for k, v := range job.Metrics {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			delete(job.Metrics, k)
		}
	}
	a.Metrics = job.Metrics
	if err != nil {
		a.Error, a.Failure = err.Error(), failureOf(err, job)
	}
	return a
}

func (s *server) call(job *executor.Job, r request) error {
	params, err := value.Decode(r.Params)
	if err != nil {
		return err
	}
	job.Params, _ = params.(map[string]any)
	if len(r.Next) > 0 {
		next, err := value.Decode(r.Next)
		if err != nil {
			return err
		}
		job.Next, _ = next.(map[string]any)
	}
	run, err := s.kinds.Run(r.Kind, r.Verb)
	if err != nil {
		return err
	}
	return run.Func(context.Background(), job)
}

// progress returns a progress function that sends at most some twenty messages a second, and always the last step.
func (s *server) progress() func(int64, int64, map[string]float64) {
	var last time.Time
	return func(step, total int64, metrics map[string]float64) {
		now := time.Now()
		if now.Sub(last) < 50*time.Millisecond && step != total {
			return
		}
		last = now
		clean := make(map[string]float64, len(metrics))
		for k, v := range metrics {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				clean[k] = v
			}
		}
		s.send(message{Progress: &executor.Progress{Step: step, Total: total, Metrics: clean}}, true)
	}
}

// logWriter sends what a job writes to its log.
type logWriter struct{ s *server }

func (w logWriter) Write(p []byte) (int, error) {
	w.s.send(message{Log: string(p)}, true)
	return len(p), nil
}
