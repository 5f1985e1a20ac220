package planner

import (
	"github.com/hashicorp/hcl/v2"

	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/lang/value"
)

// Artifact is an output that apply writes to a path of the project.
type Artifact struct {
	Block  *lang.Block
	Source Source
	Path   string // slash-separated, relative to the spec's directory
}

// Graph is every action of a spec. It is static: nothing is added to it while it runs.
type Graph struct {
	Spec      *lang.Spec
	Actions   []*Action // in topological order; Actions[i].Index == i
	Artifacts []Artifact
	Files     []SourceFile // every source file that some action reads, by path

	// Stats are those of source files that were digested while lowering.
	Stats map[string]FileStat

	bound   map[string]binding // "train.supervised.base.model"
	gates   map[string][]*Action
	heeded  map[string]bool      // eval blocks whose gates something waits for
	byBlock map[string][]*Action // block address -> its actions in emission order
	files   map[string]int
	sight   Sight
}

// SourceFile is a file of the source tree and the attribute that named it first.
type SourceFile struct {
	Path     string
	Block    *lang.Block
	At       string // path of the attribute in the block
	External bool   // a block of an external kind reads it; Block then is the first of those
}

type binding struct {
	source Source
	static any
	ok     bool
}

// Block returns the actions of a block, in the order in which its kind emitted them.
func (g *Graph) Block(addr string) []*Action { return g.byBlock[addr] }

// Output returns what a block bound to one of its outputs.
func (g *Graph) Output(ref string) (Source, bool) {
	b := g.bound[ref]
	return b.source, b.ok
}

func (g *Graph) addFile(f SourceFile) {
	if i, ok := g.files[f.Path]; ok {
		if f.External && !g.Files[i].External {
			g.Files[i] = f
		}
		return
	}
	g.files[f.Path] = len(g.Files)
	g.Files = append(g.Files, f)
}

// Lower lowers every block of a spec, producers first. Blocks whose lowering fails are reported and left out, and so are
// those that refer to them, without a word: one cause, one error. Kinds do not look at source files.
func Lower(spec *lang.Spec, table *Table) (*Graph, hcl.Diagnostics) {
	return LowerIn(spec, table, Sight{})
}

// LowerIn is Lower where kinds may look at the source files that their actions read, to tell before anything runs what does not
// fit. Actions and keys are those of Lower.
func LowerIn(spec *lang.Spec, table *Table, sight Sight) (*Graph, hcl.Diagnostics) {
	g := &Graph{
		Stats:   map[string]FileStat{},
		sight:   sight,
		Spec:    spec,
		bound:   map[string]binding{},
		gates:   map[string][]*Action{},
		heeded:  map[string]bool{},
		byBlock: map[string][]*Action{},
		files:   map[string]int{},
	}
	var diags hcl.Diagnostics
	failed := map[string]bool{}
	for _, b := range producersFirst(spec) {
		addr := b.Addr.String()
		if dependsOnFailed(b, failed) {
			failed[addr] = true
			continue
		}
		kind := table.Lookup(b.Addr.Family, b.Addr.Type)
		if kind == nil {
			diags = append(diags, lang.Errorf("unknown-block-type", b.Addr, b.Decl(), "Unknown block type",
				"This program has no kind %q in family %q.", b.Addr.Type, b.Addr.Family))
			failed[addr] = true
			continue
		}
		l := &Lowering{Block: b, Kind: kind, graph: g}
		if b.Retries > 0 && !kind.Transient {
			l.Errorf("retries", "not-transient", "Retries make no sense here",
				"A %s that fails will fail again with the same inputs, so %s takes no retries. Remove the attribute; a block of a kind that runs foreign programs, such as step.exec, may have it.", kind.Family, kind.Name())
		}
		d := kind.Lower(l)
		diags = append(diags, d...)
		if d.HasErrors() {
			failed[addr] = true
			continue
		}
		g.add(l)
	}
	if !diags.HasErrors() {
		diags = append(diags, g.idleGates()...)
	}
	return g, diags
}

// idleGates warns of gates that keep nothing from being written, in a spec that writes something.
func (g *Graph) idleGates() hcl.Diagnostics {
	if len(g.Artifacts) == 0 {
		return nil
	}
	for _, o := range g.Spec.Outputs { // a report that is an output is there to be looked at: a monitor
		if ref, ok := o.Value.(value.Ref); ok {
			g.heeded[blockOf(ref.To)] = true
		}
	}
	var diags hcl.Diagnostics
	for _, b := range g.Spec.Blocks {
		if addr := b.Addr.String(); len(g.gates[addr]) > 0 && !g.heeded[addr] {
			d := lang.Errorf("idle-gate", b.Addr, b.RangeOf("gate", true), "Gate that nothing depends on",
				"No target lists %s.report under gates: what fails here is written all the same. Add it to the gates of a target, or make the report an output if it is there to be looked at.", addr)
			d.Severity = hcl.DiagWarning
			diags = append(diags, d)
		}
	}
	return diags
}

// add takes over what the lowering of one block emitted.
func (g *Graph) add(l *Lowering) {
	addr := l.Block.Addr.String()
	var after []*Action
	for _, dep := range l.Block.DependsOn {
		after = append(after, g.byBlock[dep.String()]...)
	}
	for _, a := range l.actions {
		a.After = append(a.After, after...)
		a.Index = len(g.Actions)
		g.Actions = append(g.Actions, a)
		g.byBlock[addr] = append(g.byBlock[addr], a)
		if a.Gate != nil {
			g.gates[addr] = append(g.gates[addr], a)
		}
	}
	for _, out := range l.Kind.Outputs {
		src, ok := l.bound[out.Name]
		g.bound[addr+"."+out.Name] = binding{source: src, static: l.static[out.Name], ok: ok}
	}
}

func dependsOnFailed(b *lang.Block, failed map[string]bool) bool {
	if len(failed) == 0 {
		return false
	}
	for _, r := range b.Refs {
		if failed[r.To.String()] {
			return true
		}
	}
	for _, d := range b.DependsOn {
		if failed[d.String()] {
			return true
		}
	}
	return false
}

// producersFirst orders blocks so that what a block refers to comes before it; blocks that do not depend on each other
// stay in address order. The spec is acyclic: lang has reported cycles.
func producersFirst(spec *lang.Spec) []*lang.Block {
	order := make([]*lang.Block, 0, len(spec.Blocks))
	state := make(map[*lang.Block]bool, len(spec.Blocks))
	var visit func(b *lang.Block)
	visit = func(b *lang.Block) {
		if b == nil || state[b] {
			return
		}
		state[b] = true
		for _, r := range b.Refs {
			visit(spec.Block(r.To))
		}
		for _, d := range b.DependsOn {
			visit(spec.Block(d))
		}
		order = append(order, b)
	}
	for _, b := range spec.Blocks {
		visit(b)
	}
	return order
}
