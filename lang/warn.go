package lang

import (
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
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
	named := sync.OnceValue(m.named) // which walks the whole module: only where something was not evaluated
	for _, name := range keys(m.variables) {
		if v := m.variables[name]; !v.used && !named()["var."+name] {
			m.report(warning("unused", v.block.DefRange(), "Unused variable", "Nothing refers to var.%s. Remove it, or use it.", name))
		}
	}
	for _, name := range keys(m.locals) {
		if l := m.locals[name]; !l.used && !named()["local."+name] {
			m.report(warning("unused", l.attr.NameRange, "Unused local", "Nothing refers to local.%s. Remove it, or use it.", name))
		}
	}
}

// named are the variables and locals that a block names, be it disabled or one of none, which nothing evaluates: "var.x", and what such
// locals name in turn.
func (m *module) named() map[string]bool {
	named := map[string]bool{}
	var see func(hclsyntax.Node)
	see = func(n hclsyntax.Node) {
		hclsyntax.VisitAll(n, func(n hclsyntax.Node) hcl.Diagnostics {
			e, ok := n.(*hclsyntax.ScopeTraversalExpr)
			if !ok {
				return nil
			}
			name, ok := step(e.Traversal, 1)
			if at := e.Traversal.RootName() + "." + name; ok && !named[at] {
				named[at] = true
				if l := m.locals[name]; l != nil && e.Traversal.RootName() == "local" {
					see(l.attr.Expr)
				}
			}
			return nil
		})
	}
	for _, body := range m.src.bodies {
		for _, b := range body.Blocks {
			if b.Type != "locals" && b.Type != "variable" {
				see(b.Body)
			}
		}
	}
	return named
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
