package stdlib

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/reference"
	"mbuild.dev/mbuild/stdlib/learn"
	"mbuild.dev/mbuild/stdlib/token"
)

// decoder is a std/transformer_decoder of random weights, which takes id 1 for padding.
func decoder(t *testing.T, position string) *bundle.Model {
	t.Helper()
	g := moduleGraph(t, "a.mbuild.hcl", `module "net" {
  source     = "std/transformer_decoder"
  vocabulary = 300
  length     = 12
  units      = 16
  blocks     = 2
  heads      = 2
  pad        = 1
  position   = "`+position+`"
}
output "graph" { value = module.net.graph }
`)
	info, err := graph.Infer(g)
	if err != nil {
		t.Fatal(err)
	}
	m := &bundle.Model{Graph: g, Info: info, Params: learn.Init(info, 3)}
	for _, layer := range g.Layers {
		for _, p := range info.Layers[layer.Name].Params {
			r, v := mlx.NewRandom(1, layer.Name+p.Name), m.Params[layer.Name][p.Name].Float32s()
			for i := range v {
				v[i] += float32(0.1 * r.Normal())
			}
		}
	}
	return m
}

// tokens trains a tokenizer, on text with accents and Japanese in it.
func tokens(t *testing.T, o token.TrainOptions) *token.Tokenizer {
	t.Helper()
	trainer, err := token.NewTrainer(o)
	if err != nil {
		t.Fatal(err)
	}
	for range 9 {
		trainer.Add("low lower lowest new newer newest wide wider widest Naïve café 東京")
	}
	tok, err := trainer.Train(context.Background(), func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// directory exports a model and a tokenizer, and returns where.
func (b *bench) directory(m *bundle.Model, tok *token.Tokenizer) string {
	b.t.Helper()
	model, tokenizer := b.t.TempDir(), b.t.TempDir()
	if err := bundle.Write(model, m); err != nil {
		b.t.Fatal(err)
	}
	if err := tok.Write(tokenizer); err != nil {
		b.t.Fatal(err)
	}
	return b.must("target.huggingface", "", nil, map[string]string{"model": model, "tokenizer": tokenizer}, "artifact")["artifact"]
}

// TestHuggingFaceDecoder: a decoder from scratch goes out as GPT-2 with its tokenizer, comes in as a model "pretrained" and
// computes the same, and goes out again to the byte.
func TestHuggingFaceDecoder(t *testing.T) {
	b := &bench{t: t}
	m, tok := decoder(t, "learned"), tokens(t, token.TrainOptions{Model: "BPE", VocabSize: 300, MinFrequency: 2, Template: "gpt2"})
	dir := b.directory(m, tok)
	var config map[string]any
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil || json.Unmarshal(text, &config) != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]any{"model_type": "gpt2", "architectures": []any{"GPT2LMHeadModel"}, "pad_token_id": 1.0, "bos_token_id": 0.0, "eos_token_id": 2.0, "vocab_size": 300.0, "n_positions": 12.0, "tie_word_embeddings": true} {
		if !reflect.DeepEqual(config[k], want) {
			t.Errorf("%s is %v, want %v", k, config[k], want)
		}
	}
	read := b.must("model.pretrained", "", map[string]any{"token_types": false, "seed": int64(0)}, map[string]string{"config": filepath.Join(dir, "config.json"), "weights0": filepath.Join(dir, "model.safetensors")}, "graph", "model")
	back := readModel(t, read["model"])
	ids := []float32{5, 9, 200, 7, 299, 3, 2, 1, 1, 1, 1, 1, 9, 8, 7, 6, 5, 4, 3, 2, 2, 3, 4, 5}
	mask := make([]float32, len(ids))
	for i, id := range ids {
		if id != 1 {
			mask[i] = 1
		}
	}
	x, err := reference.Forward(m, 2, map[string][]float32{"input_ids": ids})
	if err != nil {
		t.Fatal(err)
	}
	y, err := reference.Forward(back, 2, map[string][]float32{"input_ids": ids, "attention_mask": mask})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(x[0], y[0]) {
		t.Error("what was read computes something else")
	}
	again := b.directory(back, tok)
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"} {
		one, err1 := os.ReadFile(filepath.Join(dir, name))
		two, err2 := os.ReadFile(filepath.Join(again, name))
		if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
			t.Errorf("%s: %d bytes and then %d, %v, %v", name, len(one), len(two), err1, err2)
		}
	}
	rotary := t.TempDir()
	if err := bundle.Write(rotary, decoder(t, "rotary")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.do("target.huggingface", "", nil, map[string]string{"model": rotary}, "artifact"); err == nil || !strings.Contains(err.Error(), "transformers has no model of these layers") {
		t.Error(err)
	}
}

