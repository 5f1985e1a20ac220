package tokenizer_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/token"
	"mbuild.dev/mbuild/stdlib/tokenizer"
	"mbuild.dev/mbuild/stdlib/tokenizer/bpe"
	"mbuild.dev/mbuild/stdlib/tokenizer/pretrained"
	"mbuild.dev/mbuild/stdlib/tokenizer/wordpiece"
)

// job runs a kind and gives what it made.
func job(t *testing.T, k *executor.Kind, params map[string]any, inputs map[string]string) (*token.Tokenizer, *tokenizer.Summary, string, error) {
	t.Helper()
	dir := t.TempDir()
	var log strings.Builder
	j := &executor.Job{Params: params, Inputs: map[string]executor.JobInput{}, Outputs: map[string]string{"vocab": filepath.Join(dir, "vocab"), "summary": filepath.Join(dir, "summary")},
		Log: &log, Metrics: map[string]float64{}, Progress: func(int64, int64, map[string]float64) {}}
	if err := os.Mkdir(j.Outputs["vocab"], 0o755); err != nil {
		t.Fatal(err)
	}
	for name, path := range inputs {
		j.Inputs[name] = executor.JobInput{Path: path, Display: filepath.Base(path)}
	}
	if err := k.Runs[""].Func(context.Background(), j); err != nil {
		return nil, nil, log.String(), err
	}
	tok, err := token.Open(j.Outputs["vocab"])
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(j.Outputs["summary"])
	if err != nil {
		t.Fatal(err)
	}
	s := new(tokenizer.Summary)
	if err := json.Unmarshal(b, s); err != nil {
		t.Fatal(err)
	}
	if int(j.Metrics["vocab_size"]) != tok.VocabSize() {
		t.Errorf("vocab_size is %v, not %d", j.Metrics["vocab_size"], tok.VocabSize())
	}
	return tok, s, log.String(), nil
}

