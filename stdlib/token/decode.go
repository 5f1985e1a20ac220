package token

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder turns tokens into the pieces of a text.
type decoder func([]string) []string

// Decode is the text of some tokens; with skip, special tokens are left out. Ids that are none are left out. What is no UTF-8 becomes
// U+FFFD.
func (t *Tokenizer) Decode(ids []int32, skip bool) string {
	var tokens []string
	for _, id := range ids {
		if s, ok := t.byID[id]; ok && !(skip && t.special[s]) {
			tokens = append(tokens, s)
		}
	}
	if t.decode == nil {
		return strings.Join(tokens, " ")
	}
	return strings.ToValidUTF8(strings.Join(t.decode(tokens), ""), "\ufffd")
}

func readDecoder(raw json.RawMessage, depth int) (decoder, error) {
	p, err := readPart(raw, depth)
	if p == nil || err != nil {
		return nil, err
	}
	switch p.Type {
	case "Sequence":
		var list []decoder
		for _, raw := range p.Decoders {
			d, err := readDecoder(raw, depth+1)
			if err != nil {
				return nil, err
			}
			if d != nil {
				list = append(list, d)
			}
		}
		return func(s []string) []string {
			for _, d := range list {
				s = d(s)
			}
			return s
		}, nil
	case "WordPiece":
		return wordPieceDecoder(or(p.Prefix, "##"), given(p.Cleanup, true)), nil
	case "ByteLevel":
		return byteLevelDecoder, nil
	case "Metaspace":
		return metaspaceDecoder(p)
	case "BPEDecoder":
		suffix := or(p.Suffix, "</w>")
		return indexed(func(i, n int, s string) string {
			if i == n-1 {
				return strings.ReplaceAll(s, suffix, "")
			}
			return strings.ReplaceAll(s, suffix, " ")
		}), nil
	case "ByteFallback":
		return byteFallbackDecoder, nil
	case "Fuse":
		return func(s []string) []string { return []string{strings.Join(s, "")} }, nil
	case "Replace":
		find, err := p.Pattern.finder()
		return indexed(func(_, _ int, s string) string {
			var b strings.Builder
			for _, m := range find([]byte(s)) {
				if m.match {
					b.WriteString(p.Content)
				} else {
					b.WriteString(s[m.from:m.to])
				}
			}
			return b.String()
		}), err
	case "Strip":
		return stripDecoder(p), nil
	}
	return nil, fmt.Errorf("decoder %q is not known; known are BPEDecoder, ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip and WordPiece", p.Type)
}

// indexed is a decoder that changes each token by itself.
func indexed(f func(i, n int, s string) string) decoder {
	return func(in []string) []string {
		out := make([]string, len(in))
		for i, s := range in {
			out[i] = f(i, len(in), s)
		}
		return out
	}
}

// cleanups are what the library replaces in decoded text, one after the other.
var cleanups = [][2]string{{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}}

func wordPieceDecoder(prefix string, clean bool) decoder {
	return indexed(func(i, _ int, s string) string {
		if i > 0 {
			if rest, ok := strings.CutPrefix(s, prefix); ok {
				s = rest
			} else {
				s = " " + s
			}
		}
		for _, c := range cleanups {
			if clean {
				s = strings.ReplaceAll(s, c[0], c[1])
			}
		}
		return s
	})
}

func byteLevelDecoder(in []string) []string {
	var b []byte
	for _, s := range in {
		if raw, ok := bytesOf(s); ok {
			b = append(b, raw...)
		} else {
			b = append(b, s...)
		}
	}
	return []string{lossy(b)}
}

// lossy is text with U+FFFD for each stretch of bytes that begin a character and do not end it, and for each byte that begins none.
func lossy(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r != utf8.RuneError || n > 1 {
			out.Write(b[:n])
			b = b[n:]
			continue
		}
		out.WriteRune(utf8.RuneError)
		n = 1
		for n < len(b) && !utf8.FullRune(b[:n+1]) { // what is no full rune yet may begin one
			n++
		}
		b = b[n:]
	}
	return out.String()
}

func metaspaceDecoder(p *part) (decoder, error) {
	mark := or(p.Replacement, "▁")
	scheme, err := p.scheme()
	return indexed(func(i, _ int, s string) string {
		if i == 0 && scheme != "never" {
			s = strings.TrimPrefix(s, mark)
		}
		return strings.ReplaceAll(s, mark, " ")
	}), err
}

// byteFallbackDecoder joins tokens of bytes, <0x00> to <0xFF>, to characters; those that make none become U+FFFD each.
func byteFallbackDecoder(in []string) []string {
	var out []string
	var run []byte
	flush := func() {
		switch {
		case len(run) == 0:
		case utf8.Valid(run):
			out = append(out, string(run))
		default:
			for range run {
				out = append(out, "\ufffd")
			}
		}
		run = run[:0]
	}
	for _, s := range in {
		if len(s) == 6 && strings.HasPrefix(s, "<0x") && s[5] == '>' {
			if b, err := strconv.ParseUint(s[3:5], 16, 8); err == nil {
				run = append(run, byte(b))
				continue
			}
		}
		flush()
		out = append(out, s)
	}
	flush()
	return out
}

// stripDecoder removes so many characters of a kind from the beginning and the end of tokens.
func stripDecoder(p *part) decoder {
	return indexed(func(_, _ int, s string) string {
		for n := 0; n < p.Start && p.Content != "" && strings.HasPrefix(s, p.Content); n++ {
			s = s[len(p.Content):]
		}
		for n := 0; n < p.Stop && p.Content != "" && strings.HasSuffix(s, p.Content); n++ {
			s = s[:len(s)-len(p.Content)]
		}
		return s
	})
}
