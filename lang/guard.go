package lang

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// Limits on what is given to the parser, far above what people write. The parser and the evaluator recurse, and a Go program
// cannot recover from an exhausted stack; so what would exhaust it is refused before.
const (
	maxFile  = 64 << 20 // bytes
	maxDepth = 200      // levels of brackets, strings with templates and blocks
	maxChain = 10_000   // operators, indexes and splats in one expression and those around it
	maxJSON  = 64 << 10 // bytes of one string in JSON syntax, each of which is a template
)

// level is one level of nesting: what opened it, and how many operators stand on it so far.
type level struct {
	kind   byte // '{' '[' '(' or '$' (template sequence), '"' (quoted), '<' (heredoc)
	chain  int
	fresh  bool   // '{': nothing stands in it yet
	joined bool   // '{': it is `{for …}`, in which a new line separates nothing
	marker []byte // '<': the word that ends the heredoc
}

// guard walks over native syntax as its scanner does, without making tokens: about 1 ns a byte, against 250 ns for parsing.
// FuzzGuard holds the two against each other.
type guard struct {
	src     []byte
	i       int
	frames  []level
	base    level // of the file itself
	chain   int   // over all frames
	deepest int
	longest int
	at      int // where the deeper of the two was reached
}

// measure returns how deeply native syntax nests and how long its longest chain of operators is; template says that the
// source is the inside of a string. at is the offset where the limit was passed, if one was.
func measure(src []byte, template bool) (depth, chain, at int) {
	g := &guard{src: src}
	if template {
		g.push(level{kind: '"'})
	}
	for g.i < len(src) && g.deepest <= maxDepth && g.longest <= maxChain {
		switch top := g.top(); top.kind {
		case '"':
			g.quoted(template && len(g.frames) == 1)
		case '<':
			g.heredoc(top)
		default:
			g.code(top)
		}
	}
	return g.deepest, g.longest, g.at
}

func (g *guard) top() *level {
	if len(g.frames) == 0 {
		return &g.base
	}
	return &g.frames[len(g.frames)-1]
}

func (g *guard) push(f level) {
	g.frames = append(g.frames, f)
	if len(g.frames) > g.deepest {
		g.deepest, g.at = len(g.frames), g.i
	}
}

func (g *guard) pop() {
	g.chain -= g.top().chain
	g.frames = g.frames[:len(g.frames)-1]
}

func (g *guard) count(f *level) {
	f.chain++
	if g.chain++; g.chain > g.longest {
		g.longest, g.at = g.chain, g.i
	}
}

func (g *guard) reset(f *level) {
	g.chain -= f.chain
	f.chain = 0
}

// inert marks the bytes of code that need no look: they open, close, join and separate nothing.
var inert = func() (t [256]bool) {
	for i := range t {
		t[i] = !bytes.ContainsRune([]byte("{}[]()\"#/<+-*%!?:>=&|,\n"), rune(i))
	}
	return t
}()

// code takes one step outside strings.
func (g *guard) code(top *level) {
	c := g.src[g.i]
	if top.fresh {
		g.begin(top, c)
	}
	if inert[c] {
		g.i++
		for !top.fresh && g.i < len(g.src) && inert[g.src[g.i]] {
			g.i++
		}
		return
	}
	if n := g.comment(c); n > 0 {
		g.i += n
		return
	}
	switch c {
	case '{', '[', '(':
		if c == '[' {
			g.count(top)
		}
		g.push(level{kind: c, fresh: c == '{'})
	case '}':
		g.closeBrace()
		return
	case ']', ')':
		if top.kind == c-1 || top.kind == c-2 { // '(' is ')'-1, '[' is ']'-2
			g.pop()
		}
	case '"':
		g.push(level{kind: '"'})
	case ',':
		g.reset(top)
	case '\n':
		if top.kind == 0 || top.kind == '{' && !top.joined {
			g.reset(top)
		}
	case '<':
		if marker, n := heredocMarker(g.src[g.i:]); n > 0 {
			g.push(level{kind: '<', marker: marker})
			g.i += n
			return
		}
		g.count(top)
	default:
		g.count(top)
	}
	g.i++
}

