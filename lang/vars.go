package lang

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"mbuild.dev/mbuild/lang/schema"
)

// variable is a `variable` block and the value it got.
type variable struct {
	block       *hclsyntax.Block
	typ         cty.Type
	defaults    *typeexpr.Defaults
	dflt        cty.Value // cty.NilVal when there is none
	sensitive   bool
	nullable    bool
	validations []*hclsyntax.Block
	val         cty.Value // cty.NilVal until given
	from        hcl.Range // where the value was given
	state       state
	broken      bool
	used        bool
}

var variableAttrs = []string{"type", "default", "description", "sensitive", "nullable"}

func (m *module) declareVariable(b *hclsyntax.Block) {
	if !m.wantLabels(b, "variable", "name") {
		return
	}
	name := b.Labels[0]
	if old := m.variables[name]; old != nil {
		m.report(problem("duplicate", b.DefRange(), "Duplicate variable", "There is a variable %q already, at %s:%d.", name, old.block.DefRange().Filename, old.block.DefRange().Start.Line))
		return
	}
	v := &variable{block: b, typ: cty.DynamicPseudoType, nullable: true, from: b.DefRange()}
	m.variables[name] = v
	for _, n := range sortedAttrs(b.Body) {
		m.variableAttr(v, b.Body.Attributes[n])
	}
	for _, nested := range b.Body.Blocks {
		if nested.Type != "validation" {
			m.report(problem("unknown-block", nested.TypeRange, "Unknown block", "There is no block %q in a variable. Allowed is validation.", nested.Type))
			continue
		}
		v.validations = append(v.validations, nested)
	}
	if v.dflt != cty.NilVal {
		v.dflt = m.convertVariable(v, name, v.dflt, b.Body.Attributes["default"].Expr.Range())
	}
}

func (m *module) variableAttr(v *variable, a *hclsyntax.Attribute) {
	switch a.Name {
	case "type":
		typ, defaults, diags := typeexpr.TypeConstraintWithDefaults(a.Expr)
		if diags.HasErrors() {
			m.report(problem("bad-type", a.Expr.Range(), "Invalid type", "%s. Types are string, number, bool, any, list(T), set(T), map(T), tuple([T…]) and object({name = T, …}) with optional(T, default).", strings.TrimSuffix(diags[0].Detail, ".")))
			return
		}
		v.typ, v.defaults = typ, defaults
	case "default":
		val, diags := a.Expr.Value(&hcl.EvalContext{Functions: m.functions})
		if diags.HasErrors() {
			m.report(problem("not-literal", a.Expr.Range(), "Default is no literal", "The default of a variable may not refer to anything."))
			v.dflt = cty.UnknownVal(v.typ)
			return
		}
		v.dflt = val
	case "sensitive", "nullable":
		val, diags := a.Expr.Value(nil)
		if diags.HasErrors() || val.IsNull() || val.Type() != cty.Bool {
			m.report(problem("wrong-type", a.Expr.Range(), "Wrong type", "%q needs true or false.", a.Name))
			return
		}
		if a.Name == "sensitive" {
			v.sensitive = val.True()
		} else {
			v.nullable = val.True()
		}
	case "description":
	default:
		s := schema.Nearest(a.Name, variableAttrs)
		m.report(suggest(problem("unknown-attribute", a.NameRange, "Unknown attribute", "There is no attribute %q in a variable. Allowed are %s and validation blocks.", a.Name, schema.Words(variableAttrs)), s))
	}
}

// convertVariable brings a value to the type of its variable.
func (m *module) convertVariable(v *variable, name string, val cty.Value, rng hcl.Range) cty.Value {
	if v.defaults != nil && !val.IsNull() {
		val = v.defaults.Apply(val)
	}
	out, err := convert.Convert(val, v.typ)
	if err != nil {
		m.report(problem("wrong-type", rng, "Wrong type", "Variable %q needs %s: %s.", name, typeexpr.TypeString(v.typ), strings.TrimSuffix(err.Error(), ".")))
		return cty.UnknownVal(v.typ)
	}
	if out.IsNull() && !v.nullable {
		m.report(problem("wrong-type", rng, "Wrong type", "Variable %q may not be null.", name))
	}
	return out
}

