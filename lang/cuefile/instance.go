package cuefile

import (
	"fmt"
	"slices"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/format"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"

	"mbuild.dev/mbuild/lang/schema"
)

// Request says in what surroundings a package is evaluated.
type Request struct {
	Families  []string
	Kinds     []Kind
	Vars      map[string]any         // values given to variables, in normal form
	Sensitive map[string]bool        // variables whose values stand as {"$secret": name}
	Schema    func() ([]byte, error) // source of the package at SchemaPath
}

// Instance is a package after evaluation.
type Instance struct {
	pkg   *Package
	req   *Request
	kinds map[string]*Kind
	root  cue.Value

	filled []filled
}

func (p *Package) packageName() string {
	for _, f := range p.files {
		if n := f.syntax.PackageName(); n != "" {
			return n
		}
	}
	return "mbuild"
}

// syntaxes returns the files' trees, fresh ones at each call but the first: a build writes into them.
func (p *Package) syntaxes() ([]*ast.File, []Problem) {
	name := p.packageName()
	p.fieldsOf = nil
	var out []*ast.File
	for _, f := range p.files {
		if p.used && f != p.keep {
			f.syntax, _ = parser.ParseFile(f.name, f.src, parser.ParseComments)
		}
		switch got := f.syntax.PackageName(); got {
		case name:
		case "":
			f.syntax.Decls = slices.Insert(f.syntax.Decls, 0, ast.Decl(&ast.Package{Name: ast.NewIdent(name)}))
		default:
			return nil, []Problem{{Code: "mixed", Range: f.point(0), Summary: "Two packages in one directory",
				Detail: fmt.Sprintf("This file is of package %q, others are of package %q. All files of a module are of one package.", got, name)}}
		}
		out = append(out, f.syntax)
	}
	p.used = true
	return out, nil
}

// Build evaluates the package. Problems mean that nothing can be said of its values.
func (p *Package) Build(r *Request) (*Instance, []Problem) {
	files, problems := p.syntaxes()
	if problems != nil {
		return nil, problems
	}
	p.hideSensitive(r.Sensitive)
	p.openBlocks(r)
	bctx := build.NewContext(build.Loader(func(_ token.Pos, path string) *build.Instance { return load(path, r.Schema) }))
	inst := bctx.NewInstance("", func(_ token.Pos, path string) *build.Instance { return load(path, r.Schema) })
	extra := []string{p.prelude(r)}
	if given := givenText(p.packageName(), r); given != "" {
		extra = append(extra, given)
	}
	for _, text := range extra {
		f, err := parser.ParseFile(preludeName, text)
		if err != nil {
			return nil, []Problem{{Code: "internal", Range: p.files[0].point(0), Summary: "Prelude not valid", Detail: err.Error()}}
		}
		files = append(files, f)
	}
	for _, f := range files {
		if err := inst.AddSyntax(f); err != nil {
			return nil, p.compileProblems(err)
		}
	}
	if err := inst.Complete(); err != nil {
		return nil, p.compileProblems(err)
	}
	root := cuecontext.New().BuildInstance(inst)
	if inst.Err != nil {
		return nil, p.compileProblems(inst.Err)
	}
	if err := root.Err(); err != nil && !root.LookupPath(cue.ParsePath("var")).Exists() && len(topLevel(root)) == 0 {
		return nil, p.compileProblems(err)
	}
	i := &Instance{pkg: p, req: r, root: root, kinds: map[string]*Kind{}}
	for n := range r.Kinds {
		i.kinds[r.Kinds[n].Family+"."+r.Kinds[n].Type] = &r.Kinds[n]
	}
	return i, nil
}

// load resolves an import; nil leaves it to CUE's own packages.
func load(path string, source func() ([]byte, error)) *build.Instance {
	base, _, _ := strings.Cut(path, ":")
	if base != SchemaPath || source == nil {
		return nil
	}
	src, err := source()
	if err != nil {
		return nil
	}
	inst := build.NewContext().NewInstance("", nil)
	inst.ImportPath = SchemaPath
	if f, err := parser.ParseFile("<"+SchemaPath+">", src); err == nil {
		_ = inst.AddSyntax(f)
	}
	_ = inst.Complete()
	return inst
}

func givenText(pkg string, r *Request) string {
	if len(r.Vars) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n", pkg)
	for name, v := range r.Vars {
		if r.Sensitive[name] {
			continue
		}
		if text, err := encode(v); err == nil {
			fmt.Fprintf(&b, "var: %q: %s\n", name, text)
		}
	}
	return b.String()
}

