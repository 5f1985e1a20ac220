package lang

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// warnUnused warns of what is declared and never used: variables and locals of modules in HCL, and blocks that lead to
// nothing. A spec without a target, an eval, a step or an output is a library or a beginning: its blocks are not held
// against it.
func (l *loader) warnUnused() {
	if l.root != nil {
		l.root.warn()
	}
	l.warnBlocks()
}

func (m *module) warn() {
	for _, name := range keys(m.variables) {
		if v := m.variables[name]; !v.used {
			m.report(warning("unused", v.block.DefRange(), "Unused variable", "Nothing refers to var.%s. Remove it, or use it.", name))
		}
	}
	for _, name := range keys(m.locals) {
		if l := m.locals[name]; !l.used {
			m.report(warning("unused", l.attr.NameRange, "Unused local", "Nothing refers to local.%s. Remove it, or use it.", name))
		}
	}
}

func (m *cueModule) warn() {
	for _, v := range m.vars {
		if !m.src.cue.Uses("var." + v.Name) {
			m.report(warning("unused", v.Range, "Unused variable", "Nothing refers to var.%s. Remove it, or use it.", v.Name))
		}
	}
}

// ends are the families whose blocks are wanted for themselves.
var ends = []string{"eval", "target", "step"}

// warnBlocks warns of root blocks that no target, eval, step or output needs.
func (l *loader) warnBlocks() {
	needed := make(map[*Block]bool, len(l.spec.Blocks))
	bases := map[Addr]bool{} // of the needed: where one instance is, the others are a set to choose from
	var need func(b *Block)
	need = func(b *Block) {
		if b == nil || needed[b] {
			return
		}
		needed[b] = true
		bases[b.Addr.Base()] = true
		for _, n := range b.needs {
			need(n)
		}
	}
	found := false
	for _, b := range l.spec.Blocks {
		if slices.Contains(ends, b.Family) {
			found = true
			need(b)
		}
	}
	for _, o := range l.spec.Outputs {
		out := &Block{}
		l.collectRefs(out, o.Value, "")
		for _, r := range out.Refs {
			found = true
			need(l.spec.Block(r.To))
		}
	}
	if !found {
		return
	}
	warned := map[Addr]bool{}
	for _, b := range l.spec.Blocks {
		if base := b.Addr.Base(); !bases[base] && !warned[base] && b.Module == "" {
			warned[base] = true
			d := Errorf("unused", b.Addr, b.Decl(), "Unused block", "No target, eval, step or output needs %s. Remove it, add an output for it, or build it with -target.", base)
			d.Severity = hcl.DiagWarning
			l.report(d)
		}
	}
}
