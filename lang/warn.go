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
	needed := map[Addr]bool{}
	var need func(a Addr)
	need = func(a Addr) {
		b := l.spec.Block(a)
		if b == nil || needed[a] {
			return
		}
		needed[a] = true
		for _, r := range b.Refs {
			need(r.To)
		}
		for _, d := range b.DependsOn {
			need(d)
		}
	}
	found := false
	for _, b := range l.spec.Blocks {
		if slices.Contains(ends, b.Family) {
			found = true
			need(b.Addr)
		}
	}
	for _, o := range l.spec.Outputs {
		out := &Block{}
		l.collectRefs(out, o.Value, "")
		for _, r := range out.Refs {
			found = true
			need(r.To)
		}
	}
	if !found {
		return
	}
	warned := map[Addr]bool{}
	for _, b := range l.spec.Blocks {
		if base := b.Addr.Base(); !needed[b.Addr] && !warned[base] && b.Module == "" && !l.anyNeeded(needed, base) {
			warned[base] = true
			d := Errorf("unused", b.Addr, b.Decl(), "Unused block", "No target, eval, step or output needs %s. Remove it, add an output for it, or build it with -target.", base)
			d.Severity = hcl.DiagWarning
			l.report(d)
		}
	}
}

// anyNeeded reports that an instance of a block is needed: then the others are a set to choose from.
func (l *loader) anyNeeded(needed map[Addr]bool, base Addr) bool {
	for a := range needed {
		if a.Base() == base {
			return true
		}
	}
	return false
}
