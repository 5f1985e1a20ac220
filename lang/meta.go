package lang

import (
	"fmt"
	"regexp"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"mbuild.dev/mbuild/lang/value"
)

// meta are the attributes that every artifact block has, whatever its schema. None of them is part of what a block means:
// they are no parameters of its actions. backend alone changes keys, through the fingerprint of the backend that it names.
var meta = []string{"for_each", "count", "depends_on", "enabled", "tags", "timeout", "retries", "backend"}

// maxRetries bounds retries: what fails more often than that is not transient.
const maxRetries = 10

// maxTimeout is more than a year.
const maxTimeout = 10000 * time.Hour

// evalMeta reads what says when and how a block is built: enabled, tags, timeout, retries, backend, depends_on.
func (m *module) evalMeta(d *declaration, b *Block, s scope) (ok, enabled bool) {
	enabled = true
	for _, name := range []string{"enabled", "tags", "timeout", "retries", "backend"} {
		a := d.block.Body.Attributes[name]
		if a == nil {
			continue
		}
		v, ok := m.eval(a.Expr, s)
		if !ok {
			d.broken = true
			return false, false
		}
		text := ""
		if name == "enabled" {
			if v.IsNull() || v.Type() != cty.Bool {
				text = "enabled needs true or false."
			} else {
				enabled = v.True()
			}
		} else {
			text = b.setMeta(name, v)
		}
		if text != "" {
			m.report(problem("wrong-type", a.Expr.Range(), "Wrong type", "%s", text))
			return false, false
		}
	}
	if a := d.block.Body.Attributes["depends_on"]; a != nil {
		return m.evalDependsOn(b, a), enabled
	}
	return true, enabled
}

// setMeta sets tags, timeout, retries or backend from an expression's value; it returns what is wrong with it.
func (b *Block) setMeta(name string, v cty.Value) string {
	n, err := fromCty(v)
	if err != nil {
		n = nil
	}
	switch name {
	case "tags":
		list, isList := n.([]any)
		for _, t := range list {
			str, isString := t.(string)
			isList = isList && isString
			b.Tags = append(b.Tags, str)
		}
		if !isList {
			return "tags needs a list of strings."
		}
		return ""
	case "timeout":
		return b.setTimeout(n)
	case "backend":
		return b.setBackend(n)
	}
	return b.setRetries(n)
}

var timeoutForm = regexp.MustCompile(`^([0-9]+h)?([0-9]+m)?([0-9]+s)?$`)

// setTimeout sets the longest run of one action of the block; nil is none.
func (b *Block) setTimeout(v any) string {
	if v == nil {
		return ""
	}
	text, isString := value.Reveal(v).(string)
	d, err := time.ParseDuration(text)
	if !isString || err != nil || d <= 0 || d > maxTimeout || !timeoutForm.MatchString(text) {
		return `timeout needs a time above zero and up to 10000h in hours, minutes and seconds: "30m", "90s", "1h30m".`
	}
	b.Timeout = d
	return ""
}

// setBackend sets the compute backend that the block asks for; nil asks for none.
func (b *Block) setBackend(v any) string {
	if v == nil {
		return ""
	}
	name, isString := value.Reveal(v).(string)
	if !isString || name == "" {
		return `backend needs the name of a backend: "go", "auto", "xla:cpu", …`
	}
	b.Backend = name
	return ""
}

// setRetries sets how often a failed action of the block is run again; nil is never.
func (b *Block) setRetries(v any) string {
	if v == nil {
		return ""
	}
	n, isInt := value.Reveal(v).(int64)
	if !isInt || n < 0 || n > maxRetries {
		return fmt.Sprintf("retries needs a whole number from 0 to %d.", maxRetries)
	}
	b.Retries = int(n)
	return ""
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
