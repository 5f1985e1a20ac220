package token

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// finderFunc tells what of a text matches: spans that cover it.
type finderFunc func([]byte) []span

// pattern is what Split and Replace look for.
type pattern struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

func (p *pattern) finder() (finderFunc, error) {
	switch {
	case p != nil && p.String != nil && *p.String != "":
		s := []byte(*p.String)
		return covering(func(b []byte) (int, int) {
			if i := bytes.Index(b, s); i >= 0 {
				return i, i + len(s)
			}
			return -1, 0
		}), nil
	case p != nil && p.Regex != nil:
		return regexFinder(*p.Regex)
	}
	return nil, fmt.Errorf("pattern must be a String or a Regex that is not empty")
}

// covering makes spans of a function that finds the first match.
func covering(next func([]byte) (from, to int)) finderFunc {
	return func(b []byte) []span {
		var out []span
		for start := 0; start < len(b); {
			from, to := next(b[start:])
			if from < 0 || from == to {
				return append(out, span{start, len(b), false})
			}
			if from > 0 {
				out = append(out, span{start, start + from, false})
			}
			out = append(out, span{start + from, start + to, true})
			start += to
		}
		return out
	}
}

// regexFinder makes a finder of a regular expression as Oniguruma reads it, as far as Go's can do the same: \s, \S, \w, \W, \d and \h
// are of Unicode, and the one lookahead that tokenizers have, \s+(?!\S), is done by hand.
func regexFinder(expr string) (finderFunc, error) {
	const ahead = `\s+(?!\S)`
	src, rest, spaces := expr, "", false
	if before, after, ok := strings.Cut(expr, ahead); ok {
		src, rest, spaces = before+`(\s+)`, after, true
		if strings.HasPrefix(rest, `|\s+`) {
			rest = strings.TrimPrefix(rest, `|\s+`)
		} else if rest != "" {
			return nil, fmt.Errorf("regular expression %q: after %s there may only come |\\s+", expr, ahead)
		}
		if strings.Contains(before, "(") && strings.Count(before, "(") != strings.Count(before, "(?") {
			return nil, fmt.Errorf("regular expression %q: groups that capture are not supported beside a lookahead", expr)
		}
	}
	re, err := regexp.Compile(unicodeClasses(src + rest))
	if err != nil {
		return nil, fmt.Errorf("regular expression %q is not supported: %w", expr, err)
	}
	return covering(func(b []byte) (int, int) {
		m := re.FindSubmatchIndex(b)
		if m == nil {
			return -1, 0
		}
		if spaces && m[2] >= 0 && m[3] < len(b) {
			// What comes after is no space, so the last space is not for this match, unless it is the only one.
			run := []rune(string(b[m[2]:m[3]]))
			if len(run) > 1 {
				return m[0], m[1] - len(string(run[len(run)-1:]))
			}
		}
		return m[0], m[1]
	}), nil
}

// The classes of Unicode that \s, \w and \d stand for, as they are written inside of brackets.
var (
	spaceClass = classOf(unicode.White_Space)
	wordClass  = `\p{L}\p{M}\p{Nd}\p{Pc}\p{Nl}` + classOf(unicode.Other_Alphabetic) + classOf(newWord) + `\x{200c}\x{200d}`
)

func classOf(t *unicode.RangeTable) string {
	var b strings.Builder
	put := func(lo, hi, stride uint32) {
		if stride == 1 {
			fmt.Fprintf(&b, `\x{%x}-\x{%x}`, lo, hi)
			return
		}
		for c := lo; c <= hi; c += stride {
			fmt.Fprintf(&b, `\x{%x}`, c)
		}
	}
	for _, r := range t.R16 {
		put(uint32(r.Lo), uint32(r.Hi), uint32(r.Stride))
	}
	for _, r := range t.R32 {
		put(r.Lo, r.Hi, r.Stride)
	}
	return b.String()
}

// unicodeClasses rewrites \s, \w, \d and, of letters and numbers, \p{L} and \p{N}, into what they mean in Unicode.
func unicodeClasses(expr string) string {
	inside := map[string]string{`\s`: spaceClass, `\w`: wordClass, `\d`: `\p{Nd}`, `\h`: `0-9a-fA-F`, `\p{L}`: `\p{L}` + classOf(newLetters), `\p{N}`: `\p{N}` + classOf(newNumbers)}
	var b strings.Builder
	class := false
	for i := 0; i < len(expr); i++ {
		c := expr[i]
		switch {
		case c == '\\' && i+1 < len(expr):
			esc := expr[i : i+2]
			if strings.HasPrefix(expr[i:], `\p{L}`) || strings.HasPrefix(expr[i:], `\p{N}`) {
				esc = expr[i : i+5]
			}
			i += len(esc) - 1
			low := strings.ToLower(esc[:2])
			switch {
			case inside[esc] != "" && class:
				b.WriteString(inside[esc])
			case inside[esc] != "":
				b.WriteString("[" + inside[esc] + "]")
			case len(esc) == 2 && esc != low && inside[low] != "" && !class:
				b.WriteString("[^" + inside[low] + "]")
			default:
				b.WriteString(esc)
			}
		case c == '[':
			class = true
			b.WriteByte(c)
		case c == ']':
			class = false
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
