package jsonl

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/dataset/shard/shardtest"
)

func build(t testing.TB, attrs string, files ...string) (*shardtest.Result, error) {
	t.Helper()
	spec, all := "", map[string][]byte{}
	for i, text := range files {
		name := fmt.Sprintf("%d.jsonl", i)
		spec += fmt.Sprintf("%q, ", name)
		all[name] = []byte(text)
	}
	return shardtest.Build(t, Kind, "dataset \"jsonl\" \"a\" {\n files = ["+spec+"]\n"+attrs+"}\n", all)
}

func TestRows(t *testing.T) {
	one := "\ufeff{\"t\": \"ä\\u00e9 \\n\", \"n\": 1.5, \"y\": \"b\", \"r\": {\"t\": \"deep\", \"n\": true}}\r\n\n{\"t\": \"\", \"n\": -2e3, \"y\": \"a\", \"r\": {\"t\": \"\", \"n\": 0}}"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("{\"t\": \"x\", \"n\": 0, \"y\": \"c\", \"r.t\": \"dotted\", \"r\": {\"n\": 7}}\n"))
	z.Close()
	r, err := build(t, "text = [\"r.t\", \"t\"]\nfeatures = [\"n\", \"r.n\"]\nlabel = \"y\"\nrename = { \"r.t\" = \"reply\" }\n", one, packed.String())
	if err != nil {
		t.Fatal(err)
	}
	d := r.Read(t, "train")
	if !reflect.DeepEqual(d.Features, []float32{1.5, 1, -2000, 0, 0, 7}) || !reflect.DeepEqual(d.Classes, []int32{1, 0, 2}) || !reflect.DeepEqual(d.Source, []int64{0, 1, 2}) {
		t.Errorf("%+v", d)
	}
	var got []string
	for i := range 3 {
		got = append(got, d.Texts["reply"].At(i), d.Texts["t"].At(i))
	}
	if want := []string{"deep", "äé \n", "", "", "dotted", "x"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q", got)
	}
	if want := []string{"dataset.jsonl.a/read[0]", "dataset.jsonl.a/read[1]", "dataset.jsonl.a/join"}; !reflect.DeepEqual(r.Actions, want) {
		t.Error(r.Actions)
	}
}

// TestLabels: text, numbers and booleans as classes, in order of their numbers; numbers as numbers.
func TestLabels(t *testing.T) {
	r, err := build(t, "text = [\"t\"]\nlabel = \"y\"\n", `{"t":"a","y":10}`+"\n"+`{"t":"b","y":9}`)
	if err != nil || !reflect.DeepEqual(r.M.Label.Classes, []string{"9", "10"}) {
		t.Errorf("%+v, %v", r.M, err)
	}
	r, err = build(t, "text = [\"t\"]\nlabel = \"y\"\nclasses = [\"yes\", \"no\", \"true\"]\n", `{"t":"a","y":"no"}`+"\n"+`{"t":"b","y":true}`)
	if err != nil || !reflect.DeepEqual(r.Read(t, "train").Classes, []int32{1, 2}) {
		t.Errorf("%+v, %v", r.M, err)
	}
	r, err = build(t, "text = [\"t\"]\nlabel = \"y\"\nlabel_kind = \"number\"\n", `{"t":"a","y":10}`+"\n"+`{"t":"b","y":-0.5}`)
	if err != nil || !reflect.DeepEqual(r.Read(t, "train").Numbers, []float32{10, -0.5}) {
		t.Errorf("%+v, %v", r.M, err)
	}
}

