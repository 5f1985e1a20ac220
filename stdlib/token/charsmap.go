package token

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// charsmap is the normalization of a sentencepiece model: a double-array trie (Darts-clone) from texts to where their replacement
// begins among strings that end with a zero byte. At each place the longest text that the trie has is replaced.
type charsmap struct {
	trie    []uint32
	strings []byte
}

func readCharsmap(b []byte) (*charsmap, error) {
	if len(b) == 0 {
		return &charsmap{}, nil
	}
	if len(b) < 4 {
		return nil, errors.New("precompiled_charsmap is cut off")
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if n%4 != 0 || n > int64(len(b)-4) {
		return nil, errors.New("precompiled_charsmap says that its trie is longer than it is")
	}
	m := &charsmap{trie: make([]uint32, n/4), strings: b[4+n:]}
	for i := range m.trie {
		m.trie[i] = binary.LittleEndian.Uint32(b[4+4*i:])
	}
	return m, nil
}

// find is how many of the first bytes are replaced, and by what; 0 for none.
func (m *charsmap) find(b []byte) (n int, with []byte) {
	if len(m.trie) == 0 {
		return 0, nil
	}
	offset := func(u uint32) uint32 { return u >> 10 << (u >> 6 & 8) }
	at := offset(m.trie[0])
	for i, c := range b {
		at ^= uint32(c)
		if c == 0 || int64(at) >= int64(len(m.trie)) {
			break
		}
		u := m.trie[at]
		if u&(1<<31|0xff) != uint32(c) {
			break
		}
		at ^= offset(u)
		if u>>8&1 == 1 && int64(at) < int64(len(m.trie)) {
			if s := m.trie[at] & (1<<31 - 1); int64(s) < int64(len(m.strings)) {
				n, with = i+1, m.strings[s:]
			}
		}
	}
	for i, c := range with {
		if c == 0 {
			return n, with[:i]
		}
	}
	return n, with
}

func (m *charsmap) normalize(t text) text {
	changes := make([]change, 0, len(t.b))
	skip := 0 // runes at the beginning that became nothing
	for i := 0; i < len(t.b); {
		n, with := m.find(t.b[i:])
		if n == 0 || !utf8.Valid(t.b[i:i+n]) || !utf8.Valid(with) {
			r, n := utf8.DecodeRune(t.b[i:])
			changes = append(changes, change{r, 0})
			i += n
			continue
		}
		old, k := utf8.RuneCount(t.b[i:i+n]), 0
		for _, r := range string(with) {
			changes = append(changes, change{r, 0})
			if k++; k > old {
				changes[len(changes)-1].n = 1
			}
		}
		if k < old {
			if len(changes) > 0 {
				changes[len(changes)-1].n -= old - k
			} else {
				skip += old - k
			}
		}
		i += n
	}
	for ; skip > 0; skip-- {
		_, n := utf8.DecodeRune(t.b)
		t = t.slice(n, len(t.b))
	}
	return t.transform(changes)
}
