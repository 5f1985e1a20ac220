package executor

import (
	"container/heap"
	"runtime"

	"mbuild.dev/mbuild/planner"
)

// unit stands for the seconds of an action of which nothing is known: little, but more than nothing, so that of two paths
// without estimates the one with more actions counts as the longer.
const unit = 1e-3

// expected is what a step of a plan takes.
func expected(s *planner.Step) float64 {
	switch {
	case s == nil || s.Status == planner.Cached || s.Status == planner.Blocked:
		return 0
	case s.Estimate.Basis == "none":
		return unit
	}
	return max(s.Estimate.Seconds, unit/10)
}

// Remaining is, for each action by index, the expected seconds from its start to the end of the longest path of actions that
// begins with it. An apply starts the action with the most first: whoever delays the critical path delays the whole.
func Remaining(p *planner.Plan) []float64 {
	rest := make([]float64, len(p.Steps)) // first the longest path behind an action, then with it
	for i := len(p.Steps) - 1; i >= 0; i-- {
		s := p.Steps[i]
		if s == nil {
			continue
		}
		rest[i] += expected(s)
		s.Dependencies(func(d *planner.Action) { rest[d.Index] = max(rest[d.Index], rest[i]) })
	}
	return rest
}

// Forecast is the seconds that a plan is expected to take on a number of slots (0: the number of CPUs): it plays the apply through
// with the estimates of the plan, in the order in which the machine would start the actions. What an apply costs beside its
// actions is not in it. known is false when nothing is known of what would run.
func Forecast(p *planner.Plan, kinds *Table, jobs int) (seconds float64, known bool) {
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	f := &forecast{plan: p, kinds: kinds, free: jobs, jobs: jobs, rest: Remaining(p), waiting: make([]int, len(p.Steps)), dependents: make([][]int, len(p.Steps))}
	for i, s := range p.Steps {
		if s == nil || expected(s) == 0 {
			continue
		}
		known = known || s.Estimate.Basis != "none"
		s.Dependencies(func(d *planner.Action) {
			if expected(p.Steps[d.Index]) > 0 {
				f.waiting[i]++
				f.dependents[d.Index] = append(f.dependents[d.Index], i)
			}
		})
		if f.waiting[i] == 0 {
			heap.Push(&f.ready, byRest{i, f.rest[i]})
		}
	}
	return f.play(), known
}

type forecast struct {
	plan       *planner.Plan
	kinds      *Table
	free, jobs int
	rest       []float64
	waiting    []int
	dependents [][]int
	ready      restQueue
	running    endQueue
}

// play runs the clock until nothing is left.
func (f *forecast) play() (now float64) {
	for {
		for len(f.ready) > 0 && f.free >= f.slots(f.ready[0].index) {
			i := heap.Pop(&f.ready).(byRest).index
			f.free -= f.slots(i)
			heap.Push(&f.running, byEnd{i, now + expected(f.plan.Steps[i])})
		}
		if len(f.running) == 0 {
			return now
		}
		e := heap.Pop(&f.running).(byEnd)
		now = e.end
		f.free += f.slots(e.index)
		for _, d := range f.dependents[e.index] {
			if f.waiting[d]--; f.waiting[d] == 0 {
				heap.Push(&f.ready, byRest{d, f.rest[d]})
			}
		}
	}
}

func (f *forecast) slots(i int) int {
	s := f.plan.Steps[i]
	run, err := f.kinds.Run(s.Kind.Name(), s.Verb)
	if err != nil {
		return 1
	}
	return min(max(run.CPUs, 1), f.jobs)
}

// byRest waits for slots, byEnd runs.
type byRest struct {
	index int
	rest  float64
}

type byEnd struct {
	index int
	end   float64
}

type restQueue []byRest

func (q restQueue) Len() int { return len(q) }
func (q restQueue) Less(i, j int) bool {
	if q[i].rest != q[j].rest {
		return q[i].rest > q[j].rest
	}
	return q[i].index < q[j].index
}
func (q restQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *restQueue) Push(x any)   { *q = append(*q, x.(byRest)) }
func (q *restQueue) Pop() any     { return pop(q) }

type endQueue []byEnd

func (q endQueue) Len() int { return len(q) }
func (q endQueue) Less(i, j int) bool {
	if q[i].end != q[j].end {
		return q[i].end < q[j].end
	}
	return q[i].index < q[j].index
}
func (q endQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *endQueue) Push(x any)   { *q = append(*q, x.(byEnd)) }
func (q *endQueue) Pop() any     { return pop(q) }

// pop takes the last element of a slice.
func pop[Q ~[]T, T any](q *Q) T {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
