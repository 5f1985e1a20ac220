package project

import (
	"slices"
	"strings"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
)

// Outcome is what became of the actions of a plan.
type Outcome interface {
	// Finished returns the key under which an action of the plan's graph was built or found; zero when it was not, or when
	// nothing was applied.
	Finished(action int) cache.ActionKey

	// Complete reports that a block needs no look until something that it depends on changes.
	Complete(b *planner.BlockStep) bool
}

// Remember makes the memory of a plan of a whole spec. Keys come from old, which may be nil, for actions of the same address.
func Remember(old *Memory, meta Meta, p *planner.Plan, o Outcome) *Memory {
	g := p.Graph
	number := make(map[*lang.Block]int, len(g.Spec.Blocks))
	for i, b := range g.Spec.Blocks {
		number[b] = i
	}
	edges := edgesOf(g, number)
	files := slices.Clone(g.Files)
	slices.SortFunc(files, func(a, b planner.SourceFile) int { return strings.Compare(a.Path, b.Path) })
	readers := readersOf(g, number)
	n := sizes{sizeBlocks: len(g.Spec.Blocks), sizeActions: len(g.Actions), sizeSlots: 1, sizeFiles: len(files)}
	for n[sizeSlots] < 2*len(g.Actions)+1 {
		n[sizeSlots] *= 2
	}
	for _, e := range edges {
		n[sizeEdges] += len(e)
	}
	for _, a := range g.Actions {
		n[sizeAddrs] += len(a.Addr)
	}
	for _, f := range files {
		n[sizePaths] += len(f.Path)
		n[sizeReaders] += len(readers[f.Path])
	}
	m := newMemory(n)
	m.Meta = meta
	m.putEdges(edges)
	m.putActions(old, g, number)
	m.putFiles(files, readers, p.Snapshot)
	m.update(p, g.Spec.Blocks, func(i int) int { return i }, o)
	return m
}

// Update brings the memory of a whole spec up to date with a plan of some of its blocks, whose numbers are given in their order.
func (m *Memory) Update(p *planner.Plan, numbers []int, o Outcome) {
	for path, st := range p.Snapshot.Stats {
		if i, ok := m.file(path); ok {
			m.putStat(i, st)
		}
	}
	m.update(p, p.Graph.Spec.Blocks, func(i int) int { return numbers[i] }, o)
}

// update notes what became of the blocks of a plan.
func (m *Memory) update(p *planner.Plan, blocks []*lang.Block, number func(int) int, o Outcome) {
	steps := make(map[*lang.Block]*planner.BlockStep, len(p.Blocks))
	for _, b := range p.Blocks {
		steps[b.Block] = b
	}
	for i, b := range blocks {
		actions := p.Graph.Block(b.Addr.String())
		first, count := m.ActionsOf(number(i))
		if len(actions) != count { // no actions: the block could not be lowered
			m.SetComplete(number(i), false)
			continue
		}
		for k, a := range actions {
			if key := o.Finished(a.Index); !key.IsZero() {
				m.Finish(first+k, key)
			}
		}
		if s := steps[b]; s != nil {
			m.SetComplete(number(i), len(s.Steps) == count && o.Complete(s))
		}
	}
}

// edgesOf lists the producers of each block: of its actions, and of what only planning needs.
func edgesOf(g *planner.Graph, number map[*lang.Block]int) [][]uint32 {
	edges := make([][]uint32, len(g.Spec.Blocks))
	add := func(to int, from *lang.Block) {
		if i, ok := number[from]; ok && i != to && !slices.Contains(edges[to], uint32(i)) {
			edges[to] = append(edges[to], uint32(i))
		}
	}
	for _, a := range g.Actions {
		to := number[a.Block]
		a.Dependencies(func(from *planner.Action) { add(to, from.Block) })
	}
	for i, b := range g.Spec.Blocks {
		for _, r := range b.Refs {
			add(i, g.Spec.Block(r.To))
		}
		for _, d := range b.DependsOn {
			add(i, g.Spec.Block(d))
		}
	}
	return edges
}

// readersOf lists the blocks that read each file.
func readersOf(g *planner.Graph, number map[*lang.Block]int) map[string][]int {
	readers := make(map[string][]int, len(g.Files))
	for _, a := range g.Actions {
		for i := range a.Inputs {
			if in := &a.Inputs[i]; in.Action == nil {
				if n := number[a.Block]; !slices.Contains(readers[in.File], n) {
					readers[in.File] = append(readers[in.File], n)
				}
			}
		}
	}
	return readers
}

func (m *Memory) putEdges(edges [][]uint32) {
	k := 0
	for b, e := range edges {
		m.prodAt.put(b, k)
		for _, from := range e {
			m.prod.put(k, int(from))
			k++
		}
	}
	m.prodAt.put(len(edges), k)
}

func (m *Memory) putActions(old *Memory, g *planner.Graph, number map[*lang.Block]int) {
	at, mask := 0, m.slots.len()-1
	for i, a := range g.Actions {
		m.addrAt.put(i, at)
		at += copy(m.addr[at:], a.Addr)
		b := number[a.Block]
		if m.count.at(b) == 0 {
			m.first.put(b, i)
		}
		m.count.put(b, m.count.at(b)+1)
		m.worth[i] = byte(worthOf(g, i))
		slot := int(hashOf(a.Addr)) & mask
		for m.slots.at(slot) != 0 {
			slot = (slot + 1) & mask
		}
		m.slots.put(slot, i+1)
		if old == nil {
			continue
		}
		if k, ok := old.Action(a.Addr); ok {
			copy(m.last[keySize*i:keySize*(i+1)], old.last[keySize*k:])
			copy(m.prior[keySize*i:keySize*(i+1)], old.prior[keySize*k:])
		}
	}
	m.addrAt.put(len(g.Actions), at)
}

// worthOf tells what the result of the i-th action is good for. The actions of a block stand together.
func worthOf(g *planner.Graph, i int) Worth {
	a := g.Actions[i]
	if a.Visible {
		return Wanted
	}
	if a.Series == "" {
		return Intermediate
	}
	for _, next := range g.Actions[i+1:] {
		if next.Block != a.Block {
			break
		}
		if next.Series == a.Series {
			return Intermediate
		}
	}
	return LastLink
}

func (m *Memory) putFiles(files []planner.SourceFile, readers map[string][]int, snap *planner.Snapshot) {
	at, k := 0, 0
	for i, f := range files {
		m.pathAt.put(i, at)
		at += copy(m.path[at:], f.Path)
		m.readAt.put(i, k)
		for _, b := range readers[f.Path] {
			m.read.put(k, b)
			k++
		}
		m.putStat(i, snap.Stats[f.Path])
	}
	m.pathAt.put(len(files), at)
	m.readAt.put(len(files), k)
}
