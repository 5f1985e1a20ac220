package classification

import (
	"encoding/json"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
)

// TestMeasure: one logit of two classes is measured as (0, z) is; what does not fit is said.
func TestMeasure(t *testing.T) {
	label := &dataset.Label{Name: "y", Kind: "class", Classes: []string{"no", "yes"}}
	d := &dataset.Data{Rows: 3, Classes: []int32{0, 1, 1}}
	one, two := &report.Report{}, &report.Report{}
	a, err := measure(params{}, one, []float32{-1, 0, 2}, d, label)
	if err != nil {
		t.Fatal(err)
	}
	b, err := measure(params{}, two, []float32{0, -1, 0, 0, 0, 2}, d, label)
	if err != nil {
		t.Fatal(err)
	}
	if string(a[1].Data) != string(b[1].Data) || one.Metrics["log_loss"] != two.Metrics["log_loss"] {
		t.Errorf("%v\n%v", one.Metrics, two.Metrics)
	}
	if m := one.Metrics; m["precision"] != 1 || m["recall"] != 0.5 || m["auc"] != 1 || one.Positive != "yes" || one.Threshold != 0.5 {
		t.Errorf("%+v", one)
	}
	other := &report.Report{Positive: "no", Threshold: 0.4}
	if _, err := measure(params{}, other, []float32{-1, 0, 2}, d, label); err != nil || other.Metrics["precision"] != 0.5 || other.Metrics["recall"] != 1 {
		t.Errorf("%v %+v", err, other)
	}

	three := &dataset.Label{Name: "y", Kind: "class", Classes: []string{"a", "b", "c"}}
	for _, c := range []struct {
		label *dataset.Label
		out   int
		r     report.Report
		want  string
	}{
		{three, 3, report.Report{}, "one output a row, which tells two classes apart, and the label \"y\" has 3"},
		{three, 6, report.Report{}, "2 outputs a row, and the label \"y\" has 3 classes"},
		{three, 9, report.Report{Positive: "a"}, "positive is for labels of two classes"},
		{label, 9, report.Report{}, "3 outputs a row, and the label \"y\" has 2 classes"},
		{label, 3, report.Report{Positive: "yess"}, "has \"no\" and \"yes\"; did you mean \"yes\"?"},
		{&dataset.Label{Name: "y", Kind: "number"}, 3, report.Report{}, "use eval regression"},
	} {
		if _, err := measure(params{}, &c.r, make([]float32, c.out), d, c.label); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// TestClasses: shares of data without a label, rejected rows, and what gates ask of one class.
func TestClasses(t *testing.T) {
	var p params
	p.Classes = []string{"a", "b"}
	r := &report.Report{Rows: 4}
	out := []float32{3, 0, 0, 3, 0, 0.1, 3, 0}
	d := &dataset.Data{Rows: 4}
	if _, err := measure(p, r, out, d, nil); err != nil || r.Metrics["share_a"] != 0.5 || r.Metrics["share_b"] != 0.5 {
		t.Errorf("%v %+v", err, r)
	}
	r = &report.Report{Rows: 4}
	if err := json.Unmarshal([]byte(`{"class": "other", "threshold": 0.8}`), &p.Reject); err != nil {
		t.Fatal(err)
	}
	if _, err := measure(p, r, out, d, nil); err != nil || r.Metrics["share_a"] != 0.5 || r.Metrics["share_b"] != 0.25 || r.Metrics["share_other"] != 0.25 {
		t.Errorf("%v %+v", err, r)
	}
	if c := r.Classes(); len(c) != 3 || c[2] != "other" {
		t.Errorf("classes are %v", c)
	}
	if _, err := measure(params{}, r, out, d, nil); err == nil || !strings.Contains(err.Error(), "Name the model's outputs in classes") {
		t.Errorf("no classes: %v", err)
	}
	if _, err := measure(params{Classes: []string{"a", "b", "c"}}, r, out, d, nil); err == nil || !strings.Contains(err.Error(), "2 outputs a row") {
		t.Errorf("other classes: %v", err)
	}
	d.Classes = []int32{0, 2, 1, 0}
	label := &dataset.Label{Name: "y", Kind: "class", Classes: []string{"a", "other", "b"}}
	r = &report.Report{Rows: 4}
	if _, err := measure(params{Reject: p.Reject}, r, out, d, label); err != nil || r.Metrics["accuracy"] != 1 {
		t.Errorf("%v %+v", err, r)
	}
	for name, want := range map[string]float64{"recall_other": 1, "precision_a": 1, "f1_b": 1, "share_other": 0.25} {
		if got := r.Of(name); got != want {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
	if _, err := measure(p, r, out, d, label); err == nil || !strings.Contains(err.Error(), "Leave it out") {
		t.Errorf("classes beside a label: %v", err)
	}
}
