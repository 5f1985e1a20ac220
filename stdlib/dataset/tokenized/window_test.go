package tokenized

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
)

// TestWindows: of any text, windows are no longer than there is room, share what they shall, move on, end with the text, and each
// token has its label in one of them; labels change over where a word begins, and where they may inside no entity.
func TestWindows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	cuts, inside := 0, 0
	for range 3000 {
		n, room := 1+r.IntN(80), 1+r.IntN(20)
		stride := r.IntN(room)
		words := make([]int32, n)
		for i := range words {
			if words[i] = -1; stride%2 == 1 && i > 0 {
				words[i] = max(words[i-1], 0) + int32(r.IntN(2))
			} else if stride%2 == 1 {
				words[i] = 0
			}
		}
		goes := make([]bool, n+1) // words that go on with an entity
		for i := range goes {
			goes[i] = r.IntN(3) == 0
		}
		begins := func(w int32) bool { return w < 0 || !goes[w] }
		ws := windows(n, room, stride, words, begins)
		owners := make([]int, n)
		for k, w := range ws {
			if w.to-w.from > room || w.to <= w.from || w.first > w.last || w.first < w.from || w.last > w.to {
				t.Fatalf("n %d, room %d, stride %d: %+v", n, room, stride, w)
			}
			if k > 0 && (w.from > ws[k-1].to-stride || w.from <= ws[k-1].from || w.first != ws[k-1].last) {
				t.Fatalf("n %d, room %d, stride %d: %+v after %+v", n, room, stride, w, ws[k-1])
			}
			for i := w.first; i < w.last; i++ {
				owners[i]++
			}
			if k > 0 && words[0] >= 0 && w.first > 0 && w.first < n && words[w.first] != words[w.first-1] {
				if cuts++; goes[words[w.first]] {
					inside++
				}
			}
		}
		if slices.ContainsFunc(owners, func(k int) bool { return k != 1 }) || ws[0].from != 0 || ws[len(ws)-1].to != n {
			t.Fatalf("n %d, room %d, stride %d: %v of %+v", n, room, stride, owners, ws)
		}
	}
	if cuts < 1000 || inside > cuts/4 { // a third, were it by chance
		t.Errorf("%d of %d changes are inside an entity", inside, cuts)
	}
}

// TestStride: a long text becomes windows with the label of the text; short ones stay as they are.
func TestStride(t *testing.T) {
	m := &dataset.Manifest{Columns: []dataset.Column{{Name: "body", Kind: "text"}}, Label: &dataset.Label{Name: "y", Kind: "class", Classes: []string{"n", "p"}}, Splits: []dataset.Split{{Name: "train", Rows: 2}}}
	d := &dataset.Data{Rows: 2, Source: []int64{5, 9}, Classes: []int32{1, 0}, Texts: map[string]*dataset.Texts{"body": texts("a b c d a b c", "d c")}}
	r, err := build(t, vocabulary(t), m, map[string]*dataset.Data{"train": d}, map[string]any{"max_length": 6, "stride": 2, "keep": []any{"body"}})
	if err != nil {
		t.Fatal(err)
	}
	got := r.d["train"]
	// [CLS] a b c d [SEP], [CLS] c d a b [SEP], [CLS] a b c [SEP], [CLS] d c [SEP]
	want := []int32{2, 5, 6, 7, 8, 3, 2, 7, 8, 5, 6, 3, 2, 5, 6, 7, 3, 2, 8, 7, 3}
	if tok := got.Tokens["text"]; !slices.Equal(tok.IDs, want) || !slices.Equal(tok.Ends, []int64{6, 12, 17, 21}) {
		t.Errorf("%v %v", tok.IDs, tok.Ends)
	}
	if !slices.Equal(got.Source, []int64{5, 5, 5, 9}) || !slices.Equal(got.Classes, []int32{1, 1, 1, 0}) || got.Texts["body"].At(2) != "a b c d a b c" {
		t.Errorf("%+v", got)
	}
	// a window's bytes are from its first token to its last: "a b c d", "c d a b", "a b c", "d c"
	if n := r.m.Sequences[0].Bytes["train"]; n != 7+7+5+3 {
		t.Errorf("%d bytes", n)
	}
	if r.job.Metrics["windows"] != 3 || r.job.Metrics["truncated_rows"] != 0 || !strings.Contains(r.log, "1 rows have more than max_length = 6 tokens and become 3 windows") {
		t.Errorf("%v %s", r.job.Metrics, r.log)
	}
	if _, err := build(t, vocabulary(t), m, map[string]*dataset.Data{"train": d}, map[string]any{"max_length": 6, "stride": 4}); err == nil || !strings.Contains(err.Error(), "stride is 4, and a window has room for 4 tokens") {
		t.Error(err)
	}
}

// TestStrideTags: each word has its label once, and an entity of two words is not cut.
func TestStrideTags(t *testing.T) {
	m := &dataset.Manifest{Columns: []dataset.Column{{Name: "tokens", Kind: "tokens"}}, Label: &dataset.Label{Name: "ner", Kind: "tags", Of: "tokens", Scheme: "iob2", Classes: []string{"B-X", "I-X", "O"}},
		Splits: []dataset.Split{{Name: "train", Rows: 1}}}
	d := &dataset.Data{Rows: 1, Source: []int64{0}, Classes: []int32{2, 2, 0, 1, 2, 0, 1}, Texts: map[string]*dataset.Texts{"tokens": words("a b c unaffable d a b")}}
	r, err := build(t, vocabulary(t), m, map[string]*dataset.Data{"train": d}, map[string]any{"max_length": 8, "stride": 4})
	if err != nil {
		t.Fatal(err)
	}
	got := r.d["train"]
	// a b c un ##aff ##able; then c un ##aff ##able d a, whose c is B-X, and I-X begins in the middle: so both are of the second
	var seen [][]int32
	for row := range got.Rows {
		from, to := got.Tokens["text"].Span(row)
		var labels []int32
		for _, c := range got.Classes[from:to] {
			if c >= 0 {
				labels = append(labels, c)
			}
		}
		seen = append(seen, labels)
	}
	if all := slices.Concat(seen...); !slices.Equal(all, d.Classes) {
		t.Errorf("labels %v, want those of %v once", seen, d.Classes)
	}
	for _, labels := range seen[1:] {
		if len(labels) > 0 && labels[0] == 1 {
			t.Errorf("an entity is cut: %v", seen)
		}
	}
	if len(seen) < 2 || r.job.Metrics["truncated_words"] != 0 || !reflect.DeepEqual(r.m.Label.Classes, m.Label.Classes) {
		t.Errorf("%v %v", seen, r.job.Metrics)
	}
}