// loadVariables gives every variable its value: the default, then *.auto.mbvars in lexical order, then MBUILD_VAR_name, then
// -var-file, then -var; the last wins.
func (m *module) loadVariables() {
	for _, f := range m.autoFiles() {
		m.loadVarFile(f, true)
	}
	for _, name := range keys(m.variables) {
		if text, ok := m.getenv("MBUILD_VAR_" + name); ok {
			m.setText(m.variables[name], name, text, "<MBUILD_VAR_"+name+">")
		}
	}
	for _, f := range m.req.VarFiles {
		m.loadVarFile(f, false)
	}
	for _, a := range m.req.Vars {
		file := "<-var " + a.Name + ">"
		v := m.variables[a.Name]
		if v == nil {
			m.unknownVariable(a.Name, hcl.Range{Filename: file, Start: hcl.InitialPos, End: hcl.InitialPos})
			continue
		}
		m.setText(v, a.Name, a.Value, file)
	}
}

// autoFiles lists the *.auto.mbvars of the spec's directory.
func (l *loader) autoFiles() []string {
	autos, _ := filepath.Glob(filepath.Join(l.req.Dir, autoList))
	sort.Strings(autos)
	names := make([]string, len(autos))
	for i, f := range autos {
		names[i] = filepath.Base(f)
	}
	l.read.list(autoList, names)
	return autos
}

func (l *loader) getenv(name string) (string, bool) {
	if l.req.Env == nil {
		return "", false
	}
	text, ok := l.req.Env(name)
	l.read.env(name, text, ok)
	return text, ok
}

// variableValue is the value of a variable, settled once.
func (m *module) variableValue(name string, v *variable, from hcl.Range) (cty.Value, bool) {
	if v.state != done {
		if !m.enter(&v.state, m.prefix+"var."+name, from) {
			return cty.NilVal, false
		}
		m.settleVariable(name, v)
		m.leave(&v.state)
	}
	return v.val, !v.broken
}

func (m *module) settleVariable(name string, v *variable) {
	if in, ok := m.inputs[name]; ok {
		val, ok := in.value()
		if !ok {
			v.broken = true
			return
		}
		v.val, v.from = m.convertVariable(v, name, val, in.rng), in.rng
	}
	if v.val == cty.NilVal {
		v.val = v.dflt
	}
	if v.val == cty.NilVal {
		m.noValue(name, v)
		v.broken = true
		return
	}
	if !v.val.IsWhollyKnown() {
		v.broken = true
		return
	}
	for _, b := range v.validations {
		m.validate(name, v, b)
	}
	if v.sensitive {
		v.val = v.val.Mark(sensitive{})
	}
}

func (m *module) noValue(name string, v *variable) {
	if m.inputs != nil {
		i := len(m.chain) - 1
		m.report(problem("no-value", v.block.DefRange(), "Input without a value",
			"Variable %q of module %s has no default, and %s gives it no value. Add %s = … there.", name, m.chain[i], m.moduleAddr(), name))
		return
	}
	m.report(problem("no-value", v.block.DefRange(), "Variable without a value",
		"Variable %q has no default and was given no value. Use -var %s=…, -var-file, MBUILD_VAR_%s, or a default.", name, name, name))
}

// validate evaluates one validation block.
func (m *module) validate(name string, v *variable, b *hclsyntax.Block) {
	cond, msg := b.Body.Attributes["condition"], b.Body.Attributes["error_message"]
	if cond == nil || msg == nil {
		m.report(problem("missing-attribute", b.DefRange(), "Missing attribute", "A validation needs condition and error_message."))
		return
	}
	val, _ := v.val.UnmarkDeep()
	ctx := &hcl.EvalContext{Functions: m.functions, Variables: map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{name: val})}}
	ok, diags := cond.Expr.Value(ctx)
	if !diags.HasErrors() {
		ok, _ = convert.Convert(ok, cty.Bool)
	}
	if diags.HasErrors() || ok == cty.NilVal || ok.IsNull() || !ok.IsKnown() {
		m.report(problem("bad-condition", cond.Expr.Range(), "Invalid condition", "The condition of a validation must be true or false and may refer to var.%s only.", name))
		return
	}
	if ok.True() {
		return
	}
	text := "its validation failed"
	if v.sensitive {
		m.report(problem("validation", b.DefRange(), "Invalid value for variable", "Variable %q: %s; its message is not shown, for the variable is sensitive.", name, text))
		v.broken = true
		return
	}
	if t, diags := msg.Expr.Value(ctx); !diags.HasErrors() && t.Type() == cty.String && !t.IsNull() {
		text = t.AsString()
	}
	v.broken = true
	m.report(problem("validation", v.from, "Invalid value for variable", "Variable %q: %s (validation at %s:%d).", name, text, b.DefRange().Filename, b.DefRange().Start.Line))
}

