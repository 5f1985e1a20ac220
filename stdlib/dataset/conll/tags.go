package conll

import (
	"fmt"
	"strings"
)

// tag is a tag of a token: how it marks (B, I, E, S, O) and the type of the entity.
type tag struct {
	mark byte
	typ  string
}

// marks are what tags of a scheme may begin with.
var marks = map[string]string{"iob1": "BI", "iob2": "BI", "bioes": "BIES"}

// parseTag reads a tag of a scheme.
func parseTag(s, scheme string) (tag, error) {
	if s == "O" {
		return tag{mark: 'O'}, nil
	}
	mark, typ, ok := strings.Cut(s, "-")
	if !ok || len(mark) != 1 || typ == "" || !strings.Contains(marks[scheme], mark) {
		return tag{}, fmt.Errorf("%.40q is no tag of %s: these are O, and %s with a type after it, such as %c-PER", s, scheme, strings.Join(strings.Split(marks[scheme], ""), "-, ")+"-", marks[scheme][0])
	}
	return tag{mark[0], typ}, nil
}

// span is an entity: tokens from from up to to.
type span struct {
	from, to int
	typ      string
}

// spans are the entities of a sentence, read as conlleval reads them (Tjong Kim Sang 2000; startOfChunk and endOfChunk): a tag that
// cannot follow the one before it begins an entity.
func spans(tags []tag) []span {
	var out []span
	open := false
	prev := tag{mark: 'O'}
	for i, t := range tags {
		other := t.typ != prev.typ
		if open && (t.mark == 'O' || other || t.mark == 'B' || t.mark == 'S' || prev.mark == 'E' || prev.mark == 'S') {
			out[len(out)-1].to = i
			open = false
		}
		if t.mark != 'O' && !open {
			out = append(out, span{from: i, typ: t.typ})
			open = true
		}
		prev = t
	}
	if open {
		out[len(out)-1].to = len(tags)
	}
	return out
}

// emit writes entities as the tags of n tokens.
func emit(entities []span, n int, scheme string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = "O"
	}
	for k, e := range entities {
		for i := e.from; i < e.to; i++ {
			mark := "I-"
			switch {
			case scheme == "iob2" && i == e.from:
				mark = "B-"
			case scheme == "iob1" && i == e.from && k > 0 && entities[k-1].to == i && entities[k-1].typ == e.typ:
				mark = "B-"
			case scheme == "bioes" && e.to-e.from == 1:
				mark = "S-"
			case scheme == "bioes" && i == e.from:
				mark = "B-"
			case scheme == "bioes" && i == e.to-1:
				mark = "E-"
			}
			out[i] = mark + e.typ
		}
	}
	return out
}
