package lang

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/lang/value"
)

// maxInstances bounds for_each and count of one block.
const maxInstances = 1_000_000

// evalBlock makes the instances of a declaration, once. It returns false when the block is broken.
func (m *module) evalBlock(d *declaration, from hcl.Range) bool {
	if d.state == done {
		return !d.broken
	}
	if !m.enter(&d.state, d.addr.String(), from) {
		d.broken = true
		return false
	}
	before := m.errors
	m.expand(d)
	if m.errors > before {
		d.broken = true
	}
	m.leave(&d.state)
	return !d.broken
}

// expand evaluates for_each or count and makes an instance for each key.
func (m *module) expand(d *declaration) {
	attrs := d.block.Body.Attributes
	each, count := attrs["for_each"], attrs["count"]
	switch {
	case each != nil && count != nil:
		m.report(problem("conflict", count.NameRange, "for_each and count", "A block may have for_each or count, not both."))
	case each != nil:
		m.expandEach(d, each)
	case count != nil:
		m.expandCount(d, count)
	default:
		m.instance(d, "", scope{self: d})
	}
}

func (m *module) expandEach(d *declaration, a *hclsyntax.Attribute) {
	v, ok := m.eval(a.Expr, scope{self: d})
	if !ok {
		d.broken = true
		return
	}
	m.eachOf(v, a.Expr.Range(), func(key string, inst cty.Value) bool {
		before := m.errors
		m.instance(d, StringKey(key), scope{self: d}.with("each", inst))
		// The same mistake would be reported for every instance.
		return !d.broken && m.errors == before
	})
}

// eachOf calls do for the elements of a for_each value until it returns false, with the key and what `each` is.
func (m *module) eachOf(v cty.Value, rng hcl.Range, do func(key string, each cty.Value) bool) bool {
	t := v.Type()
	if v.IsNull() || !(t.IsMapType() || t.IsObjectType() || t.IsSetType() || t.IsTupleType() || t.IsListType()) {
		m.report(problem("wrong-type", rng, "Wrong type", "for_each needs a map, or a set or list of strings, but this is %s.", friendly(v)))
		return false
	}
	if v.LengthInt() > maxInstances {
		m.report(problem("too-many", rng, "Too many instances", "for_each has %d elements; a block may have %d instances.", v.LengthInt(), maxInstances))
		return false
	}
	keyed := t.IsMapType() || t.IsObjectType()
	seen := map[string]bool{}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if !keyed {
			k = e
		}
		if k.IsNull() || k.Type() != cty.String {
			m.report(problem("wrong-type", rng, "Wrong type", "for_each over a list needs strings, but one element is %s.", friendly(k)))
			return false
		}
		if !keyed && seen[k.AsString()] {
			m.report(problem("duplicate", rng, "Duplicate key", "for_each has %q twice.", k.AsString()))
			return false
		}
		if !keyed {
			seen[k.AsString()] = true
		}
		if !do(k.AsString(), cty.ObjectVal(map[string]cty.Value{"key": k, "value": e})) {
			return false
		}
	}
	return true
}

func (m *module) expandCount(d *declaration, a *hclsyntax.Attribute) {
	count, ok := m.countOf(a, scope{self: d})
	if !ok {
		d.broken = true
		return
	}
	for i := range count {
		inst := cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(int64(i))})
		before := m.errors
		m.instance(d, IndexKey(i), scope{self: d}.with("count", inst))
		if d.broken || m.errors > before {
			return
		}
	}
}

// valueOf is what the block is in expressions, made when one first asks: an object of its attributes and outputs, or under
// for_each and count an object or tuple of those.
func (m *module) valueOf(d *declaration) cty.Value {
	if d.value != cty.NilVal {
		return d.value
	}
	attrs := d.block.Body.Attributes
	switch {
	case attrs["for_each"] != nil:
		values := make(map[string]cty.Value, len(d.instances))
		for _, b := range d.instances {
			values[unquoteKey(b.Key)] = m.blockValue(b)
		}
		d.value = cty.ObjectVal(values)
	case attrs["count"] != nil:
		values := make([]cty.Value, 0, len(d.instances))
		for _, b := range d.instances {
			values = append(values, m.blockValue(b))
		}
		d.value = cty.TupleVal(values)
	default:
		d.value = m.blockValue(d.instances[0])
	}
	return d.value
}

