package safetensors

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
)

// TestRefereeFiles has the format's own library read what we write, and reads what it writes. It runs where
// MBUILD_REFEREE_PYTHON names a python that has it; .ci/run installs one and fails when this is skipped.
func TestRefereeFiles(t *testing.T) {
	python := os.Getenv("MBUILD_REFEREE_PYTHON")
	if python == "" {
		t.Skip("needs the safetensors library: set MBUILD_REFEREE_PYTHON (see .ci/run)")
	}
	// After an odd number of bytes, everything that follows is unaligned.
	ours := []Tensor{
		{Name: "a", DType: "I8", Shape: []int{3}, Data: Bytes([]int8{-128, 0, 127})},
		{Name: "b", DType: "F32", Shape: []int{2, 2}, Data: Bytes([]float32{1.5, -2, 1e-30, 3})},
		{Name: "c", DType: "I64", Shape: []int{1, 2}, Data: Bytes([]int64{1 << 40, -1})},
		{Name: "d", DType: "F16", Shape: []int{2}, Data: []byte{0, 0x3c, 1, 0}},
		{Name: "e", DType: "F64", Shape: []int{}, Data: Bytes([]float64{0.1})},
		{Name: "f", DType: "U8", Shape: []int{2, 0}, Data: []byte{}},
		{Name: `é"<`, DType: "BOOL", Shape: []int{2}, Data: []byte{1, 0}},
	}
	meta := map[string]string{"format": "mbuild", "é": `{"<":1}`}
	dir := t.TempDir()
	a, b := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
	if err := WriteFile(a, ours, meta); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "../../../testdata/referee/safetensors_files.py", a, b)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	type tensor struct {
		DType  string
		Shape  []int
		Values []float64
	}
	var got struct {
		Metadata map[string]string
		Tensors  map[string]tensor
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]tensor{
		"a": {"int8", []int{3}, []float64{-128, 0, 127}}, "b": {"float32", []int{2, 2}, []float64{1.5, -2, float64(float32(1e-30)), 3}},
		"c": {"int64", []int{1, 2}, []float64{1 << 40, -1}}, "d": {"float16", []int{2}, []float64{1, 1.0 / (1 << 24)}},
		"e": {"float64", []int{}, []float64{0.1}}, "f": {"uint8", []int{2, 0}, []float64{}}, `é"<`: {"bool", []int{2}, []float64{1, 0}},
	}
	if !reflect.DeepEqual(got.Tensors, want) || !reflect.DeepEqual(got.Metadata, meta) {
		t.Errorf("it read\n%+v\nwant\n%+v\nmetadata %v", got.Tensors, want, got.Metadata)
	}
	theirs, meta2, err := ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(theirs, ours) || !reflect.DeepEqual(meta2, meta) {
		t.Errorf("read what it wrote as %+v, %v", theirs, meta2)
	}
}
