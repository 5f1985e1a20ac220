package tokenized

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/token"
)

// texts makes a column.
func texts(list ...string) *dataset.Texts {
	t := &dataset.Texts{}
	for _, s := range list {
		t.Bytes = append(t.Bytes, s...)
		t.Ends = append(t.Ends, int64(len(t.Bytes)))
	}
	return t
}

// words makes a column of words.
func words(rows ...string) *dataset.Texts {
	var all []string
	var ends []int64
	for _, r := range rows {
		all = append(all, strings.Fields(r)...)
		ends = append(ends, int64(len(all)))
	}
	t := texts(all...)
	t.Rows = ends
	return t
}

// vocabulary is a tokenizer of few tokens.
func vocabulary(t *testing.T) *token.Tokenizer {
	tok, err := token.FromVocab([]byte(strings.Join(strings.Fields("[PAD] [UNK] [CLS] [SEP] [MASK] a b c d un ##aff ##able x ##x the cat sat , ."), "\n")), true)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

type result struct {
	m   *dataset.Manifest
	d   map[string]*dataset.Data
	log string
	job *executor.Job
}

// build runs the action.
func build(t *testing.T, tok *token.Tokenizer, m *dataset.Manifest, splits map[string]*dataset.Data, params map[string]any) (*result, error) {
	t.Helper()
	all := map[string]any{"max_length": 12, "truncation": "longest_first", "lengths": 4, "special_tokens": true, "word_labels": "first", "empty": "skip"}
	for k, v := range params {
		all[k] = v
	}
	var log strings.Builder
	job := &executor.Job{Params: all, Inputs: map[string]executor.JobInput{}, Outputs: map[string]string{"data": t.TempDir()}, Log: &log, Scratch: t.TempDir(),
		Metrics: map[string]float64{}, Progress: func(int64, int64, map[string]float64) {}}
	data, vocab := t.TempDir(), t.TempDir()
	if err := dataset.Write(data, m, splits); err != nil {
		t.Fatal(err)
	}
	if err := tok.Write(vocab); err != nil {
		t.Fatal(err)
	}
	job.Inputs["data"], job.Inputs["tokenizer"] = executor.JobInput{Path: data}, executor.JobInput{Path: vocab, Digest: "sha256:ab"}
	if err := run(context.Background(), job); err != nil {
		return nil, err
	}
	r := &result{d: map[string]*dataset.Data{}, log: log.String(), job: job}
	var err error
	if r.m, err = dataset.ReadManifest(job.Outputs["data"]); err != nil {
		t.Fatal(err)
	}
	for _, s := range r.m.Splits {
		if r.d[s.Name], err = dataset.Read(job.Outputs["data"], r.m, s.Name); err != nil {
			t.Fatal(err)
		}
	}
	return r, nil
}

// rows are the ids of a split, a text a row.
func rows(tok *token.Tokenizer, d *dataset.Data, sequence string) []string {
	var out []string
	for r := range d.Rows {
		from, to := d.Tokens[sequence].Span(r)
		var s []string
		for _, id := range d.Tokens[sequence].IDs[from:to] {
			w, _ := tok.Token(id)
			s = append(s, w)
		}
		out = append(out, strings.Join(s, " "))
	}
	return out
}

func sentences(list ...string) (*dataset.Manifest, map[string]*dataset.Data) {
	m := &dataset.Manifest{Columns: []dataset.Column{{Name: "text", Kind: "text"}}, Label: &dataset.Label{Name: "y", Kind: "class", Classes: []string{"no", "yes"}},
		Splits: []dataset.Split{{Name: "train", Rows: len(list)}}}
	d := &dataset.Data{Rows: len(list), Texts: map[string]*dataset.Texts{"text": texts(list...)}}
	for i := range list {
		d.Source, d.Classes = append(d.Source, int64(10+i)), append(d.Classes, int32(i%2))
	}
	return m, map[string]*dataset.Data{"train": d}
}

func TestText(t *testing.T) {
	tok := vocabulary(t)
	m, d := sentences("the cat sat", "", "unaffable, a cat", "\x00\x01", strings.Repeat("a ", 40))
	r, err := build(t, tok, m, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"[CLS] the cat sat [SEP]", "[CLS] un ##aff ##able , a cat [SEP]", "[CLS]" + strings.Repeat(" a", 10) + " [SEP]"}
	got := r.d["train"]
	if !reflect.DeepEqual(rows(tok, got, "text"), want) || !slices.Equal(got.Source, []int64{10, 12, 14}) || !slices.Equal(got.Classes, []int32{0, 0, 0}) {
		t.Errorf("%q %v %v", rows(tok, got, "text"), got.Source, got.Classes)
	}
	mask := 4
	wantM := &dataset.Manifest{
		Inputs:    []dataset.Input{{Name: "input_ids", Shape: []int{12}, DType: "I32", Sequence: "text", Part: "ids"}, {Name: "attention_mask", Shape: []int{12}, DType: "I32", Sequence: "text", Part: "mask"}},
		Sequences: []dataset.Sequence{{Name: "text", MaxLength: 12, Lengths: []int{5, 8, 12}, VocabSize: 19, MaskID: &mask, Special: []int{0, 1, 2, 3, 4}, Tokenizer: "sha256:ab", Bytes: map[string]int64{"train": 11 + 16 + 19}}},
		Label:     m.Label, Splits: []dataset.Split{{Name: "train", Rows: 3}},
	}
	if !reflect.DeepEqual(r.m, wantM) {
		t.Errorf("%+v\nwant %+v", r.m, wantM)
	}
	for _, w := range []string{"2 rows have no token", "1 of 3 rows have more than max_length = 12"} {
		if !strings.Contains(r.log, w) {
			t.Errorf("%q is not in %s", w, r.log)
		}
	}
	if x := r.job.Metrics; x["truncated_rows"] != 1 || x["empty_rows"] != 2 || x["tokens"] != 25 || x["rows"] != 3 {
		t.Errorf("%v", x)
	}
	// Without special tokens, types on.
	r, err = build(t, tok, m, d, map[string]any{"special_tokens": false, "token_types": true})
	if err != nil || rows(tok, r.d["train"], "text")[0] != "the cat sat" || len(r.m.Inputs) != 3 || len(r.d["train"].Tokens["text"].Types) != 3+6+12 {
		t.Errorf("%v %+v", err, r)
	}
}

func TestTags(t *testing.T) {
	tok := vocabulary(t)
	m := &dataset.Manifest{Columns: []dataset.Column{{Name: "token", Kind: "tokens"}, {Name: "pos", Kind: "tokens"}},
		Label:  &dataset.Label{Name: "ner", Kind: "tags", Of: "token", Classes: []string{"B-X", "I-X", "O"}, Scheme: "iob2"},
		Splits: []dataset.Split{{Name: "train", Rows: 2}, {Name: "test", Rows: 1}}}
	splits := map[string]*dataset.Data{
		"train": {Rows: 2, Source: []int64{0, 1}, Texts: map[string]*dataset.Texts{"token": words("the unaffable \x01 cat", "a b c d a b c d a b c d"), "pos": words("D A P N", "a b c d a b c d a b c d")},
			Classes: append([]int32{2, 0, 1, 2}, make([]int32, 12)...)},
		"test": {Rows: 1, Source: []int64{2}, Texts: map[string]*dataset.Texts{"token": words("a"), "pos": words("D")}, Classes: []int32{1}},
	}
	const no = dataset.NoLabel
	for how, want := range map[string][]int32{"first": {no, 2, 0, no, no, 1, 2, no}, "all": {no, 2, 0, 0, 0, 1, 2, no}} {
		r, err := build(t, tok, m, splits, map[string]any{"text": "token", "word_labels": how, "max_length": 10})
		if err != nil {
			t.Fatal(err)
		}
		d := r.d["train"]
		if got := d.Classes[:8]; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", how, got, want)
		}
		if got := rows(tok, d, "text")[0]; got != "[CLS] the un ##aff ##able [UNK] cat [SEP]" {
			t.Errorf("%s", got)
		}
		if got := d.Tokens["text"].Words[:8]; !slices.Equal(got, []int32{-1, 0, 1, 1, 1, 2, 3, -1}) {
			t.Errorf("%v", got)
		}
		if r.m.Label.Of != "text" || r.m.Label.Scheme != "iob2" || r.job.Metrics["truncated_words"] != 4 || !strings.Contains(r.log, "4 words with their labels are cut off") {
			t.Errorf("%+v %v %s", r.m.Label, r.job.Metrics, r.log)
		}
	}
	splits["train"].Classes[2] = 2
	r, err := build(t, tok, m, splits, map[string]any{"text": "token"})
	if err != nil || !strings.Contains(r.log, "split \"test\" has labels that no row of \"train\" has, so no model can learn them: I-X (1)") {
		t.Errorf("%v %s", err, r.log)
	}
}

