package classification

import (
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
	a, err := measure(one, []float32{-1, 0, 2}, d, label)
	if err != nil {
		t.Fatal(err)
	}
	b, err := measure(two, []float32{0, -1, 0, 0, 0, 2}, d, label)
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
	if _, err := measure(other, []float32{-1, 0, 2}, d, label); err != nil || other.Metrics["precision"] != 0.5 || other.Metrics["recall"] != 1 {
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
		if _, err := measure(&c.r, make([]float32, c.out), d, c.label); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