// begin looks at the first word after an opening brace.
func (g *guard) begin(top *level, c byte) {
	if c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '#' || c == '/' {
		return
	}
	top.fresh = false
	top.joined = bytes.HasPrefix(g.src[g.i:], []byte("for"))
}

// comment returns the length of the comment that begins here, 0 when none does. The line's end is not part of it.
func (g *guard) comment(c byte) int {
	rest := g.src[g.i:]
	switch {
	case c == '#', c == '/' && len(rest) > 1 && rest[1] == '/':
		if n := bytes.IndexByte(rest, '\n'); n >= 0 {
			return n
		}
		return len(rest)
	case c == '/' && len(rest) > 1 && rest[1] == '*':
		if n := bytes.Index(rest[2:], []byte("*/")); n >= 0 {
			return n + 4
		}
	}
	return 0
}

// closeBrace ends the innermost brace or template sequence, and what was left open inside it.
func (g *guard) closeBrace() {
	g.i++
	for n := len(g.frames) - 1; n >= 0; n-- {
		k := g.frames[n].kind
		if k == '"' || k == '<' {
			return
		}
		if k == '{' || k == '$' {
			for len(g.frames) > n {
				g.pop()
			}
			return
		}
	}
}

// sequence opens the template sequence that begins here, or skips what only looks like one. It returns false when nothing
// that matters begins here.
func (g *guard) sequence() bool {
	rest := g.src[g.i:]
	c := rest[0]
	if c != '$' && c != '%' {
		return false
	}
	switch {
	case len(rest) > 2 && rest[1] == c && rest[2] == '{':
		g.i += 3
	case len(rest) > 1 && rest[1] == '{':
		if c == '%' {
			g.count(g.top()) // %{ if } nests what follows it, up to %{ endif }
		}
		g.push(level{kind: '$'})
		g.i += 2
	default:
		g.i++
	}
	return true
}

// quoted takes one step inside a quoted string; in a bare template quotes and backslashes mean nothing.
func (g *guard) quoted(bare bool) {
	c := g.src[g.i]
	switch {
	case g.sequence():
	case bare:
		g.i++
	case c == '"':
		g.pop()
		g.i++
	case c == '\\' && g.i+1 < len(g.src) && g.src[g.i+1] != '\n' && g.src[g.i+1] != '\r':
		g.i += 2
	default:
		g.i++
	}
}

// heredoc takes one step inside a heredoc, standing at the start of a line.
func (g *guard) heredoc(top *level) {
	rest := g.src[g.i:]
	n := bytes.IndexByte(rest, '\n')
	line := rest
	if n >= 0 {
		line = rest[:n]
	}
	start := g.i == 0 || g.src[g.i-1] == '\n'
	if k := bytes.IndexAny(line, "$%"); k >= 0 {
		g.i += k
		g.sequence()
		return
	}
	switch {
	case n < 0:
		g.i = len(g.src)
	case start && bytes.Equal(bytes.TrimSpace(line), top.marker):
		g.i += n // the line's end belongs to the code after the heredoc
		g.pop()
	default:
		g.i += n + 1
	}
}

// heredocMarker returns the word of a heredoc that begins here, and the length of its first line.
func heredocMarker(src []byte) ([]byte, int) {
	if len(src) < 4 || src[1] != '<' {
		return nil, 0
	}
	n := bytes.IndexByte(src, '\n')
	if n < 0 {
		return nil, 0
	}
	word := bytes.TrimPrefix(bytes.TrimSuffix(src[2:n], []byte("\r")), []byte("-"))
	first, _ := utf8.DecodeRune(word)
	if len(word) == 0 || !unicode.IsLetter(first) && first != '_' {
		return nil, 0
	}
	for _, r := range string(word) {
		if !unicode.In(r, unicode.L, unicode.N, unicode.M, unicode.Pc) && r != '-' {
			return nil, 0
		}
	}
	return word, n + 1
}

