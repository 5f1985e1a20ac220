package csv

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
)

// build runs the kind on files, with defaults filled in, and returns the dataset's directory.
func build(t *testing.T, params map[string]any, files ...string) (string, *dataset.Manifest) {
	t.Helper()
	dir := t.TempDir()
	job := &executor.Job{Params: map[string]any{"files": int64(len(files)), "header": true, "delimiter": ",", "input": "features"},
		Inputs: map[string]executor.JobInput{}, Outputs: map[string]string{"data": dir}, Scratch: t.TempDir(), Metrics: map[string]float64{}}
	for k, v := range params {
		n, err := value.Norm(v)
		if err != nil {
			t.Fatal(err)
		}
		job.Params[k] = n
	}
	for i, text := range files {
		path := text
		if _, err := os.Stat(text); err != nil {
			path = filepath.Join(job.Scratch, strconv.Itoa(i))
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		job.Inputs["file"+strconv.Itoa(i)] = executor.JobInput{Path: path, Display: "table.csv"}
	}
	if err := run(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	m, err := dataset.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, m
}

func read(t *testing.T, dir string, m *dataset.Manifest, split string) *dataset.Data {
	t.Helper()
	d, err := dataset.Read(dir, m, split)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestColumns: columns are chosen, put in order and renamed; words become 0/1 columns in order of their text; classes are sorted.
func TestColumns(t *testing.T) {
	dir, m := build(t, map[string]any{"label": "kind", "features": []any{"size", "hue"}, "rename": map[string]any{"colour": "hue"}},
		"colour,weight,size,kind\nred,1,2.5,b\n green ,3,4,a\r\nred,5,-6e1,b\n")
	if want := []string{"size", "hue=green", "hue=red"}; !reflect.DeepEqual(m.Inputs[0].Columns, want) {
		t.Errorf("columns %v, want %v", m.Inputs[0].Columns, want)
	}
	d := read(t, dir, m, "train")
	if want := []float32{2.5, 0, 1, 4, 1, 0, -60, 0, 1}; !reflect.DeepEqual(d.Features, want) {
		t.Errorf("features %v, want %v", d.Features, want)
	}
	if !reflect.DeepEqual(m.Label.Classes, []string{"a", "b"}) || !reflect.DeepEqual(d.Classes, []int32{1, 0, 1}) {
		t.Errorf("classes %v %v", m.Label.Classes, d.Classes)
	}
}

// TestLabel: whole numbers are classes in order of their value, fractions are numbers, and label_kind has the last word.
func TestLabel(t *testing.T) {
	_, m := build(t, map[string]any{"label": -1, "header": false}, "1,10\n2,9\n3,10\n")
	if m.Label.Kind != "class" || !reflect.DeepEqual(m.Label.Classes, []string{"9", "10"}) || m.Label.Name != "c1" {
		t.Errorf("%+v", m.Label)
	}
	_, m = build(t, map[string]any{"label": 1, "header": false}, "1,10\n2,9.5\n")
	if m.Label.Kind != "number" {
		t.Errorf("%+v", m.Label)
	}
	dir, m := build(t, map[string]any{"label": "y", "names": []any{"x", "y"}, "header": false, "label_kind": "number", "delimiter": ";"}, "1;10\n2;9\n")
	if d := read(t, dir, m, "test"); m.Label.Kind != "number" || !reflect.DeepEqual(d.Numbers, []float32{10, 9}) {
		t.Errorf("%+v %v", m.Label, d.Numbers)
	}
}

// TestFiles: several files are one table.
func TestFiles(t *testing.T) {
	dir, m := build(t, nil, "a,b\n1,2\n", "a,b\n3,4\n5,6\n")
	if d := read(t, dir, m, "train"); !reflect.DeepEqual(d.Features, []float32{1, 2, 3, 4, 5, 6}) || !reflect.DeepEqual(d.Source, []int64{0, 1, 2}) {
		t.Errorf("%v %v", d.Features, d.Source)
	}
}

// TestDigits reads the real file: 1,797 rows, ten classes, and a split of exact counts in which each row is once.
func TestDigits(t *testing.T) {
	dir, m := build(t, map[string]any{"header": false, "label": -1, "split": map[string]any{"train": 0.7, "valid": 0.1, "test": 0.2, "seed": 7}},
		"../../../examples/digits/digits.csv.gz")
	if m.Inputs[0].Shape[0] != 64 || len(m.Label.Classes) != 10 {
		t.Errorf("%+v", m)
	}
	seen := map[int64]bool{}
	for split, rows := range map[string]int{"train": 1258, "valid": 180, "test": 359} {
		d := read(t, dir, m, split)
		if d.Rows != rows {
			t.Errorf("%s has %d rows, want %d", split, d.Rows, rows)
		}
		for i, s := range d.Source {
			if seen[s] {
				t.Fatalf("row %d is in two splits", s)
			}
			seen[s] = true
			if i > 0 && d.Source[i-1] >= s {
				t.Fatalf("%s is not in the order of the source", split)
			}
		}
	}
	if len(seen) != 1797 {
		t.Errorf("%d rows", len(seen))
	}
}

// TestStandardize: the train split has mean 0 and deviation 1; a column that never changes becomes 0.
func TestStandardize(t *testing.T) {
	text := "a,b\n"
	for i := range 100 {
		text += strconv.Itoa(i*i) + ",7\n"
	}
	dir, m := build(t, map[string]any{"standardize": true, "split": map[string]any{"train": 0.5, "test": 0.5}}, text)
	d := read(t, dir, m, "train")
	var sum, squares float64
	for i := range d.Rows {
		v := float64(d.Features[2*i])
		sum += v
		squares += v * v
		if d.Features[2*i+1] != 0 {
			t.Fatalf("a constant became %g", d.Features[2*i+1])
		}
	}
	n := float64(d.Rows)
	if math.Abs(sum/n) > 1e-6 || math.Abs(squares/n-1) > 1e-6 {
		t.Errorf("mean %g, variance %g", sum/n, squares/n)
	}
}

// TestStratify: each split has the same mix of classes.
func TestStratify(t *testing.T) {
	text := "a,y\n"
	for i := range 100 {
		text += strconv.Itoa(i) + "," + strconv.Itoa(i%10/9) + "\n"
	}
	dir, m := build(t, map[string]any{"label": "y", "split": map[string]any{"train": 0.8, "test": 0.2, "stratify": true}}, text)
	for split, want := range map[string]int{"train": 8, "test": 2} {
		n := 0
		for _, c := range read(t, dir, m, split).Classes {
			n += int(c)
		}
		if n != want {
			t.Errorf("%s has %d of the rare class, want %d", split, n, want)
		}
	}
}

// FuzzRead: no input makes the reader panic, and what it accepts has as many numbers as it says.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "1,2\n3,x\n", "\"a\n", "\x1f\x8b", "a\n\n1\n", "a,a\n1,2", ",\n,\n"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, header bool) {
		dir := t.TempDir()
		path := filepath.Join(dir, "in")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		job := &executor.Job{Params: map[string]any{"files": int64(1), "header": header, "delimiter": ",", "input": "x", "label": int64(-1)},
			Inputs: map[string]executor.JobInput{"file0": {Path: path, Display: "in"}}, Outputs: map[string]string{"data": dir}, Scratch: dir, Metrics: map[string]float64{}}
		if run(t.Context(), job) != nil {
			return
		}
		m, err := dataset.ReadManifest(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dataset.Read(dir, m, "train"); err != nil {
			t.Fatal(err)
		}
	})
}
