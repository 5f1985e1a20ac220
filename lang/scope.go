package lang

import (
	"fmt"
	"slices"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/lang/value"
)

// scope is what an expression may see beside the module: each.key and count.index of the instance, and the iterators of
// dynamic blocks.
type scope struct {
	self  *declaration
	local map[string]cty.Value
}

// with returns a scope with one more local root.
func (s scope) with(name string, v cty.Value) scope {
	l := make(map[string]cty.Value, len(s.local)+1)
	for k, x := range s.local {
		l[k] = x
	}
	l[name] = v
	return scope{self: s.self, local: l}
}

// eval evaluates an expression to a value that may decide what there is: it may not be sensitive. It returns false when
// something is wrong, which has then been reported, here or before.
func (m *module) eval(e hcl.Expression, s scope) (cty.Value, bool) {
	v, ok := m.evalMarked(e, s)
	if ok && v.ContainsMarked() {
		m.report(problem("sensitive", e.Range(), "Sensitive value", "What there is and what it is called may not depend on a sensitive value: it would be seen in addresses and plans."))
		return cty.NilVal, false
	}
	return v, ok
}

// evalMarked evaluates an expression; sensitive parts of the result are marked.
func (m *module) evalMarked(e hcl.Expression, s scope) (cty.Value, bool) {
	m.at(e.Range())
	ctx, ok := m.context(e, s)
	if !ok {
		return cty.NilVal, false
	}
	v, diags := e.Value(ctx)
	for _, d := range diags {
		m.reportLibrary(d)
	}
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	if d := outgrown(v, e.Range()); d != nil {
		m.report(d)
		return cty.NilVal, false
	}
	return v, v.IsWhollyKnown()
}

// context has what an expression names: of the module, which is the same for all instances of a block, and of its own scope.
func (m *module) context(e hcl.Expression, s scope) (ctx *hcl.EvalContext, ok bool) {
	if s.self != nil {
		ctx = s.self.contexts[e]
	}
	if ctx == nil {
		ctx = &hcl.EvalContext{Functions: m.functions}
		vars := m.variablesOf(e)
		tree := newTree()
		for _, t := range vars {
			if _, own := s.local[t.RootName()]; !own && !m.resolve(t, s, tree) {
				return nil, false
			}
		}
		if len(vars) > 0 {
			ctx.Variables = make(map[string]cty.Value, len(vars))
			tree.into(ctx.Variables)
		}
		if s.self != nil && len(s.local) > 0 {
			if s.self.contexts == nil {
				s.self.contexts = map[hcl.Expression]*hcl.EvalContext{}
			}
			s.self.contexts[e] = ctx
		}
	}
	if len(s.local) > 0 {
		ctx = ctx.NewChild()
		ctx.Variables = s.local
	}
	return ctx, true
}

// variablesOf is e.Variables(), which walks the expression, once for all instances of a block.
func (l *loader) variablesOf(e hcl.Expression) []hcl.Traversal {
	vars, ok := l.traversals[e]
	if !ok {
		vars = e.Variables()
		l.traversals[e] = vars
	}
	return vars
}

// tree collects the values that an expression names, by path of at most four names.
type tree struct {
	children map[string]*tree
	val      cty.Value
}

func newTree() *tree { return &tree{children: map[string]*tree{}} }

func (t *tree) at(path ...string) *tree {
	for _, p := range path {
		c := t.children[p]
		if c == nil {
			c = newTree()
			t.children[p] = c
		}
		t = c
	}
	return t
}

func (t *tree) into(vars map[string]cty.Value) {
	for name, c := range t.children {
		vars[name] = c.object()
	}
}

func (t *tree) object() cty.Value {
	if t.val != cty.NilVal {
		return t.val
	}
	m := make(map[string]cty.Value, len(t.children))
	for name, c := range t.children {
		m[name] = c.object()
	}
	return cty.ObjectVal(m)
}

// resolve puts the value that a traversal begins with, and that is not the scope's own, into the tree.
func (m *module) resolve(t hcl.Traversal, s scope, into *tree) bool {
	root := t.RootName()
	switch root {
	case "var":
		return m.resolveVar(t, into)
	case "local":
		return m.resolveLocal(t, into)
	case "module":
		return m.resolveModule(t, into)
	case "path":
		return m.resolvePath(t, into)
	case "each", "count":
		m.report(problem("no-instance", t.SourceRange(), "Not inside for_each or count", "%q has a value only in a block with %s.", root, map[string]string{"each": "for_each", "count": "count"}[root]))
		return false
	}
	if slices.Contains(Families, root) {
		return m.resolveBlock(t, s, into)
	}
	roots := append([]string{"var", "local", "module", "path"}, Families...)
	for l := range s.local {
		roots = append(roots, l)
	}
	sort.Strings(roots)
	near := schema.Nearest(root, roots)
	detail := fmt.Sprintf("There is nothing named %q. ", root)
	if near != "" {
		detail += fmt.Sprintf("Did you mean %q? ", near)
	}
	m.report(suggest(problem("unknown-name", t[0].SourceRange(), "Unknown name", "%sExpressions begin with %s; text goes into quotes.", detail, schema.Words(roots)), near))
	return false
}

// step returns the name of the i-th step of a traversal.
func step(t hcl.Traversal, i int) (string, bool) {
	if i >= len(t) {
		return "", false
	}
	a, ok := t[i].(hcl.TraverseAttr)
	return a.Name, ok
}

