package token

import (
	"bytes"
	"unicode/utf8"
)

// Byte-level models see each byte of text as a visible character (GPT-2, Radford et al. 2019): those of Latin-1 that are printed
// stand for themselves, the others, in order, are U+0100 and so on.
var (
	byteRunes [256]rune
	runeBytes = map[rune]byte{}
)

func init() {
	next := rune(256)
	for b := range rune(256) {
		r := b
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r = next
			next++
		}
		byteRunes[b], runeBytes[r] = r, byte(b)
	}
}

// byteLevel writes text in characters for bytes. Each comes from the whole character that its byte is of.
func byteLevel(t text) text {
	out := sized(len(t.b) + len(t.b)/3)
	for i, c := range t.b {
		out.put(byteRunes[c], t.from[i], t.to[i])
	}
	return out
}

// bytesOf undoes byteLevel for a token; false when it holds anything else.
func bytesOf(token string) ([]byte, bool) {
	out := make([]byte, 0, len(token))
	for _, r := range token {
		b, ok := runeBytes[r]
		if !ok {
			return nil, false
		}
		out = append(out, b)
	}
	return out, true
}

func byteLevelSplitter(prefix, cut bool) splitter {
	return func(in []text) []text {
		var out []text
		for _, t := range in {
			if prefix && len(t.b) > 0 && t.b[0] != ' ' {
				t = t.prepended(" ")
			}
			if !cut {
				out = append(out, byteLevel(t))
				continue
			}
			for start := 0; start < len(t.b); {
				n := gpt2(t.b[start:])
				out = append(out, byteLevel(t.slice(start, start+n)))
				start += n
			}
		}
		return out
	}
}

// contractions are the endings that GPT-2 cuts off.
var contractions = [][]byte{[]byte("'s"), []byte("'t"), []byte("'re"), []byte("'ve"), []byte("'m"), []byte("'ll"), []byte("'d")}

// gpt2 is the length of the first match in text that is not empty of the regular expression that GPT-2 cuts by:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func gpt2(b []byte) int {
	for _, c := range contractions {
		if bytes.HasPrefix(b, c) {
			return len(c)
		}
	}
	start := 0
	if b[0] == ' ' && len(b) > 1 {
		start = 1
	}
	r, _ := utf8.DecodeRune(b[start:])
	kind := kindOf(r)
	if kind == 0 { // white space after all
		start = 0
	}
	end, last := start, start
	for end < len(b) {
		r, n := rune(b[end]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(b[end:])
		}
		if kindOf(r) != kind {
			break
		}
		last = end
		end += n
	}
	if kind == 0 && end < len(b) && last > 0 {
		return last // the last of several spaces belongs to what comes after
	}
	return end
}

// kindOf tells white space, letters, numbers and the rest apart.
func kindOf(r rune) int {
	switch {
	case isLetter(r):
		return 1
	case isNumber(r):
		return 2
	case isSpace(r):
		return 0
	}
	return 3
}