// countOf evaluates a count attribute.
func (m *module) countOf(a *hclsyntax.Attribute, s scope) (int, bool) {
	v, ok := m.eval(a.Expr, s)
	if !ok {
		return 0, false
	}
	n, err := fromCty(v)
	count, isInt := n.(int64)
	if err != nil || !isInt || count < 0 {
		m.report(problem("wrong-type", a.Expr.Range(), "Wrong type", "count needs a whole number from 0 to %d, but this is %s.", maxInstances, friendly(v)))
		return 0, false
	}
	if count > maxInstances {
		m.report(problem("too-many", a.Expr.Range(), "Too many instances", "count is %d; a block may have %d instances.", count, maxInstances))
		return 0, false
	}
	return int(count), true
}

// friendly names what a value is, for messages.
func friendly(v cty.Value) string {
	if v.IsNull() {
		return "null"
	}
	n, err := fromCty(v)
	if err != nil {
		return v.Type().FriendlyName()
	}
	return schema.DescribeValue(n)
}

// instance evaluates one instance of a declaration; nil when it is disabled or broken.
func (m *module) instance(d *declaration, key string, s scope) *Block {
	addr := d.addr
	addr.Key = key
	b := &Block{Addr: addr, decl: d.block.DefRange}
	ok, enabled := m.evalMeta(d, b, s)
	if ok && !enabled {
		m.disabled(addr)
	}
	if !ok || !enabled {
		return nil
	}
	body := d.block.Body
	raw, ok := m.evalBody(body, d.schema.Struct, s, true)
	b.ranges = func(path string, onKey bool) hcl.Range {
		head, _, _ := strings.Cut(path, ".")
		list, _ := raw[head].([]any)
		return rangeIn(body, path, onKey, d.block.DefRange(), len(list))
	}
	if m.call != nil {
		b.inner = b.ranges
		b.decl = func() hcl.Range { return *m.call }
		b.ranges = func(string, bool) hcl.Range { return *m.call }
	}
	if !ok {
		d.broken = true
		return nil
	}
	if !m.check(b, d.schema, raw) {
		return nil
	}
	d.instances = append(d.instances, b)
	return b
}

// check holds a block against its schema and sets its attributes and references; false when something is wrong.
func (l *loader) check(b *Block, k *schema.Kind, raw map[string]any) bool {
	attrs, problems := schema.Check(k.Struct, raw)
	for _, p := range problems {
		e := Errorf(p.Code, b.Addr, b.RangeOf(p.Path, p.OnKey), p.Summary, "%s%s", p.Detail, b.Within(p.Path, p.OnKey))
		if b.inner == nil { // else it would replace the call of the module
			suggest(e, p.Suggestion)
		}
		l.report(e)
	}
	if len(problems) > 0 {
		return false
	}
	b.attrs, _ = attrs.(map[string]any)
	l.collectRefs(b, b.attrs, "")
	return true
}

// blockValue is a block as other blocks see it: its attributes and its outputs.
func (m *module) blockValue(b *Block) cty.Value {
	vals := make(map[string]cty.Value, len(b.attrs)+2)
	for k, v := range b.attrs {
		vals[k] = toCty(v)
	}
	addr := b.Addr.String()
	m.addrs[addr] = b.Addr
	for _, o := range m.req.Kinds.Outputs(b.Family, b.Type) {
		vals[o.Name] = refValue(value.Ref{To: addr + "." + o.Name, Type: o.Type})
	}
	return cty.ObjectVal(vals)
}
