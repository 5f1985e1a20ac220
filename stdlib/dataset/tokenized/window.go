package tokenized

import (
	"strings"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
	"mbuild.dev/mbuild/stdlib/token"
)

// window is a part of a text: tokens from from up to to, of which those from first up to last have their labels here, and not in the
// window before or after, which have some of the same tokens.
type window struct{ from, to, first, last int }

// windows are those of a text of so many tokens, each of room at most, that share stride tokens with the one before, or a few
// more: where tokens are of words, a window begins with one. Labels change over from window to window in the middle of what they
// share, where a word begins; as near to that as may be where begins says that no entity goes on.
func windows(n, room, stride int, words []int32, begins func(word int32) bool) []window {
	word := func(i int) bool { return words[i] < 0 || words[i] != words[i-1] } // a word begins, or there are none
	var out []window
	w := window{to: min(n, room)}
	for w.to < n {
		next := window{from: w.to - stride}
		for i := next.from; i > w.from; i-- {
			if word(i) {
				next.from = i
				break
			}
		}
		m := max(next.from, w.first) // where windows share more than half, three have the same tokens
		if at := middle(m, w.to, func(i int) bool { return word(i) && begins(words[i]) }, word); at >= 0 {
			m = at
		}
		next.first, w.last = m, m
		next.to = min(n, next.from+room)
		out, w = append(out, w), next
	}
	w.last = n
	return append(out, w)
}

// middle is the place nearest to the middle of from to to where good holds, else where fair does; -1 for none.
func middle(from, to int, good, fair func(int) bool) int {
	for _, ok := range []func(int) bool{good, fair} {
		best := -1
		for i := max(from, 1); i < to; i++ {
			if ok(i) && (best < 0 || abs(2*i-from-to) < abs(2*best-from-to)) {
				best = i
			}
		}
		if best >= 0 {
			return best
		}
	}
	return -1
}

func abs(n int) int { return max(n, -n) }

// windowed makes the rows of a text that is too long for one; nil where it is not.
func (b *builder) windowed(d *dataset.Data, r int, x *token.Encoding) ([]piece, error) {
	room := b.MaxLength - b.overhead(false)
	if b.Stride == nil || x.Len() <= room {
		return nil, nil
	}
	if *b.Stride >= room {
		return nil, shard.Fail("misfit", "stride", "Windows do not move", "stride is %d, and a window has room for %d tokens beside its special tokens: the next would begin where this one does. Lower stride, or raise max_length.", *b.Stride, room)
	}
	begins := func(int32) bool { return true }
	var labels []int32
	if b.tags {
		from, to := d.Texts[b.texts[0]].Span(r)
		labels = d.Classes[from:to]
		begins = func(w int32) bool {
			if w < 0 || int(w) >= len(labels) || labels[w] < 0 {
				return true
			}
			c := b.in.Label.Classes[labels[w]]
			return !strings.HasPrefix(c, "I-") && !strings.HasPrefix(c, "E-")
		}
	}
	var out []piece
	for _, w := range windows(x.Len(), room, *b.Stride, x.Words, begins) {
		part := &token.Encoding{IDs: x.IDs[w.from:w.to:w.to], Types: x.Types[w.from:w.to:w.to], Offsets: x.Offsets[w.from:w.to:w.to], Words: x.Words[w.from:w.to:w.to], Text: x.Text[w.from:w.to:w.to]}
		bytes := covered(part) - int64(part.Offsets[0][0])
		e, lead := part, 0
		if b.Special {
			e = b.tok.Join(part, nil)
			for lead < e.Len() && e.Text[lead] < 0 {
				lead++
			}
		}
		p := piece{rows: []*token.Encoding{e}, bytes: [2]int64{bytes}}
		if b.tags {
			p.labels = token.Align(e.Words, labels, token.Alignment(b.WordLabels), dataset.NoLabel)
			for i := range p.labels {
				if at := w.from + i - lead; at < w.first || at >= w.last {
					p.labels[i] = dataset.NoLabel
				}
			}
		}
		out = append(out, p)
	}
	b.counts.long++
	b.counts.windows += len(out)
	return out, nil
}
