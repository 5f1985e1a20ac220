package conll

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/dataset/shard/shardtest"
)

func build(t testing.TB, attrs, text string) (*shardtest.Result, error) {
	t.Helper()
	return shardtest.Build(t, Kind, "dataset \"conll\" \"a\" {\n files = [\"a.conll\"]\n"+attrs+"}\n", map[string][]byte{"a.conll": []byte(text)})
}

// tags are the tags of each sentence.
func tags(m *dataset.Manifest, d *dataset.Data) []string {
	var out []string
	for i := range d.Rows {
		from, to := d.Texts[m.Label.Of].Span(i)
		var s []string
		for _, c := range d.Classes[from:to] {
			s = append(s, m.Label.Classes[c])
		}
		out = append(out, strings.Join(s, " "))
	}
	return out
}

const four = "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\nGerman JJ I-NP I-MISC\n\nPeter NNP I-NP I-PER\nBlack NNP I-NP I-PER\nParis NNP B-NP B-PER\n\n\n-DOCSTART- -X- O O\n\nx NN O O"

func TestColumns(t *testing.T) {
	r, err := build(t, "columns = [\"token\", \"pos\", \"chunk\", \"ner\"]\ntag_column = \"ner\"\nskip_columns = [\"chunk\"]\nscheme = \"iob1\"\noutput_scheme = \"bioes\"\n", four)
	if err != nil {
		t.Fatal(err)
	}
	d := r.Read(t, "train")
	if want := []string{"S-ORG O S-MISC", "B-PER E-PER S-PER", "O"}; !reflect.DeepEqual(tags(r.M, d), want) {
		t.Errorf("%q, want %q", tags(r.M, d), want)
	}
	if got := d.Texts["pos"].List(1); !reflect.DeepEqual(got, []string{"NNP", "NNP", "NNP"}) || !reflect.DeepEqual(d.Texts["token"].List(0), []string{"EU", "rejects", "German"}) {
		t.Errorf("%q", got)
	}
	want := []dataset.Column{{Name: "token", Kind: "tokens"}, {Name: "pos", Kind: "tokens"}}
	if l := r.M.Label; !reflect.DeepEqual(r.M.Columns, want) || l.Kind != "tags" || l.Of != "token" || l.Scheme != "bioes" || l.Name != "ner" {
		t.Errorf("%+v %+v", r.M.Columns, r.M.Label)
	}
	if strings.Contains(r.Log, "could not follow") {
		t.Error(r.Log)
	}
}

// TestDocuments: sentences of a document stay together.
func TestDocuments(t *testing.T) {
	var b strings.Builder
	for doc := range 30 {
		b.WriteString("-DOCSTART- O\n\n")
		for s := range 5 {
			b.WriteString("w" + strings.Repeat("x", doc) + " O\n" + strings.Repeat("y", s+1) + " B-A\n\n")
		}
	}
	r, err := build(t, "split {\n train = 0.5\n test = 0.5\n group = \"document\"\n}\n", b.String())
	if err != nil {
		t.Fatal(err)
	}
	in := map[int64]string{}
	for _, s := range r.M.Splits {
		d := r.Read(t, s.Name)
		for _, row := range d.Source {
			if at, ok := in[row/5]; ok && at != s.Name {
				t.Fatalf("document %d is in %s and %s", row/5, at, s.Name)
			}
			in[row/5] = s.Name
		}
	}
	if len(r.M.Splits) != 2 || len(r.M.Columns) != 1 || len(in) != 30 {
		t.Errorf("%+v", r.M)
	}
}

// TestSchemes: any entities, written in any scheme, are read as the same entities, and tags of one scheme become those of another.
func TestSchemes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := 1 + rng.IntN(12)
		var want []span
		for at := rng.IntN(3); at < n; {
			to := min(n, at+1+rng.IntN(3))
			want = append(want, span{at, to, string(rune('A' + rng.IntN(2)))})
			at = to + rng.IntN(2)*rng.IntN(3)
		}
		for _, scheme := range []string{"iob1", "iob2", "bioes"} {
			text := emit(want, n, scheme)
			var parsed []tag
			for _, s := range text {
				p, err := parseTag(s, scheme)
				if err != nil {
					t.Fatal(err)
				}
				parsed = append(parsed, p)
			}
			if got := spans(parsed); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: %v is read as %v, want %v", scheme, text, got, want)
			}
		}
	}
}

