package lang

import (
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclparse"
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
	val         cty.Value // cty.NilVal until loaded
	from        hcl.Range // where the value was given
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
	out, err := convert.Convert(val, v.typ.WithoutOptionalAttributesDeep())
	if err != nil {
		m.report(problem("wrong-type", rng, "Wrong type", "Variable %q needs %s: %v.", name, typeexpr.TypeString(v.typ), err))
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
	autos, _ := filepath.Glob(filepath.Join(m.req.Dir, "*.auto.mbvars"))
	sort.Strings(autos)
	for _, f := range autos {
		m.loadVarFile(f, true)
	}
	if m.req.Env != nil {
		for name, v := range m.variables {
			if text, ok := m.req.Env("MBUILD_VAR_" + name); ok {
				m.setText(v, name, text, "<MBUILD_VAR_"+name+">")
			}
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
	names := make([]string, 0, len(m.variables))
	for n := range m.variables {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, name := range names {
		m.settleVariable(name, m.variables[name])
	}
}

func (m *module) settleVariable(name string, v *variable) {
	if v.val == cty.NilVal {
		v.val = v.dflt
	}
	if v.val == cty.NilVal {
		m.report(problem("no-value", v.block.DefRange(), "Variable without a value",
			"Variable %q has no default and was given no value. Use -var %s=…, -var-file, MBUILD_VAR_%s, or a default.", name, name, name))
		v.val = cty.UnknownVal(v.typ)
		return
	}
	for _, b := range v.validations {
		m.validate(name, v, b)
	}
	if !v.val.IsWhollyKnown() {
		return
	}
	if v.sensitive {
		m.spec.Variables[name] = "(sensitive)"
	} else if n, err := fromCty(v.val); err == nil {
		m.spec.Variables[name] = n
	}
}

// validate evaluates one validation block.
func (m *module) validate(name string, v *variable, b *hclsyntax.Block) {
	cond, msg := b.Body.Attributes["condition"], b.Body.Attributes["error_message"]
	if cond == nil || msg == nil {
		m.report(problem("missing-attribute", b.DefRange(), "Missing attribute", "A validation needs condition and error_message."))
		return
	}
	if !v.val.IsKnown() {
		return
	}
	ctx := &hcl.EvalContext{Functions: m.functions, Variables: map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{name: v.val})}}
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
	if t, diags := msg.Expr.Value(ctx); !diags.HasErrors() && t.Type() == cty.String && !t.IsNull() {
		text = t.AsString()
	}
	m.report(problem("validation", v.from, "Invalid value for variable", "Variable %q: %s (validation at %s:%d).", name, text, b.DefRange().Filename, b.DefRange().Start.Line))
}

// setText gives a variable a value from the command line or the environment: strings as they are, all else as an expression.
func (m *module) setText(v *variable, name, text, file string) {
	at := hcl.Range{Filename: file, Start: hcl.InitialPos, End: hcl.InitialPos}
	if v.typ == cty.String {
		v.val, v.from = cty.StringVal(text), at
		return
	}
	m.spec.Files[file] = &hcl.File{Bytes: []byte(text)}
	if d := refuse([]byte(text), file, false); d != nil {
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
	m.report(problem("wrong-type", at, "Wrong type", "Variable %q needs %s, but %q is no such value.", name, typeexpr.TypeString(v.typ), text))
	v.val = cty.UnknownVal(v.typ)
}

// loadVarFile reads variables from a file: HCL attributes, or JSON when it begins with a brace.
func (m *module) loadVarFile(path string, auto bool) {
	name := path
	if auto {
		name = filepath.Base(path)
	}
	src, err := readRegular(path)
	if err != nil {
		m.report(problem("missing-file", hcl.Range{Filename: name}, "Variables file not readable", "%s: %v.", name, plain(err)))
		return
	}
	isJSON := strings.HasPrefix(strings.TrimLeft(string(src[:min(len(src), 256)]), " \t\r\n"), "{")
	if d := refuse(src, name, isJSON); d != nil {
		m.spec.Files[name] = &hcl.File{Bytes: src}
		m.report(d)
		return
	}
	p := hclparse.NewParser()
	var f *hcl.File
	var diags hcl.Diagnostics
	if isJSON {
		f, diags = p.ParseJSON(src, name)
	} else {
		f, diags = p.ParseHCL(src, name)
	}
	m.spec.Files[name] = f
	if diags.HasErrors() {
		m.diags = append(m.diags, diags...)
		return
	}
	attrs, diags := f.Body.JustAttributes()
	m.diags = append(m.diags, diags...)
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

func attributeNames(attrs hcl.Attributes) []string {
	names := make([]string, 0, len(attrs))
	for n := range attrs {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func (m *module) unknownVariable(name string, rng hcl.Range) {
	var names []string
	for n := range m.variables {
		names = append(names, n)
	}
	sort.Strings(names)
	s := schema.Nearest(name, names)
	detail := fmt.Sprintf("The spec declares no variable %q. ", name)
	if s != "" {
		detail += fmt.Sprintf("Did you mean %q? ", s)
	}
	m.report(suggest(problem("unknown-variable", rng, "Unknown variable", "%sDeclared are %s.", detail, schema.Words(names)), s))
}
