package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/disk"
)

// example copies an example to a directory of its own, with more blocks added to its spec.
func example(t testing.TB, name, more string) string {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(repository(t), "examples", name))); err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(filepath.Join(dir, "dist"))
	os.RemoveAll(filepath.Join(dir, ".mbuild"))
	if err := os.WriteFile(filepath.Join(dir, "more.mbuild.hcl"), []byte(more), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fetch materialises an output of a block, or a file of an output that is a directory.
func fetch(t testing.TB, dir, store, block, output, file string, more ...string) string {
	var doc struct {
		Outputs map[string]struct {
			Digest string
			Size   int64
		}
	}
	if err := json.Unmarshal([]byte(run(t, dir, store, append([]string{"show", "-json", block}, more...)...)), &doc); err != nil {
		t.Fatal(err)
	}
	d, err := cache.ParseDigest(doc.Outputs[output].Digest, doc.Outputs[output].Size)
	if err != nil {
		t.Fatal(err)
	}
	s, err := disk.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	path := filepath.Join(t.TempDir(), "output")
	if err := cache.Materialize(context.Background(), s, cache.Output{Digest: d, Directory: file != ""}, path); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(path, file)
}

// TestRefereeDigits has ONNX Runtime and the safetensors library open what the digits example exports, on every test row. It
// runs where MBUILD_REFEREE_PYTHON names a python that has them; .ci/run installs one and fails when this is skipped.
func TestRefereeDigits(t *testing.T) {
	python := os.Getenv("MBUILD_REFEREE_PYTHON")
	if python == "" {
		t.Skip("needs onnxruntime: set MBUILD_REFEREE_PYTHON (see .ci/run)")
	}
	dir := example(t, "digits", "target \"onnx\" \"float\" {\n  from = train.supervised.base.model\n  path = \"dist/float.onnx\"\n}\n")
	store := t.TempDir()
	run(t, dir, store, "apply", "-auto-approve")
	cmd := exec.Command(python, filepath.Join(repository(t), "testdata/referee/digits.py"),
		filepath.Join(dir, "dist/float.onnx"), filepath.Join(dir, "dist/digits-int8.onnx"), filepath.Join(dir, "dist/digits.safetensors"),
		fetch(t, dir, store, "dataset.csv.digits", "data", "test.safetensors"),
		fetch(t, dir, store, "eval.classification.float", "predictions", ""),
		fetch(t, dir, store, "eval.classification.small", "predictions", ""))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	t.Logf("%s", out)
	type side struct {
		MaxDiff       float64 `json:"max_diff"`
		TheirAccuracy float64 `json:"their_accuracy"`
		OurAccuracy   float64 `json:"our_accuracy"`
		OneRow        float64 `json:"one_row"`
		Operators     []string
	}
	var got struct {
		Rows        int
		Float, Int8 side
		Safetensors struct {
			Names   []string
			MaxDiff float64 `json:"max_diff"`
		}
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Rows < 355 || got.Rows > 365 {
		t.Errorf("%d test rows, want about 360", got.Rows)
	}
	if got.Float.MaxDiff > 1e-5 || got.Float.OneRow > 1e-5 {
		t.Errorf("float: ONNX Runtime differs by %g (one row: %g), want 1e-5 at most", got.Float.MaxDiff, got.Float.OneRow)
	}
	if d := got.Int8.TheirAccuracy - got.Int8.OurAccuracy; d > 0.002 || d < -0.002 {
		t.Errorf("int8: accuracy %g in ONNX Runtime, %g here; want 0.002 at most between them", got.Int8.TheirAccuracy, got.Int8.OurAccuracy)
	}
	if !slices.Contains(got.Int8.Operators, "MatMulInteger") || slices.Contains(got.Int8.Operators, "MatMul") {
		t.Errorf("int8 operators are %v; want MatMulInteger and no MatMul", got.Int8.Operators)
	}
	if got.Safetensors.MaxDiff > 1e-5 || len(got.Safetensors.Names) != 6 {
		t.Errorf("safetensors: %v, difference %g", got.Safetensors.Names, got.Safetensors.MaxDiff)
	}
}
