package text

import (
	"reflect"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/dataset/shard/shardtest"
)

func build(t testing.TB, attrs, text string) (*shardtest.Result, error) {
	t.Helper()
	return shardtest.Build(t, Kind, "dataset \"text\" \"a\" {\n files = [\"a.txt\"]\n"+attrs+"}\n", map[string][]byte{"a.txt": []byte(text)})
}

func rows(t testing.TB, r *shardtest.Result) []string {
	d := r.Read(t, "train")
	var out []string
	for i := range d.Rows {
		out = append(out, d.Texts[r.M.Columns[0].Name].At(i))
	}
	return out
}

func TestUnits(t *testing.T) {
	const text = "one \r\n\n two\nthree\xff\n \n\nfour"
	for attrs, want := range map[string][]string{
		"":                       {"one ", " two", "three\ufffd", "four"},
		"skip_empty = false\n":   {"one ", "", " two", "three\ufffd", " ", "", "four"},
		"unit = \"paragraph\"\n": {"one ", " two\nthree\ufffd", "four"},
		"max_rows = 2\n":         {"one ", " two"},
		"column = \"line\"\n":    {"one ", " two", "three\ufffd", "four"},
		"max_rows = 2\nleaks = \"error\"\nsplit {\n train = 0.99\n test = 0.01\n}\n": {"one ", " two"},
	} {
		r, err := build(t, attrs, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := rows(t, r); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", attrs, got, want)
		}
	}
}

func TestLabels(t *testing.T) {
	r, err := build(t, "label_delimiter = \"\\t\"\n", "pos\tgood\tthing\nneg \tbad\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := rows(t, r); !reflect.DeepEqual(got, []string{"good\tthing", "bad"}) || !reflect.DeepEqual(r.M.Label.Classes, []string{"neg", "pos"}) || !reflect.DeepEqual(r.Read(t, "train").Classes, []int32{1, 0}) {
		t.Errorf("%q %+v", got, r.M.Label)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ attrs, text, want string }{
		{"", "", "a.txt has no text"},
		{"", "\n \n", "a.txt has no text"},
		{"label_delimiter = \",\"\n", "a,b\nc\n", "a.txt:2: the line has no label before \",\""},
		{"label_delimiter = \",\"\n", " ,b\n", "a.txt:1: the line has no label"},
		{"label_delimiter = \",\"\nunit = \"paragraph\"\n", "x", "Only lines have a label"},
		{"classes = [\"a\", \"b\"]\n", "x", "lines have none"},
		{"split {\n train = 0.5\n test = 0.4\n}\n", "x", "must sum to 1"},
	} {
		if _, err := build(t, c.attrs, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.attrs, err, c.want)
		}
	}
}

// FuzzRead: no bytes make the reader panic; what it accepts reads back.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"a\nb", "\n\n", "\ufeff\xff\r\n", "a\tb\n\tc", "\x1f\x8b\x08"} {
		f.Add(s)
	}
	var plans []*shardtest.Plan
	for _, attrs := range []string{"", "unit = \"paragraph\"\nskip_empty = false\n", "label_delimiter = \"\\t\"\n"} {
		plans = append(plans, shardtest.Prepare(f, Kind, "dataset \"text\" \"a\" {\n files = [\"a.txt\"]\n"+attrs+"}\n"))
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range plans {
			p.Check(t, map[string][]byte{"a.txt": []byte(s)})
		}
	})
}
