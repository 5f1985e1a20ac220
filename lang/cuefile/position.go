package cuefile

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/errors"
	"cuelang.org/go/cue/token"
	"github.com/hashicorp/hcl/v2"
)

func (f *File) pos(offset int) hcl.Pos {
	offset = min(max(offset, 0), len(f.src))
	start := bytes.LastIndexByte(f.src[:offset], '\n') + 1
	return hcl.Pos{Line: 1 + bytes.Count(f.src[:offset], []byte("\n")), Column: 1 + utf8.RuneCount(f.src[start:offset]), Byte: offset}
}

func (f *File) span(from, to int) hcl.Range {
	return hcl.Range{Filename: f.name, Start: f.pos(from), End: f.pos(max(to, from))}
}

// point is the range of the word that begins at an offset.
func (f *File) point(offset int) hcl.Range {
	if offset >= len(f.src) { // the end of the file: show its last line
		offset = len(bytes.TrimRight(f.src, " \t\r\n"))
	}
	end := offset
	if end < len(f.src) && f.src[end] == '"' {
		if n := bytes.IndexByte(f.src[end+1:], '"'); n >= 0 && !bytes.Contains(f.src[end+1:end+1+n], []byte("\n")) {
			return f.span(offset, end+n+2)
		}
	}
	for end < len(f.src) {
		r, n := utf8.DecodeRune(f.src[end:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '#' && r != '.' {
			break
		}
		end += n
	}
	return f.span(offset, max(end, min(offset+1, len(f.src))))
}

// node is the range of a syntax node.
func (f *File) node(n ast.Node) hcl.Range {
	from, to := n.Pos(), n.End()
	if !from.IsValid() {
		return f.point(0)
	}
	if !to.IsValid() || to.Offset() <= from.Offset() {
		return f.point(from.Offset())
	}
	return f.span(from.Offset(), to.Offset())
}

// file returns the user's file a position is in, or nil.
func (p *Package) file(pos token.Pos) *File {
	if !pos.IsValid() {
		return nil
	}
	for _, f := range p.files {
		if f.name == pos.Filename() {
			return f
		}
	}
	return nil
}

// places lists where an error is in the user's files: what a definition says last, for it is rarely to blame.
func (p *Package) places(e errors.Error) []hcl.Range {
	var here, definitions []hcl.Range
	for _, pos := range append([]token.Pos{e.Position()}, e.InputPositions()...) {
		f := p.file(pos)
		if f == nil {
			continue
		}
		rng := f.point(pos.Offset())
		if f.inDefinition(pos.Offset()) {
			definitions = append(definitions, rng)
		} else if !slices.Contains(here, rng) {
			here = append(here, rng)
		}
	}
	slices.SortStableFunc(here, func(a, b hcl.Range) int {
		return cmp.Or(strings.Compare(b.Filename, a.Filename), b.Start.Byte-a.Start.Byte)
	})
	return append(here, definitions...)
}

// rangeOf is where an error is, in the user's files: false when it is in none of them.
func (p *Package) rangeOf(e errors.Error) (hcl.Range, bool) {
	if all := p.places(e); len(all) > 0 {
		return all[0], true
	}
	return hcl.Range{}, false
}

// inDefinition reports that an offset is inside a definition or a hidden field at the top of the file.
func (f *File) inDefinition(offset int) bool {
	for _, d := range f.syntax.Decls {
		fd, ok := d.(*ast.Field)
		if ok && fd.Pos().IsValid() && fd.Pos().Offset() <= offset && offset < fd.End().Offset() {
			return strings.HasPrefix(labelOf(fd), "#") || strings.HasPrefix(labelOf(fd), "_")
		}
	}
	return false
}

// written returns the field of the user's files that gave a value, and the file; nil when no field did.
func (p *Package) written(v cue.Value) (*ast.Field, ast.Node, *File) {
	if p.fieldsOf == nil {
		p.fieldsOf = map[ast.Node]*ast.Field{}
		for _, f := range p.files {
			ast.Walk(f.syntax, func(n ast.Node) bool {
				if fd, ok := n.(*ast.Field); ok {
					p.fieldsOf[fd.Value] = fd
				}
				return true
			}, nil)
		}
	}
	for _, c := range conjuncts(v, 0) {
		n := c.Source()
		if n == nil {
			continue
		}
		f := p.file(n.Pos())
		if f == nil {
			continue
		}
		if fd, ok := n.(*ast.Field); ok {
			return fd, fd.Value, f
		}
		return p.fieldsOf[n], n, f
	}
	return nil, nil, nil
}

// conjuncts lists the values that were unified to make v, itself first.
func conjuncts(v cue.Value, depth int) []cue.Value {
	out := []cue.Value{v}
	if depth > 3 || v.Source() != nil {
		return out
	}
	if op, args := v.Expr(); op == cue.AndOp {
		for _, a := range args {
			out = append(out, conjuncts(a, depth+1)...)
		}
	}
	return out
}

// valueRange is where a value, or its label, is written; false when it is in no file of the user.
func (p *Package) valueRange(v cue.Value, onKey bool) (hcl.Range, bool) {
	fd, n, f := p.written(v)
	if f == nil {
		return hcl.Range{}, false
	}
	if onKey && fd != nil {
		return f.node(fd.Label), true
	}
	return f.node(n), true
}

// message is the text of an error without its path and positions.
func message(e errors.Error) string {
	text := e.Error()
	if path := strings.Join(e.Path(), "."); path != "" {
		text = strings.TrimPrefix(text, path+": ")
	}
	return text
}

func sentence(s string) string {
	s = strings.TrimSuffix(strings.TrimSpace(s), ".")
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:] + "."
}