// TestSpaces: a byte-level tokenizer sees words as in running text.
func TestSpaces(t *testing.T) {
	tr, err := token.NewTrainer(token.TrainOptions{Model: "BPE", VocabSize: 300, Template: "roberta"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		tr.Add("the cat sat the cat")
	}
	tok, err := tr.Train(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &dataset.Manifest{Columns: []dataset.Column{{Name: "token", Kind: "tokens"}}, Splits: []dataset.Split{{Name: "all", Rows: 1}}}
	d := map[string]*dataset.Data{"all": {Rows: 1, Source: []int64{0}, Texts: map[string]*dataset.Texts{"token": words("the cat sat")}}}
	r, err := build(t, tok, m, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := tok.Join(tok.NewEncoder().Encode("the cat sat"), nil).IDs
	if got := r.d["all"].Tokens["text"].IDs; !slices.Equal(got, want) || r.m.Sequences[0].PadID != 1 {
		t.Errorf("%v, want %v", got, want)
	}
}

func pairs() (*dataset.Manifest, map[string]*dataset.Data) {
	m := &dataset.Manifest{Columns: []dataset.Column{{Name: "q", Kind: "text"}, {Name: "a", Kind: "text"}}, Label: &dataset.Label{Name: "y", Kind: "number"}, Splits: []dataset.Split{{Name: "all", Rows: 2}}}
	return m, map[string]*dataset.Data{"all": {Rows: 2, Source: []int64{0, 1}, Numbers: []float32{0.5, 2},
		Texts: map[string]*dataset.Texts{"q": texts("the cat", "a b c d a b c d a b"), "a": texts("sat", "x x x")}}}
}

func TestPairs(t *testing.T) {
	tok := vocabulary(t)
	m, d := pairs()
	r, err := build(t, tok, m, d, map[string]any{"text": "q", "pair": "a"})
	if err != nil {
		t.Fatal(err)
	}
	got := r.d["all"]
	if want := []string{"[CLS] the cat [SEP] sat [SEP]", "[CLS] a b c d a b [SEP] x x x [SEP]"}; !slices.Equal(rows(tok, got, "text"), want) || !slices.Equal(got.Numbers, []float32{0.5, 2}) {
		t.Errorf("%q", rows(tok, got, "text"))
	}
	if n := r.m.Sequences[0].Bytes["all"]; n != 7+3+11+5 {
		t.Errorf("%d bytes", n)
	}
	if types := got.Tokens["text"].Types[:6]; !slices.Equal(types, []int32{0, 0, 0, 0, 1, 1}) || r.m.Inputs[2].Name != "token_type_ids" {
		t.Errorf("%v", types)
	}
	if r, err = build(t, tok, m, d, map[string]any{"text": "q", "second": "a", "keep": []any{"q"}}); err != nil {
		t.Fatal(err)
	}
	got = r.d["all"]
	if c := got.Texts["q"]; len(r.m.Columns) != 1 || c == nil || c.At(0) != "the cat" || c.At(1) != "a b c d a b c d a b" {
		t.Errorf("%+v", c)
	}
	if rows(tok, got, "q")[0] != "[CLS] the cat [SEP]" || rows(tok, got, "a")[0] != "[CLS] sat [SEP]" || len(r.m.Inputs) != 4 || r.m.Inputs[2].Name != "a_input_ids" {
		t.Errorf("%q %+v", rows(tok, got, "a"), r.m.Inputs)
	}
	if r.job.Metrics["rows"] != 2 {
		t.Errorf("%v rows of 2", r.job.Metrics["rows"])
	}
	if r, err = build(t, tok, m, d, map[string]any{"text": "q", "second": "a", "max_length": 3}); err != nil || r.job.Metrics["truncated_rows"] != 2 {
		t.Errorf("%v, cut are %v of 2", err, r.job.Metrics["truncated_rows"])
	}
}

func TestPack(t *testing.T) {
	tok := vocabulary(t)
	m, d := sentences("the cat sat", "", "a b c d", "x")
	r, err := build(t, tok, m, d, map[string]any{"pack": true, "max_length": 6})
	if err != nil {
		t.Fatal(err)
	}
	got := r.d["train"]
	want := []string{"[CLS] the cat sat [SEP] [SEP]", "[CLS] a b c d [SEP]", "[CLS] [SEP] x [SEP] [SEP]"}
	if r.m.Sequences[0].Bytes["train"] != 11+7+1 {
		t.Errorf("%v bytes", r.m.Sequences[0].Bytes)
	}
	if !slices.Equal(rows(tok, got, "text"), want) || !slices.Equal(got.Source, []int64{10, 12, 12}) || r.m.Label != nil {
		t.Errorf("%q %v", rows(tok, got, "text"), got.Source)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		n1, n2, room int
		how          string
		k1, k2       int
	}{
		{3, 4, 7, "longest_first", 3, 4}, {10, 3, 9, "longest_first", 6, 3}, {3, 10, 9, "longest_first", 3, 6}, {10, 10, 9, "longest_first", 4, 5},
		{10, 9, 9, "longest_first", 5, 4}, {20, 0, 9, "longest_first", 9, 0}, {10, 3, 9, "only_first", 6, 3}, {2, 10, 9, "only_second", 2, 7}, {10, 3, 9, "only_second", 10, 1},
	} {
		if k1, k2 := Cut(c.n1, c.n2, c.room, c.how); k1 != c.k1 || k2 != c.k2 {
			t.Errorf("%+v: %d and %d", c, k1, k2)
		}
	}
}

func TestErrors(t *testing.T) {
	tok := vocabulary(t)
	p, pd := pairs()
	s, sd := sentences("", "the")
	long, ld := sentences("the the the the")
	for _, c := range []struct {
		m      *dataset.Manifest
		d      map[string]*dataset.Data
		params map[string]any
		want   string
	}{
		{p, pd, nil, "The dataset has 2 columns of text, \"q\" and \"a\". Say in text which to take."},
		{p, pd, map[string]any{"text": "qq"}, "The dataset has no column of text \"qq\". Did you mean \"q\"?"},
		{p, pd, map[string]any{"text": "q", "keep": []any{"k"}}, "no column of text \"k\""},
		{p, pd, map[string]any{"text": "q", "pair": "b"}, "no column of text \"b\""},
		{p, pd, map[string]any{"text": "q", "max_length": 2}, "max_length is 2, and the tokenizer puts 2 special tokens around a text. Raise it."},
		{p, pd, map[string]any{"text": "a", "pair": "q", "truncation": "only_first"}, "row 1 of split \"all\" has 3 and 10 tokens, and truncation = \"only_first\" cannot bring them to 9"},
		{s, sd, map[string]any{"empty": "error"}, "row 10 of split \"train\" has no token"},
		{long, ld, map[string]any{"truncation": "error", "max_length": 5}, "row 10 of split \"train\" has 4 tokens, and with 2 special tokens max_length = 5 has room for 3"},
	} {
		if _, err := build(t, tok, c.m, c.d, c.params); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
	none, nd := sentences("", " ")
	if _, err := build(t, tok, none, nd, nil); err == nil || !strings.Contains(err.Error(), "No row of the dataset has a token") {
		t.Error(err)
	}
}

// TestDeterministic: equal inputs give equal bytes, and padding of sentences as they are is below a tenth.
func TestDeterministic(t *testing.T) {
	tok := vocabulary(t)
	rng := rand.New(rand.NewPCG(1, 2))
	var list []string
	for range 3000 {
		list = append(list, strings.Repeat("the cat sat . ", 1+rng.IntN(4))+strings.Repeat("x ", rng.IntN(30)))
	}
	m, d := sentences(list...)
	var before map[string]string
	for range 2 {
		r, err := build(t, tok, m, d, map[string]any{"max_length": 64, "lengths": 16})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, f := range []string{"dataset.json", "train.safetensors"} {
			b, err := os.ReadFile(fmt.Sprintf("%s/%s", r.job.Outputs["data"], f))
			if err != nil {
				t.Fatal(err)
			}
			got[f] = string(b)
		}
		if before != nil && !reflect.DeepEqual(got, before) {
			t.Error("the bytes differ")
		}
		if before = got; r.job.Metrics["padding"] > 0.1 {
			t.Errorf("padding is %v", r.job.Metrics["padding"])
		}
	}
}
