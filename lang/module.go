package lang

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"mbuild.dev/mbuild/lang/schema"
)

// module is a module written in HCL, in its place: declarations by name, values made on demand.
type module struct {
	*loader
	src    *source
	prefix string           // address and a dot: "module.enc."; "" for the root
	inputs map[string]given // nil for the root
	chain  []string         // directories of the modules around this one, and its own

	variables map[string]*variable
	locals    map[string]*local
	blocks    map[Addr]*declaration // by base address
	calls     map[string]*call
	outs      map[string]*outputDecl
	checks    []*hclsyntax.Block
	settings  Settings
	functions map[string]function.Function
	call      *hcl.Range // of a module of mbuild: where a file of the user calls it
}

// caller is where a file of the user calls a module that this one calls at a place.
func (m *module) caller(at hcl.Range) hcl.Range {
	if m.call != nil {
		return *m.call
	}
	return at
}

// report reports a diagnostic. What is wrong within a module of mbuild is told at the call, which is what the user can change, and the
// place in the module follows.
func (m *module) report(d *hcl.Diagnostic) {
	if m.call != nil && d.Subject != nil && strings.HasPrefix(d.Subject.Filename, m.src.dir+"/") {
		x := ExtraOf(d)
		x.Suggestion = "" // it would replace the call
		d.Detail += within(*d.Subject)
		d.Subject, d.Extra = m.call, &x
	}
	m.loader.report(d)
}

// within is what follows the text of a diagnostic at the call of a module of mbuild.
func within(rng hcl.Range) string {
	return fmt.Sprintf(" In the module this is at %s:%d.", rng.Filename, rng.Start.Line)
}

func (m *module) reportLibrary(d *hcl.Diagnostic) { m.report(libraryProblem(d)) }

// moduleAddr is the module's address, "" for the root.
func (m *module) moduleAddr() string { return strings.TrimSuffix(m.prefix, ".") }

// local is one entry of a locals block.
type local struct {
	attr  *hclsyntax.Attribute
	state state
	val   cty.Value
	used  bool
}

// declaration is an artifact block as written, before for_each and count.
type declaration struct {
	addr      Addr
	block     *hclsyntax.Block
	schema    *schema.Kind
	state     state
	instances []*Block
	value     cty.Value // what `family.type.name` is in expressions; cty.NilVal until evaluated
	broken    bool      // has been reported: nothing that refers to it is
	used      bool

	constants map[hcl.Expression]constant         // attributes that are the same in all instances
	contexts  map[hcl.Expression]*hcl.EvalContext // what the others name of the module
}

// constant is an attribute in normal form.
type constant struct {
	value any
	ok    bool
}

// outputDecl is an output block.
type outputDecl struct {
	block       *hclsyntax.Block
	state       state
	val         cty.Value // cty.NilVal when broken
	description string
}

// declare sorts the top-level blocks of all files into tables.
func (m *module) declare() {
	m.variables, m.locals, m.blocks = map[string]*variable{}, map[string]*local{}, map[Addr]*declaration{}
	m.calls, m.outs = map[string]*call{}, map[string]*outputDecl{}
	m.functions = functions(m.loader)
	for _, body := range m.src.bodies {
		for _, name := range sortedAttrs(body) {
			a := body.Attributes[name]
			m.report(problem("unknown-attribute", a.NameRange, "Unknown attribute",
				"There are no attributes outside blocks. Put %q into a block, or into locals { }.", a.Name))
		}
		for _, b := range body.Blocks {
			m.declareBlock(b)
		}
	}
}

func (m *module) declareBlock(b *hclsyntax.Block) {
	switch {
	case b.Type == "variable":
		m.declareVariable(b)
	case b.Type == "locals":
		m.declareLocals(b)
	case b.Type == "output":
		m.declareOutput(b)
	case b.Type == "mbuild":
		m.declareSettings(b)
	case b.Type == "module":
		m.declareCall(b)
	case b.Type == "check":
		if m.wantLabels(b, "check", "name") {
			m.checks = append(m.checks, b)
		}
	case slices.Contains(Families, b.Type):
		m.declareArtifact(b)
	default:
		allowed := append(slices.Clone(Families), "variable", "locals", "output", "module", "check", "mbuild")
		s := schema.Nearest(b.Type, allowed)
		detail := fmt.Sprintf("There is no block %q. ", b.Type)
		if s != "" {
			detail += fmt.Sprintf("Did you mean %q? ", s)
		}
		m.report(suggest(problem("unknown-block", b.TypeRange, "Unknown block", "%sAllowed are %s.", detail, schema.Words(allowed)), s))
	}
}

