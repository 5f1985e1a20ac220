package cuefile

import (
	"slices"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// A block that is unified with a closed definition of the user's own, base: #Mine & {…}, would not take the outputs that the
// prelude adds to every block. So what a block is said to be is embedded in a struct that has these fields:
// base: {#Mine & {…}, model?: _}.

// openBlocks rewrites the blocks of all files.
func (p *Package) openBlocks(r *Request) {
	outputs := map[string][]string{}
	for _, k := range r.Kinds {
		for _, o := range k.Outputs {
			if !slices.Contains(outputs[k.Family], o.Name) {
				outputs[k.Family] = append(outputs[k.Family], o.Name)
			}
		}
	}
	for _, f := range p.files {
		eachField(f.syntax.Decls, func(family *ast.Field) {
			names := outputs[labelOf(family)]
			if names == nil {
				return
			}
			eachField(members(family.Value), func(typ *ast.Field) {
				eachField(members(typ.Value), func(block *ast.Field) { openBlock(block, names) })
			})
		})
	}
}

// openBlock rewrites what one block is, and its instances.
func openBlock(f *ast.Field, outputs []string) {
	eachField(members(f.Value), func(inner *ast.Field) {
		if labelOf(inner) == "for_each" {
			eachField(members(inner.Value), func(inst *ast.Field) { openBlock(inst, outputs) })
		}
	})
	if isOpen(f.Value) {
		return
	}
	s := &ast.StructLit{Elts: []ast.Decl{&ast.EmbedDecl{Expr: f.Value}}}
	for _, name := range append([]string{"for_each"}, outputs...) {
		s.Elts = append(s.Elts, &ast.Field{Label: ast.NewIdent(name), Constraint: token.OPTION, Value: ast.NewIdent("_")})
	}
	f.Value = s
}

// isOpen reports that a value is a struct of fields only, which closes nothing.
func isOpen(e ast.Expr) bool {
	s, ok := e.(*ast.StructLit)
	return ok && !slices.ContainsFunc(s.Elts, func(d ast.Decl) bool { _, embeds := d.(*ast.EmbedDecl); return embeds })
}

// members lists the declarations of a struct literal.
func members(e ast.Expr) []ast.Decl {
	if s, ok := e.(*ast.StructLit); ok {
		return s.Elts
	}
	return nil
}

// eachField calls do for the fields among declarations, and for those that comprehensions make.
func eachField(decls []ast.Decl, do func(*ast.Field)) {
	for _, d := range decls {
		switch x := d.(type) {
		case *ast.Field:
			do(x)
		case *ast.Comprehension:
			eachField(members(x.Value), do)
		case *ast.EmbedDecl:
			if c, ok := x.Expr.(*ast.Comprehension); ok {
				eachField(members(c.Value), do)
			}
		}
	}
}
