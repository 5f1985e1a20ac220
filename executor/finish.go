package executor

import (
	"errors"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
)

// finish handles the report of a node's goroutine.
func (m *machine) finish(o outcome) {
	n := o.node
	waiting := m.flights[n.key]
	delete(m.flights, n.key)
	defer func() {
		for _, w := range waiting { // the same key again: ask the store first
			m.makeReady(w)
		}
	}()
	switch {
	case o.lost != nil:
		m.rewind(n, o.lost)
	case o.err != nil && m.ctx.Err() != nil && errors.Is(o.err, m.ctx.Err()):
		m.skip(n, "the apply was stopped")
	case o.err != nil:
		m.fail(n, o.err, o)
	default:
		m.res.Artifacts = append(m.res.Artifacts, o.artifacts...)
		for i := range o.artifacts {
			m.event(n, Event{Artifact: &o.artifacts[i]})
		}
		if o.cached {
			m.settle(n, Cached, o.result)
		} else {
			n.cpu = o.cpu
			m.settle(n, Built, o.result)
		}
	}
}

// settle ends a node well and lets its dependents know. A cached node with artifacts goes through a goroutine first, which
// sees to it that they are in place.
func (m *machine) settle(n *node, to State, res *cache.ActionResult) {
	n.result = res
	if n.state != Running && len(n.artifacts) > 0 && m.opts.Project != nil {
		m.active++
		n.move(Running)
		go func() {
			arts, err := m.publish(n, res)
			m.done <- report{outcomes: []outcome{{node: n, result: res, cached: true, artifacts: arts, err: err}}}
		}()
		return
	}
	n.move(to)
	n.force = false
	m.count(n, to)
	if n.step.Gate != nil {
		m.judge(n)
	}
	waiters := n.rewound
	n.rewound = nil
	if !n.settled {
		n.settled = true
		for _, d := range n.dependents {
			if d.waiting--; d.waiting == 0 && d.state == Waiting {
				waiters = append(waiters, d)
			}
		}
	}
	for _, d := range waiters {
		if why := m.shut(d); why != "" {
			m.skip(d, why)
		} else {
			m.makeReady(d)
		}
	}
}

// count adds a settled node to the result and the record, and tells of it.
func (m *machine) count(n *node, to State) {
	f := &Finished{State: to, Key: n.key, Result: n.result}
	if to == Built {
		m.res.Built++
		f.Began, f.Seconds = n.began, n.took.Seconds()
		f.CPU, f.Worker = n.cpu, n.result.Execution.Worker
	} else {
		m.res.Cached++
	}
	m.event(n, Event{Finished: f})
}

// judge reports what a gate decided.
func (m *machine) judge(n *node) {
	g := GateResult{
		Block: n.step.Block.Addr.String(), Metric: n.step.Gate.Metric, Bound: n.step.Gate.Bound,
		Limit: n.result.Metrics["bound"], Value: n.result.Metrics["value"], Margin: n.result.Metrics["margin"],
		Verdict: planner.Verdict(n.result),
	}
	m.res.Gates = append(m.res.Gates, g)
	m.event(n, Event{Gate: &g})
}

// shut names a gate of the node that did not pass; "" when all have.
func (m *machine) shut(n *node) string {
	for _, g := range n.step.Gates {
		gate := m.nodes[g.Index]
		if v := planner.Verdict(gate.result); v != planner.Pass {
			return "gate " + g.Addr + ": " + string(v)
		}
	}
	return ""
}

// fail ends a node with a diagnostic at its block, and everything that needs it is skipped.
func (m *machine) fail(n *node, err error, o outcome) {
	n.move(Failed)
	m.res.Failed++
	d := m.diagnose(n, err)
	m.diags = append(m.diags, d)
	m.event(n, Event{Diagnostic: d})
	m.event(n, Event{Finished: &Finished{State: Failed, Key: n.key, Began: n.began, Seconds: n.took.Seconds(), CPU: o.cpu, Worker: o.worker, Log: o.log}})
	m.skipDependents(n, n.step.Addr+" failed")
	if !m.opts.KeepGoing {
		m.stopped = true
	}
}

func (m *machine) skip(n *node, why string) {
	n.move(Skipped)
	m.res.Skipped++
	m.event(n, Event{Finished: &Finished{State: Skipped, Why: why}})
	m.skipDependents(n, why)
}

func (m *machine) skipDependents(n *node, why string) {
	for _, d := range n.dependents {
		if d.state == Waiting {
			m.skip(d, why)
		}
	}
}

// rewind sends a consumer back to wait for a producer whose bytes are gone, and the producer to run again.
func (m *machine) rewind(n *node, producer *planner.Action) {
	p := m.nodes[producer.Index]
	n.move(Waiting)
	p.rewound = append(p.rewound, n)
	if !p.state.Done() { // already on its way again
		return
	}
	if p.state == Built {
		m.res.Built--
	} else {
		m.res.Cached--
	}
	p.force = true
	m.makeReady(p)
}

// diagnose turns the error of a run into a diagnostic at the block that declared the action.
func (m *machine) diagnose(n *node, err error) *hcl.Diagnostic {
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{Code: "action-failed", Summary: "Action failed", Detail: n.step.Addr + ": " + err.Error()}
	}
	rng := n.step.Block.Decl()
	if f.Attr != "" {
		rng = n.step.Block.RangeOf(f.Attr, false)
	}
	code := f.Code
	if code == "" {
		code = "action-failed"
	}
	return lang.Errorf(code, n.step.Block.Addr, rng, f.Summary, "%s%s", f.Detail, n.step.Block.Within(f.Attr, false))
}

// event stamps and delivers an event of the loop's own.
func (m *machine) event(n *node, e Event) {
	m.drainNotes()
	e.Time, e.Step = time.Now(), n.step
	m.opts.Events(e)
}

// note delivers an event from a run's goroutine; the loop passes it on. Progress is dropped rather than waited for.
func (m *machine) note(n *node, e Event) {
	e.Time, e.Step = time.Now(), n.step
	if e.Progress != nil {
		select {
		case m.notes <- e:
		default:
		}
		return
	}
	select {
	case m.notes <- e:
	case <-m.ctx.Done():
	}
}

func (m *machine) drainNotes() {
	for {
		select {
		case e := <-m.notes:
			m.opts.Events(e)
		default:
			return
		}
	}
}