func (m *module) declareArtifact(b *hclsyntax.Block) {
	if !m.wantLabels(b, b.Type, "type", "name") {
		return
	}
	a := Addr{Module: m.moduleAddr(), Family: b.Type, Type: b.Labels[0], Name: b.Labels[1]}
	if !hclsyntax.ValidIdentifier(a.Name) {
		m.report(problem("bad-name", b.LabelRanges[1], "Invalid name", "%q is no name: use letters, digits, - and _, starting with a letter.", a.Name))
		return
	}
	k := m.req.Kinds.Kind(a.Family, a.Type)
	if k == nil {
		types := m.req.Kinds.Types(a.Family)
		s := schema.Nearest(a.Type, types)
		detail := fmt.Sprintf("There is no %s type %q. ", a.Family, a.Type)
		if s != "" {
			detail += fmt.Sprintf("Did you mean %q? ", s)
		}
		m.report(suggest(problem("unknown-type", b.LabelRanges[0], "Unknown block type", "%sAllowed are %s.", detail, schema.Words(types)), s))
		m.blocks[a] = &declaration{addr: a, block: b, broken: true, state: done}
		return
	}
	if old := m.blocks[a]; old != nil {
		m.report(problem("duplicate", b.DefRange(), "Duplicate block", "There is a block %s already, at %s:%d. Rename one of them.",
			a.local(), old.block.DefRange().Filename, old.block.DefRange().Start.Line))
		return
	}
	m.blocks[a] = &declaration{addr: a, block: b, schema: k}
}

func (m *module) declareOutput(b *hclsyntax.Block) {
	if !m.wantLabels(b, "output", "name") {
		return
	}
	name := b.Labels[0]
	if old := m.outs[name]; old != nil {
		m.report(problem("duplicate", b.DefRange(), "Duplicate output", "There is an output %q already, at %s:%d.", name, old.block.DefRange().Filename, old.block.DefRange().Start.Line))
		return
	}
	m.outs[name] = &outputDecl{block: b}
	if b.Body.Attributes["value"] == nil {
		m.report(problem("missing-attribute", b.DefRange(), "Missing attribute", "\"value\" is required: what the output gives."))
	}
}

func (m *module) declareLocals(b *hclsyntax.Block) {
	for _, nested := range b.Body.Blocks {
		m.report(problem("unknown-block", nested.TypeRange, "Unknown block", "locals { } holds attributes only."))
	}
	for _, name := range sortedAttrs(b.Body) {
		a := b.Body.Attributes[name]
		if old := m.locals[name]; old != nil {
			m.report(problem("duplicate", a.NameRange, "Duplicate local", "There is a local %q already, at %s:%d.", name, old.attr.NameRange.Filename, old.attr.NameRange.Start.Line))
			continue
		}
		m.locals[name] = &local{attr: a}
	}
}

// declareSettings reads `mbuild { }`, whose values are literals.
func (m *module) declareSettings(b *hclsyntax.Block) {
	for _, name := range sortedAttrs(b.Body) {
		a := b.Body.Attributes[name]
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
			m.report(problem("wrong-type", a.Expr.Range(), "Wrong type", "%q needs a literal string.", name))
			continue
		}
		switch name {
		case "required_version":
			m.settings.RequiredVersion, m.settings.VersionRange = v.AsString(), a.Expr.Range()
		case "backend":
			m.settings.Backend, m.settings.BackendRange = v.AsString(), a.Expr.Range()
		default:
			allowed := []string{"required_version", "backend"}
			m.report(problem("unknown-attribute", a.NameRange, "Unknown attribute", "There is no setting %q. Allowed are %s.", name, schema.Words(allowed)))
		}
	}
}

func (m *module) wantLabels(b *hclsyntax.Block, what string, labels ...string) bool {
	if len(b.Labels) == len(labels) {
		return true
	}
	want := ""
	for _, l := range labels {
		want += fmt.Sprintf(" %q", l)
	}
	m.report(problem("wrong-labels", b.DefRange(), "Wrong number of labels", "Found %d; a %s block is written %s%s { … }.", len(b.Labels), what, b.Type, want))
	return false
}

// sortedAttrs lists the names of a body's attributes in the order of the file.
func sortedAttrs(b *hclsyntax.Body) []string {
	names := make([]string, 0, len(b.Attributes))
	for n := range b.Attributes {
		names = append(names, n)
	}
	slices.SortFunc(names, func(x, y string) int {
		return b.Attributes[x].NameRange.Start.Byte - b.Attributes[y].NameRange.Start.Byte
	})
	return names
}
