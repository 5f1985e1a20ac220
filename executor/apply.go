package executor

import (
	"container/heap"
	"context"
	"runtime"
	"time"

	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/planner"
)

// Options is what an apply needs beside the plan.
type Options struct {
	Kinds     *Table
	Store     cache.Store
	Runner    Runner      // runs actions that do not run in the process
	Project   *Artifacts  // where artifacts go; nil writes none
	Scratch   string      // directory for private roots; on the store's file system, so that outputs can be taken over
	Jobs      int         // slots; 0 is the number of CPUs
	KeepGoing bool        // after a failure go on with what does not depend on it
	NoCache   bool        // do not ask the store: everything planned runs
	Events    func(Event) // called from one goroutine
}

// Result sums up an apply. The four counts add up to the actions of the plan.
type Result struct {
	Built, Cached, Failed, Skipped int
	Gates                          []GateResult
	Artifacts                      []ArtifactResult
	Interrupted                    bool
	Seconds                        float64

	// By action of the plan's graph; key and result of an action that was neither built nor found are zero.
	States  []State               `json:"-"`
	Keys    []cache.ActionKey     `json:"-"`
	Results []*cache.ActionResult `json:"-"`
}

// Finished implements project.Outcome.
func (r *Result) Finished(action int) cache.ActionKey { return r.Keys[action] }

// Complete implements project.Outcome.
func (r *Result) Complete(b *planner.BlockStep) bool {
	for _, s := range b.Steps {
		if !r.States[s.Index].Done() {
			return false
		}
	}
	return true
}

// node is the machine's view of one action.
type node struct {
	step       *planner.Step
	state      State
	waiting    int     // dependencies that are not Done
	dependents []*node // each once
	artifacts  []planner.Artifact
	key        cache.ActionKey
	encoded    []byte
	inputs     []cache.Digest // by position in the action's Inputs
	result     *cache.ActionResult
	force      bool // run even though the store has a result: asked for, or its bytes are gone
	changed    bool // the outcome may differ from the plan's
	began      time.Time
	took       time.Duration
	run        Run
	slots      int
	settled    bool    // dependents have counted it
	rewound    []*node // consumers that wait for it to run again

	queued time.Time // since when it waits for slots
	place  int       // the lowest of the slots it runs in
	cpu    time.Duration
	rest   float64 // expected seconds from its start to the end of the longest path through it
}

// machine owns every state. Its loop is the only goroutine that touches a node; runs are goroutines that report on done.
type machine struct {
	ctx      context.Context
	cancel   context.CancelFunc
	plan     *planner.Plan
	opts     Options
	nodes    []*node // by action index; nil where not wanted
	ready    queue   // to be probed
	runnable queue   // probed and missing: waiting for slots
	free     int
	slots    slotSet
	active   int
	flights  map[cache.ActionKey][]*node // running key -> nodes of the same key that wait for it
	done     chan report
	notes    chan Event
	stopped  bool // no new action starts
	sandbox  sandboxes
	res      Result
	diags    hcl.Diagnostics
}

// report is what a goroutine sends when it is done with its nodes.
type report struct {
	outcomes []outcome
	slots    []int // that are free again
}

// outcome is what became of one node.
type outcome struct {
	node      *node
	result    *cache.ActionResult
	cached    bool // another process recorded it meanwhile
	artifacts []ArtifactResult
	lost      *planner.Action // an input's bytes are gone: this producer must run again
	cpu       time.Duration   // processor time of the run, 0 when not known
	worker    string
	log       cache.Digest // of what a failed run printed
	err       error
}

// Apply runs the plan. Diagnostics with errors mean that some action failed; a gate that does not pass is no error but a
// GateResult. When ctx is cancelled, running actions are stopped and Interrupted is set.
func Apply(ctx context.Context, plan *planner.Plan, opts Options) (*Result, hcl.Diagnostics) {
	start := time.Now()
	m := newMachine(ctx, plan, opts)
	defer m.cancel()
	defer m.sandbox.close()
	m.res.Cached = plan.Beyond
	m.loop()
	m.sumUp()
	m.res.Interrupted = ctx.Err() != nil
	m.res.Seconds = time.Since(start).Seconds()
	return &m.res, m.diags
}

