package token

import (
	"unicode/utf8"
)

// wordPiece cuts a word into the longest tokens from the left (Devlin et al. 2018, and Schuster and Nakajima 2012); a word that cannot
// be cut into tokens, or is too long, is the unknown token.
type wordPiece struct {
	vocab   vocab
	unk     int32
	unkText string
	prefix  string // of tokens that do not begin a word
	longest int    // characters of a word

	start, rest map[string]int32 // tokens that begin a word; those that do not, without the prefix
	width       int              // bytes of the longest key of both
}

// defaultLongest is the longest word, in characters, of a WordPiece tokenizer that says nothing.
const defaultLongest = 100

func newWordPiece(v vocab, unk, prefix string, longest int) (*wordPiece, error) {
	m := &wordPiece{vocab: v, unkText: unk, prefix: prefix, longest: longest, start: v.ids, rest: map[string]int32{}}
	id, ok := v.ids[unk]
	if !ok {
		return nil, errNoUnk(unk)
	}
	m.unk = id
	for s, id := range v.ids {
		m.width = max(m.width, len(s))
		if len(s) > len(prefix) && s[:len(prefix)] == prefix {
			m.rest[s[len(prefix):]] = id
		}
	}
	return m, nil
}

func (m *wordPiece) name() string                  { return "WordPiece" }
func (m *wordPiece) id(token string) (int32, bool) { id, ok := m.vocab.ids[token]; return id, ok }
func (m *wordPiece) each(f func(string, int32))    { m.vocab.each(f) }

func (m *wordPiece) tokenize(_ *Encoder, word []byte, out []piece) []piece {
	if len(word) > m.longest && utf8.RuneCount(word) > m.longest {
		return append(out, piece{m.unk, 0, int32(len(word))})
	}
	before := len(out)
	for start := 0; start < len(word); {
		table := m.start
		if start > 0 {
			table = m.rest
		}
		end := min(len(word), start+m.width)
		for ; end > start; end-- {
			if end < len(word) && !utf8.RuneStart(word[end]) {
				continue
			}
			if id, ok := table[string(word[start:end])]; ok {
				out = append(out, piece{id, int32(start), int32(end)})
				break
			}
		}
		if end == start {
			return append(out[:before], piece{m.unk, 0, int32(len(word))})
		}
		start = end
	}
	return out
}

func (m *wordPiece) encode() []byte {
	var w writer
	w.open()
	w.field("type", m.name())
	w.field("unk_token", m.unkText)
	w.field("continuing_subword_prefix", m.prefix)
	w.field("max_input_chars_per_word", m.longest)
	w.raw("vocab", m.vocab.encode())
	return w.close()
}

// wordLevel has a token for each word it knows.
type wordLevel struct {
	vocab   vocab
	unk     int32
	unkText string
}

func newWordLevel(v vocab, unk string) (*wordLevel, error) {
	id, ok := v.ids[unk]
	if !ok {
		return nil, errNoUnk(unk)
	}
	return &wordLevel{v, id, unk}, nil
}

func (m *wordLevel) name() string                  { return "WordLevel" }
func (m *wordLevel) id(token string) (int32, bool) { id, ok := m.vocab.ids[token]; return id, ok }
func (m *wordLevel) each(f func(string, int32))    { m.vocab.each(f) }

func (m *wordLevel) tokenize(_ *Encoder, word []byte, out []piece) []piece {
	id, ok := m.vocab.ids[string(word)]
	if !ok {
		id = m.unk
	}
	return append(out, piece{id, 0, int32(len(word))})
}

func (m *wordLevel) encode() []byte {
	var w writer
	w.open()
	w.field("type", m.name())
	w.raw("vocab", m.vocab.encode())
	w.field("unk_token", m.unkText)
	return w.close()
}
