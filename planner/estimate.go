package planner

import (
	"context"

	"mbuild.dev/mbuild/cache"
)

// Costs is what earlier applies of a project cost, learned from their records (package runs). The zero value knows nothing.
type Costs struct {
	Kinds map[string]Cost `json:"kinds"` // by kind and verb, and backend where it is not go: "train.supervised/segment on xla:cpu"
	Fixed float64         `json:"fixed"` // seconds of an apply beside its actions: planning, starting, writing memories
}

// Cost is what an action of a kind typically costs: medians.
type Cost struct {
	Seconds  float64 `json:"seconds"`  // in its slot
	Overhead float64 `json:"overhead"` // that part of Seconds that results do not know: locks, private roots, storing
	Memory   int64   `json:"memory"`
	Store    int64   `json:"store"`
}

// CostName is the name under which Costs holds the cost of an action on a backend, "" where it does not compute.
func (a *Action) CostName(backend string) string {
	name := a.Kind.Name()
	if a.Verb != "" {
		name += "/" + a.Verb
	}
	if backend != "" && backend != "go" {
		name += " on " + backend
	}
	return name
}

// estimates guesses what each step costs that is to run. In order of trust: a result under the same key (its bytes were lost, or
// it runs because it was asked for), the last result of the same address, the link of the chain before or after it, the kind's own
// model, the median of the kind.
func (p *Plan) estimates(ctx context.Context, req Request) {
	for i, s := range p.Steps {
		switch {
		case s == nil:
		case s.Status == Cached || s.Status == Blocked:
			s.Estimate = Estimate{Basis: "record"}
			if s.Status == Blocked {
				s.Estimate.Basis = "none"
			}
		default:
			s.Estimate = p.estimate(ctx, req, i)
		}
	}
	p.fillChains()
}

func (p *Plan) estimate(ctx context.Context, req Request, i int) Estimate {
	s := p.Steps[i]
	name := s.CostName(p.backendOf(s.Action))
	if s.Result != nil {
		return recorded(s.Result, req.Costs.Kinds[name])
	}
	for _, k := range []cache.ActionKey{s.Key, s.PriorKey} {
		if k.IsZero() || k == s.Key && !isForced(s) {
			continue // a key that is to be built has no result
		}
		if r, err := req.Store.Lookup(ctx, k); err == nil && (!s.Compute || r.Execution.Backend == p.backendOf(s.Action)) {
			return recorded(r, req.Costs.Kinds[name])
		}
	}
	if s.Series != "" {
		for j := i - 1; j >= 0 && p.Steps[j] != nil && p.Steps[j].Block == s.Block; j-- {
			if q := p.Steps[j]; q.Series == s.Series {
				if q.Result != nil {
					return recorded(q.Result, req.Costs.Kinds[name])
				}
				if q.Estimate.Basis == "record" {
					return q.Estimate
				}
				break
			}
		}
	}
	if s.Kind.Estimate != nil {
		return s.Kind.Estimate(s.Action)
	}
	if c, ok := req.Costs.Kinds[name]; ok {
		return Estimate{Seconds: c.Seconds, MemoryBytes: c.Memory, StoreBytes: c.Store, Basis: "model"}
	}
	return Estimate{Basis: "none"}
}

// fillChains gives the first links of a chain what later links have by record: a chain that began anew under other addresses.
func (p *Plan) fillChains() {
	for i := len(p.Steps) - 2; i >= 0; i-- {
		s, next := p.Steps[i], p.Steps[i+1]
		if s == nil || next == nil || s.Series == "" || s.Series != next.Series || s.Block != next.Block {
			continue
		}
		if e := next.Estimate; s.Estimate.Basis != "record" && e.Basis == "record" && e.Seconds > 0 {
			s.Estimate = e
		}
	}
}

func isForced(s *Step) bool { return len(s.Reasons) > 0 && s.Reasons[0].Code == "forced" }

// recorded is what a result says of its cost, with the overhead that it does not know of.
func recorded(r *cache.ActionResult, c Cost) Estimate {
	e := Estimate{Seconds: r.Execution.Wall.Seconds() + c.Overhead, MemoryBytes: r.Execution.PeakMemory, Basis: "record"}
	for _, o := range r.Outputs {
		e.StoreBytes += o.Digest.Size()
	}
	return e
}
