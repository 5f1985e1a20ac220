package metric

import (
	"cmp"
	"slices"
	"strings"
)

// Entity is a stretch of words of one type: from a word up to another.
type Entity struct {
	From, To int
	Type     string
}

// Entities are the entities that tags mark, read as conlleval does (the CoNLL-2000 shared task's program, version 2004-01-26), with S- and E- as
// seqeval does: tags of IOB1, IOB2 and BIOES, sound or not. A tag is O, or B-, I-, E- or S- and a type; any other is taken for O.
func Entities(tags []string) []Entity {
	var out []Entity
	before, typ, from := byte('O'), "", 0
	for i := 0; i <= len(tags); i++ {
		now, next := byte('O'), ""
		if i < len(tags) {
			now, next = parseTag(tags[i])
		}
		if before != 'O' && (now == 'O' || now == 'B' || now == 'S' || before == 'E' || before == 'S' || typ != next) {
			out = append(out, Entity{from, i, typ})
		}
		if now != 'O' && (before == 'O' || now == 'B' || now == 'S' || before == 'E' || before == 'S' || typ != next) {
			from = i
		}
		before, typ = now, next
	}
	return out
}

func parseTag(s string) (byte, string) {
	if prefix, typ, _ := strings.Cut(s, "-"); len(prefix) == 1 && strings.Contains("BIES", prefix) {
		return prefix[0], typ
	}
	return 'O', ""
}

// Tagging is the measures of a tagger.
type Tagging struct {
	Precision float64 // of the entities predicted, the share that are there: same words, same type; 0 when none is predicted
	Recall    float64 // of the entities there are, the share predicted; 0 when there are none
	F1        float64 // harmonic mean of both; 0 when both are
	MacroF1   float64 // mean F1 of the types that occur in either
	Accuracy  float64 // share of words with the right tag
	PerType   []Class // by type, sorted; Support is entities
	Words     int
	Entities  int // that there are
	Predicted int
	Correct   int
}

// Tag measures predicted tags against those that are right, a sentence an element. Sentences are of one length in both.
func Tag(predicted, right [][]string) Tagging {
	type counts struct{ right, predicted, correct int }
	types := map[string]*counts{}
	of := func(typ string) *counts {
		if types[typ] == nil {
			types[typ] = &counts{}
		}
		return types[typ]
	}
	var t Tagging
	for i, tags := range right {
		for k := range tags {
			t.Words++
			if predicted[i][k] == tags[k] {
				t.Accuracy++
			}
		}
		there := map[Entity]bool{}
		for _, e := range Entities(tags) {
			there[e] = true
			of(e.Type).right++
		}
		for _, e := range Entities(predicted[i]) {
			of(e.Type).predicted++
			if there[e] {
				of(e.Type).correct++
			}
		}
	}
	for typ, c := range types {
		t.Entities, t.Predicted, t.Correct = t.Entities+c.right, t.Predicted+c.predicted, t.Correct+c.correct
		m := Class{Class: typ, Support: c.right, Precision: ratio(c.correct, c.predicted), Recall: ratio(c.correct, c.right)}
		m.F1 = ratio(2*c.correct, c.right+c.predicted)
		t.PerType = append(t.PerType, m)
	}
	slices.SortFunc(t.PerType, func(a, b Class) int { return cmp.Compare(a.Class, b.Class) })
	for _, m := range t.PerType {
		t.MacroF1 += m.F1 / float64(len(t.PerType))
	}
	t.Precision, t.Recall, t.F1 = ratio(t.Correct, t.Predicted), ratio(t.Correct, t.Entities), ratio(2*t.Correct, t.Predicted+t.Entities)
	t.Accuracy /= float64(max(t.Words, 1))
	return t
}
