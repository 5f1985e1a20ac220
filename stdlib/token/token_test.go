package token

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// small are tokenizers of each kind.
func small(t testing.TB) map[string]*Tokenizer {
	texts := corpus(400, 9)
	uni := &spModel{typ: modelUnigram, unk: "<unk>", dummyPrefix: true, extraSpaces: true, escapeSpaces: true, byteFallback: true, pieces: []spPiece{{"<unk>", 0, pieceUnknown}, {"<s>", 0, pieceControl}}}
	for b := range 256 {
		uni.pieces = append(uni.pieces, spPiece{fmt.Sprintf("<0x%02X>", b), -20, 6})
	}
	for i, s := range []string{"▁", "a", "e", "▁the", "er", "n", "to", "con", "▁un", "r"} {
		uni.pieces = append(uni.pieces, spPiece{s, -1 - float32(i)/4, 1})
	}
	u, err := uni.tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*Tokenizer{
		"wordpiece": trainOn(t, TrainOptions{Model: "WordPiece", VocabSize: 1500, MinFrequency: 2, LimitAlphabet: 200, Lowercase: true, StripAccents: true, Han: true}, texts),
		"bpe":       trainOn(t, TrainOptions{Model: "BPE", VocabSize: 600, MinFrequency: 2, Template: "roberta"}, texts),
		"unigram":   u,
	}
}

// TestDeterministic: a tokenizer is a function of its texts, whatever their order.
func TestDeterministic(t *testing.T) {
	texts := corpus(300, 8)
	for _, o := range []TrainOptions{{Model: "WordPiece", VocabSize: 900, MinFrequency: 2, Lowercase: true}, {Model: "BPE", VocabSize: 600}} {
		want := trainOn(t, o, texts).Files()
		for range 3 {
			slices.Reverse(texts)
			texts = append(texts[1:], texts[0])
			if got := trainOn(t, o, texts).Files(); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s differs from one training to the next", o.Model)
			}
		}
	}
}

// TestGolden: what is trained on a corpus is the same on every machine and with every version of Go. Where it changes on purpose, the
// versions of the kinds rise.
func TestGolden(t *testing.T) {
	texts := corpus(300, 8)
	for want, o := range map[string]TrainOptions{
		"efecff2174a6faec": {Model: "WordPiece", VocabSize: 900, MinFrequency: 2, Lowercase: true, StripAccents: true, Han: true},
		"a87c00105ac727a0": {Model: "BPE", VocabSize: 600, MinFrequency: 2, Template: "roberta"},
	} {
		tok := trainOn(t, o, texts)
		h := sha256.New()
		for _, name := range slices.Sorted(maps.Keys(tok.Files())) {
			h.Write(tok.Files()[name])
		}
		for _, s := range texts {
			fmt.Fprint(h, tok.NewEncoder().Encode(s).IDs)
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)[:8]); got != want {
			t.Errorf("%s: %s, want %s", o.Model, got, want)
		}
	}
}

