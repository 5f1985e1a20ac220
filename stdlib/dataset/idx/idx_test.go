package idx

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/dataset/shard/shardtest"
)

// file makes an idx file.
func file(typ byte, dims []uint32, data ...byte) []byte {
	b := []byte{0, 0, typ, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, data...)
}

func zip(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

// seq is the bytes 0 to n-1.
func seq(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

const spec = `dataset "idx" "a" {
  images = "images"
  labels = "labels"
`

func build(t testing.TB, more string, images, labels []byte) (*shardtest.Result, error) {
	t.Helper()
	return shardtest.Build(t, Kind, spec+more+"}\n", map[string][]byte{"images": images, "labels": labels})
}

func TestImages(t *testing.T) {
	images, labels := file(8, []uint32{3, 2, 2}, seq(12)...), file(8, []uint32{3}, 1, 0, 1)
	for _, pack := range []func([]byte) []byte{zip, func(b []byte) []byte { return b }} {
		r, err := build(t, "", pack(images), pack(labels))
		if err != nil {
			t.Fatal(err)
		}
		d := r.Read(t, "train")
		if !reflect.DeepEqual(d.Features, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}) || !reflect.DeepEqual(d.Classes, []int32{1, 0, 1}) {
			t.Errorf("%v %v", d.Features, d.Classes)
		}
		if in := r.M.Inputs[0]; in.DType != "U8" || in.Name != "pixels" || !reflect.DeepEqual(in.Shape, []int{2, 2, 1}) || !reflect.DeepEqual(r.M.Label.Classes, []string{"0", "1"}) {
			t.Errorf("%+v", r.M)
		}
	}
	r, err := build(t, "flatten = true\nclasses = [\"shoe\", \"bag\"]\ninput = \"x\"\nmax_rows = 2\n", images, labels)
	if err != nil {
		t.Fatal(err)
	}
	if in := r.M.Inputs[0]; in.Name != "x" || !reflect.DeepEqual(in.Shape, []int{4}) || !reflect.DeepEqual(r.M.Label.Classes, []string{"shoe", "bag"}) || r.M.Splits[0].Rows != 2 {
		t.Errorf("%+v", r.M)
	}
	if d := r.Read(t, "all"); !reflect.DeepEqual(d.Classes, []int32{1, 0}) {
		t.Errorf("classes are not in the order of the attribute: %v", d.Classes)
	}
}

// TestTypes: every element type, ranks 1, 2 and 4, and labels that are numbers.
func TestTypes(t *testing.T) {
	f32 := func(v ...float32) (b []byte) {
		for _, x := range v {
			b = binary.BigEndian.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	var f64 []byte
	for _, x := range []float64{-0.5, 1e10} {
		f64 = binary.BigEndian.AppendUint64(f64, math.Float64bits(x))
	}
	labels := file(0x0d, []uint32{2}, f32(0.25, -3)...)
	for _, c := range []struct {
		images []byte
		shape  []int
		want   []float32
	}{
		{file(9, []uint32{2}, 0xff, 5), []int{1}, []float32{-1, 5}},
		{file(0x0b, []uint32{2, 1}, 0x80, 0, 1, 2), []int{1}, []float32{-32768, 258}},
		{file(0x0c, []uint32{2, 1, 1, 1}, 0xff, 0xff, 0xff, 0xfe, 0, 1, 0, 0), []int{1, 1, 1}, []float32{-2, 65536}},
		{file(0x0d, []uint32{2, 1}, f32(1.5, -2)...), []int{1}, []float32{1.5, -2}},
		{file(0x0e, []uint32{2, 1}, f64...), []int{1}, []float32{-0.5, 1e10}},
	} {
		r, err := build(t, "", c.images, labels)
		if err != nil {
			t.Fatal(err)
		}
		d := r.Read(t, "train")
		if !reflect.DeepEqual(d.Features, c.want) || !reflect.DeepEqual(r.M.Inputs[0].Shape, c.shape) || r.M.Inputs[0].DType != "" {
			t.Errorf("%v of shape %v, want %v of %v", d.Features, r.M.Inputs[0].Shape, c.want, c.shape)
		}
		if r.M.Label.Kind != "number" || !reflect.DeepEqual(d.Numbers, []float32{0.25, -3}) {
			t.Errorf("%+v %v", r.M.Label, d.Numbers)
		}
	}
}

// TestSplits: files for testing are the test split, the rest is dealt out.
func TestSplits(t *testing.T) {
	more := `test {
    images = "t10k"
    labels = "t10k-labels"
  }
  split {
    train = 0.5
    valid = 0.5
  }
`
	r, err := shardtest.Build(t, Kind, spec+more+"}\n", map[string][]byte{
		"images": file(8, []uint32{10, 1}, seq(10)...), "labels": file(8, []uint32{10}, bytes.Repeat([]byte{0, 1}, 5)...),
		"t10k": file(8, []uint32{2, 1}, 50, 3), "t10k-labels": file(8, []uint32{2}, 1, 1)})
	if err != nil {
		t.Fatal(err)
	}
	if s := r.M.Splits; len(s) != 3 || s[0].Rows != 5 || s[1].Rows != 5 || s[2].Rows != 2 {
		t.Errorf("%+v", s)
	}
	if d := r.Read(t, "test"); !reflect.DeepEqual(d.Features, []float32{50, 3}) || !reflect.DeepEqual(d.Source, []int64{10, 11}) {
		t.Errorf("%+v", d)
	}
	if !strings.Contains(r.Log, "1 rows of the test split are in the") || r.Metrics["leaks"] != 1 {
		t.Errorf("no word of the row that is in two splits: %s", r.Log)
	}
	if want := []string{"dataset.idx.a/read[0]", "dataset.idx.a/read[1]", "dataset.idx.a/join"}; !reflect.DeepEqual(r.Actions, want) {
		t.Errorf("%v", r.Actions)
	}
}

func TestErrors(t *testing.T) {
	images, labels := file(8, []uint32{3, 2, 2}, seq(12)...), file(8, []uint32{3}, 1, 0, 1)
	for _, c := range []struct {
		name, more, want string
		images, labels   []byte
	}{
		{"empty", "", "Truncated idx file: images ends in its header", nil, labels},
		{"short header", "", "ends in its header", images[:9], labels},
		{"magic", "", "Not an idx file: images begins with 50 4b 03 04", []byte("PK\x03\x04    "), labels},
		{"type", "", "Not an idx file", file(0x0a, []uint32{3}, 1, 0, 1), labels},
		{"no dimensions", "", "says 0 dimensions", file(8, nil), labels},
		{"many dimensions", "", "says 9 dimensions", file(8, make([]uint32, 9)), labels},
		{"zero", "", "gives dimension 1 the size 0", file(8, []uint32{3, 0}), labels},
		{"huge", "", "gives dimension 2 the size 4294967295", file(8, []uint32{3, 2, 1<<32 - 1}), labels},
		{"huge product", "", "gives dimension 2 the size 65536", file(8, []uint32{3, 1 << 20, 1 << 16}), labels},
		{"no rows", "", "images has no rows", file(8, []uint32{0, 2, 2}), labels},
		{"truncated", "", "images ends in row 2; its header says 3 rows", images[:len(images)-1], labels},
		{"truncated zip", "", "Truncated idx file: images ends in row", zip(images)[:26], labels},
		{"trailing", "", "goes on after the 3 rows", append(images[:len(images):len(images)], 0), labels},
		{"counts", "", "images has 3 rows, and labels has 2 labels", images, file(8, []uint32{2}, 0, 1)},
		{"swapped", "", "Labels of the wrong shape", labels, images},
		{"one class", "", "is \"1\" in every row", images, file(8, []uint32{3}, 1, 1, 1)},
		{"unnamed", "classes = [\"a\", \"b\"]\n", "labels, row 1, is class 2, and classes names 2", images, file(8, []uint32{3}, 1, 2, 1)},
		{"negative", "classes = [\"a\", \"b\"]\n", "is class -1", images, file(9, []uint32{3}, 1, 0xff, 1)},
		{"nan", "", "images, row 0, element 0 is NaN", file(0x0d, []uint32{3, 1}, 0x7f, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), labels},
		{"bad gzip", "", "Damaged gzip file", []byte{0x1f, 0x8b, 1, 2}, labels},
		{"sum", "split {\n train = 0.5\n test = 0.4\n}\n", "together 0.9", images, labels},
		{"leak", "leaks = \"error\"\nsplit {\n train = 0.34\n test = 0.66\n}\n", "2 rows of the test split are in the train split too", file(8, []uint32{3, 2}, 1, 1, 1, 1, 1, 1), labels},
		{"conflict", "split {\n train = 0.5\n test = 0.5\n}\ntest {\n images = \"images\"\n labels = \"labels\"\n}\n", "remove split.test", images, labels},
		{"unlabelled", "test {\n images = \"images\"\n}\n", "or none", images, labels},
	} {
		_, err := build(t, c.more, c.images, c.labels)
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(c.want)) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
}

// TestDropLeaks: rows that are in the train split too are left out of the test split.
func TestDropLeaks(t *testing.T) {
	r, err := build(t, "leaks = \"drop\"\nsplit {\n train = 0.5\n test = 0.5\n}\n", file(8, []uint32{4, 1}, 1, 1, 2, 1), file(8, []uint32{4}, 0, 1, 0, 1))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[float32]string{}
	for _, s := range r.M.Splits {
		for _, v := range r.Read(t, s.Name).Features {
			if in, ok := rows[v]; ok && in != s.Name {
				t.Errorf("%g is in %s and %s", v, in, s.Name)
			}
			rows[v] = s.Name
		}
	}
	if !strings.Contains(r.Log, "left out") || !strings.Contains(r.Log, "different label") {
		t.Error(r.Log)
	}
}

// FuzzRead: no bytes make the reader panic, or take more memory than a row; what it accepts reads back.
func FuzzRead(f *testing.F) {
	images, labels := file(8, []uint32{3, 2, 2}, seq(12)...), file(8, []uint32{3}, 1, 0, 1)
	f.Add(images, labels)
	f.Add(zip(images), labels)
	f.Add(file(0x0e, []uint32{1, 1}, seq(8)...), file(0x0d, []uint32{1}, 0, 0, 0, 0))
	f.Add(file(8, []uint32{1 << 31, 1 << 24}), labels)
	p := shardtest.Prepare(f, Kind, spec+"}\n")
	f.Fuzz(func(t *testing.T, images, labels []byte) {
		p.Check(t, map[string][]byte{"images": images, "labels": labels})
	})
}
