package lang

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/lang/value"
)

// meta are the attributes that every artifact block has, whatever its schema.
var meta = []string{"for_each", "count", "depends_on", "enabled", "tags"}

// maxInstances bounds for_each and count of one block.
const maxInstances = 1_000_000

// finish makes every block, local, module and output of the module.
func (m *module) finish(ctx context.Context) {
	addrs := make([]Addr, 0, len(m.blocks))
	for a := range m.blocks {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, Addr.Compare)
	for _, a := range addrs {
		if ctx.Err() != nil {
			return // Load reports it
		}
		d := m.blocks[a]
		if m.evalBlock(d, d.block.DefRange()) {
			m.spec.Blocks = append(m.spec.Blocks, d.instances...)
		}
	}
	for _, name := range keys(m.locals) {
		m.localValue(name, m.locals[name], m.locals[name].attr.NameRange)
	}
	for _, name := range keys(m.calls) {
		m.finishCall(ctx, m.calls[name])
	}
	for _, name := range m.outputNames() {
		m.output(name, m.outs[name].block.DefRange())
	}
	for _, name := range keys(m.variables) {
		v := m.variables[name]
		m.variableValue(name, v, v.block.DefRange())
	}
	for _, b := range m.checks {
		m.evalCheck(b)
	}
}

func (m *module) outputNames() []string { return keys(m.outs) }

// output evaluates an output, once.
func (m *module) output(name string, from hcl.Range) (cty.Value, bool) {
	o := m.outs[name]
	if o == nil {
		return cty.NilVal, false
	}
	if o.state != done {
		if !m.enter(&o.state, m.prefix+"output."+name, from) {
			return cty.NilVal, false
		}
		m.evalOutput(name, o)
		m.leave(&o.state)
	}
	return o.val, o.val != cty.NilVal
}

func (m *module) evalOutput(name string, o *outputDecl) {
	for _, nested := range o.block.Body.Blocks {
		m.unknown(nested.TypeRange, "unknown-block", "Unknown block", "block", nested.Type, nil)
	}
	for _, n := range sortedAttrs(o.block.Body) {
		a := o.block.Body.Attributes[n]
		switch n {
		case "value":
			if v, ok := m.evalMarked(a.Expr, scope{}); ok {
				o.val = v
			}
		case "description":
			if v, ok := m.eval(a.Expr, scope{}); ok && v.Type() == cty.String && !v.IsNull() {
				o.description = v.AsString()
			}
		default:
			m.unknown(a.NameRange, "unknown-attribute", "Unknown attribute", "attribute", n, []string{"value", "description"})
		}
	}
}

// publish adds outputs, settings and variables of the root to the spec.
func (m *module) publish() {
	m.spec.Settings = m.settings
	for _, name := range m.outputNames() {
		o := m.outs[name]
		if o.val == cty.NilVal {
			continue
		}
		rng := o.block.DefRange()
		if a := o.block.Body.Attributes["value"]; a != nil {
			rng = a.Expr.Range()
		}
		n, err := fromCty(o.val)
		if err != nil {
			m.report(problem("wrong-type", rng, "Wrong type", "Output %q: %v.", name, err))
			continue
		}
		m.spec.Outputs = append(m.spec.Outputs, Output{Name: name, Value: n, Description: o.description, Sensitive: isSensitive(o.val), Range: rng})
	}
	for name, v := range m.variables {
		if v.sensitive {
			m.spec.Variables[name] = Hidden
		} else if v.val != cty.NilVal && v.val.IsWhollyKnown() {
			if n, err := fromCty(v.val); err == nil {
				m.spec.Variables[name] = n
			}
		}
	}
}