// TestGroups: rows of one author are in one split, and stay there when others come.
func TestGroups(t *testing.T) {
	split := "text = [\"t\"]\nlabel = \"y\"\nsplit {\n train = 0.6\n valid = 0.2\n test = 0.2\n seed = 3\n group = \"author\"\n stratify = %v\n}\n"
	rows := func(authors int) string {
		var b strings.Builder
		for i := range 4 * authors {
			fmt.Fprintf(&b, "{\"t\": \"text %d\", \"author\": %d, \"y\": %d}\n", i, i%authors, i%authors%2)
		}
		return b.String()
	}
	where := func(r *shardtest.Result) map[int64]string {
		out := map[int64]string{}
		for _, s := range r.M.Splits {
			for _, row := range r.Read(t, s.Name).Source {
				out[row] = s.Name
			}
		}
		return out
	}
	for _, stratify := range []bool{false, true} {
		r, err := build(t, fmt.Sprintf(split, stratify), rows(50))
		if err != nil {
			t.Fatal(err)
		}
		if len(r.M.Columns) != 1 || r.M.Columns[0].Name != "t" {
			t.Errorf("the group is in the dataset: %+v", r.M.Columns)
		}
		at := where(r)
		for row, s := range at {
			if at[row%50] != s {
				t.Fatalf("rows %d and %d of one author are in %s and %s", row, row%50, s, at[row%50])
			}
		}
		if stratify {
			if r.Metrics["train_rows"] != 120 || r.Metrics["valid_rows"] != 40 || r.Metrics["test_rows"] != 40 {
				t.Errorf("stratified groups of one size are not dealt exactly: %v", r.Metrics)
			}
			continue
		}
		more, err := build(t, fmt.Sprintf(split, stratify), rows(50), "{\"t\": \"other\", \"author\": \"new\", \"y\": 1}\n")
		if err != nil {
			t.Fatal(err)
		}
		for row, s := range where(more) {
			if row < 200 && at[row] != s {
				t.Fatalf("row %d went from %s to %s because of a row of another author", row, at[row], s)
			}
		}
	}
}

// TestContent: equal rows are dealt out together, so there is no leak.
func TestContent(t *testing.T) {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "{\"t\": \"text %d\"}\n", i%100)
	}
	attrs := "text = [\"t\"]\nleaks = \"error\"\nsplit {\n train = 0.5\n test = 0.5\n by = %q\n}\n"
	r, err := build(t, fmt.Sprintf(attrs, "content"), b.String())
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Metrics["train_rows"]; n < 90 || n > 210 || r.Metrics["duplicates"] != 200 || !strings.Contains(r.Log, "200 of 300 rows repeat") {
		t.Error(r.Metrics, r.Log)
	}
	if _, err := build(t, fmt.Sprintf(attrs, "position"), b.String()); err == nil || !strings.Contains(err.Error(), "rows of the test split are in the train split too") {
		t.Error(err)
	}
}

