package lang

import (
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"mbuild.dev/mbuild/lang/schema"
)

// evalBody evaluates a body by the type it is to have: attributes, and nested blocks with their labels.
func (m *module) evalBody(body *hclsyntax.Body, t *schema.Type, s scope, top bool) (map[string]any, bool) {
	out := make(map[string]any, len(body.Attributes)+len(body.Blocks))
	good := true
	for _, name := range sortedAttrs(body) {
		if top && slices.Contains(meta, name) {
			continue
		}
		a := body.Attributes[name]
		n, ok := m.attribute(name, a.Expr, s)
		good = good && ok
		if n != nil {
			out[name] = n
		}
	}
	for _, b := range body.Blocks {
		if !m.evalNested(b, t, s, out) {
			good = false
		}
	}
	return out, good
}

// attribute evaluates an attribute to normal form; once for all instances of a block where it does not depend on them.
func (m *module) attribute(name string, e hcl.Expression, s scope) (any, bool) {
	if s.self == nil || len(s.local) == 0 || m.dependsOn(e, s.local) {
		return m.normal(name, e, s)
	}
	c, ok := s.self.constants[e]
	if !ok {
		c.value, c.ok = m.normal(name, e, s)
		if s.self.constants == nil {
			s.self.constants = map[hcl.Expression]constant{}
		}
		s.self.constants[e] = c
	}
	return c.value, c.ok
}

// dependsOn reports that an expression names one of the locals.
func (l *loader) dependsOn(e hcl.Expression, locals map[string]cty.Value) bool {
	for _, t := range l.variablesOf(e) {
		if _, ok := locals[t.RootName()]; ok {
			return true
		}
	}
	return false
}

func (m *module) normal(name string, e hcl.Expression, s scope) (any, bool) {
	v, ok := m.evalMarked(e, s)
	if !ok {
		return nil, false
	}
	n, err := fromCty(v)
	if err != nil {
		m.report(problem("bad-value", e.Range(), "Invalid value", "%q: %v.", name, err))
		return nil, false
	}
	return n, true
}

// evalNested evaluates a nested block into its field of out.
func (m *module) evalNested(b *hclsyntax.Block, t *schema.Type, s scope, out map[string]any) bool {
	if b.Type == "dynamic" {
		return m.evalDynamic(b, t, s, out)
	}
	f := t.Field(b.Type)
	if f == nil {
		m.unknown(b.TypeRange, "unknown-block", "Unknown block", "block", b.Type, nestedNames(t))
		return false
	}
	nested, _ := f.Type.Nested()
	if !nested {
		m.report(problem("block-for-attribute", b.TypeRange, "Block where an attribute is meant", "%q is an attribute: write %s = … (%s).", b.Type, b.Type, schema.Describe(f.Type)))
		return false
	}
	if len(b.Labels) != len(f.Type.Labels) {
		return m.wantLabels(b, b.Type, f.Type.Labels...)
	}
	elem := f.Type
	if elem.Op == schema.List || elem.Op == schema.Map {
		elem = elem.Elem
	}
	labels := map[string]string{}
	for i, l := range f.Type.Labels {
		labels[l] = b.Labels[i]
	}
	if elem.Tag != "" {
		tag := labels[elem.Tag]
		if arm := elem.Arm(tag); arm != nil {
			elem = arm
		} else {
			elem = &schema.Type{Op: schema.Struct}
		}
	}
	obj, ok := m.evalBody(b.Body, elem, s, false)
	if !ok {
		return false
	}
	for l, v := range labels {
		if f.Type.Op == schema.Map {
			continue
		}
		obj[l] = v
	}
	switch f.Type.Op {
	case schema.List:
		list, _ := out[b.Type].([]any)
		out[b.Type] = append(list, obj)
	case schema.Map:
		mp, _ := out[b.Type].(map[string]any)
		if mp == nil {
			mp = map[string]any{}
			out[b.Type] = mp
		}
		mp[b.Labels[0]] = obj
	default:
		if _, dup := out[b.Type]; dup {
			m.report(problem("duplicate", b.DefRange(), "Duplicate block", "There may be one %q block here.", b.Type))
			return false
		}
		out[b.Type] = obj
	}
	return true
}

func nestedNames(t *schema.Type) []string {
	var names []string
	for _, f := range t.Fields {
		if n, _ := f.Type.Nested(); n {
			names = append(names, f.Name)
		}
	}
	return names
}

// evalDynamic expands `dynamic "layer" { for_each = …, labels = […], content { … } }`.
func (m *module) evalDynamic(b *hclsyntax.Block, t *schema.Type, s scope, out map[string]any) bool {
	var content *hclsyntax.Block
	for _, nested := range b.Body.Blocks {
		if nested.Type == "content" {
			content = nested
		}
	}
	each := b.Body.Attributes["for_each"]
	if len(b.Labels) != 1 || content == nil || each == nil {
		m.report(problem("bad-dynamic", b.DefRange(), "Invalid dynamic block", "Write: dynamic \"NAME\" { for_each = …, labels = [ … ], content { … } }."))
		return false
	}
	name := b.Labels[0]
	if it := b.Body.Attributes["iterator"]; it != nil {
		name = hcl.ExprAsKeyword(it.Expr)
	}
	v, ok := m.eval(each.Expr, s)
	if !ok {
		return false
	}
	if v.IsNull() || !v.CanIterateElements() {
		m.report(problem("wrong-type", each.Expr.Range(), "Wrong type", "for_each needs a list, set or map, but this is %s.", v.Type().FriendlyName()))
		return false
	}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		inner := s.with(name, cty.ObjectVal(map[string]cty.Value{"key": k, "value": e}))
		one := *content
		one.Type, one.TypeRange = b.Labels[0], b.LabelRanges[0]
		if one.Labels, ok = m.dynamicLabels(b, inner); !ok {
			return false
		}
		one.LabelRanges = make([]hcl.Range, len(one.Labels))
		if !m.evalNested(&one, t, inner, out) {
			return false
		}
	}
	return true
}

func (m *module) dynamicLabels(b *hclsyntax.Block, s scope) ([]string, bool) {
	a := b.Body.Attributes["labels"]
	if a == nil {
		return nil, true
	}
	v, ok := m.eval(a.Expr, s)
	if !ok {
		return nil, false
	}
	n, _ := fromCty(v)
	list, ok := n.([]any)
	var labels []string
	for _, l := range list {
		switch t := l.(type) {
		case string:
			labels = append(labels, t)
		case int64:
			labels = append(labels, strconv.FormatInt(t, 10))
		default:
			ok = false
		}
	}
	if !ok {
		m.report(problem("wrong-type", a.Expr.Range(), "Wrong type", "labels needs a list of strings."))
	}
	return labels, ok
}
