package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/examples"
)

// bertVars make the short form of the example bert-finetune.
var bertVars = []string{"-var", "pretrain_epochs=1", "-var", "epochs=1", "-var", "min_accuracy=0"}

// bert writes the example bert-finetune into a directory, in HCL or CUE, with more blocks added to it: whole, or with every tenth sentence.
func bert(t testing.TB, cue, whole bool, more string) string {
	t.Helper()
	dir := t.TempDir()
	files, err := examples.Files("bert-finetune", cue)
	if err != nil {
		t.Fatal(err)
	}
	if more != "" {
		files["more.mbuild.hcl"] = []byte(more)
	}
	for name, b := range files {
		if !whole && filepath.Ext(name) == ".gz" {
			b = everyTenthLine(t, b)
		}
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// everyTenthLine thins a file of lines, packed with gzip.
func everyTenthLine(t testing.TB, packed []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	for i, line := range strings.SplitAfter(string(b), "\n") {
		if i%10 == 0 {
			if _, err := w.Write([]byte(line)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestBERT builds examples/bert-finetune with the tiny BERT: in HCL, and again from the store in CUE. The default form has a tenth of the
// sentences and an epoch of everything, and holds the shape of what comes out; the long form is the example as it stands, and all
// gates must open.
func TestBERT(t *testing.T) {
	t.Parallel()
	long := os.Getenv("MBUILD_LONG") != ""
	store := t.TempDir()
	dirs := map[bool]string{false: bert(t, false, long, ""), true: bert(t, true, long, "")}
	args := []string{"apply", "-auto-approve", "-json"}
	if !long {
		args = append(args, bertVars...)
	}
	out, err := mbuild(t, dirs[false], store, args...).Output()
	all := lines(t, string(out))
	end := all[len(all)-1]
	if failed := end["gates"].(map[string]any)["fail"].(float64); end["failed"] != 0.0 || long && failed > 0 || err != nil && failed == 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	for pass, less := range map[string]string{"drop_layers.short": "flops", "prune_channels.narrow": "flops", "quantize.int8": "bytes"} {
		var doc struct{ Metrics map[string]float64 }
		if err := json.Unmarshal([]byte(run(t, dirs[false], store, append([]string{"show", "-json", "pass." + pass}, args[3:]...)...)), &doc); err != nil {
			t.Fatal(err)
		}
		if m := doc.Metrics; !(m[less] > 0 && m[less] < 0.95*m[less+"_before"]) {
			t.Errorf("%s: %s went from %g to %g", pass, less, m[less+"_before"], m[less])
		}
	}
	if long {
		for _, name := range []string{"student/config.json", "student/model.safetensors", "student/tokenizer.json", "student/tokenizer_config.json", "reviews-int8.onnx"} {
			if _, err := os.Stat(filepath.Join(dirs[false], "dist", name)); err != nil {
				t.Error(err)
			}
		}
	}
	again, _ := mbuild(t, dirs[true], store, args...).Output()
	all = lines(t, string(again))
	if end := all[len(all)-1]; end["built"] != 0.0 || end["cached"] == 0.0 {
		t.Errorf("the spec in CUE builds anew:\n%s", again)
	}
}

// TestRefereeBERT has ONNX Runtime run what the example exports, on the sentences of the test split: the student in float32, each
// sentence by itself and all padded to one length, and in int8. It runs where MBUILD_REFEREE_PYTHON names a python that has it;
// .ci/run installs one and fails when this is skipped.
func TestRefereeBERT(t *testing.T) {
	python := os.Getenv("MBUILD_REFEREE_PYTHON")
	if python == "" {
		t.Skip("needs onnxruntime: set MBUILD_REFEREE_PYTHON (see .ci/run)")
	}
	runEncoder(t, python, bert(t, false, false, strings.ReplaceAll(exports, "STUDENT", studentOf(t))), bertVars...)
}

// TestRefereeMiniLMExport has ONNX Runtime run all-MiniLM-L6-v2 with three of its six blocks and three quarters of its inner units,
// and a classifier that is new, in float32 and int8. It also needs MBUILD_MINILM (stdlib/pretrained/testdata/minilm.sh).
func TestRefereeMiniLMExport(t *testing.T) {
	python, checkpoint := os.Getenv("MBUILD_REFEREE_PYTHON"), os.Getenv("MBUILD_MINILM")
	if python == "" || checkpoint == "" {
		t.Skip("needs onnxruntime and the checkpoint: set MBUILD_REFEREE_PYTHON and MBUILD_MINILM (see .ci/run)")
	}
	dir := bert(t, false, false, "")
	if err := os.Symlink(checkpoint, filepath.Join(dir, "minilm")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bert.mbuild.hcl"), []byte(miniLMSpec+strings.ReplaceAll(exports, "STUDENT", "pass.prune_channels.narrow")), 0o644); err != nil {
		t.Fatal(err)
	}
	runEncoder(t, python, dir)
}

// exports are two models for ONNX Runtime.
const exports = `
target "onnx" "float" {
  from = STUDENT.model
  path = "dist/float.onnx"
}
target "onnx" "small" {
  from = pass.quantize.int8.model
  path = "dist/small.onnx"
}
`

// miniLMSpec is what the example does to a checkpoint, without training.
const miniLMSpec = `
dataset "jsonl" "reviews" {
  files = ["data/reviews.jsonl.gz"]
  text  = ["text"]
  label = "label"
  split {
    train = 0.8
    test  = 0.2
    by    = "content"
  }
}
tokenizer "pretrained" "words" {
  file   = "minilm/tokenizer.json"
  config = "minilm/tokenizer_config.json"
}
dataset "tokenized" "reviews" {
  from       = dataset.jsonl.reviews.data
  vocab      = tokenizer.pretrained.words.vocab
  max_length = 64
}
model "pretrained" "bert" {
  files  = ["minilm/config.json", "minilm/model.safetensors"]
  length = 64
  head "classification" { outputs = 2 }
}
pass "drop_layers" "short" {
  from     = model.pretrained.bert.model
  blocks   = 3
  strategy = "alternate"
}
pass "prune_channels" "narrow" {
  from  = pass.drop_layers.short.model
  ratio = 0.25
  skip  = ["pooler"]
}
pass "quantize" "int8" {
  from   = pass.prune_channels.narrow.model
  scheme = "dynamic_int8"
}
eval "classification" "student" {
  from = pass.prune_channels.narrow.model
  data = dataset.tokenized.reviews.data
}
eval "classification" "int8" {
  from = pass.quantize.int8.model
  data = dataset.tokenized.reviews.data
}
`

// runEncoder builds a project whose exports, dataset and evaluations are called as in the example, and holds ONNX Runtime against it.
func runEncoder(t *testing.T, python, dir string, vars ...string) {
	t.Helper()
	store := t.TempDir()
	if out, err := mbuild(t, dir, store, append([]string{"apply", "-auto-approve"}, vars...)...).CombinedOutput(); err != nil && !bytes.Contains(out, []byte("gate FAIL")) {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(python, filepath.Join(repository(t), "testdata/referee/bert.py"), filepath.Join(dir, "dist/float.onnx"), filepath.Join(dir, "dist/small.onnx"),
		fetch(t, dir, store, "dataset.tokenized.reviews", "data", "dataset.json", vars...),
		fetch(t, dir, store, "dataset.tokenized.reviews", "data", "test.safetensors", vars...),
		fetch(t, dir, store, "eval.classification.student", "predictions", "", vars...),
		fetch(t, dir, store, "eval.classification.int8", "predictions", "", vars...))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	t.Logf("%s", out)
	type side struct {
		MaxDiff   float64 `json:"max_diff"`
		Largest   float64
		Agree     float64
		Operators []string
	}
	var got struct {
		Rows        int
		Float, Int8 side
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Rows < 50 || got.Float.MaxDiff > 1e-5*(1+got.Float.Largest) {
		t.Errorf("float: ONNX Runtime differs by %g of %g in %d rows", got.Float.MaxDiff, got.Float.Largest, got.Rows)
	}
	// where a sum before it rounds otherwise, a quantised number is the one beside it
	if got.Int8.Agree < 0.95 || got.Int8.MaxDiff > 0.05*(1+got.Int8.Largest) || !slices.Contains(got.Int8.Operators, "MatMulInteger") {
		t.Errorf("int8: ONNX Runtime agrees in %g of the rows, and differs by %g of %g, with %v", got.Int8.Agree, got.Int8.MaxDiff, got.Int8.Largest, got.Int8.Operators)
	}
}

// studentOf is the address of the student in the example.
func studentOf(t testing.TB) string {
	t.Helper()
	files, err := examples.Files("bert-finetune", false)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(files["bert.mbuild.hcl"]), `pass "quantize" "int8" {`)
	_, rest, found := strings.Cut(rest, "from   = ")
	address, _, _ := strings.Cut(rest, ".model")
	if !ok || !found {
		t.Fatal("the example quantizes nothing")
	}
	return address
}
