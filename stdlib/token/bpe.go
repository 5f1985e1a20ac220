package token

import (
	"container/heap"
	"fmt"
	"slices"
	"unicode/utf8"
)

// bpe joins the characters of a word, pair by pair, in the order in which its merges were learnt (Sennrich et al. 2016).
type bpe struct {
	vocab        vocab
	merges       [][2]string
	unkText      string // "" for none
	prefix       string // of tokens that do not begin a word
	suffix       string // of the last token of a word
	fuseUnk      bool   // unknown characters beside each other are one token
	byteFallback bool   // unknown characters are tokens of their bytes, <0x00> to <0xFF>
	ignoreMerges bool   // words that are tokens are not cut

	ranks map[[2]int32]merge
	unk   int32 // -1 for none
	bytes []int32
}

// merge is what a pair of tokens becomes, and how early.
type merge struct{ rank, id int32 }

func newBPE(m bpe) (*bpe, error) {
	m.ranks, m.unk = make(map[[2]int32]merge, len(m.merges)), -1
	if m.unkText != "" {
		id, ok := m.vocab.ids[m.unkText]
		if !ok {
			return nil, errNoUnk(m.unkText)
		}
		m.unk = id
	}
	for i, p := range m.merges {
		a, ok1 := m.vocab.ids[p[0]]
		b, ok2 := m.vocab.ids[p[1]]
		joined := p[0]
		if len(p[1]) >= len(m.prefix) {
			joined += p[1][len(m.prefix):]
		}
		id, ok3 := m.vocab.ids[joined]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("merge %d joins %q and %q, and not all of them and %q are in the vocabulary", i, p[0], p[1], joined)
		}
		if _, ok := m.ranks[[2]int32{a, b}]; !ok {
			m.ranks[[2]int32{a, b}] = merge{int32(i), id}
		}
	}
	if m.byteFallback {
		m.bytes = make([]int32, 256)
		for b := range m.bytes {
			id, ok := m.vocab.ids[fmt.Sprintf("<0x%02X>", b)]
			if !ok {
				m.bytes = nil // like the library: without all of them there is no falling back
				break
			}
			m.bytes[b] = id
		}
	}
	return &m, nil
}

func (m *bpe) name() string                  { return "BPE" }
func (m *bpe) id(token string) (int32, bool) { id, ok := m.vocab.ids[token]; return id, ok }
func (m *bpe) each(f func(string, int32))    { m.vocab.each(f) }

// cacheWord is the longest word, in bytes, that an encoder remembers the tokens of.
const cacheWord = 64

func (m *bpe) tokenize(e *Encoder, word []byte, out []piece) []piece {
	if len(word) == 0 {
		return out
	}
	if known, ok := e.words[string(word)]; ok {
		return append(out, known...)
	}
	before := len(out)
	out = m.word(word, out)
	if len(word) <= cacheWord && len(e.words) < cacheWords {
		e.words[string(word)] = slices.Clone(out[before:])
	}
	return out
}

// symbol is a token of a word that may still be joined; the list of them is linked.
type symbol struct {
	piece
	prev, next int32
}

func (m *bpe) word(word []byte, out []piece) []piece {
	if m.ignoreMerges {
		if id, ok := m.vocab.ids[string(word)]; ok {
			return append(out, piece{id, 0, int32(len(word))})
		}
	}
	list := m.symbols(word)
	var q pairs
	consider := func(at int32) {
		if at < 0 || list[at].next < 0 {
			return
		}
		if r, ok := m.ranks[[2]int32{list[at].id, list[list[at].next].id}]; ok {
			q = append(q, candidate{r.rank, at})
		}
	}
	for i := range list {
		consider(int32(i))
	}
	heap.Init(&q)
	push := func(at int32) {
		n := len(q)
		consider(at)
		if len(q) > n {
			heap.Fix(&q, n)
		}
	}
	for len(q) > 0 {
		c := heap.Pop(&q).(candidate)
		a := &list[c.at]
		if a.id < 0 || a.next < 0 {
			continue // joined with another since
		}
		b := &list[a.next]
		r, ok := m.ranks[[2]int32{a.id, b.id}]
		if !ok || r.rank != c.rank {
			continue
		}
		a.id, a.to, a.next = r.id, b.to, b.next
		b.id = -1
		if a.next >= 0 {
			list[a.next].prev = c.at
		}
		push(a.prev)
		push(c.at)
	}
	for _, s := range list {
		if s.id >= 0 {
			out = append(out, s.piece)
		}
	}
	return out
}

// symbols are the characters of a word as tokens. Characters that are no tokens are left out where nothing stands for them.
func (m *bpe) symbols(word []byte) []symbol {
	list := make([]symbol, 0, len(word))
	put := func(id int32, from, to int) {
		n := int32(len(list))
		list = append(list, symbol{piece{id, int32(from), int32(to)}, n - 1, n + 1})
	}
	unknown := false // whether the one before was
	for i := 0; i < len(word); {
		_, n := utf8.DecodeRune(word[i:])
		s := string(word[i : i+n])
		if i > 0 {
			s = m.prefix + s
		}
		if i+n == len(word) {
			s += m.suffix
		}
		id, ok := m.vocab.ids[s]
		switch {
		case ok:
			put(id, i, i+n)
		case m.bytes != nil:
			for k := i; k < i+n; k++ {
				put(m.bytes[word[k]], i, i+n)
			}
			ok = true
		case m.unk < 0:
		case m.fuseUnk && unknown:
			list[len(list)-1].to = int32(i + n)
		default:
			put(m.unk, i, i+n)
		}
		unknown = !ok
		i += n
	}
	if n := len(list); n > 0 {
		list[n-1].next = -1
	}
	return list
}

// candidate is a pair that may be joined: its rank, by which it is known to be still there, and the place of its first token.
type candidate struct{ rank, at int32 }

type pairs []candidate

func (q pairs) Len() int { return len(q) }
func (q pairs) Less(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}
func (q pairs) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *pairs) Push(x any)   { *q = append(*q, x.(candidate)) }
func (q *pairs) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func (m *bpe) encode() []byte {
	var w writer
	text := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	w.open()
	w.field("type", m.name())
	w.field("dropout", nil)
	w.field("unk_token", text(m.unkText))
	w.field("continuing_subword_prefix", text(m.prefix))
	w.field("end_of_word_suffix", text(m.suffix))
	w.field("fuse_unk", m.fuseUnk)
	w.field("byte_fallback", m.byteFallback)
	w.field("ignore_merges", m.ignoreMerges)
	w.raw("vocab", m.vocab.encode())
	w.list("merges", len(m.merges), func(i int) any { return m.merges[i][:] })
	return w.close()
}
