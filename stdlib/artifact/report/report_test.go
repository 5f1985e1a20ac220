package report

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/metric"
)

func TestRoundTrip(t *testing.T) {
	r := &Report{Task: "classification", Split: "test", Rows: 3, Metrics: map[string]float64{"macro_f1": 0.5, "accuracy": 1.0 / 3},
		PerClass: []metric.Class{{Class: "<é>", Precision: 1, Recall: 0.5, F1: 2.0 / 3, Support: 2}}, Confusion: [][]int{{1, 1}, {1, 0}}}
	path := filepath.Join(t.TempDir(), "report.json")
	if err := Write(path, r); err != nil {
		t.Fatal(err)
	}
	want := `{"confusion":[[1,1],[1,0]],"metrics":{"accuracy":0.3333333333333333,"macro_f1":0.5},"per_class":[{"class":"<é>","f1":0.6666666666666666,"precision":1,"recall":0.5,"support":2}],"rows":3,"split":"test","task":"classification"}`
	if b, err := os.ReadFile(path); err != nil || string(b) != want {
		t.Errorf("got  %s, %v\nwant %s", b, err, want)
	}
	if got, err := Read(path); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("read back %+v, %v", got, err)
	}
}

func TestErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	if err := Write(path, &Report{Metrics: map[string]float64{"r2": math.Inf(-1)}}); err == nil {
		t.Error("an infinite metric was written")
	}
	if _, err := Read(path); !os.IsNotExist(err) {
		t.Errorf("a failed write left a file, or %v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.HasPrefix(err.Error(), "report: ") {
		t.Errorf("a broken report: %v", err)
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		bound    string
		limit, v float64
		margin   float64
		verdict  string
	}{
		{"min", 0.95, 0.97, 0.02, "pass"},
		{"min", 0.95, 0.95, 0, "pass"},
		{"min", 0.95, 0.9499, -0.0001, "fail"},
		{"max", 0.01, 0.97 - 0.96, 0, "pass"}, // a rounding above 0.01
		{"max", 0.01, 0.0100001, -1e-7, "fail"},
		{"max", 0.01, -0.5, 0.51, "pass"},
		{"max", 0, 0, 0, "pass"},
		{"max", 0, 1e-300, -1e-300, "fail"},
		{"min", 1e12, 1e12 - 1, 0, "pass"},
		{"min", -3, -4, -1, "fail"},
		{"min", 0.95, math.NaN(), 0, "inconclusive"},
		{"max", 0.95, math.Inf(1), 0, "inconclusive"},
		{"min", 0.95, math.Inf(1), 0, "inconclusive"},
	} {
		j := Judge("m", c.bound, c.limit, c.v)
		if j.Verdict != c.verdict || math.Abs(j.Margin-c.margin) > 1e-12*math.Abs(c.margin)+1e-15 {
			t.Errorf("%s %g of %g: %s with margin %g, want %s with %g", c.bound, c.limit, c.v, j.Verdict, j.Margin, c.verdict, c.margin)
		}
		if j.Verdict == "fail" && j.Margin >= 0 {
			t.Errorf("failed with margin %g", j.Margin)
		}
		if err := Write(filepath.Join(t.TempDir(), "v"), j); err != nil {
			t.Errorf("%+v: %v", j, err)
		}
	}
}

func TestVerdictJSON(t *testing.T) {
	base := 0.97
	j := Judge("accuracy_drop", "max", 0.02, 0.01)
	j.Baseline = &base
	path := filepath.Join(t.TempDir(), "verdict.json")
	if err := Write(path, j); err != nil {
		t.Fatal(err)
	}
	want := `{"baseline":0.97,"bound":"max","limit":0.02,"margin":0.01,"metric":"accuracy_drop","value":0.01,"verdict":"pass"}`
	if b, _ := os.ReadFile(path); string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
}
