package view

import (
	"time"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
)

// eta keeps account of what is left of an apply, by the estimates of the plan. What is left takes at least as long as the longest
// path through what runs now, and at least the work that is left, spread over all slots: the larger is the guess.
type eta struct {
	jobs    int
	known   bool
	rest    []float64 // executor.Remaining
	work    float64   // estimated seconds of all that has not ended
	running map[*planner.Step]time.Time
}

func newETA(p *planner.Plan, jobs int) eta {
	e := eta{jobs: max(jobs, 1), rest: executor.Remaining(p), running: map[*planner.Step]time.Time{}}
	for _, s := range p.Steps {
		if pending(s) {
			e.work += s.Estimate.Seconds
			e.known = e.known || s.Estimate.Basis != "none"
		}
	}
	return e
}

func pending(s *planner.Step) bool {
	return s != nil && (s.Status == planner.Build || s.Status == planner.Unknown)
}

func (e *eta) start(s *planner.Step, at time.Time) { e.running[s] = at }

func (e *eta) finish(s *planner.Step) {
	delete(e.running, s)
	if pending(s) {
		e.work = max(0, e.work-s.Estimate.Seconds)
	}
}

// left is the seconds that are left, and false when nothing is known of them.
func (e *eta) left(now time.Time) (float64, bool) {
	if !e.known {
		return 0, false
	}
	work, path := e.work, 0.0
	for s, at := range e.running {
		gone := min(now.Sub(at).Seconds(), s.Estimate.Seconds)
		work -= gone
		path = max(path, e.rest[s.Index]-gone)
	}
	return max(path, work/float64(e.jobs), 0), true
}
