package runs

import (
	"encoding/json"
	"path/filepath"
	"slices"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/vfs"
	"mbuild.dev/mbuild/planner"
)

// keep is how many samples of each kind the costs of a project rest on: the newest.
const keep = 15

// samples is what costs.json holds.
type samples struct {
	Kinds map[string][]sample `json:"kinds"` // by planner.Action.CostName, the oldest first
	Fixed []float64           `json:"fixed"` // seconds of applies beside their actions
}

type sample struct {
	Seconds  float64 `json:"s"`
	Overhead float64 `json:"o"`
	Memory   int64   `json:"m"`
	Store    int64   `json:"b"`
}

// Learner gathers what the actions of one apply cost.
type Learner struct {
	kinds map[string][]sample
	seen  map[string]int
}

// Learn takes one action that was built, given the seconds in its slot. Of a kind that comes up often it keeps every n-th, so that
// the cost of learning does not grow with the apply.
func (l *Learner) Learn(name string, seconds float64, r *cache.ActionResult) {
	if l.kinds == nil {
		l.kinds, l.seen = map[string][]sample{}, map[string]int{}
	}
	l.seen[name]++
	n := l.seen[name]
	if n > keep && n&(n-1) != 0 { // all of the first, then each power of two
		return
	}
	s := sample{Seconds: seconds, Overhead: max(0, seconds-r.Execution.Wall.Seconds()), Memory: r.Execution.PeakMemory}
	for _, o := range r.Outputs {
		s.Store += o.Digest.Size()
	}
	l.kinds[name] = append(l.kinds[name], s)
}

func (d Dir) costsFile() string { return filepath.Join(d.path, "costs.json") }

func (d Dir) samples() samples {
	var s samples
	if b, err := vfs.ReadFile(d.fs, d.costsFile()); err == nil && json.Unmarshal(b, &s) != nil {
		s = samples{} // damaged: learned anew
	}
	if s.Kinds == nil {
		s.Kinds = map[string][]sample{}
	}
	return s
}

// Keep adds what an apply taught to what is known. fixed is the seconds that the apply took beside its actions; negative when that
// cannot be said.
func (d Dir) Keep(l *Learner, fixed float64) error {
	s := d.samples()
	for name, more := range l.kinds {
		s.Kinds[name] = newest(append(s.Kinds[name], more...))
	}
	if fixed >= 0 {
		s.Fixed = newest(append(s.Fixed, fixed))
	}
	enc, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return vfs.WriteFile(d.fs, d.path, d.costsFile(), enc, 0o644)
}

func newest[T any](s []T) []T { return s[max(0, len(s)-keep):] }

// Costs is what is known of the costs of a project: medians.
func (d Dir) Costs() planner.Costs {
	s := d.samples()
	c := planner.Costs{Kinds: make(map[string]planner.Cost, len(s.Kinds)), Fixed: median(s.Fixed, func(x float64) float64 { return x })}
	for name, list := range s.Kinds {
		c.Kinds[name] = planner.Cost{
			Seconds:  median(list, func(x sample) float64 { return x.Seconds }),
			Overhead: median(list, func(x sample) float64 { return x.Overhead }),
			Memory:   int64(median(list, func(x sample) float64 { return float64(x.Memory) })),
			Store:    int64(median(list, func(x sample) float64 { return float64(x.Store) })),
		}
	}
	return c
}

func median[T any](list []T, of func(T) float64) float64 {
	if len(list) == 0 {
		return 0
	}
	v := make([]float64, len(list))
	for i, x := range list {
		v[i] = of(x)
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