// TestRepair: the cases of conlleval (its own perl source, version 2004-01-26, was followed by hand for each).
func TestRepair(t *testing.T) {
	for _, c := range []struct{ scheme, in, want string }{
		{"iob2", "O I-A I-A O", "O B-A I-A O"},
		{"iob2", "B-A I-B", "B-A B-B"},
		{"iob2", "I-A I-A B-A", "B-A I-A B-A"},
		{"iob1", "B-A I-A O", "I-A I-A O"},
		{"iob1", "I-A B-B", "I-A I-B"},
		{"bioes", "B-A O", "S-A O"},
		{"bioes", "I-A E-A", "B-A E-A"},
		{"bioes", "B-A I-A", "B-A E-A"},
		{"bioes", "E-A", "S-A"},
		{"bioes", "B-A E-B", "S-A S-B"},
		{"bioes", "S-A I-A", "S-A S-A"},
		{"bioes", "B-A B-A E-A", "S-A B-A E-A"},
	} {
		text := ""
		for i, s := range strings.Fields(c.in) {
			text += strings.Repeat("x", i+1) + " " + s + "\n"
		}
		text += "\ny O\n"
		r, err := build(t, "scheme = \""+c.scheme+"\"\n", text)
		if err != nil {
			t.Fatal(err)
		}
		if got := tags(r.M, r.Read(t, "train"))[0]; got != c.want || !strings.Contains(r.Log, "tags could not follow") {
			t.Errorf("%s %s: %s, want %s", c.scheme, c.in, got, c.want)
		}
		if _, err := build(t, "scheme = \""+c.scheme+"\"\nrepair = \"error\"\n", text); err == nil || !strings.Contains(err.Error(), "cannot stand here") {
			t.Errorf("%s: %v", c.in, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ attrs, text, want string }{
		{"", "a O\nb\n", "a.conll:2: found 1 columns (\"b\"), and columns lists 2 (token, tag)"},
		{"", "a b O\n", "a.conll:1: found 3 columns"},
		{"delimiter = \"tab\"\n", "a\t\n", "a.conll:1: column \"tag\" is empty"},
		{"", "a X-PER\n", "a.conll:1: \"X-PER\" is no tag of iob2: these are O, and B-, I- with a type after it"},
		{"", "a O\nb B-\n", "a.conll:2: \"B-\" is no tag"},
		{"", "a PER\n", "\"PER\" is no tag"},
		{"", "a S-PER\n", "\"S-PER\" is no tag of iob2"},
		{"repair = \"error\"\n", "a O\nb I-PER\n", "a.conll:2: I-PER cannot stand here, after O, in iob2; it would have to be B-PER"},
		{"repair = \"error\"\n", "a I-PER\n", "after the beginning of the sentence"},
		{"", "\n\n", "a.conll has no sentences"},
		{"", "a O\n", "The label is \"O\" in every row"},
		{"tag_column = \"ner\"\n", "", "There is no column \"ner\". columns lists \"token\" and \"tag\""},
		{"columns = [\"a\", \"a\", \"tag\"]\n", "", "Two columns are called \"a\""},
		{"skip_columns = [\"token\"]\n", "", "No column of tokens is left"},
		{"scheme = \"none\"\noutput_scheme = \"iob2\"\n", "", "cannot be written in another"},
		{"split {\n train = 0.5\n test = 0.5\n group = \"doc\"\n}\n", "", "There is no column \"doc\""},
	} {
		if _, err := build(t, c.attrs, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %v\nwant %s", c.attrs, c.text, err, c.want)
		}
	}
	r, err := build(t, "scheme = \"none\"\ncomment = \"#\"\ndelimiter = \"tab\"\n", "# text\nNew York\tLOC\n\xff\tNN\n")
	if err != nil || tags(r.M, r.Read(t, "train"))[0] != "LOC NN" || r.Read(t, "train").Texts["token"].At(0) != "New York" || !strings.Contains(r.Log, "not UTF-8") {
		t.Errorf("%v", err)
	}
}

// FuzzRead: no bytes make the reader panic; what it accepts reads back, and its tags are sound.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"a O\nb B-A\n\nc I-A\n", four, "-DOCSTART- x\n\na O\n", "a S-A\n", "\xff O\n"} {
		f.Add(s)
	}
	var plans []*shardtest.Plan
	for _, attrs := range []string{"output_scheme = \"bioes\"\n", "scheme = \"bioes\"\noutput_scheme = \"iob1\"\n", "scheme = \"none\"\nsplit {\n train = 0.5\n test = 0.5\n group = \"document\"\n}\n"} {
		plans = append(plans, shardtest.Prepare(f, Kind, "dataset \"conll\" \"a\" {\n files = [\"a.conll\"]\n"+attrs+"}\n"))
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range plans {
			r := p.Check(t, map[string][]byte{"a.conll": []byte(s)})
			if r == nil {
				continue
			}
			for _, split := range r.M.Splits {
				for _, line := range tags(r.M, r.Read(t, split.Name)) {
					var parsed []tag
					if r.M.Label.Scheme == "none" {
						continue
					}
					fields := strings.Split(line, " ")
					for _, s := range fields {
						p, err := parseTag(s, r.M.Label.Scheme)
						if err != nil {
							t.Fatal(err)
						}
						parsed = append(parsed, p)
					}
					if again := emit(spans(parsed), len(parsed), r.M.Label.Scheme); !reflect.DeepEqual(again, fields) {
						t.Fatalf("%q is not sound: %q", fields, again)
					}
				}
			}
		}
	})
}

// TestMaxSentences: only so many sentences are taken.
func TestMaxSentences(t *testing.T) {
	r, err := build(t, "max_sentences = 2\n", "a O\n\nb B-X\n\nc O\n")
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Read(t, "train"); d.Rows != 2 {
		t.Errorf("%d sentences, want 2", d.Rows)
	}
}
