package lang

import (
	"encoding/json"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	hcljson "github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"

	"mbuild.dev/mbuild/lang/schema"
)

// jsonBody turns HCL's JSON syntax into the bodies of its native syntax, so that all that follows sees one syntax. Which
// members are blocks, and how many labels they have, the schemas say; every string is a template.
type jsonBody struct {
	name  string
	src   []byte
	kinds Catalog
	diags hcl.Diagnostics
}

// shape says how a body is read: which members are nested blocks.
type shape func(name string) (labels int, inner func(labels []string) shape, isBlock bool)

func parseJSON(src []byte, name string, kinds Catalog) (*hclsyntax.Body, hcl.Diagnostics) {
	f, diags := hcljson.Parse(src, name)
	for i, d := range diags {
		diags[i] = libraryDiagnostic(d, "syntax")
	}
	if diags.HasErrors() {
		return nil, diags
	}
	j := &jsonBody{name: name, src: src, kinds: kinds}
	attrs, more := f.Body.JustAttributes()
	for _, d := range more {
		j.diags = append(j.diags, libraryDiagnostic(d, "syntax"))
	}
	body := j.body(j.members(attrs), j.topShape)
	return body, append(append(diags, j.diags...), duplicateKeys(body)...)
}

// member is one member of an object.
type member struct {
	name  string
	rng   hcl.Range
	value hcl.Expression
}

func (j *jsonBody) members(attrs hcl.Attributes) []member {
	var out []member
	for _, n := range attributeNames(attrs) {
		out = append(out, member{n, attrs[n].NameRange, attrs[n].Expr})
	}
	return out
}

// object lists the members of an object expression; false when the expression is none.
func object(e hcl.Expression) ([]member, bool) {
	pairs, diags := hcl.ExprMap(e)
	if diags.HasErrors() {
		return nil, false
	}
	var out []member
	for _, p := range pairs {
		k, diags := p.Key.Value(nil)
		if diags.HasErrors() || k.IsNull() || k.Type() != cty.String || k.AsString() == "//" {
			continue
		}
		out = append(out, member{k.AsString(), p.Key.Range(), p.Value})
	}
	return out, true
}

func (j *jsonBody) topShape(name string) (int, func([]string) shape, bool) {
	switch name {
	case "locals", "mbuild":
		return 0, plainShape, true
	case "output", "module", "check":
		return 1, plainShape, true
	case "variable":
		return 1, func([]string) shape { return variableShape }, true
	}
	return 2, func(labels []string) shape {
		if k := j.kinds.Kind(name, labels[0]); k != nil {
			return typeShape(k.Struct)
		}
		return typeShape(&schema.Type{Op: schema.Struct})
	}, true
}

func plainShape([]string) shape {
	return func(string) (int, func([]string) shape, bool) { return 0, nil, false }
}

func variableShape(name string) (int, func([]string) shape, bool) {
	return 0, plainShape, name == "validation"
}

// typeShape reads a body by the struct that it is to be.
func typeShape(t *schema.Type) shape {
	return func(name string) (int, func([]string) shape, bool) {
		if name == "dynamic" {
			return 1, func(labels []string) shape {
				return func(n string) (int, func([]string) shape, bool) {
					return 0, func([]string) shape { return contentShape(t, labels[0]) }, n == "content"
				}
			}, true
		}
		f := t.Field(name)
		if f == nil {
			return 0, nil, false
		}
		nested, _ := f.Type.Nested()
		return len(f.Type.Labels), func(labels []string) shape { return typeShape(element(f.Type, labels)) }, nested
	}
}

func contentShape(t *schema.Type, block string) shape {
	if f := t.Field(block); f != nil {
		return typeShape(element(f.Type, nil))
	}
	return plainShape(nil)
}

// element is the struct that a nested block with these labels is to be.
func element(t *schema.Type, labels []string) *schema.Type {
	elem := t
	if elem.Op == schema.List || elem.Op == schema.Map {
		elem = elem.Elem
	}
	if elem.Tag != "" {
		for i, l := range t.Labels {
			if l == elem.Tag && i < len(labels) {
				if arm := elem.Arm(labels[i]); arm != nil {
					return arm
				}
			}
		}
		return &schema.Type{Op: schema.Struct}
	}
	return elem
}

func (j *jsonBody) body(members []member, s shape) *hclsyntax.Body {
	b := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: hcl.Range{Filename: j.name, Start: hcl.InitialPos, End: hcl.InitialPos}}
	for _, m := range members {
		if m.name == "//" {
			continue
		}
		labels, inner, isBlock := s(m.name)
		if isBlock {
			j.blocks(b, m, m.value, labels, nil, nil, inner)
			continue
		}
		b.Attributes[m.name] = &hclsyntax.Attribute{Name: m.name, Expr: j.expr(m.value, literalNames[m.name]), NameRange: m.rng, SrcRange: hcl.RangeBetween(m.rng, m.value.Range())}
	}
	return b
}

