package parquet

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/format"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/dataset/shard/shardtest"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".parquet")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func build(t testing.TB, attrs string, file []byte) (*shardtest.Result, error) {
	t.Helper()
	return shardtest.Build(t, Kind, "dataset \"parquet\" \"a\" {\n files = [\"a.parquet\"]\n"+attrs+"}\n", map[string][]byte{"a.parquet": file})
}

// texts are all strings of a text column.
func texts(d *dataset.Data, column string) []string {
	var out []string
	for i := range d.Rows {
		out = append(out, d.Texts[column].At(i))
	}
	return out
}

// TestPyArrow: what PyArrow wrote (testdata/make.py), in several encodings, compressions and page versions, reads back as it says.
func TestPyArrow(t *testing.T) {
	raw, err := os.ReadFile("testdata/want.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	var features, text []string
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if _, ok := want[k].([]any)[0].(string); ok {
			text = append(text, k)
		} else {
			features = append(features, k)
		}
	}
	if len(features) != 11 || len(text) != 3 {
		t.Fatal(features, text)
	}
	attrs := fmt.Sprintf("features = %s\ntext = %s\nleaks = \"ignore\"\n", list(features), list(text))
	for _, name := range []string{"snappy", "zstd", "none", "gzip"} {
		r, err := build(t, attrs, fixture(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		d := r.Read(t, "train")
		for j, k := range features {
			for i, v := range want[k].([]any) {
				if got := d.Features[i*len(features)+j]; got != float32(v.(float64)) {
					t.Fatalf("%s: %s, row %d is %v, want %v", name, k, i, got, v)
				}
			}
		}
		for _, k := range text {
			if got := texts(d, k); !reflect.DeepEqual(anys(got), want[k]) {
				t.Errorf("%s: %s is %q", name, k, got)
			}
		}
	}
}

func anys(s []string) []any {
	out := make([]any, len(s))
	for i, v := range s {
		out[i] = v
	}
	return out
}

func list(s []string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// TestLabels: labels of several types; a group that the dataset does not have; names.
func TestLabels(t *testing.T) {
	for label, want := range map[string][]string{"dict": {"nö", "yes"}, "b": {"false", "true"}, "s": {"", "a\x00b", "nö", "yes", "日本"}} {
		r, err := build(t, fmt.Sprintf("features = [\"f32\", \"i8\"]\nlabel = %q\nrename = { f32 = \"x\", %s = \"y\" }\nmax_rows = 150\nsplit {\n train = 0.5\n test = 0.5\n group = \"i16\"\n}\n", label, label), fixture(t, "snappy"))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r.M.Label.Classes, want) || r.M.Label.Name != "y" || !reflect.DeepEqual(r.M.Inputs[0].Columns, []string{"x", "i8"}) || r.M.Columns != nil {
			t.Errorf("%+v", r.M)
		}
		if r.Metrics["rows"] != 150 {
			t.Error(r.Metrics)
		}
	}
	r, err := build(t, "features = [\"i64\"]\nlabel = \"f64\"\nlabel_kind = \"number\"\n", fixture(t, "gzip"))
	if err != nil || r.M.Label.Kind != "number" {
		t.Errorf("%v", err)
	}
}

func TestNulls(t *testing.T) {
	r, err := build(t, "features = [\"x\"]\ntext = [\"y\", \"bin\"]\nmissing = \"skip\"\n", fixture(t, "odd"))
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Read(t, "train"); d.Rows != 1 || d.Features[0] != 1.5 || texts(d, "y")[0] != "a" || !strings.Contains(r.Log, "2 rows with nulls") {
		t.Errorf("%+v %s", d, r.Log)
	}
	r, err = build(t, "text = [\"bin\"]\n", fixture(t, "odd"))
	if err != nil || !strings.Contains(r.Log, "1 texts are not UTF-8") || texts(r.Read(t, "train"), "bin")[1] != "\ufffd" {
		t.Errorf("%v", err)
	}
}

func TestErrors(t *testing.T) {
	odd := fixture(t, "odd")
	for _, c := range []struct {
		attrs, want string
		file        []byte
	}{
		{"features = [\"x\"]\n", "a.parquet, row 1: \"x\" is missing or null", odd},
		{"features = [\"okk\"]\n", "a.parquet has no column \"okk\". Did you mean \"ok\"?", odd},
		{"features = [\"nan\"]\n", "a.parquet, row 1: \"nan\" is NaN", odd},
		{"features = [\"list\"]\n", "column \"list\" is nested", odd},
		{"features = [\"struct\"]\n", "column \"struct\" is nested (it has 1 columns in it)", odd},
		{"text = [\"map\"]\n", "column \"map\" is nested", odd},
		{"features = [\"date\"]\n", "column \"date\" is DATE, whose bits alone mean nothing", odd},
		{"features = [\"time\"]\n", "column \"time\" is TIMESTAMP", odd},
		{"features = [\"dec\"]\n", "column \"dec\" is DECIMAL", odd},
		{"features = [\"half\"]\n", "column \"half\" is", odd},
		{"text = [\"fixed\"]\n", "booleans, integers, float, double and text can be read", odd},
		{"features = [\"y\"]\n", "column \"y\" is text, and numbers are expected", odd},
		{"text = [\"ok\"]\n", "and text is expected", odd},
		{"features = [\"ok\"]\nlabel = \"y\"\nlabel_kind = \"number\"\n", "column \"y\" is text", odd},
		{"", "features or text must say", odd},
		{"features = [\"ok\", \"ok\"]\n", "\"ok\" is there twice", odd},
		{"features = [\"ok\"]\nclasses = [\"a\", \"b\"]\n", "Set label", odd},
		{"features = [\"x\"]\n", "a.parquet has no rows", fixture(t, "empty")},
		{"features = [\"x\"]\n", "Parquet file not readable: a.parquet", []byte("PAR1hello")},
		{"features = [\"x\"]\n", "Parquet file not readable: a.parquet", odd[:len(odd)/2]},
		{"features = [\"x\"]\n", "Parquet file not readable: a.parquet", nil},
	} {
		if _, err := build(t, c.attrs, c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.attrs, err, c.want)
		}
	}
}

// FuzzRead: no bytes make the reader panic, or take memory without bound; what it accepts reads back.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"odd", "empty", "zstd"} {
		f.Add(fixture(f, name))
	}
	f.Add(oneColumn(f, format.Int32, format.Snappy, dataPage(format.Plain, 8, 32), append([]byte{32, 31 << 2}, make([]byte, 32)...)))
	f.Add(oneColumn(f, format.Int32, format.Uncompressed, dataPage(format.DeltaBinaryPacked, 8, 9), append(uvarints(128, 4, 8, 2, 0), 0, 0, 0, 0)))
	f.Add(oneColumn(f, format.Int32, format.Uncompressed, dataPage(format.RLEDictionary, 8, 3), []byte{1, 16, 0}))
	var plans []*shardtest.Plan
	for _, attrs := range []string{"features = [\"ok\"]\ntext = [\"bin\"]\n", "features = [\"x\"]\nlabel = \"y\"\nmissing = \"skip\"\n", "features = [\"f64\"]\ntext = [\"s\"]\n", "features = [\"x\"]\n"} {
		plans = append(plans, shardtest.Prepare(f, Kind, "dataset \"parquet\" \"a\" {\n files = [\"a.parquet\"]\n"+attrs+"}\n"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range plans {
			p.Check(t, map[string][]byte{"a.parquet": []byte(b)})
		}
	})
}