// sumUp notes where each action ended.
func (m *machine) sumUp() {
	m.res.States, m.res.Keys, m.res.Results = make([]State, len(m.nodes)), make([]cache.ActionKey, len(m.nodes)), make([]*cache.ActionResult, len(m.nodes))
	for i, n := range m.nodes {
		if n == nil {
			continue
		}
		m.res.States[i] = n.state
		if n.state.Done() {
			m.res.Keys[i], m.res.Results[i] = n.key, n.result
		}
	}
}

func newMachine(ctx context.Context, plan *planner.Plan, opts Options) *machine {
	if opts.Jobs <= 0 {
		opts.Jobs = runtime.GOMAXPROCS(0)
	}
	if opts.Events == nil {
		opts.Events = func(Event) {}
	}
	m := &machine{
		plan: plan, opts: opts, free: opts.Jobs,
		nodes:   make([]*node, len(plan.Steps)),
		flights: map[cache.ActionKey][]*node{},
		done:    make(chan report, opts.Jobs),
		notes:   make(chan Event, 64),
	}
	m.ctx, m.cancel = context.WithCancel(ctx)
	rest := Remaining(plan)
	for i, s := range plan.Steps {
		if s == nil {
			continue
		}
		n := &node{step: s, key: s.Key, force: opts.NoCache || isForced(s), rest: rest[i]}
		m.nodes[i] = n
		seen := map[*planner.Action]bool{}
		s.Dependencies(func(dep *planner.Action) {
			if !seen[dep] {
				seen[dep] = true
				n.waiting++
				m.nodes[dep.Index].dependents = append(m.nodes[dep.Index].dependents, n)
			}
		})
	}
	for _, a := range plan.Graph.Artifacts {
		if n := m.nodes[a.Source.Action.Index]; n != nil {
			n.artifacts = append(n.artifacts, a)
		}
	}
	return m
}

// isForced reports that the plan wants the action to run whatever the store says.
func isForced(s *planner.Step) bool {
	for _, r := range s.Reasons {
		if r.Code == "forced" || r.Code == "lost" && s.Result != nil {
			return true
		}
	}
	return false
}

// loop starts what can start and handles what finished, until nothing is left that could do either.
func (m *machine) loop() {
	for _, n := range m.nodes {
		if n != nil && n.waiting == 0 {
			m.makeReady(n)
		}
	}
	for {
		if m.ctx.Err() != nil {
			m.stopped = true
		}
		m.startReady()
		if m.active == 0 {
			break
		}
		select {
		case r := <-m.done:
			m.active--
			m.free += len(r.slots)
			m.slots.give(r.slots)
			for _, o := range r.outcomes {
				m.finish(o)
			}
		case e := <-m.notes:
			m.opts.Events(e)
		}
	}
	m.drainNotes()
	for _, n := range m.nodes {
		if n != nil && !n.state.Terminal() {
			m.skip(n, "the apply was stopped")
		}
	}
}

func (m *machine) makeReady(n *node) {
	n.move(Ready)
	heap.Push(&m.ready, n)
}

// startReady launches what has been probed while slots are free, and probes what is ready meanwhile.
func (m *machine) startReady() {
	for !m.stopped {
		switch {
		case len(m.runnable) > 0 && m.free >= m.runnable[0].slots && (len(m.ready) == 0 || m.ready[0].rest <= m.runnable[0].rest):
			m.launch(heap.Pop(&m.runnable).(*node))
		case len(m.ready) > 0:
			m.probe(heap.Pop(&m.ready).(*node))
		default:
			return
		}
	}
}

