package planner

import (
	"context"
	"errors"
	"fmt"

	"mbuild.dev/mbuild/cache"
)

// Request is what a plan is made of.
type Request struct {
	Graph     *Graph
	Snapshot  *Snapshot
	Store     cache.Store
	Toolchain Toolchain
	Last      Past     // nil stands for NoPast
	Targets   []string // block addresses; none wants everything
	Exclude   []string // block addresses left out, with everything that depends on them
	Replace   []string // block addresses whose actions run even though they are cached
	NoCache   bool     // every action runs
	Beyond    int      // see Plan
	Costs     Costs    // what earlier applies cost, for estimates

	// Choose is the toolchain of an action that computes; nil stands for Toolchain. It is a pure function of the action and
	// the snapshot.
	Choose func(*Action) Toolchain
}

// Make walks the graph in topological order. An action whose inputs are known has a key and is looked up; what it gave
// then makes the inputs of the next known. So a plan sees as far as the store can answer, and says Unknown beyond.
//
// A second pass asks for bytes. Records are enough to plan by, but an output that is bound to a block, and an input of an
// action that will run, must really be there; where bytes are gone, their producer is built again.
func Make(ctx context.Context, req Request) (*Plan, error) {
	if req.Last == nil {
		req.Last = NoPast{}
	}
	sel, err := req.Graph.choose(req)
	if err != nil {
		return nil, err
	}
	p := &Plan{Graph: req.Graph, Snapshot: req.Snapshot, Toolchain: req.Toolchain, choose: req.Choose, Costs: req.Costs, Steps: make([]*Step, len(req.Graph.Actions)), Beyond: req.Beyond}
	steps := make([]Step, len(req.Graph.Actions))
	var buf []byte
	for i, a := range req.Graph.Actions {
		if !sel.wanted[i] {
			continue
		}
		s := &steps[i]
		s.Action = a
		p.Steps[i] = s
		if buf, err = p.probe(ctx, req, s, sel.forced[i] || req.NoCache, buf[:0]); err != nil {
			return nil, err
		}
	}
	if err := p.wantBytes(ctx, req.Store); err != nil {
		return nil, err
	}
	p.explain(ctx, req)
	p.sum()
	return p, nil
}

// probe decides the status of one step from those of its dependencies. buf is for its encoding.
func (p *Plan) probe(ctx context.Context, req Request, s *Step, force bool, buf []byte) ([]byte, error) {
	if st, why := p.held(s.Action); st != "" {
		s.Status, s.Reasons = st, why
		return buf, nil
	}
	s.Inputs = make([]cache.Digest, len(s.Action.Inputs))
	for i := range s.Action.Inputs {
		s.Inputs[i] = p.digestOf(s.Action.Inputs[i].Source)
	}
	buf = s.AppendEncoded(buf, s.Inputs, p.ToolchainOf(s.Action))
	s.Key = cache.KeyOf(buf)
	if force {
		s.Status, s.Reasons = Build, []Reason{{Code: "forced"}}
		return buf, nil
	}
	res, err := req.Store.Lookup(ctx, s.Key)
	switch {
	case err == nil:
		s.Status, s.Result = Cached, res
	case errors.Is(err, cache.ErrNotFound):
		s.Status = Build
	default:
		return buf, fmt.Errorf("looking up %s: %w", s.Addr, err)
	}
	return buf, nil
}

// held returns Blocked or Unknown, with the reasons, when something the action depends on keeps it from having a key.
func (p *Plan) held(a *Action) (Status, []Reason) {
	var status Status
	var why []Reason
	hold := func(st Status, r Reason) {
		if status != Blocked || st == Blocked {
			if st != status {
				why = nil
			}
			status = st
			why = append(why, r)
		}
	}
	for _, in := range a.Inputs {
		if in.Action == nil {
			continue
		}
		from := p.Steps[in.Action.Index]
		if from.Status == Blocked {
			hold(Blocked, Reason{Code: "input", Path: in.Name, From: in.Source.String()})
		} else if _, ok := outputOf(from.Result, in.Output); !ok {
			hold(Unknown, Reason{Code: "input", Path: in.Name, From: in.Source.String()})
		}
	}
	for _, g := range a.Gates {
		gate := p.Steps[g.Index]
		switch {
		case gate.Result == nil && gate.Status != Blocked:
			hold(Unknown, Reason{Code: "gate", From: g.Addr})
		case gate.Status == Blocked, Verdict(gate.Result) != Pass:
			hold(Blocked, Reason{Code: "gate", From: g.Addr})
		}
	}
	return status, why
}

// digestOf is the digest of a source whose producer has been probed and has it.
func (p *Plan) digestOf(src Source) cache.Digest {
	if src.Action == nil {
		return p.Snapshot.Files[src.File]
	}
	out, _ := outputOf(p.Steps[src.Action.Index].Result, src.Output)
	return out.Digest
}

// wantBytes turns Cached steps into Build where bytes are wanted and gone, and goes on with what those need.
func (p *Plan) wantBytes(ctx context.Context, store cache.Store) error {
	var want []Source
	for _, s := range p.Steps {
		switch {
		case s == nil:
		case s.Status == Cached && s.Visible:
			for _, o := range s.Action.Outputs {
				want = append(want, Source{Action: s.Action, Output: o.Name})
			}
		case s.Status == Build || s.Status == Unknown:
			want = append(want, producedInputs(s.Action)...)
		}
	}
	for len(want) > 0 {
		lost, err := p.lost(ctx, store, want)
		if err != nil {
			return err
		}
		want = nil
		for _, s := range lost {
			s.Status = Build
			s.Reasons = []Reason{{Code: "lost"}}
			want = append(want, producedInputs(s.Action)...)
		}
	}
	return nil
}

func producedInputs(a *Action) []Source {
	var in []Source
	for i := range a.Inputs {
		if a.Inputs[i].Action != nil {
			in = append(in, a.Inputs[i].Source)
		}
	}
	return in
}

// lost returns the Cached steps among the sources' producers whose bytes are not all in the store.
func (p *Plan) lost(ctx context.Context, store cache.Store, want []Source) ([]*Step, error) {
	var lost []*Step
	for _, src := range want {
		s := p.Steps[src.Action.Index]
		out, ok := outputOf(s.Result, src.Output)
		if !ok || s.Status != Cached {
			continue
		}
		ok, err := cache.Present(ctx, store, out)
		if err != nil {
			return nil, fmt.Errorf("checking %s: %w", src, err)
		}
		if !ok {
			s.Status = Build // so that it is listed once
			lost = append(lost, s)
		}
	}
	return lost, nil
}
