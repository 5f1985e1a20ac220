package runs

import (
	"cmp"
	"slices"
	"time"
)

// Ran returns the executions that really ran, in the order in which they ended.
func (r *Run) Ran() []Action {
	var out []Action
	for _, a := range r.Actions {
		if a.State != Skipped {
			out = append(out, a)
		}
	}
	return out
}

// With returns the executions of one state.
func (r *Run) With(s State) []Action {
	var out []Action
	for _, a := range r.Actions {
		if a.State == s {
			out = append(out, a)
		}
	}
	return out
}

// Slowest returns at most n executions, the longest first.
func (r *Run) Slowest(n int) []Action {
	out := r.Ran()
	slices.SortStableFunc(out, func(a, b Action) int { return cmp.Compare(b.Wall, a.Wall) })
	return out[:min(n, len(out))]
}

// Link is one execution of a critical path.
type Link struct {
	Action
	Wait time.Duration // between the end of the one before and its start: queueing, probing, storing
}

// CriticalPath is the chain of executions, each waiting for the one before, that took longest: no number of slots would have made
// the run shorter than these. Executions are recorded in the order in which they end, so dependencies come first.
func (r *Run) CriticalPath() []Link {
	n := len(r.Actions)
	best := make([]time.Duration, n) // length of the longest chain that ends here
	from := make([]int, n)
	last := -1
	for i, a := range r.Actions {
		from[i] = -1
		for _, d := range a.Deps {
			if from[i] < 0 || best[d] > best[from[i]] {
				from[i] = d
			}
		}
		if a.State == Skipped {
			continue
		}
		best[i] = a.Wall
		if from[i] >= 0 {
			best[i] += best[from[i]]
		}
		if last < 0 || best[i] > best[last] {
			last = i
		}
	}
	var path []Link
	for i := last; i >= 0; i = from[i] {
		l := Link{Action: r.Actions[i]}
		if p := from[i]; p >= 0 {
			l.Wait = max(0, l.Start-r.Actions[p].Start-r.Actions[p].Wall)
		}
		path = append(path, l)
	}
	slices.Reverse(path)
	return path
}

// Change is how one action fared in two runs. A nil side did not run it.
type Change struct {
	Addr          string
	Before, After *Action
}

// Diff lists the actions that only one of two runs ran, that ended otherwise, or under another key, by address.
func Diff(before, after *Run) []Change {
	was, is := byAddr(before), byAddr(after)
	var addrs []string
	for a := range was {
		addrs = append(addrs, a)
	}
	for a := range is {
		if was[a] == nil {
			addrs = append(addrs, a)
		}
	}
	slices.Sort(addrs)
	var out []Change
	for _, a := range addrs {
		x, y := was[a], is[a]
		if x == nil || y == nil || x.State != y.State || x.Key != y.Key {
			out = append(out, Change{a, x, y})
		}
	}
	return out
}

// Both lists the actions that both runs ran to the end, for their times to be compared.
func Both(before, after *Run) []Change {
	was, is := byAddr(before), byAddr(after)
	var out []Change
	for a, x := range was {
		if y := is[a]; y != nil && x.State == Built && y.State == Built {
			out = append(out, Change{a, x, y})
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return cmp.Compare(a.Addr, b.Addr) })
	return out
}

// byAddr finds executions by address; of one that ran twice, the last.
func byAddr(r *Run) map[string]*Action {
	m := make(map[string]*Action, len(r.Actions))
	for i := range r.Actions {
		m[r.Actions[i].Addr] = &r.Actions[i]
	}
	return m
}