// evalCheck evaluates `check "name" { condition, error_message }`.
func (m *module) evalCheck(b *hclsyntax.Block) {
	cond, msg := b.Body.Attributes["condition"], b.Body.Attributes["error_message"]
	for _, n := range sortedAttrs(b.Body) {
		if n != "condition" && n != "error_message" {
			m.unknown(b.Body.Attributes[n].NameRange, "unknown-attribute", "Unknown attribute", "attribute", n, []string{"condition", "error_message"})
		}
	}
	if cond == nil || msg == nil {
		m.report(problem("missing-attribute", b.DefRange(), "Missing attribute", "A check needs condition and error_message."))
		return
	}
	v, ok := m.eval(cond.Expr, scope{})
	if !ok {
		return
	}
	if v.IsNull() || v.Type() != cty.Bool {
		m.report(problem("bad-condition", cond.Expr.Range(), "Invalid condition", "The condition of a check must be true or false, but this is %s.", v.Type().FriendlyName()))
		return
	}
	if v.True() {
		return
	}
	text := "its condition is false"
	if t, ok := m.eval(msg.Expr, scope{}); ok && t.Type() == cty.String && !t.IsNull() {
		text = t.AsString()
	}
	m.report(problem("check", cond.Expr.Range(), "Check failed", "Check %q: %s.", b.Labels[0], strings.TrimSuffix(text, ".")))
}

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
	b.ranges = func(path string, onKey bool) hcl.Range { return rangeIn(body, path, onKey, d.block.DefRange()) }
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
		e := Errorf(p.Code, b.Addr, b.RangeOf(p.Path, p.OnKey), p.Summary, "%s", p.Detail)
		l.report(suggest(e, p.Suggestion))
	}
	if len(problems) > 0 {
		return false
	}
	b.attrs, _ = attrs.(map[string]any)
	collectRefs(b, b.attrs, "")
	return true
}

// evalMeta reads enabled, depends_on and tags.
func (m *module) evalMeta(d *declaration, b *Block, s scope) (ok, enabled bool) {
	attrs := d.block.Body.Attributes
	enabled = true
	if a := attrs["enabled"]; a != nil {
		v, ok := m.eval(a.Expr, s)
		if !ok {
			d.broken = true
			return false, false
		}
		if v.IsNull() || v.Type() != cty.Bool {
			m.report(problem("wrong-type", a.Expr.Range(), "Wrong type", "enabled needs true or false."))
			return false, false
		}
		enabled = v.True()
	}
	if a := attrs["tags"]; a != nil {
		v, ok := m.eval(a.Expr, s)
		if !ok {
			d.broken = true
			return false, false
		}
		list, _ := fromCty(v)
		l, isList := list.([]any)
		for _, t := range l {
			str, isString := t.(string)
			isList = isList && isString
			b.Tags = append(b.Tags, str)
		}
		if !isList {
			m.report(problem("wrong-type", a.Expr.Range(), "Wrong type", "tags needs a list of strings."))
			return false, false
		}
	}
	if a := attrs["depends_on"]; a != nil {
		return m.evalDependsOn(b, a), enabled
	}
	return true, enabled
}

