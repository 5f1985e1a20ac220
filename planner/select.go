package planner

import (
	"fmt"
	"slices"
	"strings"

	"mbuild.dev/mbuild/lang/schema"
)

// selection is what the flags of a plan ask for, by action index.
type selection struct {
	wanted []bool // part of the plan
	forced []bool // runs even though it is cached
}

// choose works out targets, exclusions and replacements. A target brings everything it depends on; what is excluded takes
// everything along that depends on it, for that could not be made without.
func (g *Graph) choose(req Request) (*selection, error) {
	s := &selection{wanted: make([]bool, len(g.Actions)), forced: make([]bool, len(g.Actions))}
	targets, err := g.match("-target", req.Targets)
	if err != nil {
		return nil, err
	}
	excluded, err := g.match("-exclude", req.Exclude)
	if err != nil {
		return nil, err
	}
	replaced, err := g.match("-replace", req.Replace)
	if err != nil {
		return nil, err
	}
	for _, a := range replaced {
		s.forced[a.Index] = true
	}
	for i := range s.wanted {
		s.wanted[i] = len(req.Targets) == 0
	}
	for _, a := range targets {
		g.want(a, s.wanted)
	}
	if len(excluded) > 0 {
		g.exclude(excluded, s.wanted)
		for _, t := range req.Targets {
			if !slices.ContainsFunc(g.At(t), func(a *Action) bool { return s.wanted[a.Index] }) {
				return nil, fmt.Errorf("-target %s and -exclude leave nothing: it is excluded, or needs what is", t)
			}
		}
	}
	return s, nil
}

// want marks an action and everything it depends on. It keeps a stack of its own: a chain may be longer than a stack of calls should be.
func (g *Graph) want(a *Action, wanted []bool) {
	stack := []*Action{a}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if wanted[top.Index] {
			continue
		}
		wanted[top.Index] = true
		top.Dependencies(func(d *Action) { stack = append(stack, d) })
	}
}

// exclude takes away the actions and everything that depends on them. Actions are in topological order, so one pass does.
func (g *Graph) exclude(actions []*Action, wanted []bool) {
	out := make([]bool, len(g.Actions))
	for _, a := range actions {
		out[a.Index] = true
	}
	for _, a := range g.Actions {
		a.Dependencies(func(d *Action) { out[a.Index] = out[a.Index] || out[d.Index] })
		if out[a.Index] {
			wanted[a.Index] = false
		}
	}
}

// match finds the actions at addresses: of a block, of all instances of one, or a single action of a block.
func (g *Graph) match(flag string, addrs []string) ([]*Action, error) {
	var found []*Action
	for _, addr := range addrs {
		m := g.At(addr)
		if len(m) == 0 {
			return nil, fmt.Errorf("%s names no block of this spec: %q.%s", flag, addr, g.Hint(addr))
		}
		found = append(found, m...)
	}
	return found, nil
}

// At returns the actions at an address: those of a block, of all instances of a block with for_each or count when the address
// has no key, or the one action of a block that it names ("train.supervised.t/segment[3]"). None for an unknown address.
func (g *Graph) At(addr string) []*Action {
	if actions := g.byBlock[addr]; len(actions) > 0 {
		return actions
	}
	if block, _, ok := strings.Cut(addr, "/"); ok {
		for _, a := range g.byBlock[block] {
			if a.Addr == addr {
				return []*Action{a}
			}
		}
		return nil
	}
	var found []*Action
	for _, b := range g.Spec.Blocks {
		if b.Addr.Key == "" {
			continue
		}
		base := b.Addr
		base.Key = ""
		if base.String() == addr {
			found = append(found, g.byBlock[b.Addr.String()]...)
		}
	}
	return found
}

// Hint proposes the address that was probably meant: " Did you mean …?", or "" when none is near.
func (g *Graph) Hint(addr string) string {
	block, rest, isAction := strings.Cut(addr, "/")
	var all []string
	if actions := g.byBlock[block]; isAction && len(actions) > 0 {
		for _, a := range actions {
			all = append(all, a.Addr)
		}
		if s := schema.Nearest(addr, all); s != "" {
			return fmt.Sprintf(" Did you mean %s?", s)
		}
		return fmt.Sprintf(" The block %s has no action %q.", block, rest)
	}
	for _, b := range g.Spec.Blocks {
		all = append(all, b.Addr.String())
		if base := b.Addr; base.Key != "" {
			base.Key = "" // stands for all instances
			all = append(all, base.String())
		}
	}
	if s := schema.Nearest(block, all); s != "" {
		return fmt.Sprintf(" Did you mean %s?", s)
	}
	return ""
}
