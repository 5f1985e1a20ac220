package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// slot is an element of a template: a text (0 or 1), or, where text is below 0, special tokens.
type slot struct {
	text int
	ids  []int32
	typ  int32
}

// templateItem is an element of a template in tokenizer.json.
type templateItem struct {
	SpecialToken *struct {
		ID   string `json:"id"`
		Type int32  `json:"type_id"`
	} `json:"SpecialToken"`
	Sequence *struct {
		ID   string `json:"id"`
		Type int32  `json:"type_id"`
	} `json:"Sequence"`
}

// tokenID is a token and its id, as a list of both.
type tokenID struct {
	token string
	id    int32
}

func (t *tokenID) UnmarshalJSON(b []byte) error {
	list := []any{&t.token, &t.id}
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	if len(list) != 2 {
		return errors.New("a token with its id is a list of two")
	}
	return nil
}

// readPost reads a post-processor.
func (t *Tokenizer) readPost(raw json.RawMessage) error {
	t.single, t.pair = []slot{{text: 0}}, []slot{{text: 0}, {text: 1, typ: 1}}
	return t.addPost(raw, 0)
}

func (t *Tokenizer) addPost(raw json.RawMessage, depth int) error {
	p, err := readPart(raw, depth)
	if p == nil || err != nil {
		return err
	}
	special := func(s *tokenID, typ int32) slot { return slot{-1, []int32{s.id}, typ} }
	switch p.Type {
	case "Sequence":
		for _, raw := range p.Processors {
			if err := t.addPost(raw, depth+1); err != nil {
				return err
			}
		}
		return nil
	case "ByteLevel":
		if given(p.TrimOffsets, true) {
			t.trim = &trim{given(p.AddPrefixSpace, true)}
		}
		return nil
	case "BertProcessing", "RobertaProcessing":
		if p.Cls == nil || p.Sep == nil {
			return fmt.Errorf("%s needs cls and sep", p.Type)
		}
		cls, sep, second := special(p.Cls, 0), special(p.Sep, 0), int32(1)
		t.single = []slot{cls, {text: 0}, sep}
		t.pair = []slot{cls, {text: 0}, sep}
		if p.Type == "RobertaProcessing" {
			second = 0
			t.pair = append(t.pair, sep)
			if given(p.TrimOffsets, true) {
				t.trim = &trim{given(p.AddPrefixSpace, true)}
			}
		}
		t.pair = append(t.pair, slot{text: 1, typ: second}, special(p.Sep, second))
	case "TemplateProcessing":
		if t.single, err = p.template(p.Single, 1); err != nil {
			return err
		}
		if t.pair, err = p.template(p.Pair, 2); err != nil {
			return err
		}
	default:
		return fmt.Errorf("post-processor %q is not known; known are BertProcessing, ByteLevel, RobertaProcessing, Sequence and TemplateProcessing", p.Type)
	}
	for _, s := range append(append([]slot(nil), t.single...), t.pair...) {
		for _, id := range s.ids {
			if _, ok := t.byID[id]; !ok {
				return fmt.Errorf("it puts a token of id %d, which there is not", id)
			}
		}
		if s.typ < 0 || s.typ > 1 {
			return fmt.Errorf("it numbers texts with %d; there are 0 and 1", s.typ)
		}
	}
	return nil
}

// template reads a template with so many texts; an empty one gives the texts alone.
func (p *part) template(items []templateItem, texts int) ([]slot, error) {
	var out []slot
	seen := [2]int{}
	for _, it := range items {
		switch {
		case it.Sequence != nil && (it.Sequence.ID == "A" || it.Sequence.ID == "B"):
			n := int(it.Sequence.ID[0] - 'A')
			seen[n]++
			out = append(out, slot{text: n, typ: it.Sequence.Type})
		case it.SpecialToken != nil:
			s, ok := p.SpecialTokens[it.SpecialToken.ID]
			if !ok {
				return nil, fmt.Errorf("special_tokens does not list %q", it.SpecialToken.ID)
			}
			out = append(out, slot{-1, s.IDs, it.SpecialToken.Type})
		default:
			return nil, errors.New("an element of a template is neither a SpecialToken nor a Sequence A or B")
		}
	}
	if texts == 2 && len(items) == 0 {
		return []slot{{text: 0}, {text: 1, typ: 1}}, nil
	}
	if seen[0] != 1 || seen[1] != texts-1 {
		return nil, fmt.Errorf("a template of %d texts has A %d times and B %d times", texts, seen[0], seen[1])
	}
	return out, nil
}

// Overhead is how many special tokens stand around a text, or around the texts of a pair.
func (t *Tokenizer) Overhead(pair bool) int {
	n := 0
	for _, s := range t.template(pair) {
		n += len(s.ids)
	}
	return n
}

func (t *Tokenizer) template(pair bool) []slot {
	if pair {
		return t.pair
	}
	return t.single
}

// Join puts the special tokens around a text, or around the texts of a pair; b is nil for one text.
func (t *Tokenizer) Join(a, b *Encoding) *Encoding {
	out := &Encoding{}
	n := a.Len() + t.Overhead(b != nil)
	if b != nil {
		n += b.Len()
	}
	out.IDs, out.Types, out.Words = make([]int32, 0, n), make([]int32, 0, n), make([]int32, 0, n)
	out.Offsets, out.Text = make([][2]int32, 0, n), make([]int8, 0, n)
	for _, s := range t.template(b != nil) {
		if s.text < 0 {
			for _, id := range s.ids {
				out.put(id, [2]int32{}, -1)
				out.Types, out.Text = append(out.Types, s.typ), append(out.Text, -1)
			}
			continue
		}
		e := a
		if s.text == 1 {
			e = b
		}
		out.IDs, out.Offsets, out.Words = append(out.IDs, e.IDs...), append(out.Offsets, e.Offsets...), append(out.Words, e.Words...)
		for range e.IDs {
			out.Types, out.Text = append(out.Types, s.typ), append(out.Text, int8(s.text))
		}
	}
	return out
}

// Truncate drops the tokens of an encoding after the first n.
func (e *Encoding) Truncate(n int) {
	if n < e.Len() {
		e.IDs, e.Types, e.Offsets, e.Words, e.Text = e.IDs[:n], e.Types[:n], e.Offsets[:n], e.Words[:n], e.Text[:n]
	}
}

// trim takes the white space that byte-level tokens hold out of their offsets.
type trim struct{ prefix bool }

// offsets changes the offsets of a token of a source: by as many characters as the token has spaces, for a space may come of a longer
// one.
func (t *trim) offsets(o *[2]int32, source, token string, first bool) {
	space := func(r rune) bool { return r == byteRunes[' '] || isSpace(r) }
	leading, trailing := 0, 0
	for _, r := range token {
		if !space(r) {
			break
		}
		leading++
	}
	for rest := token; ; trailing++ {
		r, n := utf8.DecodeLastRuneInString(rest)
		if n == 0 || !space(r) {
			break
		}
		rest = rest[:len(rest)-n]
	}
	if leading > 0 && t.prefix && (first || o[0] == 0) {
		leading-- // it was put before the text
	}
	for ; leading > 0 && o[0] < o[1]; leading-- {
		_, n := utf8.DecodeRuneInString(source[o[0]:])
		o[0] += int32(n)
	}
	for ; trailing > 0 && o[0] < o[1]; trailing-- {
		_, n := utf8.DecodeLastRuneInString(source[:o[1]])
		o[1] -= int32(n)
	}
}
