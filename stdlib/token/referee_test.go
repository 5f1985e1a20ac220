package token

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func python(t *testing.T) string {
	p := os.Getenv("MBUILD_REFEREE_PYTHON")
	if p == "" {
		t.Skip("needs the tokenizers library: set MBUILD_REFEREE_PYTHON (see .ci/run)")
	}
	return p
}

// script runs one of the referee's scripts.
func script(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(python(t), append([]string{"../../testdata/referee/" + name}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	return out
}

type shown struct {
	IDs     []int32
	Offsets [][2]int32
	Types   []int32
	Words   []int32
	Decoded string
	Raw     string
}

// compare holds our encodings against the library's, of the same tokenizer.json.
func compare(t *testing.T, file string, tok *Tokenizer, texts []string) {
	t.Helper()
	var pairs [][2]string
	var words [][]string
	for i := 0; i+1 < len(texts); i += 50 {
		pairs = append(pairs, [2]string{texts[i], texts[i+1]})
		words = append(words, strings.Fields(texts[i+1]))
	}
	request, err := json.Marshal(map[string]any{"file": file, "texts": texts, "pairs": pairs, "words": words})
	if err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(t.TempDir(), "request.json")
	if err := os.WriteFile(in, request, 0o644); err != nil {
		t.Fatal(err)
	}
	var want struct {
		Texts, Pairs, Words []shown
		VocabSize           int `json:"vocab_size"`
	}
	if err := json.Unmarshal(script(t, "tokenizers_encode.py", in), &want); err != nil {
		t.Fatal(err)
	}
	bad, tokens := 0, 0
	check := func(what string, source any, got *Encoding, offsets [][2]int32, want shown, words bool) {
		tokens += len(got.IDs)
		same := slices.Equal(got.IDs, want.IDs) && slices.Equal(offsets, want.Offsets) && slices.Equal(got.Types, want.Types)
		if words {
			same = same && slices.Equal(got.Words, want.Words)
		}
		if d := tok.Decode(got.IDs, true); d != want.Decoded {
			same = false
			t.Logf("decoded %q, want %q", d, want.Decoded)
		}
		if d := tok.Decode(got.IDs, false); d != want.Raw {
			same = false
		}
		if !same {
			if bad++; bad <= 5 {
				t.Errorf("%s %q\n got %v %v %v %v\nwant %v %v %v %v", what, source, got.IDs, offsets, got.Types, got.Words, want.IDs, want.Offsets, want.Types, want.Words)
			}
		}
	}
	e := tok.NewEncoder()
	for i, s := range texts {
		got := tok.Join(e.Encode(s), nil)
		check("text", s, got, RuneOffsets(s, got.Offsets), want.Texts[i], false)
	}
	for i, p := range pairs {
		got := tok.Join(e.Encode(p[0]), e.Encode(p[1]))
		first, second := RuneOffsets(p[0], pickText(got, 0)), RuneOffsets(p[1], pickText(got, 1))
		offsets := make([][2]int32, got.Len())
		for k := range offsets {
			switch got.Text[k] {
			case 0:
				offsets[k], first = first[0], first[1:]
			case 1:
				offsets[k], second = second[0], second[1:]
			}
		}
		check("pair", p, got, offsets, want.Pairs[i], false)
	}
	for i, w := range words {
		got := tok.Join(e.EncodeWords(w, -1), nil)
		offsets := make([][2]int32, got.Len())
		for k, n := range got.Words {
			if n >= 0 {
				offsets[k] = RuneOffsets(w[n], got.Offsets[k:k+1])[0]
			}
		}
		check("words", w, got, offsets, want.Words[i], true)
	}
	if bad > 0 || want.VocabSize > tok.VocabSize() {
		t.Errorf("%d of %d differ; vocabulary of %d, and %d", bad, len(texts)+len(pairs)+len(words), tok.VocabSize(), want.VocabSize)
	}
	t.Logf("%d texts, %d pairs, %d lists of words, %d tokens", len(texts), len(pairs), len(words), tokens)
}

func pickText(e *Encoding, text int8) (out [][2]int32) {
	for i, k := range e.Text {
		if k == text {
			out = append(out, e.Offsets[i])
		}
	}
	return out
}

func trainOn(t testing.TB, o TrainOptions, texts []string) *Tokenizer {
	t.Helper()
	tr, err := NewTrainer(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range texts {
		tr.Add(s)
	}
	tok, err := tr.Train(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestRefereeOurs: what is trained and written here, the library reads, and encodes 5,000 lines to the same ids and offsets.
func TestRefereeOurs(t *testing.T) {
	python(t)
	texts := corpus(5000, 1)
	for name, o := range map[string]TrainOptions{
		"wordpiece":     {Model: "WordPiece", VocabSize: 4000, MinFrequency: 2, LimitAlphabet: 500, Lowercase: true, StripAccents: true, Han: true},
		"cased":         {Model: "WordPiece", VocabSize: 3000, MinFrequency: 2, Special: []string{"[NEW]"}},
		"bpe":           {Model: "BPE", VocabSize: 3000, MinFrequency: 2},
		"roberta":       {Model: "BPE", VocabSize: 2000, MinFrequency: 2, Template: "roberta", Normalize: "NFC"},
		"gpt2 and NFKC": {Model: "BPE", VocabSize: 2000, MinFrequency: 2, Template: "gpt2", Normalize: "NFKC", Special: []string{"<|endoftext|>"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := trainOn(t, o, corpus(3000, 2)).Write(dir); err != nil {
				t.Fatal(err)
			}
			tok, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, filepath.Join(dir, "tokenizer.json"), tok, texts)
		})
	}
}

// TestRefereeTheirs: what the library trains and writes is read here, and written again, and encodes to the same. Byte-level merges that
// it learns are those that are learnt here.
func TestRefereeTheirs(t *testing.T) {
	python(t)
	dir := t.TempDir()
	lines := corpus(3000, 3)
	train := filepath.Join(dir, "corpus.txt")
	if err := os.WriteFile(train, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, model := range []string{"wordpiece", "bpe", "unigram"} {
		t.Run(model, func(t *testing.T) {
			file := filepath.Join(dir, model+".json")
			script(t, "tokenizers_train.py", train, file, model, "3000")
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tok, err := Read(b)
			if err != nil {
				t.Fatal(err)
			}
			if model == "bpe" {
				ours := trainOn(t, TrainOptions{Model: "BPE", VocabSize: 3000, MinFrequency: 2}, lines).model.(*bpe)
				if theirs := tok.model.(*bpe); !reflect.DeepEqual(ours.merges, theirs.merges) || !reflect.DeepEqual(ours.vocab, theirs.vocab) {
					t.Errorf("learnt %d merges, and the library %d, not the same", len(ours.merges), len(theirs.merges))
				}
			}
			again := filepath.Join(dir, model)
			if err := os.Mkdir(again, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := tok.Write(again); err != nil {
				t.Fatal(err)
			}
			if tok, err = Open(again); err != nil {
				t.Fatal(err)
			}
			compare(t, file, tok, corpus(2000, 4))
			compare(t, filepath.Join(again, "tokenizer.json"), tok, corpus(500, 5))
		})
	}
}

// TestRefereeUnicode holds normalizers and pre-tokenizers against the library's for every code point that is assigned, each alone between two
// letters.
func TestRefereeUnicode(t *testing.T) {
	python(t)
	var texts []string
	var b strings.Builder
	for r := rune(0); r <= 0x10ffff; r++ {
		if r >= 0xd800 && r <= 0xdfff || r >= 0x33500 && r < 0xe0000 || r >= 0xe0200 && r < 0xeff00 || r >= 0xf0100 { // what is not assigned, and private
			continue
		}
		b.WriteString("q" + string(r) + "z ")
		if b.Len() > 2000 {
			texts = append(texts, b.String())
			b.Reset()
		}
	}
	texts = append(texts, b.String())
	request := map[string]any{"texts": texts, "normalizers": parts(t, `{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}`,
		`{"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":false,"strip_accents":true,"lowercase":false}`, `{"type":"NFC"}`, `{"type":"NFD"}`, `{"type":"NFKC"}`, `{"type":"NFKD"}`,
		`{"type":"Lowercase"}`, `{"type":"StripAccents"}`, `{"type":"Nmt"}`, `{"type":"Strip","strip_left":true,"strip_right":true}`, `{"type":"ByteLevel"}`,
		`{"type":"Replace","pattern":{"Regex":"\\s"},"content":"_"}`),
		"pre_tokenizers": parts(t, `{"type":"BertPreTokenizer"}`, `{"type":"Whitespace"}`, `{"type":"WhitespaceSplit"}`, `{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}`,
			`{"type":"Punctuation","behavior":"MergedWithPrevious"}`, `{"type":"Digits","individual_digits":false}`, `{"type":"Digits","individual_digits":true}`, `{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true}`,
			`{"type":"Split","pattern":{"Regex":"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},"behavior":"Isolated","invert":false}`)}
	enc, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(t.TempDir(), "request.json")
	if err := os.WriteFile(in, enc, 0o644); err != nil {
		t.Fatal(err)
	}
	var want struct {
		Normalizers   [][]string
		PreTokenizers [][][]string `json:"pre_tokenizers"`
	}
	if err := json.Unmarshal(script(t, "tokenizers_unicode.py", in), &want); err != nil {
		t.Fatal(err)
	}
	for i, raw := range request["normalizers"].([]json.RawMessage) {
		n, err := readNormalizer(raw, 0)
		if err != nil {
			t.Fatal(err)
		}
		bad := 0
		for k, s := range texts {
			if got := string(n(newText(s)).b); got != want.Normalizers[i][k] {
				if bad++; bad < 4 {
					t.Errorf("%s %s", raw, firstDifference(got, want.Normalizers[i][k]))
				}
			}
		}
	}
	for i, raw := range request["pre_tokenizers"].([]json.RawMessage) {
		split, err := readSplitter(raw, 0)
		if err != nil {
			t.Fatal(err)
		}
		bad := 0
		for k, s := range texts {
			var got []string
			for _, w := range split([]text{newText(s)}) {
				if len(w.b) > 0 {
					got = append(got, string(w.b))
				}
			}
			if !slices.Equal(got, want.PreTokenizers[i][k]) {
				if bad++; bad < 4 {
					t.Errorf("%s %s", raw, firstDifference(strings.Join(got, "|"), strings.Join(want.PreTokenizers[i][k], "|")))
				}
			}
		}
	}
}

func parts(t *testing.T, list ...string) (out []json.RawMessage) {
	for _, s := range list {
		if !json.Valid([]byte(s)) {
			t.Fatal(s)
		}
		out = append(out, json.RawMessage(s))
	}
	return out
}

func firstDifference(got, want string) string {
	g, w := []rune(got), []rune(want)
	i := 0
	for i < len(g) && i < len(w) && g[i] == w[i] {
		i++
	}
	return fmt.Sprintf("got %+q, want %+q", string(g[max(0, i-3):min(len(g), i+6)]), string(w[max(0, i-3):min(len(w), i+6)]))
}
