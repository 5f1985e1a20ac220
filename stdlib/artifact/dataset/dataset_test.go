package dataset

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

func classes() (*Manifest, map[string]*Data) {
	m := &Manifest{Inputs: []Input{{Name: "pixels", Shape: []int{1, 2}, Columns: []string{"a", "b"}}},
		Label: &Label{Name: "digit", Kind: "class", Classes: []string{"no", "yes"}}, Splits: []Split{{"train", 2}, {"test", 1}}}
	return m, map[string]*Data{
		"train": {Rows: 2, Width: 2, Features: []float32{1, 2, 3, 4}, Classes: []int32{1, 0}, Source: []int64{5, 0}},
		"test":  {Rows: 1, Width: 2, Features: []float32{5, 6}, Classes: []int32{1}, Source: []int64{2}},
	}
}

func write(t *testing.T, m *Manifest, splits map[string]*Data) string {
	t.Helper()
	dir := t.TempDir()
	if err := Write(dir, m, splits); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRoundTrip(t *testing.T) {
	m, splits := classes()
	dir := write(t, m, splits)
	enc, err := os.ReadFile(filepath.Join(dir, "dataset.json"))
	want := `{"inputs":[{"columns":["a","b"],"name":"pixels","shape":[1,2]}],"label":{"classes":["no","yes"],"kind":"class","name":"digit"},"splits":[{"name":"train","rows":2},{"name":"test","rows":1}]}`
	if err != nil || string(enc) != want {
		t.Errorf("dataset.json is %s, %v", enc, err)
	}
	got, err := ReadManifest(dir)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, want := range splits {
		want.Of = got
		if d, err := Read(dir, got, name); err != nil || !reflect.DeepEqual(d, want) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	var none *ErrNoSplit
	if _, err := Read(dir, got, "valid"); !errors.As(err, &none) || err.Error() != `the dataset has no split "valid"; it has [train test]` {
		t.Errorf("a split that is not there: %v", err)
	}
	if got.Has("valid") || !got.Has("test") {
		t.Error("Has is wrong")
	}
}

func TestNumbersAndAll(t *testing.T) {
	m := &Manifest{Inputs: []Input{{Name: "x", Shape: []int{1}}}, Label: &Label{Name: "y", Kind: "number"}, Splits: []Split{{All, 2}}}
	want := &Data{Rows: 2, Width: 1, Features: []float32{1, 2}, Numbers: []float32{0.5, -1}, Source: []int64{0, 1}}
	dir := write(t, m, map[string]*Data{All: want})
	want.Of = m
	for _, split := range []string{"train", "valid", "test", All} {
		if d, err := Read(dir, m, split); err != nil || !reflect.DeepEqual(d, want) || !m.Has(split) {
			t.Errorf("%s: %+v, %v", split, d, err)
		}
	}
	m.Label, want.Numbers = nil, nil
	dir = write(t, m, map[string]*Data{All: want})
	if d, err := Read(dir, m, "test"); err != nil || !reflect.DeepEqual(d, want) {
		t.Errorf("without a label: %+v, %v", d, err)
	}
}

func TestStream(t *testing.T) {
	m, splits := classes()
	want, err := os.ReadFile(filepath.Join(write(t, m, splits), "train.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	d := splits["train"]
	features := d.Features
	d.Features, d.Stream = nil, func(w io.Writer) error { _, err := w.Write(safetensors.Bytes(features)); return err }
	got, err := os.ReadFile(filepath.Join(write(t, m, splits), "train.safetensors"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("streamed, the file differs: %v", err)
	}
}

func TestManifestErrors(t *testing.T) {
	for want, change := range map[string]func(m *Manifest){
		"lists 2 inputs":                  func(m *Manifest) { m.Inputs = append(m.Inputs, m.Inputs[0]) },
		"lists 0 inputs":                  func(m *Manifest) { m.Inputs = nil },
		`cannot be called ""`:             func(m *Manifest) { m.Inputs[0].Name = "" },
		`cannot be called "row"`:          func(m *Manifest) { m.Inputs[0].Name = "row" },
		`cannot be called "label"`:        func(m *Manifest) { m.Inputs[0].Name = "label" },
		"has shape [0]":                   func(m *Manifest) { m.Inputs[0].Shape = []int{0} },
		"has shape [-1 -2]":               func(m *Manifest) { m.Inputs[0].Shape = []int{-1, -2} },
		"at most 2^40":                    func(m *Manifest) { m.Inputs[0].Shape = []int{1 << 40, 2} },
		"has no dimension but the rows":   func(m *Manifest) { m.Inputs[0].Shape = nil },
		"neither a number nor a class":    func(m *Manifest) { m.Label.Classes = nil },
		`label "digit" is neither`:        func(m *Manifest) { m.Label.Kind = "text" },
		"lists no splits":                 func(m *Manifest) { m.Splits = nil },
		`split "../x" of 1 rows`:          func(m *Manifest) { m.Splits[1].Name = "../x" },
		`split "" of 1 rows`:              func(m *Manifest) { m.Splits[1].Name = "" },
		`split "test" of -1 rows`:         func(m *Manifest) { m.Splits[1].Rows = -1 },
		`split "all" is not the only one`: func(m *Manifest) { m.Splits[1].Name = All },
		`split "train" comes twice`:       func(m *Manifest) { m.Splits[1].Name = "train" },
	} {
		m, splits := classes()
		change(m)
		if err := Write(t.TempDir(), m, splits); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("writing: %v, want %s", err, want)
		}
	}
	for want, src := range map[string]string{
		"dataset.json: EOF":       "",
		`unknown field "version"`: `{"version":2}`,
		"lists 0 inputs":          "{}",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "dataset.json"), []byte(src), 0o644); err != nil {
			t.Fatal(err)
		}
		if m, err := ReadManifest(dir); err == nil || m != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("reading %s: %v, want %s", src, err, want)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	for want, change := range map[string]func(splits map[string]*Data){
		"1 splits, but its manifest has 2":                  func(s map[string]*Data) { delete(s, "test") },
		`split "test" is not what its manifest says`:        func(s map[string]*Data) { s["test"].Rows = 2 },
		`split "train" is not what`:                         func(s map[string]*Data) { s["other"] = s["train"]; delete(s, "train") },
		`tensor "label": I32[2] needs 8 bytes, got 4`:       func(s map[string]*Data) { s["train"].Classes = []int32{1} },
		`tensor "pixels": F32[2 1 2] needs 16 bytes, got 8`: func(s map[string]*Data) { s["train"].Features = []float32{1, 2} },
	} {
		m, splits := classes()
		change(splits)
		if err := Write(t.TempDir(), m, splits); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestReadErrors: a file that is not what the manifest says is refused, whatever the difference.
func TestReadErrors(t *testing.T) {
	for want, change := range map[string]func(ts []safetensors.Tensor) []safetensors.Tensor{
		`no tensor "pixels" of F32[2 1 2]`: func(ts []safetensors.Tensor) []safetensors.Tensor { ts[0].Shape = []int{2, 2}; return ts },
		`no tensor "row" of I64[2]`: func(ts []safetensors.Tensor) []safetensors.Tensor {
			ts[1].DType = "U64"
			return ts
		},
		`no tensor "label" of I32[2]`: func(ts []safetensors.Tensor) []safetensors.Tensor {
			ts[2].DType = "F32"
			return ts
		},
		"has 2 tensors, not 3":             func(ts []safetensors.Tensor) []safetensors.Tensor { return ts[:2] },
		"row 1 is of class 2; there are 2": func(ts []safetensors.Tensor) []safetensors.Tensor { ts[2].Data[4] = 2; return ts },
		"row 0 is of class -1; there are 2": func(ts []safetensors.Tensor) []safetensors.Tensor {
			ts[2].Data = safetensors.Bytes([]int32{-1, 0})
			return ts
		},
	} {
		m, splits := classes()
		dir := write(t, m, splits)
		ts := change(m.tensors(splits["train"]))
		if err := safetensors.WriteFile(filepath.Join(dir, "train.safetensors"), ts, nil); err != nil {
			t.Fatal(err)
		}
		if d, err := Read(dir, m, "train"); err == nil || d != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	m, splits := classes()
	dir := write(t, m, splits)
	os.Remove(filepath.Join(dir, "train.safetensors"))
	if _, err := Read(dir, m, "train"); !os.IsNotExist(err) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestDeal(t *testing.T) {
	f := &Fractions{Train: 0.7, Valid: 0.1, Test: 0.2, Seed: 7}
	names, rows := Splits(f, 1797, nil)
	if !slices.Equal(names, []string{"train", "valid", "test"}) || len(rows["train"]) != 1258 || len(rows["valid"]) != 180 || len(rows["test"]) != 359 {
		t.Errorf("%v: %d, %d, %d", names, len(rows["train"]), len(rows["valid"]), len(rows["test"]))
	}
	seen := make([]int, 1797)
	for _, rs := range rows {
		if !slices.IsSorted(rs) {
			t.Error("rows of a split are not in the order of the source")
		}
		for _, r := range rs {
			seen[r]++
		}
	}
	if slices.Min(seen) != 1 || slices.Max(seen) != 1 {
		t.Error("a row is in no split, or in two")
	}
	if got := f.Deal(12, nil); !slices.Equal(got, []uint8{0, 0, 2, 1, 0, 0, 0, 2, 1, 0, 0, 0}) {
		t.Errorf("12 rows are dealt as %v: every dataset that is split would change", got)
	}
	other := &Fractions{Train: 0.7, Valid: 0.1, Test: 0.2, Seed: 8}
	if slices.Equal(f.Deal(100, nil), other.Deal(100, nil)) {
		t.Error("the seed makes no difference")
	}
}

func TestDealEdges(t *testing.T) {
	names, rows := Splits(&Fractions{Train: 0.5, Test: 0.5}, 4, nil)
	if !slices.Equal(names, []string{"train", "test"}) || len(rows["test"]) != 2 {
		t.Errorf("without a valid split: %v, %v", names, rows)
	}
	if names, rows := Splits(nil, 3, nil); !slices.Equal(names, []string{All}) || !slices.Equal(rows[All], []int{0, 1, 2}) {
		t.Errorf("without fractions: %v, %v", names, rows)
	}
	if names, _ := Splits(&Fractions{Train: 1}, 0, nil); len(names) != 0 {
		t.Errorf("of no rows: %v", names)
	}
	third := &Fractions{Train: 0.1, Valid: 0.2, Test: 0.7} // 0.1+0.2 is above 0.3
	if _, rows := Splits(third, 10, nil); len(rows["train"]) != 1 || len(rows["valid"]) != 2 || len(rows["test"]) != 7 {
		t.Errorf("tenths: %v", rows)
	}
}

func TestStratify(t *testing.T) {
	labels := make([]int32, 100)
	for i := range 10 {
		labels[10*i] = 1
	}
	f := &Fractions{Train: 0.5, Valid: 0.2, Test: 0.3, Stratify: true}
	_, rows := Splits(f, 100, labels)
	for name, want := range map[string]int{"train": 5, "valid": 2, "test": 3} {
		n := 0
		for _, r := range rows[name] {
			n += int(labels[r])
		}
		if n != want || len(rows[name]) != 10*want {
			t.Errorf("%s has %d of the rare class among %d, want %d", name, n, len(rows[name]), want)
		}
	}
}
