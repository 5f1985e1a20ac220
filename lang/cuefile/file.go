package cuefile

import (
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	"github.com/hashicorp/hcl/v2"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	Code            string
	Range           hcl.Range
	Summary, Detail string
	Suggestion      string
	Variable        string // the value given to this variable is to blame; Range is its declaration
	Address         string // block, if there is one
	Elsewhere       bool   // the cause is in a block, and Blocks reports it there
}

// File is one parsed file.
type File struct {
	name   string
	src    []byte
	syntax *ast.File
}

// Parse reads a file.
func Parse(name string, src []byte) (*File, []Problem) {
	syntax, err := parser.ParseFile(name, src, parser.ParseComments)
	f := &File{name: name, src: src, syntax: syntax}
	if err == nil {
		return f, f.checkImports()
	}
	var problems []Problem
	for _, e := range errors.Errors(err) {
		rng := f.point(0)
		if p := e.Position(); p.IsValid() {
			rng = f.point(p.Offset())
		}
		problems = append(problems, Problem{Code: "syntax", Range: rng, Summary: "Invalid CUE", Detail: sentence(message(e))})
		if len(problems) == 10 {
			break
		}
	}
	return nil, problems
}

// SchemaPath is the import path of the definitions of all kinds.
const SchemaPath = "mbuild.dev/std/schema"

func (f *File) checkImports() []Problem {
	var problems []Problem
	for _, spec := range slices.Collect(f.syntax.ImportSpecs()) {
		path, err := literal.Unquote(spec.Path.Value)
		base, _, _ := strings.Cut(path, ":")
		if first, _, _ := strings.Cut(base, "/"); err != nil || base != SchemaPath && strings.Contains(first, ".") {
			problems = append(problems, Problem{Code: "unknown-import", Range: f.node(spec.Path), Summary: "Unknown package",
				Detail: "There is no package " + spec.Path.Value + " here. A spec imports the packages of CUE itself (\"strings\", \"list\", \"math\", …) and \"" + SchemaPath + "\"; use a module block for specs of your own."})
		}
	}
	return problems
}

// Package is the files of a module.
type Package struct {
	files    []*File
	used     bool
	keep     *File // was never text: its syntax is not parsed again
	refs     []selector
	fieldsOf map[ast.Node]*ast.Field // value -> field, in the syntax in use
}

// NewPackage makes a package of parsed files.
func NewPackage(files []*File) *Package {
	p := &Package{files: files}
	for _, f := range files {
		p.refs = append(p.refs, selectors(f)...)
	}
	return p
}

// Variables lists the variables that the package declares, sorted. It is not sure when some may come from comprehensions.
func (p *Package) Variables() (names []string, sure bool) {
	sure = true
	p.eachVariable(func(name string, _ *ast.Field, _ *File) { names = append(names, name) })
	for _, f := range p.files {
		for _, d := range f.syntax.Decls {
			switch d.(type) {
			case *ast.Comprehension, *ast.EmbedDecl:
				sure = false
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), sure
}

// eachVariable calls do for every field below a top-level `var`.
func (p *Package) eachVariable(do func(name string, f *ast.Field, in *File)) {
	for _, file := range p.files {
		for _, d := range file.syntax.Decls {
			f, ok := d.(*ast.Field)
			if !ok || labelOf(f) != "var" {
				continue
			}
			if s, ok := f.Value.(*ast.StructLit); ok {
				for _, e := range s.Elts {
					if v, ok := e.(*ast.Field); ok && labelOf(v) != "" {
						do(labelOf(v), v, file)
					}
				}
			}
		}
	}
}

// Uses reports whether an expression of the package names the path, such as "var.epochs" or "train.supervised.base". An
// index that is computed may name anything below.
func (p *Package) Uses(path string) bool {
	for _, s := range p.refs {
		text := strings.Join(s.parts, ".")
		if text == path || strings.HasPrefix(text, path+".") || s.open && strings.HasPrefix(path, text+".") || strings.HasPrefix(path, text+".") {
			return true
		}
	}
	return false
}

// selector is an expression a.b.c.
type selector struct {
	parts []string
	ends  []ast.Node // the node of each part
	open  bool       // a computed index follows
	file  *File
}

// selectors lists the longest selector expressions of a file.
func selectors(f *File) []selector {
	var out []selector
	inner := map[ast.Node]bool{}
	ast.Walk(f.syntax, func(n ast.Node) bool {
		if fd, ok := n.(*ast.Field); ok {
			switch fd.Label.(type) {
			case *ast.Ident, *ast.BasicLit:
				inner[fd.Label] = true // a name that is given, not one that is used
			}
		}
		e, ok := n.(ast.Expr)
		if !ok || inner[n] {
			return true
		}
		if s, ok := selectorOf(e, inner); ok {
			s.file = f
			out = append(out, s)
		}
		return true
	}, nil)
	return out
}

func selectorOf(e ast.Expr, inner map[ast.Node]bool) (selector, bool) {
	switch x := e.(type) {
	case *ast.Ident:
		return selector{parts: []string{x.Name}, ends: []ast.Node{x}}, true
	case *ast.SelectorExpr:
		inner[x.X] = true
		s, ok := selectorOf(x.X, inner)
		name, _, err := ast.LabelName(x.Sel)
		if !ok || err != nil || s.open {
			return s, ok
		}
		s.parts, s.ends = append(s.parts, name), append(s.ends, x.Sel)
		return s, true
	case *ast.IndexExpr:
		inner[x.X] = true
		s, ok := selectorOf(x.X, inner)
		if !ok || s.open {
			return s, ok
		}
		if lit, isLit := x.Index.(*ast.BasicLit); isLit {
			if name, err := literal.Unquote(lit.Value); err == nil {
				s.parts, s.ends = append(s.parts, name), append(s.ends, x.Index)
				return s, true
			}
		}
		s.open = true
		return s, true
	}
	return selector{}, false
}

func labelOf(f *ast.Field) string {
	name, _, err := ast.LabelName(f.Label)
	if err != nil {
		return ""
	}
	return name
}
