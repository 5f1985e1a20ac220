package npz

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/dataset/shard/shardtest"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func build(t testing.TB, attrs string, archive []byte) (*shardtest.Result, error) {
	t.Helper()
	return shardtest.Build(t, Kind, "dataset \"npz\" \"a\" {\n files = [\"a.npz\"]\n leaks = \"ignore\"\n"+attrs+"}\n", map[string][]byte{"a.npz": archive})
}

// TestNumPy: every array that NumPy wrote (testdata/make.py) reads back as NumPy says, of each type, order and version.
func TestNumPy(t *testing.T) {
	var want map[string][]float32
	if err := json.Unmarshal(fixture(t, "want.json"), &want); err != nil {
		t.Fatal(err)
	}
	cases, old := fixture(t, "cases.npz"), fixture(t, "version2.npz")
	if len(want) < 30 {
		t.Fatalf("%d arrays", len(want))
	}
	for name, values := range want {
		r, err := build(t, fmt.Sprintf(" features = %q\n", name), cases)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		d := r.Read(t, "train")
		if d.Rows != 5 || !reflect.DeepEqual(d.Features, values) {
			t.Errorf("%s: %v\nwant %v", name, d.Features, values)
		}
		if bytes8 := strings.HasPrefix(name, "u1") || strings.HasPrefix(name, "b1"); bytes8 != (r.M.Inputs[0].DType == "U8") {
			t.Errorf("%s is stored as %q", name, r.M.Inputs[0].DType)
		}
	}
	for _, v := range []string{"v2", "v3"} {
		r, err := build(t, fmt.Sprintf(" features = %q\n", v), old)
		if err != nil {
			t.Fatal(err)
		}
		if d := r.Read(t, "train"); !reflect.DeepEqual(d.Features, want["le_f4_F"]) || !reflect.DeepEqual(r.M.Inputs[0].Shape, []int{2, 3}) {
			t.Errorf("%s: %v %v", v, r.M.Inputs[0].Shape, d.Features)
		}
	}
	r, err := build(t, " features = \"x\"\n label = \"y\"\n flatten = true\n max_rows = 3\n", fixture(t, "stored.npz"))
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Read(t, "train"); !reflect.DeepEqual(d.Features, want["le_f4_C"][:18]) || !reflect.DeepEqual(d.Classes, []int32{2, 0, 1}) || !reflect.DeepEqual(r.M.Inputs[0].Shape, []int{6}) {
		t.Errorf("%v %v %v", r.M.Inputs[0].Shape, d.Features, d.Classes)
	}
}

func TestLabels(t *testing.T) {
	cases := fixture(t, "cases.npz")
	for _, c := range []struct {
		attrs   string
		classes []string
		want    []int32
	}{
		{"label = \"column\"\n", []string{"0", "1", "2"}, []int32{2, 0, 1, 1, 0}},
		{"label = \"column\"\nclasses = [\"z\", \"y\", \"x\"]\n", []string{"z", "y", "x"}, []int32{2, 0, 1, 1, 0}},
		{"label = \"names\"\n", []string{"a b", "cat", "dög"}, []int32{1, 2, 1, 0, 2}},
		{"label = \"bytes\"\n", []string{"x", "yy"}, []int32{0, 1, 0, 0, 1}},
		{"label = \"numbers\"\nlabel_kind = \"class\"\n", []string{"-2", "0.5", "1.5", "3", "4"}, []int32{1, 2, 0, 3, 4}},
	} {
		r, err := build(t, "features = \"half\"\n"+c.attrs, cases)
		if err != nil {
			t.Fatal(c.attrs, err)
		}
		if d := r.Read(t, "train"); !reflect.DeepEqual(d.Classes, c.want) || !reflect.DeepEqual(r.M.Label.Classes, c.classes) {
			t.Errorf("%s: %v %v", c.attrs, r.M.Label.Classes, d.Classes)
		}
	}
	for attrs, want := range map[string][]float32{
		"label = \"numbers\"\n":                         {0.5, 1.5, -2, 3, 4},
		"label = \"column\"\nlabel_kind = \"number\"\n": {2, 0, 1, 1, 0},
	} {
		r, err := build(t, "features = \"half\"\n"+attrs, cases)
		if err != nil {
			t.Fatal(err)
		}
		if d := r.Read(t, "train"); !reflect.DeepEqual(d.Numbers, want) {
			t.Errorf("%s: %v", attrs, d.Numbers)
		}
	}
}

// one makes an archive of one array, called x.
func one(npy []byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, _ := z.Create("x.npy")
	w.Write(npy)
	z.Close()
	return b.Bytes()
}

// npy makes an array of a header's text, as it stands, and data.
func npy(header string, data ...byte) []byte {
	b := append([]byte(magic), 1, 0, byte(len(header)), byte(len(header)>>8))
	return append(append(b, header...), data...)
}

