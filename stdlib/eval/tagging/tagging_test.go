package tagging

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/metric"
)

const no = dataset.NoLabel

// tagged is a split of two rows, with logits that say what a tagger gives for each token.
func tagged() (*dataset.Data, *dataset.Label, []float32) {
	label := &dataset.Label{Name: "ner", Kind: "tags", Of: "text", Classes: []string{"B-LOC", "B-PER", "I-PER", "O"}, Scheme: "iob2"}
	d := &dataset.Data{Rows: 2, Source: []int64{0, 1}, Classes: []int32{no, 1, no, 2, 3, no, no, 0, no},
		Tokens: map[string]*dataset.Tokens{"text": {IDs: make([]int32, 9), Words: []int32{-1, 0, 0, 1, 2, -1, -1, 0, -1}, Ends: []int64{6, 9}}}}
	var out []float32
	// The second token of the first word says B-LOC, and does not count; the last row's word is taken for a person.
	for _, c := range []int{0, 1, 0, 2, 3, 0, 0, 1, 0} {
		v := make([]float32, 4)
		v[c] = 1
		out = append(out, v...)
	}
	return d, label, out
}

func TestMeasure(t *testing.T) {
	d, label, out := tagged()
	for _, how := range []string{"first", "all"} {
		if how == "all" {
			d.Classes[2] = 1 // as word_labels = "all" would have it: a word counts once
		}
		r, job := &report.Report{}, &executor.Job{Metrics: map[string]float64{}}
		keep, err := measure(job, r, out, d, label)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]float64{"precision": 0.5, "recall": 0.5, "f1": 0.5, "macro_f1": 1.0 / 3, "accuracy": 0.75, "f1_LOC": 0, "f1_PER": 2.0 / 3}
		for k, v := range want {
			if math.Abs(r.Metrics[k]-v) > 1e-12 {
				t.Errorf("%s: %s is %v, want %v", how, k, r.Metrics[k], v)
			}
		}
		if len(r.Metrics) != len(want) || r.Task != "tagging" || len(r.PerClass) != 2 || job.Metrics["words"] != 4 || job.Metrics["entities"] != 2 || len(keep) != 3 {
			t.Errorf("%+v %v", r, job.Metrics)
		}
	}
	label.Scheme, label.Classes = "none", []string{"LOC", "PER", "ORG", "O"}
	r := &report.Report{}
	if _, err := measure(&executor.Job{Metrics: map[string]float64{}}, r, out, d, label); err != nil || r.Metrics["f1"] != 2.0/3 {
		t.Errorf("%v %v", err, r.Metrics) // of three words with a type, two are right
	}
}

func TestErrors(t *testing.T) {
	for want, change := range map[string]func(*dataset.Data, *dataset.Label) int{
		"one for each row":                       func(_ *dataset.Data, l *dataset.Label) int { l.Kind = "class"; return 36 },
		"make tokens of them first":              func(d *dataset.Data, _ *dataset.Label) int { d.Tokens = nil; return 36 },
		"the model gives 8 numbers for 9 tokens": func(*dataset.Data, *dataset.Label) int { return 8 },
		"no word of the split has a label": func(d *dataset.Data, _ *dataset.Label) int {
			d.Classes = []int32{no, no, no, no, no, no, no, no, no}
			return 36
		},
	} {
		d, label, out := tagged()
		n := change(d, label)
		if _, err := measure(&executor.Job{Metrics: map[string]float64{}}, &report.Report{}, out[:n], d, label); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if !reflect.DeepEqual(metric.Entities([]string{"O"}), []metric.Entity(nil)) {
		t.Error("an entity of nothing")
	}
}
