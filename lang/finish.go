package lang

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

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