// data is a dataset of two columns of text and one of words, with a split for training and one for testing.
func data(t *testing.T, columns ...string) string {
	t.Helper()
	m := &dataset.Manifest{Splits: []dataset.Split{{Name: "train", Rows: 1}, {Name: "test", Rows: 1}}}
	row := func(suffix string) *dataset.Data {
		d := &dataset.Data{Rows: 1, Source: []int64{0}, Texts: map[string]*dataset.Texts{}}
		for _, c := range columns {
			s := strings.Repeat(c+suffix+" ", 5)
			d.Texts[c] = &dataset.Texts{Bytes: []byte(s), Ends: []int64{int64(len(s))}}
			if c == "words" {
				d.Texts[c].Rows = []int64{1}
			}
		}
		return d
	}
	for _, c := range columns {
		kind := "text"
		if c == "words" {
			kind = "tokens"
		}
		m.Columns = append(m.Columns, dataset.Column{Name: c, Kind: kind})
	}
	if len(columns) == 0 {
		m.Inputs = []dataset.Input{{Name: "x", Shape: []int{1}}}
	}
	splits := map[string]*dataset.Data{"train": row(""), "test": row("xyz")}
	for _, d := range splits {
		if len(columns) == 0 {
			d.Width, d.Features = 1, []float32{1}
		}
	}
	dir := t.TempDir()
	if err := dataset.Write(dir, m, splits); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTrain(t *testing.T) {
	dir := data(t, "alpha", "beta", "words")
	params := map[string]any{"columns": []any{"alpha", "words"}, "split": "train", "vocab_size": int64(300), "min_frequency": int64(2), "limit_alphabet": int64(100), "lowercase": true, "split_chinese": true,
		"special_tokens": []any{"[X]"}, "max_length": int64(9)}
	tok, s, log, err := job(t, wordpiece.Kind, params, map[string]string{"data": dir})
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]bool{"alpha": true, "words": true, "beta": false, "[X]": true, "x": false} {
		if _, ok := tok.ID(token); ok != want {
			t.Errorf("%q is a token: %v", token, ok)
		}
	}
	want := &tokenizer.Summary{Model: "WordPiece", VocabSize: tok.VocabSize(), MaxLength: 9, SpecialTokens: map[string]string{
		"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]", "special_5": "[X]"}}
	if !reflect.DeepEqual(s, want) || !strings.Contains(log, "not 300: no more pairs of tokens occur 2 times in 2 texts") {
		t.Errorf("%+v %s", s, log)
	}
	tok, s, _, err = job(t, bpe.Kind, map[string]any{"columns": []any{"beta"}, "split": "train", "vocab_size": int64(263), "min_frequency": int64(2), "normalize": "none", "template": "roberta"}, map[string]string{"data": dir})
	if err != nil {
		t.Fatal(err)
	}
	if tok.VocabSize() != 263 || s.Model != "BPE" || s.SpecialTokens["bos_token"] != "<s>" {
		t.Errorf("%+v", s)
	}
	for _, c := range []struct {
		dir    string
		change map[string]any
		want   string
	}{
		{data(t), nil, "The dataset has no column of text"},
		{dir, map[string]any{"columns": nil}, "The dataset has 3 columns of text, \"alpha\", \"beta\" and \"words\". Say in columns which to take."},
		{dir, map[string]any{"columns": []any{"alpa"}}, "Did you mean \"alpha\"?"},
		{dir, map[string]any{"split": "valid"}, "no split \"valid\"; it has [train test]"},
		{dir, map[string]any{"vocab_size": int64(8)}, "vocab_size is 8, and special tokens and the characters of the texts are"},
		{dir, map[string]any{"special_tokens": []any{"[CLS]"}}, "special token \"[CLS]\" is empty, no UTF-8, or there twice"},
	} {
		p := map[string]any{}
		for _, m := range []map[string]any{params, c.change} {
			for k, v := range m {
				if p[k] = v; v == nil {
					delete(p, k)
				}
			}
		}
		if _, _, _, err := job(t, wordpiece.Kind, p, map[string]string{"data": c.dir}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
}

func TestPretrained(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	vocab := file("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nCat\ncat\n")
	for _, c := range []struct {
		params map[string]any
		config string
		want   string // first token of Cat
		max    int
	}{
		{map[string]any{"format": "vocab"}, "", "cat", 0},
		{map[string]any{"format": "vocab", "lowercase": false}, "", "Cat", 0},
		{map[string]any{"format": "vocab"}, `{"do_lower_case": false, "model_max_length": 512}`, "Cat", 512},
		{map[string]any{"format": "vocab", "lowercase": true}, `{"do_lower_case": false, "model_max_length": 1e30}`, "cat", 0},
	} {
		in := map[string]string{"file": vocab}
		if c.config != "" {
			in["config"] = file("config.json", c.config)
		}
		tok, s, _, err := job(t, pretrained.Kind, c.params, in)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := tok.Token(tok.NewEncoder().Encode("Cat").IDs[0]); got != c.want || s.MaxLength != c.max {
			t.Errorf("%v %s: %s, %d", c.params, c.config, got, s.MaxLength)
		}
	}
	for want, in := range map[string]map[string]string{
		"vocab.txt: tokenizer.json: line 1, column 2": {"file": vocab},
		"pad_token is \"<pad>\", which is no token":   {"file": file("ok.json", `{"model":{"type":"WordPiece","vocab":{"[UNK]":0}}}`), "special_tokens_map": file("map.json", `{"pad_token":{"content":"<pad>"}}`)},
		"settings.json: line 1, column 1":             {"file": vocab, "config": file("settings.json", "x")},
		"is a pointer of Git LFS":                     {"file": file("lfs.json", "version https://git-lfs.github.com/spec/v1\n")},
		"tokenizer.json has no member":                {"file": file("tokenizer.json", "{}")},
	} {
		_, _, _, err := job(t, pretrained.Kind, map[string]any{"format": "json"}, in)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "tokenizer.json: tokenizer.json") {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	if _, _, _, err := job(t, pretrained.Kind, map[string]any{"format": "sentencepiece"}, map[string]string{"file": vocab}); err == nil || !strings.Contains(err.Error(), "sentencepiece model") {
		t.Error(err)
	}
}