// literalNames are attributes whose strings are expressions: names of blocks, types, the name of an iterator.
var literalNames = map[string]bool{"depends_on": true, "type": true, "iterator": true}

// blocks adds the blocks that a member stands for: an object for each label, then the body or a list of bodies.
func (j *jsonBody) blocks(b *hclsyntax.Body, m member, v hcl.Expression, depth int, labels []string, ranges []hcl.Range, inner func([]string) shape) {
	if list, diags := hcl.ExprList(v); !diags.HasErrors() {
		for _, e := range list {
			j.blocks(b, m, e, depth, labels, ranges, inner)
		}
		return
	}
	members, ok := object(v)
	if !ok {
		j.diags = append(j.diags, problem("wrong-type", v.Range(), "Wrong type", "%q is a block: an object is needed here, or a list of objects.", m.name))
		return
	}
	if depth > 0 {
		for _, next := range members {
			j.blocks(b, m, next.value, depth-1, append(labels[:len(labels):len(labels)], next.name), append(ranges[:len(ranges):len(ranges)], next.rng), inner)
		}
		return
	}
	b.Blocks = append(b.Blocks, &hclsyntax.Block{Type: m.name, TypeRange: m.rng, Labels: labels, LabelRanges: ranges,
		Body: j.body(members, inner(labels)), OpenBraceRange: m.rng, CloseBraceRange: m.rng})
}

// expr turns a JSON value into an expression of native syntax.
func (j *jsonBody) expr(e hcl.Expression, names bool) hclsyntax.Expression {
	rng := e.Range()
	if list, diags := hcl.ExprList(e); !diags.HasErrors() {
		t := &hclsyntax.TupleConsExpr{SrcRange: rng, OpenRange: rng}
		for _, x := range list {
			t.Exprs = append(t.Exprs, j.expr(x, names))
		}
		return t
	}
	if members, ok := object(e); ok {
		o := &hclsyntax.ObjectConsExpr{SrcRange: rng, OpenRange: rng}
		for _, m := range members {
			key := &hclsyntax.ObjectConsKeyExpr{Wrapped: &hclsyntax.TemplateExpr{Parts: []hclsyntax.Expression{&hclsyntax.LiteralValueExpr{Val: cty.StringVal(m.name), SrcRange: m.rng}}, SrcRange: m.rng}, ForceNonLiteral: true}
			o.Items = append(o.Items, hclsyntax.ObjectConsItem{KeyExpr: key, ValueExpr: j.expr(m.value, names)})
		}
		return o
	}
	if text, ok := j.text(rng); ok {
		return j.template(text, rng, names)
	}
	v, diags := e.Value(nil)
	for _, d := range diags {
		j.diags = append(j.diags, libraryDiagnostic(d, "syntax"))
	}
	return &hclsyntax.LiteralValueExpr{Val: v, SrcRange: rng}
}

// text is the string that is written at a range, without its quotes and escapes.
func (j *jsonBody) text(rng hcl.Range) (string, bool) {
	raw := strings.TrimSpace(string(j.src[rng.Start.Byte:min(rng.End.Byte, len(j.src))]))
	if !strings.HasPrefix(raw, `"`) {
		return "", false
	}
	var v string
	err := json.Unmarshal([]byte(raw), &v)
	return v, err == nil
}

func (j *jsonBody) template(text string, rng hcl.Range, names bool) hclsyntax.Expression {
	start := rng.Start
	start.Column, start.Byte = start.Column+1, start.Byte+1
	if d := refuseTemplate(text, rng); d != nil {
		j.diags = append(j.diags, d)
		return &hclsyntax.LiteralValueExpr{Val: cty.StringVal(""), SrcRange: rng}
	}
	parse := hclsyntax.ParseTemplate
	if names {
		parse = hclsyntax.ParseExpression
	}
	expr, diags := parse([]byte(text), j.name, start)
	for _, d := range diags {
		d.Subject = rng.Ptr()
		j.diags = append(j.diags, libraryDiagnostic(d, "syntax"))
	}
	if expr == nil || diags.HasErrors() {
		return &hclsyntax.LiteralValueExpr{Val: cty.DynamicVal, SrcRange: rng}
	}
	return expr
}

func refuseTemplate(text string, rng hcl.Range) *hcl.Diagnostic {
	depth, chain, _ := measure([]byte(text), true)
	if depth > maxDepth || chain > maxChain {
		return problem("too-deep", rng, "Nested too deeply", "This template nests or chains too much. Split it into locals.")
	}
	return nil
}