func TestErrors(t *testing.T) {
	cases := fixture(t, "cases.npz")
	for _, c := range []struct{ attrs, want string }{
		{"features = \"half1\"\n", "a.npz has no array \"half1\". Did you mean \"half\"?"},
		{"features = \"half\"\nlabel = \"nothing\"\n", "has no array \"nothing\""},
		{"features = \"objects\"\n", "Python objects, which would have to be unpickled"},
		{"features = \"structs\"\n", "its elements are structures"},
		{"features = \"complex\"\n", "its elements are of type \"<c16\""},
		{"features = \"times\"\n", "its elements are of type \"<M8[s]\""},
		{"features = \"scalar\"\n", "a single number"},
		{"features = \"names\"\n", "an array of text; features are numbers"},
		{"features = \"none\"\n", "\"none\" has no rows"},
		{"features = \"nan\"\n", "\"nan\", row 2, element 0 is NaN"},
		{"features = \"half\"\nlabel = \"four\"\n", "rows of shape [2]; a label is one value"},
		{"features = \"four\"\nlabel = \"column\"\n", "\"four\" has 4 rows, and \"column\" has 5"},
		{"features = \"half\"\nlabel = \"nan\"\n", "row 2 is NaN"},
		{"features = \"half\"\nlabel = \"names\"\nlabel_kind = \"number\"\n", "is an array of text, and label_kind is"},
		{"features = \"half\"\nlabel = \"column\"\nclasses = [\"a\", \"b\"]\n", "row 0 is class 2, and classes names 2"},
		{"features = \"half\"\nclasses = [\"a\", \"b\"]\n", "Set label"},
	} {
		if _, err := build(t, c.attrs, cases); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.attrs, err, c.want)
		}
	}
	good := "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
	for want, archive := range map[string][]byte{
		"Not an npz file":             []byte("hello"),
		"is a zip archive":            cases[:len(cases)/2],
		"it begins with 78":           one([]byte("x12345678")),
		"array \"x\": it is cut off":  one([]byte(magic)),
		"of version 9":                one([]byte(magic + "\x09\x00  ")),
		"has 4294967295 bytes":        one([]byte(magic + "\x02\x00\xff\xff\xff\xff")),
		"it is cut off.":              one(npy(good)[:20]),
		"row 1 of 2: it is cut off":   one(npy(good, 0, 0, 0, 0, 0)),
		"no dictionary":               one(npy("[1]")),
		"not as NumPy writes it":      one(npy("{'descr': eval('1')}")),
		"\"shape\" twice":             one(npy("{'shape': (1,), 'shape': (2,)}")),
		"has no \"shape\"":            one(npy("{'descr': '<f4', 'fortran_order': False}")),
		"f has sizes 2 4 8":           one(npy("{'descr': '<f3', 'fortran_order': False, 'shape': (2,)}")),
		"at least 1 element":          one(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,0)}")),
		"and at most 16777216":        one(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,99999999)}")),
		"(2,99999999999999999999)":    one(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,99999999999999999999)}")),
		"array \"x\": it is cut off.": one(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (9223372036854775807,4)}")),
	} {
		if _, err := build(t, "features = \"x\"\n", archive); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// TestFortranBlocks: an array in Fortran order that does not fit a block comes out the same.
func TestFortranBlocks(t *testing.T) {
	const rows, width = 50_000, 100 // 20 MB in float32, of which a block holds 16
	data := make([]byte, 4*rows*width)
	for j := range width {
		for i := range rows {
			data[4*(j*rows+i)] = byte(i + j)
		}
	}
	archive := one(npy(fmt.Sprintf("{'descr': '<i4', 'fortran_order': True, 'shape': (%d, %d)}", rows, width), data...))
	r, err := build(t, "features = \"x\"\n", archive)
	if err != nil {
		t.Fatal(err)
	}
	d := r.Read(t, "train")
	for i := range rows {
		for j := range width {
			if v := d.Features[i*width+j]; v != float32(byte(i+j)) {
				t.Fatalf("element %d, %d is %g", i, j, v)
			}
		}
	}
}

// FuzzRead: no archive, and no array in one, makes the reader panic or take more than a row; what it accepts reads back.
func FuzzRead(f *testing.F) {
	f.Add(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 0, 0, 0, 0, 0, 0, 0, 0), false)
	f.Add(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2,2), }", 1, 2, 3, 4), false)
	f.Add(npy("{'descr': '<U1', 'fortran_order': True, 'shape': (1,), }", 1, 2, 3, 4), false)
	f.Add(fixture(f, "stored.npz"), true)
	var plans []*shardtest.Plan
	for _, attrs := range []string{"", "label = \"x\"\n"} {
		plans = append(plans, shardtest.Prepare(f, Kind, "dataset \"npz\" \"a\" {\n files = [\"a.npz\"]\n features = \"x\"\n"+attrs+"}\n"))
	}
	f.Fuzz(func(t *testing.T, b []byte, whole bool) {
		if !whole {
			b = one(b)
		}
		for _, p := range plans {
			p.Check(t, map[string][]byte{"a.npz": b})
		}
	})
}
