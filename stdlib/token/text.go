package token

import (
	"slices"
	"unicode/utf8"
)

// text is a stretch of text on its way through the pipeline. Of each of its bytes it knows which bytes of the source it comes
// from: those from from[i] up to to[i]. Texts share memory and are not changed.
type text struct {
	b        []byte
	from, to []int32
}

// newText is a source. Bytes that are no UTF-8 become U+FFFD, one by one.
func newText(s string) text {
	ends := make([]int32, 2*len(s))
	t := text{b: []byte(s), from: ends[:len(s)], to: ends[len(s):]}
	if !utf8.ValidString(s) {
		t = text{}
		for i, r := range s {
			n := 1
			if r != utf8.RuneError {
				n = utf8.RuneLen(r)
			} else if _, w := utf8.DecodeRuneInString(s[i:]); w > 1 {
				n = w
			}
			t.put(r, int32(i), int32(i+n))
		}
		return t
	}
	for i := 0; i < len(s); {
		n := 1
		if s[i] >= utf8.RuneSelf {
			_, n = utf8.DecodeRuneInString(s[i:])
		}
		for k := i; k < i+n; k++ {
			t.from[k], t.to[k] = int32(i), int32(i+n)
		}
		i += n
	}
	return t
}

// slice is a part of a text.
func (t text) slice(from, to int) text {
	return text{t.b[from:to:to], t.from[from:to:to], t.to[from:to:to]}
}

// put appends a rune that comes from some bytes of the source. Only a text that shares nothing is put to.
func (t *text) put(r rune, from, to int32) {
	n := len(t.b)
	t.b = utf8.AppendRune(t.b, r)
	for range len(t.b) - n {
		t.from, t.to = append(t.from, from), append(t.to, to)
	}
}

// sized is an empty text with room for so many bytes.
func sized(n int) text {
	return text{make([]byte, 0, n), make([]int32, 0, n), make([]int32, 0, n)}
}

// runes calls f with each rune and where it lies in the text.
func (t text) runes(f func(r rune, i, n int)) {
	for i := 0; i < len(t.b); {
		r, n := rune(t.b[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(t.b[i:])
		}
		f(r, i, n)
		i += n
	}
}

// source is the bytes of the source that the bytes of a text from one place up to another come from.
func (t text) source(from, to int) [2]int32 {
	if from >= to {
		if from < len(t.b) {
			return [2]int32{t.from[from], t.from[from]}
		}
		if from > 0 && from <= len(t.b) {
			return [2]int32{t.to[from-1], t.to[from-1]}
		}
		return [2]int32{}
	}
	return [2]int32{t.from[from], t.to[to-1]}
}

func (t text) ascii() bool {
	for _, c := range t.b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// change is a rune that a transformation gives: in the place of the next rune of what it is made of (0), beside the rune before it
// (1), or in the place of the next and so many more (-n).
type change struct {
	r rune
	n int
}

// transform is the text that the changes give. A rune comes from where the rune whose place it takes came from, one that is put
// beside from where the one before did.
func (t text) transform(changes []change) text {
	out := sized(len(t.b) + len(t.b)/8)
	i := 0
	for _, c := range changes {
		at := i
		if c.n > 0 {
			at = i - 1
		}
		if at = min(at, len(t.b)-1); at < 0 {
			out.put(c.r, 0, 0)
		} else {
			out.put(c.r, t.from[at], t.to[at])
		}
		for k := c.n; k <= 0 && i < len(t.b); k++ {
			_, n := utf8.DecodeRune(t.b[i:])
			i += n
		}
	}
	return out
}

// filter is the text without the runes that drop picks.
func (t text) filter(drop func(rune) bool) text {
	some := false
	t.runes(func(r rune, _, _ int) { some = some || drop(r) })
	if !some {
		return t
	}
	out := sized(len(t.b))
	t.runes(func(r rune, i, _ int) {
		if !drop(r) {
			out.put(r, t.from[i], t.to[i])
		}
	})
	return out
}

// mapped is the text with other runes in the places of its own.
func (t text) mapped(f func(rune) rune) text {
	out := sized(len(t.b))
	t.runes(func(r rune, i, _ int) { out.put(f(r), t.from[i], t.to[i]) })
	return out
}

// span is a part of a text, and whether it is what was looked for.
type span struct {
	from, to int
	match    bool
}

// replaced is the text with each match in the place of another string, whose runes come from where the last rune of the match did.
func (t text) replaced(spans []span, with string) text {
	out := sized(len(t.b) + len(spans)*len(with))
	for _, s := range spans {
		if !s.match {
			out.b = append(out.b, t.b[s.from:s.to]...)
			out.from, out.to = append(out.from, t.from[s.from:s.to]...), append(out.to, t.to[s.from:s.to]...)
			continue
		}
		var from, to int32
		if s.to > 0 {
			from, to = t.from[s.to-1], t.to[s.to-1]
		}
		for _, r := range with {
			out.put(r, from, to)
		}
	}
	return out
}

// prepended is the text with a string before it, which comes from where the first rune does. Nothing goes before an empty text.
func (t text) prepended(s string) text {
	if len(t.b) == 0 {
		return t
	}
	out := sized(len(t.b) + len(s))
	for _, r := range s {
		out.put(r, t.from[0], t.to[0])
	}
	return text{append(out.b, t.b...), slices.Concat(out.from, t.from), slices.Concat(out.to, t.to)}
}
