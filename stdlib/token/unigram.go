package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// unigram cuts a word into the tokens whose scores, logarithms of probabilities, sum highest (Kudo 2018; Viterbi's algorithm).
type unigram struct {
	tokens       []scored
	unk          int32 // -1 for none
	byteFallback bool

	ids      map[string]int32
	width    int // bytes of the longest token
	unkScore float64
	bytes    []int32
}

type scored struct {
	token string
	score float64
	text  string // of the score, as it was read
}

// unkPenalty is how much less than the least likely token an unknown character scores.
const unkPenalty = 10

func newUnigram(tokens []scored, unk int32, byteFallback bool) (*unigram, error) {
	m := &unigram{tokens: tokens, unk: unk, byteFallback: byteFallback, ids: make(map[string]int32, len(tokens)), unkScore: math.Inf(1)}
	if len(tokens) == 0 {
		return nil, errors.New("the vocabulary is empty")
	}
	if int(unk) >= len(tokens) {
		return nil, fmt.Errorf("unk_id is %d, and there are %d tokens", unk, len(tokens))
	}
	for i, t := range tokens {
		if math.IsNaN(t.score) || math.IsInf(t.score, 0) {
			return nil, fmt.Errorf("token %q scores %v", t.token, t.score)
		}
		if _, ok := m.ids[t.token]; !ok {
			m.ids[t.token] = int32(i)
		}
		m.width = max(m.width, len(t.token))
		m.unkScore = min(m.unkScore, t.score)
	}
	m.unkScore -= unkPenalty
	if byteFallback {
		m.bytes = make([]int32, 256)
		for b := range m.bytes {
			id, ok := m.ids[fmt.Sprintf("<0x%02X>", b)]
			if !ok {
				m.bytes = nil
				break
			}
			m.bytes[b] = id
		}
	}
	return m, nil
}

func (m *unigram) name() string                  { return "Unigram" }
func (m *unigram) id(token string) (int32, bool) { id, ok := m.ids[token]; return id, ok }
func (m *unigram) each(f func(string, int32)) {
	for i, t := range m.tokens {
		f(t.token, int32(i))
	}
}

func (m *unigram) tokenize(e *Encoder, word []byte, out []piece) []piece {
	if known, ok := e.words[string(word)]; ok {
		return append(out, known...)
	}
	before := len(out)
	out = m.fallBack(word, m.viterbi(word), out)
	if len(word) <= cacheWord && len(e.words) < cacheWords {
		e.words[string(word)] = append([]piece(nil), out[before:]...)
	}
	return out
}

// viterbi is the best way through a word; unknown characters beside each other are one piece of id -1.
func (m *unigram) viterbi(word []byte) []piece {
	type node struct {
		score float64
		from  int32
		id    int32
		set   bool
	}
	best := make([]node, len(word)+1)
	best[0].set = true
	for i := 0; i < len(word); {
		_, n := utf8.DecodeRune(word[i:])
		single := false
		for end := i + 1; end <= len(word) && end-i <= m.width; end++ {
			if end < len(word) && !utf8.RuneStart(word[end]) {
				continue
			}
			id, ok := m.ids[string(word[i:end])]
			if !ok {
				continue
			}
			if s := best[i].score + m.tokens[id].score; !best[end].set || s > best[end].score {
				best[end] = node{s, int32(i), id, true}
			}
			single = single || end == i+n
		}
		if !single {
			if s := best[i].score + m.unkScore; !best[i+n].set || s > best[i+n].score {
				best[i+n] = node{s, int32(i), -1, true}
			}
		}
		i += n
	}
	var back []piece
	for end := int32(len(word)); end > 0; end = best[end].from {
		b := best[end]
		if k := len(back); b.id < 0 && k > 0 && back[k-1].id < 0 {
			back[k-1].from = b.from
			continue
		}
		back = append(back, piece{b.id, b.from, end})
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return back
}

// fallBack appends a way with unknown pieces as tokens of their bytes, or as the unknown token.
func (m *unigram) fallBack(word []byte, way, out []piece) []piece {
	for _, p := range way {
		switch {
		case p.id >= 0:
			out = append(out, p)
		case m.bytes != nil:
			for _, b := range word[p.from:p.to] {
				out = append(out, piece{m.bytes[b], p.from, p.to})
			}
		case m.unk >= 0:
			out = append(out, piece{m.unk, p.from, p.to})
		}
	}
	return out
}

func (m *unigram) encode() []byte {
	var w writer
	w.open()
	w.field("type", m.name())
	if m.unk >= 0 {
		w.field("unk_id", m.unk)
	} else {
		w.field("unk_id", nil)
	}
	w.list("vocab", len(m.tokens), func(i int) any { return []any{m.tokens[i].token, json.RawMessage(m.tokens[i].text)} })
	w.field("byte_fallback", m.byteFallback)
	return w.close()
}
