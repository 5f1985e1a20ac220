package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"mbuild.dev/mbuild/examples"
	"mbuild.dev/mbuild/stdlib/learn"
)

// fashion writes the example fashion-cnn into a directory, in HCL or CUE, with more blocks added to it: whole, or with the first 200
// images and a warm-up that ends within the 6 steps of two epochs.
func fashion(t testing.TB, cue, whole bool, more string) string {
	t.Helper()
	dir := t.TempDir()
	files, err := examples.Files("fashion-cnn", cue)
	if err != nil {
		t.Fatal(err)
	}
	files["more.mbuild.hcl"] = []byte(more)
	if more == "" {
		delete(files, "more.mbuild.hcl")
	}
	warm := regexp.MustCompile(`(warmup_steps *[=:] )50`)
	for name, b := range files {
		switch {
		case whole:
		case filepath.Ext(name) == ".gz":
			b = firstRows(t, b, 200)
		case name == "fashion.mbuild.hcl" || name == "fashion.mbuild.cue":
			if !warm.Match(b) {
				t.Fatalf("%s has no warm-up of 50 steps", name)
			}
			b = warm.ReplaceAll(b, []byte("${1}3"))
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

// TestFashion builds examples/fashion-cnn: in HCL, and again from the store in CUE. The default form trains on the first 200
// images and holds the shape of what comes out; the long form trains on all that the repository has, and all gates must open.
func TestFashion(t *testing.T) {
	t.Parallel()
	long := os.Getenv("MBUILD_LONG") != ""
	store := t.TempDir()
	dirs := map[bool]string{false: fashion(t, false, long, ""), true: fashion(t, true, long, "")}
	args := []string{"apply", "-auto-approve", "-json"}
	if !long {
		args = append(args, "-var", "epochs=3", "-var", "min_accuracy=0")
	}
	out, err := mbuild(t, dirs[false], store, args...).Output()
	all := lines(t, string(out))
	end := all[len(all)-1]
	if failed := end["gates"].(map[string]any)["fail"].(float64); end["failed"] != 0.0 || long && failed > 0 || err != nil && failed == 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	for pass, less := range map[string]string{"fold.plain": "flops", "prune_channels.narrow": "flops", "quantize.int8": "bytes"} {
		var doc struct{ Metrics map[string]float64 }
		if err := json.Unmarshal([]byte(run(t, dirs[false], store, append([]string{"show", "-json", "pass." + pass}, args[3:]...)...)), &doc); err != nil {
			t.Fatal(err)
		}
		if m := doc.Metrics; !(m[less] > 0 && m[less] < 0.95*m[less+"_before"]) {
			t.Errorf("%s: %s went from %g to %g", pass, less, m[less+"_before"], m[less])
		}
	}
	if _, err := os.Stat(filepath.Join(dirs[false], "dist/fashion.safetensors")); err != nil {
		t.Error(err)
	}
	again, _ := mbuild(t, dirs[true], store, args...).Output()
	all = lines(t, string(again))
	if end := all[len(all)-1]; end["built"] != 0.0 || end["cached"] == 0.0 {
		t.Errorf("the spec in CUE builds anew:\n%s", again)
	}
}

// TestRefereeFashion has ONNX Runtime run what the example exports, on all test rows of the short form: folded in float32, and cut and
// quantised. It runs where MBUILD_REFEREE_PYTHON names a python that has it; .ci/run installs one and fails when this is skipped.
func TestRefereeFashion(t *testing.T) {
	python := os.Getenv("MBUILD_REFEREE_PYTHON")
	if python == "" {
		t.Skip("needs onnxruntime: set MBUILD_REFEREE_PYTHON (see .ci/run)")
	}
	more := "target \"onnx\" \"float\" {\n  from = pass.fold.plain.model\n  path = \"dist/float.onnx\"\n}\ntarget \"onnx\" \"small\" {\n  from = pass.quantize.int8.model\n  path = \"dist/small.onnx\"\n}\n"
	dir, store := fashion(t, false, false, more), t.TempDir()
	vars := []string{"-var", "epochs=3", "-var", "min_accuracy=0"}
	if out, err := mbuild(t, dir, store, append([]string{"apply", "-auto-approve"}, vars...)...).CombinedOutput(); err != nil && !bytes.Contains(out, []byte("gate fail")) {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.Command(python, filepath.Join(repository(t), "testdata/referee/fashion.py"), filepath.Join(dir, "dist/float.onnx"), filepath.Join(dir, "dist/small.onnx"),
		fetch(t, dir, store, "dataset.idx.fashion", "data", "test.safetensors", vars...),
		fetch(t, dir, store, "eval.classification.float", "predictions", "", vars...),
		fetch(t, dir, store, "eval.classification.small", "predictions", "", vars...), strconv.Itoa(learn.Chunk))
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
	if got.Rows != 200 || got.Float.MaxDiff > 1e-5*(1+got.Float.Largest) || slices.Contains(got.Float.Operators, "BatchNormalization") {
		t.Errorf("float: ONNX Runtime differs by %g of %g in %d rows, with %v", got.Float.MaxDiff, got.Float.Largest, got.Rows, got.Float.Operators)
	}
	if got.Int8.Agree < 0.99 || !slices.Contains(got.Int8.Operators, "ConvInteger") || slices.Contains(got.Int8.Operators, "Conv") {
		t.Errorf("int8: ONNX Runtime agrees in %g of the rows, and differs by %g of %g, with %v", got.Int8.Agree, got.Int8.MaxDiff, got.Int8.Largest, got.Int8.Operators)
	}
}

// firstRows cuts an idx file, packed with gzip, to its first rows.
func firstRows(t testing.TB, packed []byte, rows int) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	header := 4 + 4*int(b[3])
	size := (len(b) - header) / int(binary.BigEndian.Uint32(b[4:]))
	binary.BigEndian.PutUint32(b[4:], uint32(rows))
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b[:header+rows*size]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