func (m *module) evalDependsOn(b *Block, a *hclsyntax.Attribute) bool {
	exprs, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		m.report(problem("wrong-type", a.Expr.Range(), "Wrong type", "depends_on needs a list of blocks: [train.supervised.base, …]."))
		return false
	}
	for _, e := range exprs {
		t, diags := hcl.AbsTraversalForExpr(e)
		typ, ok1 := step(t, 1)
		name, ok2 := step(t, 2)
		if diags.HasErrors() || !ok1 || !ok2 {
			m.report(problem("wrong-type", e.Range(), "Wrong type", "depends_on names blocks: family.type.name."))
			return false
		}
		to := Addr{Module: m.moduleAddr(), Family: t.RootName(), Type: typ, Name: name}
		d := m.blocks[to]
		if d == nil {
			m.unknownBlock(to, t)
			return false
		}
		d.used = true
		if to == b.Addr.Base() {
			m.reportCycle(to.String(), e.Range())
			return false
		}
		if !m.evalBlock(d, e.Range()) {
			return false
		}
		for _, inst := range d.instances {
			b.DependsOn = append(b.DependsOn, inst.Addr)
		}
	}
	return true
}

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
	if s.self == nil || len(s.local) == 0 || dependsOn(e, s.local) {
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
func dependsOn(e hcl.Expression, locals map[string]cty.Value) bool {
	for _, t := range e.Variables() {
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

// blockValue is a block as other blocks see it: its attributes and its outputs.
func (m *module) blockValue(b *Block) cty.Value {
	vals := make(map[string]cty.Value, len(b.attrs)+2)
	for k, v := range b.attrs {
		vals[k] = toCty(v)
	}
	for _, o := range m.req.Kinds.Outputs(b.Family, b.Type) {
		vals[o.Name] = refValue(value.Ref{To: b.Addr.String() + "." + o.Name, Type: o.Type})
	}
	return cty.ObjectVal(vals)
}

// collectRefs lists the references that are left in the normalised attributes: these are the block's edges.
func collectRefs(b *Block, v any, path string) {
	switch t := v.(type) {
	case value.Ref:
		i := len(t.To) - 1
		for t.To[i] != '.' {
			i--
		}
		to, err := ParseAddr(t.To[:i])
		if err == nil {
			b.Refs = append(b.Refs, Ref{At: path, To: to, Output: t.To[i+1:], Type: t.Type})
		}
	case []any:
		for i, e := range t {
			collectRefs(b, e, joinPath(path, strconv.Itoa(i)))
		}
	case map[string]any:
		for _, k := range keys(t) {
			collectRefs(b, t[k], joinPath(path, k))
		}
	}
}

func joinPath(path, k string) string {
	if path == "" {
		return k
	}
	return path + "." + k
}

// edge is what one block needs of another, and the attribute that says so.
type edge struct {
	from *Block
	at   string
	to   Addr
}

func (e edge) place() hcl.Range { return e.from.RangeOf(e.at, false) }

// checkEdges finds references to instances that do not exist, and cycles among blocks.
func (l *loader) checkEdges() {
	color := make(map[Addr]state, len(l.spec.Blocks))
	var path []edge
	var visit func(b *Block) bool
	follow := func(e edge) bool {
		to := l.spec.Block(e.to)
		if to == nil {
			l.reportMissing(e)
			return true
		}
		path = append(path, e)
		switch color[e.to] {
		case busy:
			l.reportRefCycle(path)
			return false
		case fresh:
			if !visit(to) {
				return false
			}
		}
		path = path[:len(path)-1]
		return true
	}
	visit = func(b *Block) bool {
		color[b.Addr] = busy
		for _, r := range b.Refs {
			if !follow(edge{b, r.At, r.To}) {
				return false
			}
		}
		for _, d := range b.DependsOn {
			if !follow(edge{b, "depends_on", d}) {
				return false
			}
		}
		color[b.Addr] = done
		return true
	}
	for _, b := range l.spec.Blocks {
		if color[b.Addr] == fresh && !visit(b) {
			return
		}
	}
}

func (l *loader) reportMissing(e edge) {
	if l.off[e.to] {
		l.report(Errorf("disabled", e.from.Addr, e.place(), "Reference to a disabled block", "%s has enabled = false, and this refers to it. Disable this block too, or refer to another.", e.to))
		return
	}
	l.report(Errorf("unknown-block", e.from.Addr, e.place(), "Reference to nothing", "There is no block %s.", e.to))
}

// reportRefCycle reports the cycle that the last edge of a path closes.
func (l *loader) reportRefCycle(path []edge) {
	to := path[len(path)-1].to
	start := 0
	for i, e := range path[:len(path)-1] {
		if e.to == to {
			start = i + 1
		}
	}
	text := to.String()
	for _, e := range path[start:] {
		rng := e.place()
		text += fmt.Sprintf(" -> %s (%s:%d)", e.to, rng.Filename, rng.Start.Line)
	}
	l.report(Errorf("cycle", to, path[start].place(), "Cycle", "These blocks need each other: %s. Break the cycle at one of these places.", text))
}