// TestTrain learns by hand what a corpus of three words gives.
func TestTrain(t *testing.T) {
	// hug 10 times, pug 5, hugs 5: "##u ##g" comes 20 times, "h ##ug" 15, "p ##ug" and "hug ##s" 5.
	texts := append(append(slices.Repeat([]string{"hug"}, 10), slices.Repeat([]string{"pug"}, 5)...), slices.Repeat([]string{"hugs"}, 5)...)
	tok := trainOn(t, TrainOptions{Model: "WordPiece", VocabSize: 100, MinFrequency: 6}, texts)
	var got []string
	for id := range int32(tok.VocabSize()) {
		s, _ := tok.Token(id)
		got = append(got, s)
	}
	want := strings.Fields("[PAD] [UNK] [CLS] [SEP] [MASK] g h p s u ##g ##s ##u ##ug hug")
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	e := tok.Join(tok.NewEncoder().Encode("hugs pug x hug"), nil)
	if want := []int32{2, 14, 11, 7, 13, 1, 14, 3}; !slices.Equal(e.IDs, want) {
		t.Errorf("%v, want %v", e.IDs, want)
	}
	if want := [][2]int32{{0, 0}, {0, 3}, {3, 4}, {5, 6}, {6, 8}, {9, 10}, {11, 14}, {0, 0}}; !slices.Equal(e.Offsets, want) {
		t.Errorf("%v, want %v", e.Offsets, want)
	}
	_, err := NewTrainer(TrainOptions{Model: "WordPiece", Special: []string{"[CLS]"}})
	if err == nil {
		t.Error("a special token twice")
	}
	tr, _ := NewTrainer(TrainOptions{Model: "WordPiece", VocabSize: 8})
	tr.Add("hug")
	var small *TooSmall
	if _, err := tr.Train(context.Background(), nil); !errors.As(err, &small) || small.Needed != 10 {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	tr.o.VocabSize = 100
	if _, err := tr.Train(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// TestRoundTrip: a tokenizer that is written and read is the same one, and writes the same bytes.
func TestRoundTrip(t *testing.T) {
	for name, tok := range small(t) {
		dir := t.TempDir()
		tok.MaxLength = 77
		if err := tok.Write(dir); err != nil {
			t.Fatal(err)
		}
		again, err := Open(dir)
		if err != nil {
			t.Fatal(name, err)
		}
		if !reflect.DeepEqual(again.Files(), tok.Files()) || !reflect.DeepEqual(again.Roles, tok.Roles) || again.MaxLength != 77 {
			t.Errorf("%s: written again, it differs", name)
		}
		a, b := tok.NewEncoder(), again.NewEncoder()
		for _, s := range corpus(300, 10) {
			if !reflect.DeepEqual(a.Encode(s), b.Encode(s)) {
				t.Fatalf("%s: %q", name, s)
			}
		}
	}
}

// TestTexts: whatever a text is, encoding it holds, offsets lie in it and rise, and what decodes, decodes to it.
func TestTexts(t *testing.T) {
	texts := []string{"", " ", "\x00", "\xff\xfe", "a\xc3", "\xed\xa0\x80x", strings.Repeat("\x00", 1000), strings.Repeat("a", 1<<20), strings.Repeat("a ", 1<<16), strings.Repeat("漢", 1<<15),
		strings.Repeat("\u0301", 1<<16), strings.Repeat("[MASK]", 1<<14), strings.Repeat("[", 1<<16), strings.Repeat(" ", 1<<18)}
	for name, tok := range small(t) {
		e := tok.NewEncoder()
		for _, s := range append(texts, corpus(500, 11)...) {
			checkText(t, name, tok, e, s)
		}
	}
}

func checkText(t testing.TB, name string, tok *Tokenizer, e *Encoder, s string) {
	got := e.Encode(s)
	if len(got.IDs) != len(got.Offsets) || len(got.IDs) != len(got.Words) || len(got.IDs) != len(got.Types) {
		t.Fatalf("%s: %.40q: slices of different lengths", name, s)
	}
	last := int32(0)
	for i, o := range got.Offsets {
		if o[0] < 0 || o[0] > o[1] || int(o[1]) > len(s) || o[0] < last && tok.Model() == "WordPiece" {
			t.Fatalf("%s: %.40q: offsets %v", name, s, got.Offsets[max(0, i-1):i+1])
		}
		last = o[0]
		if got.IDs[i] < 0 || int(got.IDs[i]) >= tok.VocabSize() {
			t.Fatalf("%s: id %d", name, got.IDs[i])
		}
	}
	RuneOffsets(s, got.Offsets)
	back := tok.Decode(got.IDs, false)
	if tok.Model() == "BPE" && utf8.ValidString(s) && !strings.Contains(s, " <mask>") && back != s {
		t.Fatalf("%s: %.80q decodes to %.80q", name, s, back)
	}
}

// TestReferenceIDs holds ids of the vocabulary of bert-base-uncased, where it is in part: each piece at its real place.
func TestReferenceIDs(t *testing.T) {
	b, err := os.ReadFile("testdata/minilm_tokens.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Cases []struct {
			Text   string
			IDs    []int32
			Tokens []string
		}
	}
	if err := json.Unmarshal(b, &ref); err != nil {
		t.Fatal(err)
	}
	ids := map[string]int32{}
	for _, c := range ref.Cases {
		for i, s := range c.Tokens {
			ids[s] = c.IDs[i]
		}
	}
	list := make([]string, 30522)
	for i := range list {
		list[i] = fmt.Sprintf("[unused%d]", i)
	}
	for s, id := range ids {
		list[id] = s
	}
	list[0], list[103] = "[PAD]", "[MASK]"
	tok, err := FromVocab([]byte(strings.Join(list, "\n")+"\n"), true)
	if err != nil {
		t.Fatal(err)
	}
	e := tok.NewEncoder()
	for _, c := range ref.Cases {
		if got := tok.Join(e.Encode(c.Text), nil).IDs; !slices.Equal(got, c.IDs) {
			t.Errorf("%q: %v, want %v", c.Text, got, c.IDs)
		}
	}
	if len(ref.Cases) < 20 || tok.VocabSize() != 30522 {
		t.Errorf("%d cases, %d tokens", len(ref.Cases), tok.VocabSize())
	}
	for role, want := range map[string]string{Unk: "[UNK]", Pad: "[PAD]", Cls: "[CLS]", Sep: "[SEP]", Mask: "[MASK]"} {
		if tok.Roles[role] != want {
			t.Errorf("%s is %q", role, tok.Roles[role])
		}
	}
}

func TestPairs(t *testing.T) {
	tok := small(t)["wordpiece"]
	e := tok.NewEncoder()
	a, b := e.Encode("the con"), e.Encode("ver")
	j := tok.Join(a, b)
	cls, _ := tok.Role(Cls)
	sep, _ := tok.Role(Sep)
	want := slices.Concat([]int32{cls}, a.IDs, []int32{sep}, b.IDs, []int32{sep})
	if !slices.Equal(j.IDs, want) || tok.Overhead(true) != 3 || tok.Overhead(false) != 2 {
		t.Errorf("%v, want %v", j.IDs, want)
	}
	types := slices.Concat(make([]int32, 2+a.Len()), slices.Repeat([]int32{1}, b.Len()+1))
	if !slices.Equal(j.Types, types) || j.Text[0] != -1 || j.Text[1] != 0 || j.Text[len(j.Text)-2] != 1 {
		t.Errorf("types %v, texts %v", j.Types, j.Text)
	}
	a.Truncate(1)
	if a.Len() != 1 || len(a.Offsets) != 1 || len(a.Text) != 1 {
		t.Error("Truncate")
	}
}

// TestSurround: what tokenizer_config.json says of the ends of texts holds where tokenizer.json says nothing.
func TestSurround(t *testing.T) {
	for name, tok := range small(t) {
		s, err := ReadSettings([]byte(`{"add_bos_token": true, "add_eos_token": true, "bos_token": "<s>", "eos_token": {"content": "<unk>"}}`))
		if err != nil {
			t.Fatal(err)
		}
		if name != "unigram" {
			s.Roles = nil
		}
		before := tok.Overhead(false)
		if err := tok.Configure(s); err != nil {
			t.Fatal(err)
		}
		if name != "unigram" {
			if tok.Overhead(false) != before || before == 0 {
				t.Errorf("%s: %d special tokens, before %d", name, tok.Overhead(false), before)
			}
			continue
		}
		again, err := Read(tok.JSON())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []*Tokenizer{tok, again} {
			e := k.NewEncoder()
			got := k.Join(e.Encode("a"), e.Encode("e")).IDs
			if n := len(got); k.Overhead(false) != 2 || k.Overhead(true) != 4 || got[0] != 1 || got[n-1] != 0 {
				t.Errorf("%v", got)
			}
		}
	}
}

func TestAlign(t *testing.T) {
	words, labels := []int32{-1, 0, 1, 1, 1, 2, -1, 3}, []int32{5, 6, 7}
	if got, want := Align(words, labels, First, -100), []int32{-100, 5, 6, -100, -100, 7, -100, -100}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got, want := Align(words, labels, All, -100), []int32{-100, 5, 6, 6, 6, 7, -100, -100}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestErrors(t *testing.T) {
	vocab := `"vocab":{"[UNK]":0,"a":1}`
	for in, want := range map[string]string{
		``:                                  "tokenizer.json: line 1, column 1: unexpected end of JSON input",
		"{\n\"a\" 1":                        "tokenizer.json: line 2, column 5: invalid character '1'",
		`{}`:                                "no member \"model\"",
		`{"model":{"type":"X","vocab":{}}}`: "its type is \"X\"; known are BPE",
		`{"model":{"type":"WordPiece","vocab":{"a":0}}}`:                                                                                     "the unknown token \"[UNK]\" is not in the vocabulary",
		`{"model":{"type":"WordPiece","vocab":{"[UNK]":0,"a":0}}}`:                                                                           "id 0 is of two tokens, \"[UNK]\" and \"a\"",
		`{"model":{"type":"WordPiece","vocab":{"[UNK]":-1}}}`:                                                                                "ids lie between 0",
		`{"model":{"type":"WordPiece","vocab":{"[UNK]":99999999}}}`:                                                                          "ids lie between 0",
		`{"model":{"type":"WordPiece","vocab":{"[UNK]":0.5}}}`:                                                                               "vocab:",
		`{"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}}`:                                                                    "merge 0 joins \"a\" and \"b\", and not all of them and \"ab\" are in the vocabulary",
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":["a"]}}`:                                                                            "element 0 has 1 parts",
		`{"model":{"type":"BPE","vocab":{"a":0},"merges":[1]}}`:                                                                              "element 0 is neither",
		`{"model":{"type":"BPE","vocab":{},"merges":[]}}`:                                                                                    "the vocabulary is empty",
		`{"model":{"type":"Unigram","vocab":[["a"]]}}`:                                                                                       "element 0 is not a list of a token and its score",
		`{"model":{"type":"Unigram","vocab":[["a",-1]],"unk_id":1}}`:                                                                         "unk_id is 1, and there are 1 tokens",
		`{"model":{` + vocab + `},"normalizer":{"type":"X"}}`:                                                                                "normalizer: normalizer \"X\" is not known",
		`{"model":{` + vocab + `},"pre_tokenizer":{"type":"UnicodeScripts"}}`:                                                                "pre_tokenizer: pre-tokenizer \"UnicodeScripts\" is not known",
		`{"model":{` + vocab + `},"post_processor":{"type":"X"}}`:                                                                            "post_processor: post-processor \"X\" is not known",
		`{"model":{` + vocab + `},"decoder":{"type":"CTC"}}`:                                                                                 "decoder: decoder \"CTC\" is not known",
		`{"model":{` + vocab + `},"added_tokens":[{"id":1,"content":"b"}]}`:                                                                  "id 1 is of two tokens, \"a\" and \"b\"",
		`{"model":{` + vocab + `},"added_tokens":[{"id":2,"content":""}]}`:                                                                   "added token 2 is empty",
		`{"model":{` + vocab + `},"added_tokens":[{"id":-2,"content":"c"}]}`:                                                                 "ids lie between 0",
		`{"model":{` + vocab + `},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?<=a)b"},"behavior":"Removed"}}`:                      "is not supported",
		`{"model":{` + vocab + `},"pre_tokenizer":{"type":"Split","pattern":{"String":"a"},"behavior":"X"}}`:                                 "behavior \"X\" is not known",
		`{"model":{` + vocab + `},"post_processor":{"type":"TemplateProcessing","single":[]}}`:                                               "a template of 1 texts has A 0 times",
		`{"model":{` + vocab + `},"post_processor":{"type":"BertProcessing","sep":["x",7],"cls":["y",8]}}`:                                   "it puts a token of id",
		`{"model":{` + vocab + `},"normalizer":{"type":"Precompiled","precompiled_charsmap":"////fw=="}}`:                                    "its trie is longer than it is",
		`{"model":{` + vocab + `},"normalizer":` + strings.Repeat(`{"type":"Sequence","normalizers":[`, 20) + strings.Repeat(`]}`, 20) + `}`: "nest more than 16 deep",
	} {
		if _, err := Read([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", in, err, want)
		}
	}
	for in, want := range map[string]string{"a\nb\na\n": "vocab.txt:3: token \"a\" is on line 1, too", "a\n": "has no token [UNK]", "\xff": "not UTF-8"} {
		if _, err := FromVocab([]byte(in), true); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
	tok := small(t)["bpe"]
	if err := tok.Configure(&Settings{Roles: map[string]string{Pad: "[no]"}}); err == nil || !strings.Contains(err.Error(), "pad_token is \"[no]\", which is no token") {
		t.Error(err)
	}
	if _, err := ReadSettings([]byte(`{"pad_token":3}`)); err == nil || !strings.Contains(err.Error(), "pad_token is neither") {
		t.Error(err)
	}
	for _, b := range [][]byte{nil, []byte("hello"), {0x0a, 0xff}} {
		if _, err := ReadSentencePiece(b); err == nil {
			t.Errorf("%q is no sentencepiece model", b)
		}
	}
}

// FuzzEncode: no text breaks an encoder.
func FuzzEncode(f *testing.F) {
	for _, s := range corpus(30, 12) {
		f.Add(s)
	}
	f.Add("a\xff[MASK]\xe6\xbc")
	toks := small(f)
	f.Fuzz(func(t *testing.T, s string) {
		for name, tok := range toks {
			checkText(t, name, tok, tok.NewEncoder(), s)
		}
	})
}

// FuzzRead: no bytes break the readers; what is read encodes, and reads again when it is written.
func FuzzRead(f *testing.F) {
	for _, tok := range small(f) {
		f.Add(tok.JSON())
	}
	f.Add([]byte(`{"added_tokens":[{"id":2,"content":" b","lstrip":true,"normalized":true,"single_word":true}],"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Replace","pattern":{"Regex":"\\s+"},"content":"_"},{"type":"Prepend","prepend":"x"}]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"[^\\s\\p{L}]+|\\s+(?!\\S)|\\s+"},"behavior":"MergedWithNext","invert":true},{"type":"Digits"},{"type":"Punctuation","behavior":"Contiguous"}]},"decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Strip","content":" ","start":1,"stop":1},{"type":"Fuse"},{"type":"BPEDecoder"}]},"model":{"type":"BPE","vocab":{"a":0,"b</w>":1,"ab</w>":3},"merges":[["a","b</w>"]],"end_of_word_suffix":"</w>","unk_token":"a","fuse_unk":true}}`))
	f.Add([]byte("[UNK]\n[CLS]\n[SEP]\na\n##b\n"))
	f.Add([]byte{0x0a, 0x0c, 0x0a, 0x05, '<', 'u', 'n', 'k', '>', 0x15, 0, 0, 0, 0, 0x18, 2, 0x0a, 0x06, 0x0a, 0x01, 'a', 0x15, 0, 0, 0, 0xbf, 0x1a, 0x08, 0x12, 0x06, 4, 0, 0, 0, 0, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		var toks []*Tokenizer
		for _, read := range []func([]byte) (*Tokenizer, error){Read, ReadSentencePiece, func(b []byte) (*Tokenizer, error) { return FromVocab(b, true) }} {
			if tok, err := read(b); err == nil {
				toks = append(toks, tok)
			}
		}
		if s, err := ReadSettings(b); err == nil {
			for _, tok := range toks {
				tok.Configure(s)
			}
		}
		for _, tok := range toks {
			for _, s := range []string{"", "ab a b <s> 12 é, 漢\xff", "\x00 \u0301a"} {
				e := tok.Join(tok.NewEncoder().Encode(s), tok.NewEncoder().EncodeWords([]string{s, "", s}, 0))
				for _, o := range e.Offsets {
					if o[0] < 0 || o[0] > o[1] || int(o[1]) > len(s) {
						t.Fatalf("offsets %v of %q", o, s)
					}
				}
				tok.Decode(e.IDs, true)
			}
			if again, err := Read(tok.JSON()); err != nil || string(again.JSON()) != string(tok.JSON()) {
				t.Fatalf("written again: %v\n%s", err, tok.JSON())
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	texts := make([]string, 0, 2000)
	for _, s := range corpus(4000, 13) { // English-like text: what is ASCII of it
		if !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 }) {
			texts = append(texts, s)
		}
	}
	for name, tok := range small(b) {
		b.Run(name, func(b *testing.B) {
			e, tokens, n := tok.NewEncoder(), 0, 0
			for b.Loop() {
				tokens += e.Encode(texts[n%len(texts)]).Len()
				n++
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
	b.Run("mixed", func(b *testing.B) {
		texts, tok := corpus(2000, 14), small(b)["wordpiece"]
		e, tokens, n := tok.NewEncoder(), 0, 0
		for b.Loop() {
			tokens += e.Encode(texts[n%len(texts)]).Len()
			n++
		}
		b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
	})
}

// TestLossy: a stretch of bytes that begins a character and does not end it is one U+FFFD, any other byte is one (Unicode, 3.9, as Rust has it).
func TestLossy(t *testing.T) {
	for in, want := range map[string]string{"a": "a", "\xff\xfe": "\ufffd\ufffd", "\xe6\xbc": "\ufffd", "\xe6\xbca": "\ufffda", "\xf0\x9f\x98": "\ufffd", "\xf0\x9f\x98\xff": "\ufffd\ufffd",
		"\xe6\xe6\xbc\xa2": "\ufffd漢", "\xed\xa0\x80": "\ufffd\ufffd\ufffd", "\xc0\x80": "\ufffd\ufffd", "\xf5": "\ufffd", "": ""} {
		if got := lossy([]byte(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