func (m *module) resolveVar(t hcl.Traversal, into *tree) bool {
	name, ok := step(t, 1)
	if !ok {
		m.report(problem("incomplete", t.SourceRange(), "Incomplete reference", "Name a variable: var.NAME."))
		return false
	}
	v := m.variables[name]
	if v == nil {
		m.unknown(t[1].SourceRange(), "unknown-variable", "Unknown variable", "variable", name, keys(m.variables))
		return false
	}
	v.used = true
	val, ok := m.variableValue(name, v, t.SourceRange())
	into.at("var", name).val = val
	return ok
}

func (m *module) resolveLocal(t hcl.Traversal, into *tree) bool {
	name, ok := step(t, 1)
	if !ok {
		m.report(problem("incomplete", t.SourceRange(), "Incomplete reference", "Name a local: local.NAME."))
		return false
	}
	l := m.locals[name]
	if l == nil {
		m.unknown(t[1].SourceRange(), "unknown-local", "Unknown local", "local", name, keys(m.locals))
		return false
	}
	l.used = true
	v, ok := m.localValue(name, l, t.SourceRange())
	into.at("local", name).val = v
	return ok
}

func (m *module) localValue(name string, l *local, rng hcl.Range) (cty.Value, bool) {
	if l.state != done {
		if !m.enter(&l.state, m.prefix+"local."+name, rng) {
			return cty.NilVal, false
		}
		l.val = cty.NilVal
		if v, ok := m.evalMarked(l.attr.Expr, scope{}); ok {
			l.val = v
		}
		m.leave(&l.state)
	}
	return l.val, l.val != cty.NilVal
}

// resolveBlock resolves family.type.name, and what follows it: a reference to an output needs no evaluation of the block, an
// attribute does.
func (m *module) resolveBlock(t hcl.Traversal, s scope, into *tree) bool {
	typ, ok1 := step(t, 1)
	name, ok2 := step(t, 2)
	if !ok1 || !ok2 {
		m.report(problem("incomplete", t.SourceRange(), "Incomplete reference", "A block is named %s.TYPE.NAME, with an output or an attribute after it.", t.RootName()))
		return false
	}
	a := Addr{Module: m.moduleAddr(), Family: t.RootName(), Type: typ, Name: name}
	d := m.blocks[a]
	if d == nil {
		m.unknownBlock(a, t)
		return false
	}
	d.used = true
	if d.broken {
		return false
	}
	at := into.at(a.Family, a.Type, a.Name)
	attrs := d.block.Body.Attributes
	if attrs["for_each"] != nil || attrs["count"] != nil {
		if !m.evalBlock(d, t.SourceRange()) {
			return false
		}
		at.val = m.valueOf(d)
		return true
	}
	return m.resolveSingle(d, t, at)
}

// resolveSingle resolves what follows the name of a block without for_each and count.
func (m *module) resolveSingle(d *declaration, t hcl.Traversal, at *tree) bool {
	name, ok := step(t, 3)
	if !ok {
		m.report(problem("incomplete", t.SourceRange(), "Incomplete reference", "%s is a block. Add one of its outputs, %s, or an attribute.", d.addr.local(), schema.Words(m.outputsOf(d.addr))))
		return false
	}
	ref, isOutput := m.outputRef(d.addr, name)
	if isOutput {
		// Whether the block is enabled matters only where the reference survives: checkEdges looks.
		if at.val == cty.NilVal {
			at.at(name).val = ref
		}
		return true
	}
	if !m.evalBlock(d, t.SourceRange()) {
		return false
	}
	if len(d.instances) == 0 {
		m.report(problem("disabled", t.SourceRange(), "Reference to a disabled block", "%s has enabled = false, so its attributes have no values. Refer to another block.", d.addr.local()))
		return false
	}
	if v := m.valueOf(d); !v.Type().HasAttribute(name) {
		names := append(m.outputsOf(d.addr), keys(v.Type().AttributeTypes())...)
		slices.Sort(names)
		m.unknown(t[3].SourceRange(), "unknown-output", "Unknown output or attribute", d.addr.local().String()+" has no output or attribute", name, slices.Compact(names))
		return false
	}
	at.val = m.valueOf(d)
	return true
}

func (m *module) outputRef(a Addr, out string) (cty.Value, bool) {
	for _, o := range m.req.Kinds.Outputs(a.Family, a.Type) {
		if o.Name == out {
			return refValue(value.Ref{To: a.String() + "." + out, Type: o.Type}), true
		}
	}
	return cty.NilVal, false
}

func (m *module) outputsOf(a Addr) []string {
	var names []string
	for _, o := range m.req.Kinds.Outputs(a.Family, a.Type) {
		names = append(names, o.Name)
	}
	return names
}

func (m *module) unknownBlock(a Addr, t hcl.Traversal) {
	var all []string
	for b := range m.blocks {
		all = append(all, b.local().String())
	}
	slices.Sort(all)
	m.unknown(hcl.RangeBetween(t[0].SourceRange(), t[2].SourceRange()), "unknown-block", "Reference to nothing", "block", a.local().String(), all)
}

// unknown reports a name that is none of those that exist.
func (m *module) unknown(rng hcl.Range, code, summary, what, name string, exist []string) {
	near := schema.Nearest(name, exist)
	detail := fmt.Sprintf("There is no %s %q. ", what, name)
	if len(what) > 0 && what[len(what)-1] != ' ' && slices.Contains([]string{"unknown-output"}, code) {
		detail = fmt.Sprintf("%s %q. ", what, name)
	}
	if near != "" {
		detail += fmt.Sprintf("Did you mean %q?", near)
	} else {
		detail += fmt.Sprintf("There are %s.", schema.Words(exist))
	}
	m.report(suggest(problem(code, rng, summary, "%s", detail), near))
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
