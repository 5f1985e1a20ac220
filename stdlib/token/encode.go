package token

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// cacheWords bounds how many words an encoder remembers.
const cacheWords = 1 << 16

// Encoder is a tokenizer at work. It remembers what words became, so it is for one goroutine; a tokenizer may have many.
type Encoder struct {
	t      *Tokenizer
	words  map[string][]piece
	pieces []piece
}

// NewEncoder makes an encoder.
func (t *Tokenizer) NewEncoder() *Encoder { return &Encoder{t: t, words: map[string][]piece{}} }

// Encoding is text as tokens. All slices are by token.
type Encoding struct {
	IDs     []int32
	Types   []int32    // which text of a pair, as the tokenizer numbers them
	Offsets [][2]int32 // bytes of the text, from and up to; of words, of the word; 0 and 0 of special tokens that stand around
	Words   []int32    // of words: which one; else -1; -1 too of special tokens that stand around
	Text    []int8     // 0 for the first text, 1 for the second, -1 for special tokens that stand around
}

// Len is the number of tokens.
func (e *Encoding) Len() int { return len(e.IDs) }

// Encode is the tokens of a text, without the special tokens that stand around texts; those that are written out in it are found. Bytes
// that are not UTF-8 are taken for U+FFFD.
func (e *Encoder) Encode(s string) *Encoding {
	out := &Encoding{}
	e.add(out, s, -1)
	out.fill()
	return out
}

// EncodeWords is the tokens of a text that comes in words, each encoded by itself. Offsets are within the word. A word that has no
// tokens, such as one of control characters, is the token empty, or nothing if that is below 0.
func (e *Encoder) EncodeWords(words []string, empty int32) *Encoding {
	out := &Encoding{}
	for i, w := range words {
		n := len(out.IDs)
		if e.add(out, w, int32(i)); len(out.IDs) == n && empty >= 0 {
			out.put(empty, [2]int32{0, int32(len(w))}, int32(i))
		}
	}
	out.fill()
	return out
}

func (e *Encoding) fill() {
	e.Types, e.Text = make([]int32, len(e.IDs)), make([]int8, len(e.IDs))
}

// add appends the tokens of a text.
func (e *Encoder) add(out *Encoding, s string, word int32) {
	t, first := e.t, len(out.IDs)
	found := func(x text, id int32) {
		o := x.source(0, len(x.b))
		if t.trim != nil {
			t.trim.offsets(&o, s, string(x.b), len(out.IDs) == 0)
		}
		out.put(id, o, word)
		first = len(out.IDs)
	}
	t.raw.each(newText(s), func(x text, id int32) {
		if id >= 0 {
			found(x, id)
			return
		}
		if t.normalize != nil {
			x = t.normalize(x)
		}
		t.norm.each(x, func(x text, id int32) {
			if id >= 0 {
				found(x, id)
				return
			}
			e.plain(out, x, word)
			for ; first < len(out.IDs) && t.trim != nil; first++ {
				t.trim.offsets(&out.Offsets[first], s, t.byID[out.IDs[first]], first == 0)
			}
		})
	})
}

// plain appends the tokens of normalized text that has no added tokens.
func (e *Encoder) plain(out *Encoding, x text, word int32) {
	if len(x.b) == 0 {
		return
	}
	parts := []text{x}
	if e.t.split != nil {
		parts = e.t.split(parts)
	}
	if out.IDs == nil {
		n := len(parts) + len(parts)/2
		out.IDs, out.Offsets, out.Words = make([]int32, 0, n), make([][2]int32, 0, n), make([]int32, 0, n)
	}
	for _, p := range parts {
		if len(p.b) == 0 {
			continue
		}
		e.pieces = e.t.model.tokenize(e, p.b, e.pieces[:0])
		for _, k := range e.pieces {
			out.put(k.id, p.source(int(k.from), int(k.to)), word)
		}
	}
}

func (e *Encoding) put(id int32, offsets [2]int32, word int32) {
	e.IDs, e.Offsets, e.Words = append(e.IDs, id), append(e.Offsets, offsets), append(e.Words, word)
}

// finder finds added tokens.
type finder struct {
	any   bool
	first [256][]AddedToken // by the byte that they begin with, the longest first
}

func newFinder(tokens []AddedToken) *finder {
	f := &finder{}
	for _, t := range tokens {
		if t.Content == "" {
			continue
		}
		f.any = true
		f.first[t.Content[0]] = append(f.first[t.Content[0]], t)
	}
	for _, list := range f.first {
		slices.SortStableFunc(list, func(a, b AddedToken) int { return len(b.Content) - len(a.Content) })
	}
	return f
}

// at is the longest token that the bytes begin with, or nil.
func (f *finder) at(b []byte) *AddedToken {
	list := f.first[b[0]]
	for i := range list {
		if c := list[i].Content; len(c) <= len(b) && string(b[:len(c)]) == c {
			return &list[i]
		}
	}
	return nil
}

// each calls f with the parts of a text: added tokens with their id, and what lies between them with -1.
func (f *finder) each(x text, do func(part text, id int32)) {
	start := 0
	for i := 0; i < len(x.b) && f.any; {
		t := f.at(x.b[i:])
		if t == nil {
			i++
			continue
		}
		from, to := i, i+len(t.Content)
		if i = to; t.SingleWord && (wordBefore(x.b[:from]) || wordAfter(x.b[to:])) {
			continue
		}
		if t.LStrip {
			from = max(start, len(bytes.TrimRightFunc(x.b[:from], isSpace)))
		}
		if t.RStrip {
			to = len(x.b) - len(bytes.TrimLeftFunc(x.b[to:], isSpace))
		}
		if from < start { // the space before it went with the token before
			from = start
		}
		if start < from {
			do(x.slice(start, from), -1)
		}
		do(x.slice(from, to), t.ID)
		start = to
		i = max(i, to)
	}
	if start < len(x.b) {
		do(x.slice(start, len(x.b)), -1)
	}
}

func wordBefore(b []byte) bool {
	r, n := utf8.DecodeLastRune(b)
	return n > 0 && isWord(r)
}

func wordAfter(b []byte) bool {
	r, n := utf8.DecodeRune(b)
	return n > 0 && isWord(r)
}

// RuneOffsets are offsets in characters of a text, made of offsets in bytes. A byte that is no UTF-8 is a character.
func RuneOffsets(s string, offsets [][2]int32) [][2]int32 {
	at := make([]int32, len(s)+1)
	n := int32(0)
	for i := range s {
		at[i] = n
		n++
	}
	at[len(s)] = n
	for i := len(s) - 1; i > 0; i-- {
		if at[i] == 0 {
			at[i] = at[i+1]
		}
	}
	out := make([][2]int32, len(offsets))
	for i, o := range offsets {
		out[i] = [2]int32{at[o[0]], at[o[1]]}
	}
	return out
}