// setText gives a variable a value from the command line or the environment: strings as they are, all else as an expression.
func (m *module) setText(v *variable, name, text, file string) {
	at := hcl.Range{Filename: file, Start: hcl.InitialPos, End: hcl.InitialPos}
	if v.typ == cty.String {
		v.val, v.from = cty.StringVal(text), at
		return
	}
	if !v.sensitive {
		m.spec.Files[file] = &hcl.File{Bytes: []byte(text)}
	}
	if d := refuse([]byte(text), file, syntaxHCL); d != nil {
		m.report(d)
		v.val = cty.UnknownVal(v.typ)
		return
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), file, hcl.InitialPos)
	if !diags.HasErrors() {
		var val cty.Value
		if val, diags = expr.Value(nil); !diags.HasErrors() {
			v.val, v.from = m.convertVariable(v, name, val, expr.Range()), expr.Range()
			return
		}
	}
	if v.typ == cty.DynamicPseudoType {
		v.val, v.from = cty.StringVal(text), at
		return
	}
	shown := strconv.Quote(text)
	if v.sensitive {
		shown = Hidden
	}
	m.report(problem("wrong-type", at, "Wrong type", "Variable %q needs %s, but %s is no such value.", name, typeexpr.TypeString(v.typ), shown))
	v.val = cty.UnknownVal(v.typ)
}

// loadVarFile gives variables the values that a file has for them.
func (m *module) loadVarFile(file string, auto bool) {
	attrs := m.readVarFile(file, auto)
	for _, n := range attributeNames(attrs) {
		a := attrs[n]
		v := m.variables[n]
		if v == nil {
			m.unknownVariable(n, a.NameRange)
			continue
		}
		val, diags := a.Expr.Value(nil)
		if diags.HasErrors() {
			m.report(problem("not-literal", a.Expr.Range(), "Value is no literal", "A variables file may not refer to anything."))
			continue
		}
		v.val, v.from = m.convertVariable(v, n, val, a.Expr.Range()), a.Expr.Range()
	}
}

func (l *loader) reportSyntax(diags hcl.Diagnostics) {
	for _, d := range diags {
		l.report(libraryDiagnostic(d, "syntax"))
	}
}

func textSyntax(isJSON bool) syntax {
	if isJSON {
		return syntaxJSON
	}
	return syntaxHCL
}

// readPath reads a regular file anywhere.
func readPath(p string) ([]byte, error) {
	return readRegular(plainDir(filepath.Dir(p)), filepath.Base(p))
}

// plainDir is a directory whose symbolic links may lead anywhere: the user named the file.
type plainDir string

// Open opens a file of the directory.
func (d plainDir) Open(name string) (fs.File, error) { return os.Open(filepath.Join(string(d), name)) }

func attributeNames(attrs hcl.Attributes) []string {
	names := make([]string, 0, len(attrs))
	for n := range attrs {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func (m *module) unknownVariable(name string, rng hcl.Range) {
	m.reportUnknownVariable(name, rng, keys(m.variables))
}

func (l *loader) reportUnknownVariable(name string, rng hcl.Range, names []string) {
	s := schema.Nearest(name, names)
	detail := fmt.Sprintf("The spec declares no variable %q. ", name)
	switch {
	case s != "":
		detail += fmt.Sprintf("Did you mean %q? ", s)
	case len(names) > 0:
		detail += "Declared are " + schema.Words(names) + "."
	default:
		detail += "It declares none."
	}
	l.report(suggest(problem("unknown-variable", rng, "Unknown variable", "%s", strings.TrimSpace(detail)), s))
}
