// Package gen compiles a kind's schema.cue to the tables of package schema.
//
// It reads the CUE syntax tree, not evaluated values: evaluation loses what the tables need (which arm of a disjunction is
// the default, the order of fields, labels). The subset it takes is small and anything else is an error with its position:
//
//	bool, int, number, string, _; literals; bounds; =~ patterns; & of those; | of literals, of a type and its default, of
//	references, of structs with a literal field `type`, of different primitive types; [...T] and [T, ...T]; closed structs;
//	[string]: T; definitions (#Name) of the same file, or of the file <family>.cue in the directory above it, which what the kinds
//	of a family share is in; or of that of another family, which a line @uses(family) names; such a definition embedded in a
//	struct; attributes @version(n), @labels(a,b), @sensitive() and @was(oldname)
//
// A test in this package holds tables and CUE against each other on random values: same verdict, same result.
package gen

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/lang/value"
)

// uses is the line of a schema that names another family.
var uses = regexp.MustCompile(`(?m)^@uses\((\w+)\)$`)

// Read reads a schema file of a family, and behind it what the kinds of the family share, if there is such a file, and what those of
// the families share that it uses.
func Read(path, family string) ([]byte, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parts := [][]byte{src}
	above := filepath.Join(filepath.Dir(path), "..")
	shared, err := os.ReadFile(filepath.Join(above, family+".cue"))
	if err == nil {
		parts = append(parts, shared)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, m := range uses.FindAllSubmatch(src, -1) {
		name := string(m[1])
		if shared, err = os.ReadFile(filepath.Join(above, "..", name, name+".cue")); err != nil {
			return nil, err
		}
		parts = append(parts, shared)
	}
	return bytes.Join(parts, []byte("\n")), nil
}

// Table compiles the definition #Kind of a schema file.
func Table(src []byte, filename, family, typ string) (k *schema.Kind, err error) {
	f, err := parser.ParseFile(filename, src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	c := &compiler{defs: map[string]*ast.Field{}}
	for _, d := range f.Decls {
		if fd, ok := d.(*ast.Field); ok {
			name, _, _ := ast.LabelName(fd.Label)
			c.defs[name] = fd
		}
	}
	def := c.defs["#Kind"]
	if def == nil {
		return nil, fmt.Errorf("%s: there is no definition #Kind", filename)
	}
	defer func() {
		if p := recover(); p != nil {
			u, ok := p.(unsupported)
			if !ok {
				panic(p)
			}
			k, err = nil, u
		}
	}()
	k = &schema.Kind{Family: family, Type: typ, Version: 1, Doc: doc(def)}
	k.Struct, _ = c.compile(def.Value)
	if k.Struct.Op != schema.Struct {
		return nil, fmt.Errorf("%s: #Kind is no struct", filename)
	}
	for _, a := range def.Attrs {
		if key, body := a.Split(); key == "version" {
			if k.Version, err = strconv.Atoi(body); err != nil {
				return nil, fmt.Errorf("%s: @version: %w", filename, err)
			}
		}
	}
	return k, nil
}

// unsupported is what the compiler panics with, to leave deep recursion.
type unsupported struct {
	pos  token.Pos
	what string
}

func (u unsupported) Error() string {
	return fmt.Sprintf("%s: %s; see package lang/schema/gen for what schemas may use", u.pos, u.what)
}

func fail(n ast.Node, format string, args ...any) {
	panic(unsupported{n.Pos(), fmt.Sprintf(format, args...)})
}

type compiler struct{ defs map[string]*ast.Field }

// compile returns the type an expression stands for, and its default (nil for none).
func (c *compiler) compile(e ast.Expr) (*schema.Type, any) {
	switch x := e.(type) {
	case *ast.ParenExpr:
		return c.compile(x.X)
	case *ast.Ident:
		return c.ident(x)
	case *ast.BasicLit, *ast.UnaryExpr:
		return c.literalOrBound(e), nil
	case *ast.ListLit:
		return c.list(x), nil
	case *ast.StructLit:
		return c.structure(x), nil
	case *ast.BinaryExpr:
		switch x.Op {
		case token.AND:
			return c.and(x)
		case token.OR:
			return c.or(x)
		}
	}
	fail(e, "expression %T is not supported", e)
	return nil, nil
}

func (c *compiler) ident(x *ast.Ident) (*schema.Type, any) {
	switch x.Name {
	case "_":
		return &schema.Type{Op: schema.Any}, nil
	case "bool":
		return &schema.Type{Op: schema.Bool}, nil
	case "int":
		return &schema.Type{Op: schema.Int}, nil
	case "number":
		return &schema.Type{Op: schema.Number}, nil
	case "string":
		return &schema.Type{Op: schema.String}, nil
	}
	def := c.defs[x.Name]
	if def == nil {
		fail(x, "%s is not defined in this file", x.Name)
	}
	t, dflt := c.compile(def.Value)
	if t.Doc == "" {
		t.Doc = doc(def)
	}
	return t, dflt
}

// literalOrBound compiles "x", 3, -1, true, >0, =~"re".
func (c *compiler) literalOrBound(e ast.Expr) *schema.Type {
	if v, ok := constant(e); ok {
		return &schema.Type{Op: opOf(v), Enum: []any{v}}
	}
	u, ok := e.(*ast.UnaryExpr)
	if !ok {
		fail(e, "this literal is not supported")
	}
	v, ok := constant(u.X)
	if !ok {
		fail(e, "a bound needs a literal")
	}
	if u.Op == token.MAT {
		return &schema.Type{Op: schema.String, Pattern: v.(string)}
	}
	t := &schema.Type{Op: schema.Number}
	b := &schema.Bound{Value: number(v), Exclusive: u.Op == token.GTR || u.Op == token.LSS}
	switch u.Op {
	case token.GTR, token.GEQ:
		t.Min = b
	case token.LSS, token.LEQ:
		t.Max = b
	default:
		fail(e, "operator %s is not supported", u.Op)
	}
	return t
}

// and merges two scalar types: the narrower operation wins, bounds add up.
func (c *compiler) and(x *ast.BinaryExpr) (*schema.Type, any) {
	a, da := c.compile(x.X)
	b, db := c.compile(x.Y)
	if da != nil || db != nil {
		fail(x, "a default inside & is not supported")
	}
	if a.Op == schema.Number {
		a, b = b, a
	}
	if a.Op != b.Op && !(a.Op == schema.Int && b.Op == schema.Number) || a.Op > schema.String {
		fail(x, "& of these types is not supported")
	}
	out := *a
	if b.Min != nil {
		out.Min = b.Min
	}
	if b.Max != nil {
		out.Max = b.Max
	}
	if b.Pattern != "" {
		out.Pattern = b.Pattern
	}
	if b.Enum != nil {
		out.Enum = b.Enum
	}
	return &out, nil
}

// or compiles a disjunction.
func (c *compiler) or(x *ast.BinaryExpr) (*schema.Type, any) {
	var arms []*schema.Type
	var dflt any
	for _, e := range disjuncts(x) {
		if u, ok := e.(*ast.UnaryExpr); ok && u.Op == token.MUL {
			v, ok := constant(u.X)
			if !ok {
				fail(e, "a default must be a literal")
			}
			dflt = v
			if covers(arms, v) {
				continue
			}
			arms = append(arms, &schema.Type{Op: opOf(v), Enum: []any{v}})
			continue
		}
		t, _ := c.compile(e)
		arms = append(arms, t)
	}
	return c.join(x, arms), dflt
}

// join makes one type of the arms of a disjunction.
func (c *compiler) join(x ast.Node, arms []*schema.Type) *schema.Type {
	arms = absorb(arms)
	if len(arms) == 1 {
		return arms[0]
	}
	switch {
	case all(arms, func(t *schema.Type) bool { return t.Op <= schema.String && t.Enum != nil && t.Op == arms[0].Op }):
		out := *arms[0]
		for _, a := range arms[1:] {
			out.Enum = append(out.Enum, a.Enum...)
		}
		return &out
	case all(arms, func(t *schema.Type) bool { return t.Op == schema.Ref }):
		out := *arms[0]
		for _, a := range arms[1:] {
			out.RefTypes = append(out.RefTypes, a.RefTypes...)
		}
		return &out
	case all(arms, isTagged):
		return &schema.Type{Op: schema.Union, Alts: arms, Tag: "type"}
	}
	seen := map[schema.Op]bool{}
	for _, a := range arms {
		op := a.Op
		if op == schema.Int {
			op = schema.Number
		}
		if op == schema.Union || op == schema.Any || seen[op] {
			fail(x, "this disjunction is not supported: its arms must differ in a literal field `type`, or in their basic type")
		}
		seen[op] = true
	}
	return &schema.Type{Op: schema.Union, Alts: arms}
}

// absorb drops literals that another arm covers: the default in `int & >0 | *10`.
func absorb(arms []*schema.Type) []*schema.Type {
	var out []*schema.Type
	for i, a := range arms {
		if len(a.Enum) == 1 && covers(append(append([]*schema.Type{}, arms[:i]...), arms[i+1:]...), a.Enum[0]) {
			arms[i] = &schema.Type{Op: schema.List} // covers nothing from now on
			continue
		}
		out = append(out, a)
	}
	return out
}

func covers(arms []*schema.Type, v any) bool {
	for _, a := range arms {
		if a.Op <= schema.String && a.Op != schema.Any {
			if _, problems := schema.Check(a, v); len(problems) == 0 {
				return true
			}
		}
	}
	return false
}

func (c *compiler) list(x *ast.ListLit) *schema.Type {
	t := &schema.Type{Op: schema.List}
	n := len(x.Elts)
	if n == 0 {
		fail(x, "a list needs an ellipsis: [...T]")
	}
	dots, ok := x.Elts[n-1].(*ast.Ellipsis)
	if !ok {
		fail(x, "a list needs an ellipsis: [...T]")
	}
	t.MinItems = n - 1
	if dots.Type == nil {
		t.Elem = &schema.Type{Op: schema.Any}
		return t
	}
	t.Elem, _ = c.compile(dots.Type)
	return t
}

func (c *compiler) structure(x *ast.StructLit) *schema.Type {
	t := &schema.Type{Op: schema.Struct}
	for _, d := range x.Elts {
		f, ok := d.(*ast.Field)
		if !ok {
			if _, ok := d.(*ast.CommentGroup); ok {
				continue
			}
			if e, ok := d.(*ast.EmbedDecl); ok {
				t.Fields = append(t.Fields, c.embedded(e)...)
				continue
			}
			fail(d, "%T in a struct is not supported", d)
		}
		if l, ok := f.Label.(*ast.ListLit); ok && len(x.Elts) == 1 && len(l.Elts) == 1 {
			elem, _ := c.compile(f.Value)
			return &schema.Type{Op: schema.Map, Elem: elem, Labels: labels(f)}
		}
		t.Fields = append(t.Fields, c.field(f))
	}
	if f := t.Field("$ref"); f != nil {
		r := &schema.Type{Op: schema.Ref}
		typ := t.Field("type")
		if typ == nil || typ.Type.Enum == nil {
			fail(x, "a reference needs type: \"…\"")
		}
		for _, v := range typ.Type.Enum {
			r.RefTypes = append(r.RefTypes, v.(string))
		}
		return r
	}
	return t
}

// embedded are the fields of a definition that is a struct.
func (c *compiler) embedded(e *ast.EmbedDecl) []schema.Field {
	id, ok := e.Expr.(*ast.Ident)
	if !ok {
		fail(e, "only a definition may be embedded")
	}
	t, _ := c.ident(id)
	if t.Op != schema.Struct {
		fail(e, "%s is no struct", id.Name)
	}
	return t.Fields
}

func (c *compiler) field(f *ast.Field) schema.Field {
	name, _, err := ast.LabelName(f.Label)
	if err != nil {
		fail(f, "this label is not supported")
	}
	t, dflt := c.compile(f.Value)
	cp := *t
	if d := doc(f); d != "" {
		cp.Doc = d
	}
	if l := labels(f); l != nil {
		cp.Labels = l
	}
	if _, ok := attribute(f, "sensitive"); ok {
		cp.Sensitive = true
		if cp.Elem != nil {
			elem := *cp.Elem
			elem.Sensitive = true
			cp.Elem = &elem
		}
	}
	out := schema.Field{Name: name, Type: &cp, Default: dflt}
	out.Was, _ = attribute(f, "was")
	// A field that is neither optional nor defaulted must be given, unless it is a struct that CUE fills in by itself.
	out.Required = f.Constraint == token.NOT || f.Constraint == token.ILLEGAL && dflt == nil
	if f.Constraint == token.OPTION {
		out.Default = nil
	}
	if out.Required && cp.Op == schema.Struct && f.Constraint == token.ILLEGAL {
		if filled, problems := schema.Check(&cp, map[string]any{}); len(problems) == 0 {
			out.Required, out.Default = false, filled
		}
	}
	if out.Required && cp.Op == schema.List && f.Constraint == token.ILLEGAL && cp.MinItems == 0 {
		out.Required, out.Default = false, []any{}
	}
	return out
}

func disjuncts(e ast.Expr) []ast.Expr {
	if p, ok := e.(*ast.ParenExpr); ok {
		return disjuncts(p.X)
	}
	if b, ok := e.(*ast.BinaryExpr); ok && b.Op == token.OR {
		return append(disjuncts(b.X), disjuncts(b.Y)...)
	}
	return []ast.Expr{e}
}

func isTagged(t *schema.Type) bool {
	f := t.Field("type")
	return t.Op == schema.Struct && f != nil && len(f.Type.Enum) == 1
}

func all(ts []*schema.Type, ok func(*schema.Type) bool) bool {
	for _, t := range ts {
		if !ok(t) {
			return false
		}
	}
	return true
}

// constant evaluates a literal, negated or not.
func constant(e ast.Expr) (any, bool) {
	switch x := e.(type) {
	case *ast.ParenExpr:
		return constant(x.X)
	case *ast.Ident:
		if x.Name == "true" || x.Name == "false" {
			return x.Name == "true", true
		}
	case *ast.UnaryExpr:
		if x.Op == token.SUB {
			if v, ok := constant(x.X); ok {
				n, err := value.Norm(-number(v))
				return n, err == nil
			}
		}
	case *ast.BasicLit:
		switch x.Kind {
		case token.STRING:
			s, err := literal.Unquote(x.Value)
			return s, err == nil
		case token.TRUE, token.FALSE:
			return x.Kind == token.TRUE, true
		case token.INT, token.FLOAT:
			f, _, err := big.ParseFloat(strings.ReplaceAll(x.Value, "_", ""), 10, 512, big.ToNearestEven)
			if err != nil {
				return nil, false
			}
			n, err := value.Number(f)
			return n, err == nil
		}
	}
	return nil, false
}

func number(v any) float64 {
	switch t := v.(type) {
	case int64:
		return float64(t)
	case float64:
		return t
	}
	return 0
}

func opOf(v any) schema.Op {
	switch v.(type) {
	case bool:
		return schema.Bool
	case int64:
		return schema.Int
	case float64:
		return schema.Number
	}
	return schema.String
}

// attribute returns the body of an attribute of a field: @was(old) gives "old".
func attribute(f *ast.Field, name string) (string, bool) {
	for _, a := range f.Attrs {
		if key, body := a.Split(); key == name {
			return body, true
		}
	}
	return "", false
}

func labels(f *ast.Field) []string {
	body, ok := attribute(f, "labels")
	if !ok {
		return nil
	}
	var out []string
	for _, l := range strings.Split(body, ",") {
		out = append(out, strings.TrimSpace(l))
	}
	return out
}

// doc is the comment above a field.
func doc(f *ast.Field) string {
	var lines []string
	for _, g := range ast.Comments(f) {
		if g.Doc {
			for _, c := range g.List {
				lines = append(lines, strings.TrimPrefix(strings.TrimPrefix(c.Text, "//"), " "))
			}
		}
	}
	return strings.Join(lines, "\n")
}
