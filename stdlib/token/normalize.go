package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizer changes text before it is cut up.
type normalizer func(text) text

// maxDepth bounds how deep parts of a pipeline nest.
const maxDepth = 16

// part is any part of a pipeline in tokenizer.json: what all types of parts have.
type part struct {
	Type           string            `json:"type"`
	Normalizers    []json.RawMessage `json:"normalizers"`
	Pretokenizers  []json.RawMessage `json:"pretokenizers"`
	Processors     []json.RawMessage `json:"processors"`
	Decoders       []json.RawMessage `json:"decoders"`
	CleanText      *bool             `json:"clean_text"`
	HanChars       *bool             `json:"handle_chinese_chars"`
	StripAccents   *bool             `json:"strip_accents"`
	Lowercase      *bool             `json:"lowercase"`
	StripLeft      bool              `json:"strip_left"`
	StripRight     bool              `json:"strip_right"`
	Pattern        *pattern          `json:"pattern"`
	Content        string            `json:"content"`
	Prepend        string            `json:"prepend"`
	Charsmap       []byte            `json:"precompiled_charsmap"`
	AddPrefixSpace *bool             `json:"add_prefix_space"`
	TrimOffsets    *bool             `json:"trim_offsets"`
	UseRegex       *bool             `json:"use_regex"`
	Replacement    string            `json:"replacement"`
	PrependScheme  string            `json:"prepend_scheme"`
	Split          *bool             `json:"split"`
	Behavior       string            `json:"behavior"`
	Invert         bool              `json:"invert"`
	Individual     bool              `json:"individual_digits"`
	Delimiter      string            `json:"delimiter"`
	Prefix         string            `json:"prefix"`
	Cleanup        *bool             `json:"cleanup"`
	Suffix         string            `json:"suffix"`
	Start          int               `json:"start"`
	Stop           int               `json:"stop"`
	Sep            *tokenID          `json:"sep"`
	Cls            *tokenID          `json:"cls"`
	Single         []templateItem    `json:"single"`
	Pair           []templateItem    `json:"pair"`
	SpecialTokens  map[string]struct {
		IDs    []int32  `json:"ids"`
		Tokens []string `json:"tokens"`
	} `json:"special_tokens"`
}

// given is the value of a flag, or what it is when nothing is said.
func given(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}

// readPart reads a part; nil where there is none.
func readPart(raw json.RawMessage, depth int) (*part, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("parts nest more than %d deep", maxDepth)
	}
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	p := new(part)
	if err := json.Unmarshal(raw, p); err != nil {
		return nil, err
	}
	return p, nil
}

func readNormalizer(raw json.RawMessage, depth int) (normalizer, error) {
	p, err := readPart(raw, depth)
	if p == nil || err != nil {
		return nil, err
	}
	switch p.Type {
	case "Sequence":
		return sequenceNormalizer(p.Normalizers, depth)
	case "BertNormalizer":
		low := given(p.Lowercase, true)
		return bert{clean: given(p.CleanText, true), han: given(p.HanChars, true), lower: low, strip: given(p.StripAccents, low)}.normalize, nil
	case "NFC", "NFD", "NFKC", "NFKD":
		return unicodeForm(p.Type), nil
	case "Lowercase":
		return lowercase, nil
	case "StripAccents":
		return func(t text) text { return t.filter(isMark) }, nil
	case "Strip":
		return func(t text) text { return strip(t, p.StripLeft, p.StripRight) }, nil
	case "Replace":
		find, err := p.Pattern.finder()
		return func(t text) text { return t.replaced(find(t.b), p.Content) }, err
	case "Prepend":
		return func(t text) text { return t.prepended(p.Prepend) }, nil
	case "Nmt":
		return nmt, nil
	case "Precompiled":
		m, err := readCharsmap(p.Charsmap)
		if err != nil {
			return nil, err
		}
		return m.normalize, nil
	case "ByteLevel":
		return byteLevel, nil
	}
	return nil, fmt.Errorf("normalizer %q is not known; known are BertNormalizer, ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Sequence, Strip and StripAccents", p.Type)
}

func sequenceNormalizer(parts []json.RawMessage, depth int) (normalizer, error) {
	var list []normalizer
	for _, raw := range parts {
		n, err := readNormalizer(raw, depth+1)
		if err != nil {
			return nil, err
		}
		if n != nil {
			list = append(list, n)
		}
	}
	return func(t text) text {
		for _, n := range list {
			t = n(t)
		}
		return t
	}, nil
}

// bert is the normalizer of BERT: what it does, in this order.
type bert struct{ clean, han, strip, lower bool }

func (n bert) normalize(t text) text {
	if t.ascii() {
		return n.ascii(t)
	}
	out := sized(len(t.b) + len(t.b)/4)
	t.runes(func(r rune, i, _ int) {
		from, to := t.from[i], t.to[i]
		switch {
		case n.clean && isControl(r):
			return
		case n.clean && isSpace(r):
			r = ' '
		case n.han && isHan(r):
			out.put(' ', from, to)
			out.put(r, from, to)
			r = ' '
		}
		out.put(r, from, to)
	})
	if n.strip {
		out = decomposed(out, norm.NFD).filter(isAccent)
	}
	if n.lower {
		out = lowercase(out)
	}
	return out
}

