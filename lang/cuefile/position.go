package cuefile

import (
	"bytes"
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

// rangeOf is where an error is, in the user's files: false when it is in none of them.
func (p *Package) rangeOf(e errors.Error) (hcl.Range, bool) {
	for _, pos := range append([]token.Pos{e.Position()}, e.InputPositions()...) {
		if f := p.file(pos); f != nil {
			return f.point(pos.Offset()), true
		}
	}
	return hcl.Range{}, false
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
