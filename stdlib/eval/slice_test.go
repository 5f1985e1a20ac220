package eval

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
)

func texts(list ...string) *dataset.Texts {
	t := &dataset.Texts{}
	for _, s := range list {
		t.Bytes = append(t.Bytes, s...)
		t.Ends = append(t.Ends, int64(len(t.Bytes)))
	}
	return t
}

// mean measures the mean of outputs, and says what it saw.
func mean(seen *[]string) func(*report.Report, []float32, *dataset.Data) error {
	return func(r *report.Report, out []float32, d *dataset.Data) error {
		sum := 0.0
		for _, v := range out {
			sum += float64(v) / float64(len(out))
		}
		r.Metrics["mean"] = sum
		*seen = append(*seen, fmt.Sprint(out, d.Classes, d.Numbers, d.Source))
		if sum > 100 {
			return errors.New("too much")
		}
		return nil
	}
}

func TestSlice(t *testing.T) {
	d := &dataset.Data{Rows: 4, Source: []int64{5, 6, 7, 8}, Classes: []int32{0, 1, 0, 1}, Texts: map[string]*dataset.Texts{"lang": texts("en", "de", "en", "fr"), "words": {Rows: []int64{0, 0, 0, 0}}}}
	label := &dataset.Label{Kind: "class", Classes: []string{"a", "b"}}
	out := []float32{1, 1, 5, 5, 3, 3, 9, 9}
	r := &report.Report{Metrics: map[string]float64{"mean": 4.5}}
	var log strings.Builder
	var seen []string
	p := &sliceParams{Column: "lang", MinRows: 1}
	if err := p.slice(r, out, d, label, &log, mean(&seen)); err != nil {
		t.Fatal(err)
	}
	want := &report.Report{Metrics: map[string]float64{"mean": 4.5, "lowest_mean": 2, "highest_mean": 9}, Slices: []report.Slice{
		{Value: "de", Rows: 1, Metrics: map[string]float64{"mean": 5}}, {Value: "en", Rows: 2, Metrics: map[string]float64{"mean": 2}}, {Value: "fr", Rows: 1, Metrics: map[string]float64{"mean": 9}}}}
	if !reflect.DeepEqual(r, want) || log.Len() > 0 || !strings.Contains(strings.Join(seen, "\n"), "[1 1 3 3] [0 0] [] [5 7]") {
		t.Errorf("%+v %s\n%s", r, log.String(), strings.Join(seen, "\n"))
	}
	r = &report.Report{Metrics: map[string]float64{}}
	p.MinRows = 2
	if err := p.slice(r, out, d, label, &log, mean(&seen)); err != nil || r.Slices[0].Metrics != nil || r.Metrics["highest_mean"] != 2 || !strings.Contains(log.String(), "2 of 3 slices have fewer than min_rows = 2") {
		t.Errorf("%v %+v %s", err, r, log.String())
	}
	out[7] = 1000
	for want, p := range map[string]*sliceParams{"no column of text \"x\" to slice by; it has \"lang\" and \"words\"": {Column: "x"}, "no column of text \"words\"": {Column: "words"}, "slice \"fr\": too much": {Column: "lang"}} {
		if err := p.slice(&report.Report{Metrics: map[string]float64{}}, out, d, label, &log, mean(&seen)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestSliceTags: of tags, a row is its tokens.
func TestSliceTags(t *testing.T) {
	d := &dataset.Data{Rows: 3, Source: []int64{0, 1, 2}, Classes: []int32{0, 1, 1, 0, 0, 1}, Texts: map[string]*dataset.Texts{"lang": texts("b", "a", "b")},
		Tokens: map[string]*dataset.Tokens{"text": {IDs: []int32{1, 2, 3, 4, 5, 6}, Words: []int32{0, 1, 0, 0, 1, 2}, Ends: []int64{2, 3, 6}, Bytes: []int32{5, 6, 7}}}}
	out := []float32{1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6}
	x, y := subset(d, out, []int{0, 2}, &dataset.Label{Kind: "tags", Of: "text"})
	if !reflect.DeepEqual(y, []float32{1, 1, 2, 2, 4, 4, 5, 5, 6, 6}) || !reflect.DeepEqual(x.Classes, []int32{0, 1, 0, 0, 1}) {
		t.Errorf("%v %v", y, x.Classes)
	}
	want := &dataset.Tokens{IDs: []int32{1, 2, 4, 5, 6}, Words: []int32{0, 1, 0, 1, 2}, Ends: []int64{2, 5}, Bytes: []int32{5, 7}}
	if !reflect.DeepEqual(x.Tokens["text"], want) || x.Texts["lang"].At(1) != "b" {
		t.Errorf("%+v", x.Tokens["text"])
	}
}