// measureJSON is measure for JSON syntax; long is the offset of a string longer than templates may be, or -1.
func measureJSON(src []byte) (deepest, at, long int) {
	depth, start := 0, -1
	for i := 0; i < len(src) && deepest <= maxDepth; i++ {
		c := src[i]
		if start >= 0 {
			switch {
			case c == '\\':
				i++
			case c == '"':
				if i-start > maxJSON {
					return deepest, at, start
				}
				start = -1
			}
			continue
		}
		switch c {
		case '"':
			start = i
		case '{', '[':
			if depth++; depth > deepest {
				deepest, at = depth, i
			}
		case '}', ']':
			depth--
		}
	}
	if start >= 0 && len(src)-start > maxJSON {
		return deepest, at, start
	}
	return deepest, at, -1
}

// place is the range of one byte.
func place(src []byte, name string, offset int) hcl.Range {
	offset = min(offset, len(src))
	line := 1 + bytes.Count(src[:offset], []byte("\n"))
	start := bytes.LastIndexByte(src[:offset], '\n') + 1
	p := hcl.Pos{Line: line, Column: 1 + utf8.RuneCount(src[start:offset]), Byte: offset}
	q := p
	if offset < len(src) {
		q.Byte, q.Column = q.Byte+1, q.Column+1
	}
	return hcl.Range{Filename: name, Start: p, End: q}
}

// measureCUE is measure for CUE: brackets nest, and operators and unary signs chain. Strings and comments are skipped; what is
// in an interpolation counts as nested.
func measureCUE(src []byte) (deepest, longest, at int) {
	depth, chain := 0, 0
	var strs []cueString // strings around an interpolation
	for i := 0; i < len(src) && deepest <= maxDepth && longest <= maxChain; i++ {
		switch c := src[i]; c {
		case '/':
			if i+1 < len(src) && src[i+1] == '/' {
				for i < len(src) && src[i] != '\n' {
					i++
				}
				chain = 0
			} else {
				chain++
			}
		case '{', '[', '(':
			if depth++; depth > deepest {
				deepest, at = depth, i
			}
			if c != '{' {
				chain++
			}
		case '}', ']', ')':
			depth--
			if c == ')' && len(strs) > 0 && strs[len(strs)-1].depth == depth {
				s := strs[len(strs)-1]
				strs = strs[:len(strs)-1]
				i, strs = s.skip(src, i+1, depth, strs)
				if i < len(src) && src[i] == '(' {
					i-- // an interpolation: its bracket counts
				}
			}
		case '"', '\'', '#':
			if s, n, ok := openCUEString(src[i:]); ok {
				i, strs = s.skip(src, i+n, depth, strs)
				if i < len(src) && src[i] == '(' {
					i--
				}
			}
		case '\n', ',', ':':
			chain = 0
		case '+', '-', '*', '!', '&', '|', '=', '<', '>', '.':
			chain++
		}
		if chain > longest {
			longest, at = chain, i
		}
	}
	return deepest, longest, at
}

// cueString is how a string of CUE ends: its quotes, and the number signs around them.
type cueString struct {
	quotes string
	hashes int
	depth  int
}

func openCUEString(src []byte) (cueString, int, bool) {
	n := 0
	for n < len(src) && src[n] == '#' {
		n++
	}
	if n >= len(src) || src[n] != '"' && src[n] != '\'' {
		return cueString{}, 0, false
	}
	q := string(src[n : n+1])
	if triple := q + q + q; bytes.HasPrefix(src[n:], []byte(triple)) {
		return cueString{quotes: triple, hashes: n}, n + 3, true
	}
	return cueString{quotes: q, hashes: n}, n + 1, true
}

// skip goes from inside a string to its last byte, or to the bracket of an interpolation, which it notes in strs.
func (s cueString) skip(src []byte, i, depth int, strs []cueString) (int, []cueString) {
	end := []byte(s.quotes + string(bytes.Repeat([]byte("#"), s.hashes)))
	escape := append([]byte(`\`), bytes.Repeat([]byte("#"), s.hashes)...)
	for i < len(src) {
		switch {
		case bytes.HasPrefix(src[i:], end):
			return i + len(end) - 1, strs
		case bytes.HasPrefix(src[i:], escape):
			i += len(escape)
			if i < len(src) && src[i] == '(' {
				s.depth = depth
				return i, append(strs, s)
			}
			i++
		case src[i] == '\n' && len(s.quotes) == 1:
			return i, strs // not a string that ends: the parser says so
		default:
			i++
		}
	}
	return i, strs
}