// hideSensitive puts {"$secret": name} in the place of what sensitive variables are declared as.
func (p *Package) hideSensitive(names map[string]bool) {
	p.eachVariable(func(name string, f *ast.Field, _ *File) {
		if names[name] {
			f.Value = ast.NewStruct(&ast.Field{Label: ast.NewString(secretField), Value: ast.NewString(name)})
		}
	})
}

// SensitiveVariables lists the variables that have the attribute @sensitive().
func (p *Package) SensitiveVariables() map[string]bool {
	out := map[string]bool{}
	p.eachVariable(func(name string, f *ast.Field, _ *File) {
		for _, a := range f.Attrs {
			if key, _ := a.Split(); key == "sensitive" {
				out[name] = true
			}
		}
	})
	return out
}

// compileProblems are errors that CUE finds before it evaluates anything, foremost names that are not declared.
func (p *Package) compileProblems(err error) []Problem {
	var out []Problem
	seen := map[string]bool{}
	for _, e := range errors.Errors(err) {
		format, args := e.Msg()
		rng, ok := p.rangeOf(e)
		if !ok {
			rng = p.files[0].point(0)
		}
		pr := Problem{Code: "expression", Range: rng, Summary: "Invalid expression", Detail: sentence(message(e))}
		switch {
		case strings.HasPrefix(format, "reference %q not found"):
			name := fmt.Sprint(args[0])
			roots := append([]string{"var", "module"}, p.declared()...)
			near := schema.Nearest(name, roots)
			pr.Code, pr.Summary, pr.Suggestion = "unknown-name", "Unknown name", near
			pr.Detail = fmt.Sprintf("There is nothing named %q. ", name)
			if near != "" {
				pr.Detail += fmt.Sprintf("Did you mean %q? ", near)
			}
			pr.Detail += "Text goes into quotes; a package must be imported before it is used."
		case strings.Contains(format, "imported and not used"):
			pr.Code, pr.Summary = "unused", "Unused import"
		case strings.Contains(pr.Detail, "unreferenced alias or let clause"):
			pr.Code, pr.Summary = "unused", "Unused let"
			pr.Detail = "Nothing refers to this. Remove it, or make it a hidden field such as _name."
		}
		if key := rng.String() + pr.Detail; !seen[key] {
			seen[key] = true
			out = append(out, pr)
		}
	}
	return out
}

// declared lists the top-level names of the files, and the families.
func (p *Package) declared() []string {
	var names []string
	for _, f := range p.files {
		for _, d := range f.syntax.Decls {
			switch x := d.(type) {
			case *ast.Field:
				if n := labelOf(x); n != "" {
					names = append(names, n)
				}
			case *ast.LetClause:
				names = append(names, x.Ident.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// topLevel lists the regular fields of a value.
func topLevel(v cue.Value) []string {
	var names []string
	it, err := v.Fields()
	if err != nil {
		return nil
	}
	for it.Next() {
		names = append(names, labelText(it))
	}
	return names
}

func labelText(it *cue.Iterator) string {
	sel := it.Selector()
	if sel.LabelType() == cue.StringLabel {
		return sel.Unquoted()
	}
	return sel.String()
}

// constraintText is what a variable is declared as, without its default.
func constraintText(f *ast.Field) string {
	b, err := format.Node(f.Value)
	if err != nil {
		return "what its declaration says"
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

// consoleField holds the expression that EvalText evaluates.
const consoleField = "$console"

// EvalText evaluates an expression in the scope of the package.
func (i *Instance) EvalText(name, text string) (any, []Problem) {
	f := &File{name: name, src: []byte(text)}
	expr, err := parser.ParseExpr(name, text)
	if err != nil {
		_, problems := Parse(name, f.src)
		return nil, problems
	}
	f.syntax = &ast.File{Filename: name, Decls: []ast.Decl{&ast.Field{Label: ast.NewString(consoleField), Value: expr}}}
	with := &Package{files: append(slices.Clone(i.pkg.files), f), used: true, refs: i.pkg.refs, keep: f}
	in, problems := with.Build(i.req)
	if problems != nil {
		return nil, problems
	}
	for _, s := range i.filled {
		in.SetOutputs(s.call, s.outputs)
	}
	d := in.decoder()
	out, _ := d.value(nil, in.root.LookupPath(cue.MakePath(cue.Str(consoleField))), "")
	return out, d.problems
}

// filled is one call of SetOutputs.
type filled struct {
	call    Call
	outputs map[string]any
}