// probe takes a ready node to Cached, or puts it in the queue of those that must run.
func (m *machine) probe(n *node) {
	if m.asPlanned(n) {
		m.settle(n, Cached, n.step.Result)
		return
	}
	n.move(Probing)
	m.identify(n)
	if waiting, flying := m.flights[n.key]; flying {
		m.flights[n.key] = append(waiting, n)
		return
	}
	if !n.force {
		if res := m.lookup(n); res != nil {
			m.settle(n, Cached, res)
			return
		}
	}
	run, err := m.opts.Kinds.Run(n.step.Kind.Name(), n.step.Verb)
	if err != nil {
		m.fail(n, err, outcome{})
		return
	}
	n.run, n.slots = run, min(max(run.CPUs, n.step.Limits.CPUs, 1), m.opts.Jobs)
	m.flights[n.key] = nil
	n.queued = time.Now()
	heap.Push(&m.runnable, n)
}

// batchSize bounds how many runs in memory one goroutine takes at a time: they last some 20 us each, and handing over costs some.
const batchSize = 32

// launch starts a goroutine for a node, whose slots are free. Runs in memory are so short that several of them, where there are
// many, go one after the other.
func (m *machine) launch(n *node) {
	m.free -= n.slots
	m.active++
	places := m.slots.take(n.slots)
	m.begin(n, places[0])
	nodes := []*node{n}
	if n.run.brief() {
		for share := len(m.runnable) / m.opts.Jobs; len(nodes) < min(share, batchSize) && m.runnable[0].run.brief(); {
			next := heap.Pop(&m.runnable).(*node)
			m.begin(next, places[0])
			nodes = append(nodes, next)
		}
	}
	go m.execute(nodes, places)
}

func (m *machine) begin(n *node, place int) {
	n.move(Running)
	n.began, n.place = time.Now(), place
	m.event(n, Event{Started: &Started{Slot: n.place, Queued: n.began.Sub(n.queued)}})
}

// queue orders nodes that wait to be probed or for slots: critical path first, then as in the graph.
type queue []*node

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].rest != q[j].rest {
		return q[i].rest > q[j].rest
	}
	return q[i].step.Index < q[j].step.Index
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*node)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// asPlanned reports that the node was cached when planned and that nothing before it turned out differently.
func (m *machine) asPlanned(n *node) bool {
	if n.step.Status != planner.Cached || n.force {
		return false
	}
	same := true
	n.step.Dependencies(func(dep *planner.Action) {
		if m.nodes[dep.Index].changed {
			same = false
		}
	})
	return same
}

// identify computes the key from what the dependencies gave.
func (m *machine) identify(n *node) {
	n.inputs = make([]cache.Digest, len(n.step.Action.Inputs))
	for i := range n.step.Action.Inputs {
		n.inputs[i] = m.digest(n.step.Action.Inputs[i].Source)
	}
	n.encoded = n.step.Encode(n.inputs, m.plan.ToolchainOf(n.step.Action))
	n.key = cache.KeyOf(n.encoded)
	n.changed = n.key != n.step.Key || n.step.Status != planner.Cached
}

func (m *machine) digest(src planner.Source) cache.Digest {
	if src.Action == nil {
		return m.plan.Snapshot.Files[src.File]
	}
	out, _ := output(m.nodes[src.Action.Index].result, src.Output)
	return out.Digest
}

// lookup is the result of a node that was found since it was planned, with the bytes that are wanted of it; nil when there is none.
// What is found is kept from the collection of garbage before one looks whether it is whole.
func (m *machine) lookup(n *node) *cache.ActionResult {
	res, err := m.opts.Store.Lookup(m.ctx, n.key)
	if err != nil {
		return nil
	}
	if k, ok := m.opts.Store.(cache.Keeper); ok && k.Use(n.key) != nil {
		return nil
	}
	if !m.present(n, res) {
		return nil
	}
	return res
}

// present reports whether the bytes that are wanted of a result are in the store.
func (m *machine) present(n *node, res *cache.ActionResult) bool {
	if !n.step.Visible {
		return true
	}
	for _, o := range res.Outputs {
		if ok, err := cache.Present(m.ctx, m.opts.Store, o); err != nil || !ok {
			return false
		}
	}
	return true
}

func output(r *cache.ActionResult, name string) (cache.Output, bool) {
	if r != nil {
		for _, o := range r.Outputs {
			if o.Name == name {
				return o, true
			}
		}
	}
	return cache.Output{}, false
}
