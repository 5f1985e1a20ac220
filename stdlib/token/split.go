package token

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// splitter cuts texts into words.
type splitter func([]text) []text

func readSplitter(raw json.RawMessage, depth int) (splitter, error) {
	p, err := readPart(raw, depth)
	if p == nil || err != nil {
		return nil, err
	}
	switch p.Type {
	case "Sequence":
		return sequenceSplitter(p.Pretokenizers, depth)
	case "BertPreTokenizer":
		return each(bertWords), nil
	case "Whitespace":
		return each(wordsAndRest), nil
	case "WhitespaceSplit":
		return by(runeFinder(isSpace), "Removed")
	case "Punctuation":
		return by(runeFinder(isPunctuation), or(p.Behavior, "Isolated"))
	case "Digits":
		if p.Individual {
			return by(runeFinder(isNumeric), "Isolated")
		}
		return by(runeFinder(isNumeric), "Contiguous")
	case "CharDelimiterSplit":
		d, n := utf8.DecodeRuneInString(p.Delimiter)
		if n == 0 || n != len(p.Delimiter) {
			return nil, fmt.Errorf("delimiter is %q; it must be one character", p.Delimiter)
		}
		return by(runeFinder(func(r rune) bool { return r == d }), "Removed")
	case "Split":
		find, err := p.Pattern.finder()
		if err != nil {
			return nil, err
		}
		if p.Invert {
			match := find
			find = func(b []byte) []span {
				spans := match(b)
				for i := range spans {
					spans[i].match = !spans[i].match
				}
				return spans
			}
		}
		return by(find, p.Behavior)
	case "ByteLevel":
		return byteLevelSplitter(given(p.AddPrefixSpace, true), given(p.UseRegex, true)), nil
	case "Metaspace":
		return metaspace(p)
	}
	return nil, fmt.Errorf("pre-tokenizer %q is not known; known are BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, Metaspace, Punctuation, Sequence, Split, Whitespace and WhitespaceSplit", p.Type)
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func sequenceSplitter(parts []json.RawMessage, depth int) (splitter, error) {
	var list []splitter
	for _, raw := range parts {
		s, err := readSplitter(raw, depth+1)
		if err != nil {
			return nil, err
		}
		if s != nil {
			list = append(list, s)
		}
	}
	return func(ts []text) []text {
		for _, s := range list {
			ts = s(ts)
		}
		return ts
	}, nil
}

// each cuts each text by a function that appends its words.
func each(f func(t text, out []text) []text) splitter {
	return func(in []text) []text {
		var out []text
		for _, t := range in {
			out = f(t, out)
		}
		return out
	}
}

// bertWords cuts at white space, which goes, and around each character of punctuation.
func bertWords(t text, out []text) []text {
	if out == nil {
		out = make([]text, 0, len(t.b)/4+1)
	}
	start := 0
	t.runes(func(r rune, i, n int) {
		space := isSpace(r)
		if !space && !isPunctuation(r) {
			return
		}
		if start < i {
			out = append(out, t.slice(start, i))
		}
		if start = i + n; !space {
			out = append(out, t.slice(i, start))
		}
	})
	if start < len(t.b) {
		out = append(out, t.slice(start, len(t.b)))
	}
	return out
}

// wordsAndRest cuts into runs of word characters and runs of what is neither that nor space: \w+|[^\w\s]+
func wordsAndRest(t text, out []text) []text {
	start, kind := 0, 0
	t.runes(func(r rune, i, _ int) {
		k := 2
		if isWord(r) {
			k = 1
		} else if isSpace(r) {
			k = 0
		}
		if k != kind {
			if kind != 0 {
				out = append(out, t.slice(start, i))
			}
			start, kind = i, k
		}
	})
	if kind != 0 {
		out = append(out, t.slice(start, len(t.b)))
	}
	return out
}

// runeFinder finds single runes.
func runeFinder(is func(rune) bool) finderFunc {
	return func(b []byte) []span {
		var out []span
		start := 0
		text{b: b}.runes(func(r rune, i, n int) {
			if !is(r) {
				return
			}
			if start < i {
				out = append(out, span{start, i, false})
			}
			out = append(out, span{i, i + n, true})
			start = i + n
		})
		if start < len(b) {
			out = append(out, span{start, len(b), false})
		}
		return out
	}
}

// by cuts where a finder finds something; behavior says what becomes of it.
func by(find finderFunc, behavior string) (splitter, error) {
	if !slices.Contains([]string{"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}, behavior) {
		return nil, fmt.Errorf("behavior %q is not known; known are Removed, Isolated, MergedWithPrevious, MergedWithNext and Contiguous", behavior)
	}
	return each(func(t text, out []text) []text {
		for _, s := range joined(find(t.b), behavior) {
			if s.from < s.to && !(s.match && behavior == "Removed") {
				out = append(out, t.slice(s.from, s.to))
			}
		}
		return out
	}), nil
}

// joined joins what is found with what lies beside it, as the behavior says.
func joined(spans []span, behavior string) []span {
	var out []span
	switch behavior {
	case "MergedWithPrevious":
		previous := false // whether the one before was a match
		for _, s := range spans {
			if s.match && !previous && len(out) > 0 {
				out[len(out)-1].to = s.to
			} else {
				out = append(out, s)
			}
			previous = s.match
		}
	case "MergedWithNext":
		previous := false // seen from the end
		for _, s := range slices.Backward(spans) {
			if s.match && !previous && len(out) > 0 {
				out[len(out)-1].from = s.from
			} else {
				out = append(out, s)
			}
			previous = s.match
		}
		slices.Reverse(out)
	case "Contiguous":
		for i, s := range spans {
			if i > 0 && spans[i-1].match == s.match {
				out[len(out)-1].to = s.to
			} else {
				out = append(out, s)
			}
		}
	default:
		return spans
	}
	return out
}

// metaspace writes spaces as a character of their own, puts one before, and cuts in front of each.
func metaspace(p *part) (splitter, error) {
	mark, n := utf8.DecodeRuneInString(or(p.Replacement, "▁"))
	if n != len(or(p.Replacement, "▁")) {
		return nil, fmt.Errorf("replacement is %q; it must be one character", p.Replacement)
	}
	scheme, err := p.scheme()
	if err != nil {
		return nil, err
	}
	cut, err := by(runeFinder(func(r rune) bool { return r == mark }), "MergedWithNext")
	if err != nil {
		return nil, err
	}
	return func(in []text) []text {
		out := make([]text, 0, len(in))
		for _, t := range in {
			t = t.mapped(func(r rune) rune {
				if r == ' ' {
					return mark
				}
				return r
			})
			first, _ := utf8.DecodeRune(t.b)
			if len(t.b) > 0 && first != mark && (scheme == "always" || scheme == "first" && t.from[0] == 0) {
				t = t.prepended(string(mark))
			}
			out = append(out, t)
		}
		if !given(p.Split, true) {
			return out
		}
		return cut(out)
	}, nil
}

// scheme says where metaspace puts a space before a text: always, first (at the beginning of a source only), never.
func (p *part) scheme() (string, error) {
	scheme := p.PrependScheme
	if scheme == "" {
		scheme = "always"
		if !given(p.AddPrefixSpace, true) {
			scheme = "never"
		}
	}
	if scheme != "always" && scheme != "first" && scheme != "never" {
		return "", fmt.Errorf("prepend_scheme is %q; it must be always, first or never", scheme)
	}
	return scheme, nil
}
