package planner

import (
	"context"
	"slices"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang/value"
)

// Cause is where a change began: an action whose own attributes, files or toolchain changed, or that would run for a reason of
// its own.
type Cause struct {
	Addr    string   `json:"address"`
	Reasons []Reason `json:"reasons"`
	Via     []string `json:"via"` // the actions through which it reached the one that was asked about, nearest to the cause first
}

// Explainer follows changes upstream, by the preimages of keys that the store keeps.
type Explainer struct {
	Plan  *Plan
	Store cache.Store
	Past  Past

	// Older lists keys that an action had before those that Past knows, the newest first; nil knows none.
	Older func(addr string) []cache.ActionKey
}

// visit is a step on the way upstream.
type visit struct {
	step   *Step
	before cache.ActionKey // what it is compared with; zero when that is not known
	down   *visit          // who led here
}

// Explain says what changed in a step since it was last built (of a cached one: since it had another key), and where that
// began. Every step upstream is looked at once, by the shortest way.
func (e *Explainer) Explain(ctx context.Context, s *Step) (changes []Reason, causes []Cause) {
	seen := map[*Step]bool{s: true}
	queue := []*visit{{step: s, before: e.lastOther(s)}}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		rs := e.changes(ctx, v)
		if v.step == s {
			changes = rs
		}
		var own []Reason
		for _, r := range rs {
			up, before := e.producer(ctx, v.step, r)
			if up == nil {
				own = append(own, r)
			} else if !seen[up] {
				seen[up] = true
				queue = append(queue, &visit{step: up, before: before, down: v})
			}
		}
		if len(rs) == 0 && v.step != s && v.step.Status == Cached {
			own = append(own, Reason{Code: "output"}) // the same action gave other bytes
		}
		if len(own) > 0 {
			causes = append(causes, Cause{Addr: v.step.Addr, Reasons: own, Via: v.way()})
		}
	}
	return changes, causes
}

// way lists who led to a step, from it to the one that was asked about.
func (v *visit) way() []string {
	way := []string{}
	for d := v.down; d != nil; d = d.down {
		way = append(way, d.step.Addr)
	}
	return way
}

// changes says what differs between a step and what it is compared with.
func (e *Explainer) changes(ctx context.Context, v *visit) []Reason {
	s := v.step
	switch {
	case s.Status == Unknown || s.Status == Blocked:
		return append(e.known(ctx, s), s.Reasons...)
	case v.before.IsZero() && s.Status == Cached:
		return nil
	case v.before.IsZero(), s.Status == Build && v.before == s.PriorKey:
		return s.Reasons
	}
	return Changes(ctx, e.Store, s, v.before, e.Plan.ToolchainOf(s.Action))
}

// known says what differs of a step of which not all inputs are known: attributes, kind, toolchain, and the inputs that are.
func (e *Explainer) known(ctx context.Context, s *Step) []Reason {
	if s.PriorKey.IsZero() {
		return nil
	}
	before, err := ReadAction(ctx, e.Store, s.PriorKey)
	if err != nil {
		return nil
	}
	inputs := make([]cache.Digest, len(s.Action.Inputs))
	unknown := map[string]bool{}
	for i, in := range s.Action.Inputs {
		inputs[i] = e.Plan.digestOf(in.Source)
		if inputs[i].IsZero() {
			inputs[i], unknown[in.Name] = cache.Sum(nil), true // stands in, and is not compared
		}
	}
	doc, err := value.Decode(s.Encode(inputs, e.Plan.ToolchainOf(s.Action)))
	after, ok := doc.(map[string]any)
	if err != nil || !ok {
		return nil
	}
	for name := range unknown {
		for _, side := range []map[string]any{before, after} {
			if m, ok := side["inputs"].(map[string]any); ok {
				delete(m, name)
			}
		}
	}
	return withSources(Diff(before, after), s)
}

// producer finds the step that made a changed input, or decided a gate that is not open, and the key that it had when all was
// as before; nil when the reason does not lead to another step.
func (e *Explainer) producer(ctx context.Context, s *Step, r Reason) (*Step, cache.ActionKey) {
	switch r.Code {
	case "gate":
		for _, g := range s.Gates {
			if up := e.Plan.Steps[g.Index]; g.Addr == r.From && up != nil && up.Status != Cached {
				return up, up.PriorKey
			}
		}
	case "input":
		for _, in := range s.Action.Inputs {
			if in.Name != r.Path || in.Action == nil || e.Plan.Steps[in.Action.Index] == nil {
				continue
			}
			up := e.Plan.Steps[in.Action.Index]
			var d cache.Digest
			text, _ := r.Before.(string)
			if text == "" || d.UnmarshalText([]byte(text)) != nil {
				return up, up.PriorKey
			}
			return up, e.madeBy(ctx, up, in.Output, d)
		}
	}
	return nil, cache.ActionKey{}
}

// madeBy finds the key under which an action once gave an output of that digest; its last other key when no record tells.
func (e *Explainer) madeBy(ctx context.Context, s *Step, output string, d cache.Digest) cache.ActionKey {
	gave := func(k cache.ActionKey) bool {
		if k.IsZero() {
			return false
		}
		res, err := e.Store.Lookup(ctx, k)
		if err != nil {
			return false
		}
		out, ok := outputOf(res, output)
		return ok && out.Digest == d
	}
	last, prior := e.Past.Keys(s.Addr)
	for _, k := range []cache.ActionKey{last, prior} {
		if gave(k) {
			return k
		}
	}
	older := e.older(s.Addr)
	if i := slices.IndexFunc(older, gave); i >= 0 {
		return older[i]
	}
	return e.lastOther(s)
}

func (e *Explainer) older(addr string) []cache.ActionKey {
	if e.Older == nil {
		return nil
	}
	return e.Older(addr)
}

// lastOther is the key that a step had last before the one it has now; zero when there was none.
func (e *Explainer) lastOther(s *Step) cache.ActionKey {
	last, prior := e.Past.Keys(s.Addr)
	if s.Status != Cached || !last.IsZero() && last != s.Key {
		return last
	}
	if !prior.IsZero() && prior != s.Key {
		return prior
	}
	for _, k := range e.older(s.Addr) {
		if k != s.Key {
			return k
		}
	}
	return cache.ActionKey{}
}
