package lang

import (
	"context"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"mbuild.dev/mbuild/lang/value"
)

// Console evaluates expressions where the root module's own expressions are evaluated.
type Console struct {
	l    *loader
	root part
	spec *Spec
}

// NewConsole loads a spec for a console. A spec with mistakes gives no console.
func NewConsole(ctx context.Context, req Request) (*Console, hcl.Diagnostics) {
	l := newLoader(req)
	var root part
	if d := guarded(ctx, l, func() { root = l.load(ctx) }); d != nil {
		return nil, hcl.Diagnostics{d}
	}
	if l.diags.HasErrors() {
		return nil, l.diags
	}
	return &Console{l: l, root: root, spec: l.spec}, nil
}

// Spec is the spec the console looks at.
func (c *Console) Spec() *Spec { return c.spec }

// Eval evaluates an expression, in HCL or CUE as the spec is. The value is in normal form; what is sensitive in it stays
// value.Secret.
func (c *Console) Eval(ctx context.Context, text string) (any, hcl.Diagnostics) {
	const file = "<console>"
	c.l.diags, c.l.reported = nil, map[string]bool{}
	c.spec.Files[file] = &hcl.File{Bytes: []byte(text)}
	var out any
	d := guarded(ctx, c.l, func() {
		switch m := c.root.(type) {
		case *module:
			out = m.evalText(text, file)
		case *cueModule:
			if d := refuse([]byte(text), file, syntaxCUE); d != nil {
				m.report(d)
				return
			}
			v, problems := m.inst.EvalText(file, text)
			m.reportAll(problems)
			out = m.absolute(v)
		}
	})
	if d != nil {
		return nil, hcl.Diagnostics{d}
	}
	if c.l.diags.HasErrors() {
		return nil, c.l.diags
	}
	return out, nil
}

func (m *module) evalText(text, file string) any {
	if d := refuse([]byte(text), file, syntaxHCL); d != nil {
		m.report(d)
		return nil
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), file, hcl.InitialPos)
	if diags.HasErrors() {
		m.reportSyntax(diags)
		return nil
	}
	v, ok := m.evalMarked(expr, scope{})
	if !ok {
		return nil
	}
	out, err := fromCty(v)
	if err != nil {
		m.report(problem("bad-value", expr.Range(), "Invalid value", "%v.", err))
	}
	return out
}

// Shown is a value as people read it: references by what they name, sensitive values hidden.
func Shown(v any) any {
	switch t := v.(type) {
	case value.Ref:
		return t.To
	case value.Secret:
		return Hidden
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = Shown(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, e := range t {
			out[k] = Shown(e)
		}
		return out
	}
	return v
}