// TestHuggingFaceTokenizer: a tokenizer that does not go with the model is refused at its attribute.
func TestHuggingFaceTokenizer(t *testing.T) {
	b := &bench{t: t}
	model := t.TempDir()
	if err := bundle.Write(model, decoder(t, "learned")); err != nil {
		t.Fatal(err)
	}
	var many []string
	for i := range 60 {
		many = append(many, fmt.Sprintf("<%d>", i))
	}
	for want, o := range map[string]token.TrainOptions{
		"the tokenizer has 350 tokens, and the model's embedding 300 rows": {Model: "BPE", VocabSize: 350, MinFrequency: 2, Special: many},
		"the tokenizer pads with 0, and the model takes 1 for padding":     {Model: "WordPiece", VocabSize: 60, MinFrequency: 1, LimitAlphabet: 30},
	} {
		dir := t.TempDir()
		if err := tokens(t, o).Write(dir); err != nil {
			t.Fatal(err)
		}
		_, _, err := b.do("target.huggingface", "", nil, map[string]string{"model": model, "tokenizer": dir}, "artifact")
		f, ok := err.(*executor.Failure)
		if !ok || f.Attr != "tokenizer" || !strings.Contains(f.Detail, want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestRefereeHuggingFace: transformers' AutoTokenizer and AutoConfig load a directory, with our ids; where torch is there,
// AutoModel's logits are ours.
func TestRefereeHuggingFace(t *testing.T) {
	python := os.Getenv("MBUILD_REFEREE_PYTHON")
	if python == "" {
		t.Skip("needs transformers: set MBUILD_REFEREE_PYTHON (see .ci/run)")
	}
	b := &bench{t: t}
	m, tok := decoder(t, "learned"), tokens(t, token.TrainOptions{Model: "BPE", VocabSize: 300, MinFrequency: 2, Template: "gpt2"})
	out, err := exec.Command(python, "../testdata/referee/huggingface.py", b.directory(m, tok), "lower café 東京").Output()
	if err != nil {
		t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
	}
	var got struct {
		Type   string      `json:"model_type"`
		Class  string      `json:"tokenizer"`
		IDs    []int32     `json:"ids"`
		Logits [][]float64 `json:"logits"` // absent without torch
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := tok.Join(tok.NewEncoder().Encode("lower café 東京"), nil).IDs
	if got.Type != "gpt2" || !slices.Equal(got.IDs, want) {
		t.Errorf("transformers loads a %q and a %q, with ids %v; ours are %v", got.Type, got.Class, got.IDs, want)
	}
	if got.Logits == nil {
		t.Log("without torch: AutoModel was not asked")
		return
	}
	ids := make([]float32, 12)
	for i := range ids {
		if ids[i] = 1; i < len(want) {
			ids[i] = float32(want[i])
		}
	}
	x, err := reference.Forward(m, 1, map[string][]float32{"input_ids": ids})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range got.Logits {
		for j, v := range row {
			if d := math.Abs(v - float64(x[0][i*300+j])); d > 1e-5 {
				t.Fatalf("logit %d of position %d is off by %g", j, i, d)
			}
		}
	}
}
