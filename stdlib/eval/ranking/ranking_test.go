package ranking

import (
	"bytes"
	"io"
	"math"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// clicks is five rows of three queries.
func clicks() *dataset.Data {
	t := &dataset.Texts{}
	for _, q := range []string{"a", "b", "a", "b", "c"} {
		t.Bytes = append(t.Bytes, q...)
		t.Ends = append(t.Ends, int64(len(t.Bytes)))
	}
	return &dataset.Data{Rows: 5, Texts: map[string]*dataset.Texts{"q": t}, Classes: []int32{0, 1, 1, 0, 0}, Numbers: []float32{0, 2, 1, 0, 0}}
}

func run(d *dataset.Data, out []float32, label *dataset.Label, params map[string]any) (*report.Report, string, error) {
	var log strings.Builder
	r := &report.Report{}
	_, err := measure(&executor.Job{Params: params, Metrics: map[string]float64{}, Log: &log}, r, out, d, label)
	return r, log.String(), err
}

func TestMeasure(t *testing.T) {
	class := &dataset.Label{Name: "y", Kind: "class", Classes: []string{"no", "yes"}}
	number := &dataset.Label{Name: "y", Kind: "number"}
	// Query a has its click first, query b second; c has none.
	one := []float32{1, 2, 3, 5, 0}
	two := []float32{0, 1, 0, 2, 1, 4, -2, 3, 0, 0}
	for i, c := range []struct {
		out   []float32
		label *dataset.Label
	}{{one, class}, {two, class}, {one, number}} {
		r, log, err := run(clicks(), c.out, c.label, map[string]any{"query": "q", "k": []any{int64(1), int64(2)}})
		if err != nil {
			t.Fatal(err)
		}
		for k, want := range map[string]float64{"mrr": 0.75, "recall_at_1": 0.5, "recall_at_2": 1, "ndcg_at_1": 0.5, "ndcg_at_2": (1 + 1/math.Log2(3)) / 2} {
			if math.Abs(r.Metrics[k]-want) > 1e-12 {
				t.Errorf("%d: %s is %v, want %v", i, k, r.Metrics[k], want)
			}
		}
		if len(r.Metrics) != 5 || !strings.Contains(log, "1 of 3 queries have no relevant candidate") {
			t.Errorf("%v %s", r.Metrics, log)
		}
	}
	for _, l := range []*dataset.Label{class, number} {
		d := clicks()
		want := safetensors.Bytes(d.Classes)
		if l == number {
			want = safetensors.Bytes(d.Numbers)
		}
		keep, err := measure(&executor.Job{Params: map[string]any{"query": "q"}, Metrics: map[string]float64{}, Log: io.Discard}, &report.Report{}, one, d, l)
		if err != nil || len(keep) != 1 || keep[0].Name != "label" || !bytes.Equal(keep[0].Data, want) {
			t.Errorf("the labels of %s are not kept: %+v, %v", l.Kind, keep, err)
		}
	}
	if r, _, err := run(clicks(), one, class, map[string]any{"query": "q"}); err != nil || len(r.Metrics) != 7 {
		t.Errorf("%v %v", r.Metrics, err)
	}
}

// TestVectors: four vectors of two classes and one of a third, by hand.
func TestVectors(t *testing.T) {
	d := &dataset.Data{Rows: 5, Classes: []int32{0, 0, 1, 1, 2}}
	class := &dataset.Label{Name: "y", Kind: "class", Classes: []string{"a", "b", "c"}}
	// The angles are 0, 9, 90, 20 and 200 degrees; lengths do not count.
	var out []float32
	for i, deg := range []float64{0, 9, 90, 20, 200} {
		sin, cos := math.Sincos(deg * math.Pi / 180)
		out = append(out, float32(cos*float64(i+1)), float32(sin*float64(i+1)))
	}
	r, log, err := run(d, out, class, map[string]any{"k": []any{int64(1)}})
	if err != nil {
		t.Fatal(err)
	}
	// Of 0 the nearest is 9, and of 9 it is 0; of 90 it is 20; of 20 they are 9, 0, 90.
	if m := r.Metrics["mrr"]; math.Abs(m-(1+1+1+1.0/3)/4) > 1e-12 || math.Abs(r.Metrics["recall_at_1"]-0.75) > 1e-12 || !strings.Contains(log, "1 of 5 queries") {
		t.Errorf("%v %s", r.Metrics, log)
	}
}

func TestErrors(t *testing.T) {
	class := &dataset.Label{Name: "y", Kind: "class", Classes: []string{"no", "yes"}}
	none := clicks()
	none.Classes = make([]int32, 5)
	for _, c := range []struct {
		d     *dataset.Data
		width int
		label *dataset.Label
		query string
		want  string
	}{
		{clicks(), 1, class, "x", "no column of text \"x\" to tell queries apart; it has \"q\""},
		{clicks(), 3, class, "q", "the model gives 3 outputs a row"},
		{clicks(), 2, &dataset.Label{Name: "y", Kind: "number"}, "q", "the model gives 2 outputs a row"},
		{clicks(), 1, &dataset.Label{Name: "y", Kind: "tags"}, "q", "the label \"y\" tags words"},
		{clicks(), 1, class, "", "the model gives one number a row, not a vector"},
		{clicks(), 2, &dataset.Label{Name: "y", Kind: "number"}, "", "the label \"y\" is no class"},
		{none, 1, class, "q", "none of the 3 queries has a relevant candidate"},
	} {
		if _, _, err := run(c.d, make([]float32, 5*c.width), c.label, queryOf(c.query)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func queryOf(column string) map[string]any {
	if column == "" {
		return map[string]any{}
	}
	return map[string]any{"query": column}
}