func TestMissing(t *testing.T) {
	rows := `{"t":"a","n":1}` + "\n" + `{"t":null,"n":2}` + "\n" + `{"n":3}` + "\n" + `{"t":"d","n":4}`
	r, err := build(t, "text = [\"t\"]\nfeatures = [\"n\"]\nmissing = \"skip\"\n", rows)
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Read(t, "train"); !reflect.DeepEqual(d.Features, []float32{1, 4}) || !reflect.DeepEqual(d.Source, []int64{0, 3}) || !strings.Contains(r.Log, "2 rows with missing values") {
		t.Errorf("%+v %s", d, r.Log)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ attrs, text, want string }{
		{"text = [\"t\"]\n", "{\"t\": \"a\"}\n{\"t\": \n", "0.jsonl:2:6: unexpected end of JSON input"},
		{"text = [\"t\"]\n", "[1]\n", "0.jsonl:1: it is no object"},
		{"text = [\"t\"]\n", "null\n", "0.jsonl:1: it is no object"},
		{"text = [\"t\"]\n", "{\"t\": \"a\"} x\n", "0.jsonl:1:12: invalid character 'x'"},
		{"text = [\"t\"]\n", "{\"t\": \"a\"}\n\n{}\n", "0.jsonl:3: \"t\" is missing or null"},
		{"text = [\"t\"]\n", "{\"t\": 3}\n", "0.jsonl:1: \"t\" is 3 where text is expected"},
		{"features = [\"t\"]\n", "{\"t\": \"3\"}\n", "0.jsonl:1: \"t\" is \"3\" where a number is expected"},
		{"features = [\"t\"]\n", "{\"t\": [3]}\n", "\"t\" is [3] where a number"},
		{"features = [\"t\"]\n", "{\"t\": 1e999}\n", "0.jsonl:1: \"t\" is +Inf"},
		{"text = [\"t\"]\nlabel = \"y\"\n", "{\"t\": \"a\", \"y\": {}}\n", "\"y\" is {} where text or a number"},
		{"text = [\"t\"]\nlabel = \"y\"\nlabel_kind = \"number\"\n", "{\"t\": \"a\", \"y\": \"b\"}\n", "\"y\" is \"b\" where a number"},
		{"text = [\"t\"]\nlabel = \"y\"\n", "{\"t\": \"a\", \"y\": \"b\"}\n", "The label is \"b\" in every row"},
		{"text = [\"t\"]\nlabel = \"y\"\nclasses = [\"a\", \"c\"]\n", "{\"t\": \"a\", \"y\": \"b\"}\n", "0.jsonl:1: found the class \"b\", and classes lists [\"a\" \"c\"]"},
		{"text = [\"t\"]\n", "", "0.jsonl has no rows"},
		{"text = [\"t\"]\n", "\x1f\x8b\x08\x00", "Damaged gzip file"},
		{"text = [\"t\"]\nfeatures = [\"u\"]\nrename = { u = \"t\" }\n", "{}", "\"t\" is there twice, in \"features\" and \"text\""},
		{"text = [\"t\"]\nsplit {\n train = 0.5\n test = 0.5\n by = \"content\"\n group = \"t\"\n}\n", "{}", "not both"},
		{"text = [\"t\"]\nsplit {\n train = 0.5\n test = 0.5\n group = \"u\"\n}\n", "{\"t\": \"a\"}", "\"u\" is missing"},
	} {
		if _, err := build(t, c.attrs, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v\nwant %s", c.attrs, c.text, err, c.want)
		}
	}
	if _, err := build(t, "text = [\"t\"]\nlabel = \"y\"\n", `{"t":"a","y":"u"}`+"\n"+`{"t":"b","y":"v"}`, `{"t":"a","y":"w"}`); err != nil {
		t.Errorf("a class that one file has: %v", err)
	}
	r, err := build(t, "text = [\"t\"]\n", "{\"t\": \"a\xffb\\u0000\"}\n")
	if err != nil || r.Read(t, "train").Texts["t"].At(0) != "a\ufffdb\x00" || !strings.Contains(r.Log, "1 texts are not UTF-8") {
		t.Errorf("%v %s", err, r.Log)
	}
}

// FuzzRead: no bytes make the reader panic; what it accepts reads back.
func FuzzRead(f *testing.F) {
	for _, s := range []string{`{"t":"a","n":1,"y":"u"}`, `{"t":{"t":1}}`, "{\"t\":\"\xff\",\"n\":true,\"y\":2}\n{\"t\":\"\",\"n\":0,\"y\":1}", "\x1f\x8b", "\ufeff{}", "{\"t.u\":null,\"t\":{\"u\":\"x\"}}"} {
		f.Add(s)
	}
	var plans []*shardtest.Plan
	for _, attrs := range []string{"text = [\"t\"]\nfeatures = [\"n\"]\nlabel = \"y\"\n", "text = [\"t.u\"]\nmissing = \"skip\"\n"} {
		plans = append(plans, shardtest.Prepare(f, Kind, "dataset \"jsonl\" \"a\" {\n files = [\"a.jsonl\"]\n"+attrs+"}\n"))
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range plans {
			p.Check(t, map[string][]byte{"a.jsonl": []byte(s)})
		}
	})
}