// ascii is normalize for text that is all ASCII: where nothing decomposes.
func (n bert) ascii(t text) text {
	out := text{make([]byte, len(t.b)), t.from, t.to}
	k := 0
	for i, c := range t.b {
		switch {
		case n.clean && (c < ' ' || c == 0x7f):
			if c != '\t' && c != '\n' && c != '\r' {
				if k == i { // from here on, ends are other than the source's
					out.from, out.to = slices.Clone(t.from), slices.Clone(t.to)
				}
				continue
			}
			c = ' '
		case n.lower && c >= 'A' && c <= 'Z':
			c |= 0x20
		}
		out.b[k] = c
		if k < i {
			out.from[k], out.to[k] = t.from[i], t.to[i]
		}
		k++
	}
	return out.slice(0, k)
}

func lowercase(t text) text {
	if t.ascii() {
		return text{bytes.ToLower(t.b), t.from, t.to}
	}
	out := sized(len(t.b))
	t.runes(func(r rune, i, _ int) {
		a, b := lower(r)
		out.put(a, t.from[i], t.to[i])
		if b != 0 {
			out.put(b, t.from[i], t.to[i])
		}
	})
	return out
}

func strip(t text, left, right bool) text {
	from, to := 0, len(t.b)
	for left && from < to {
		r, n := utf8.DecodeRune(t.b[from:])
		if !isSpace(r) {
			break
		}
		from += n
	}
	for right && from < to {
		r, n := utf8.DecodeLastRune(t.b[from:to])
		if !isSpace(r) {
			break
		}
		to -= n
	}
	return t.slice(from, to)
}

// nmt is the normalizer of Google's NMT: controls go, odd spaces become spaces.
func nmt(t text) text {
	return t.filter(func(r rune) bool {
		return r >= 1 && r <= 8 || r == 0xb || r >= 0xe && r <= 0x1f || r == 0x7f || r == 0x8f || r == 0x9f
	}).mapped(func(r rune) rune {
		switch {
		case r == 9 || r == 0xa || r == 0xc || r == 0xd || r == 0x1680 || r >= 0x200b && r <= 0x200f || r == 0x2028 || r == 0x2029 || r == 0x2581 || r == 0xfeff || r == 0xfffd:
			return ' '
		}
		return r
	})
}

// unicodeForm is a normalization form of Unicode.
func unicodeForm(form string) normalizer {
	f, compose := norm.NFD, form == "NFC" || form == "NFKC"
	if form == "NFKC" || form == "NFKD" {
		f = norm.NFKD
	}
	return func(t text) text {
		switch {
		case t.ascii():
			return t
		case form == "NFC" && norm.NFC.IsNormal(t.b), form == "NFKC" && norm.NFKC.IsNormal(t.b):
			return t
		case compose:
			return t.transform(recompose(decompose(t, f)))
		}
		return decomposed(t, f)
	}
}

// decomposed is the text in NFD or NFKD.
func decomposed(t text, f norm.Form) text {
	if f.IsNormal(t.b) {
		return t
	}
	return t.transform(decompose(t, f))
}

// decompose is the runes of NFD or NFKD, combining marks in canonical order (Unicode Standard Annex 15).
func decompose(t text, f norm.Form) []change {
	out := make([]change, 0, len(t.b))
	start := 0 // of the combining marks at the end of out
	put := func(r rune, n int) {
		class := ccc(r)
		if class == 0 {
			out = append(out, change{r, n})
			start = len(out)
			return
		}
		i := len(out)
		for i > start && ccc(out[i-1].r) > class {
			i--
		}
		out = slices.Insert(out, i, change{r, n})
	}
	t.runes(func(r rune, i, n int) {
		switch {
		case r < 0xa0:
			put(r, 0)
		case r >= hangulBase && r < hangulEnd:
			s := r - hangulBase
			put(hangulL+s/588, 0)
			put(hangulV+s%588/28, 1)
			if s%28 != 0 {
				put(hangulT+s%28, 1)
			}
		default:
			d := f.Properties(t.b[i : i+n]).Decomposition()
			if d == nil || unicode.Is(lateDecomposition, r) {
				put(r, 0)
				return
			}
			for k, r := range string(d) {
				put(r, min(k, 1))
			}
		}
	})
	return out
}

// Hangul syllables (The Unicode Standard, 3.12).
const (
	hangulBase, hangulEnd     = 0xac00, 0xd7a4
	hangulL, hangulV, hangulT = 0x1100, 0x1161, 0x11a7
)

func ccc(r rune) uint8 {
	if r < 0x300 {
		return 0
	}
	var b [4]byte
	return norm.NFD.Properties(b[:utf8.EncodeRune(b[:], r)]).CCC()
}

// recompose joins what NFD or NFKD took apart, as NFC and NFKC do.
func recompose(in []change) []change {
	var out []change
	starter, last := -1, uint8(0) // place in out; class of the rune before, among those that stay
	for _, c := range in {
		class := ccc(c.r)
		if starter >= 0 && (last < class || starter == len(out)-1) {
			if r, ok := composed(out[starter].r, c.r); ok {
				out[starter] = change{r, out[starter].n + c.n - 1}
				continue
			}
		}
		if class == 0 {
			starter = len(out)
		}
		last = class
		out = append(out, c)
	}
	return out
}

// composed is the one rune that two compose to.
func composed(a, b rune) (rune, bool) {
	if b < 0x300 {
		return 0, false
	}
	s := norm.NFC.String(string([]rune{a, b}))
	r, n := utf8.DecodeRuneInString(s)
	return r, n == len(s)
}
