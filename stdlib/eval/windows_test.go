package eval

import (
	"fmt"
	"math"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
)

// TestDocuments: windows of a text become one row, in any of the ways, with the text's label, and what has no windows stays as it is.
func TestDocuments(t *testing.T) {
	class := &dataset.Label{Kind: "class", Classes: []string{"a", "b", "c"}}
	ln := func(p ...float64) (out []float32) {
		for _, v := range p {
			out = append(out, float32(math.Log(v)+3)) // logits are logarithms up to a constant
		}
		return out
	}
	logits := append(append(ln(0.5, 0.25, 0.25), ln(0.1, 0.8, 0.1)...), append(ln(0.2, 0.2, 0.6), ln(0.9, 0.05, 0.05)...)...)
	z := []float32{float32(math.Log(0.75 / 0.25)), float32(math.Log(0.05 / 0.95)), 2, -1}
	for _, c := range []struct {
		how   string
		label *dataset.Label
		out   []float32
		want  []float64 // probabilities, or numbers
		rows  []int64
	}{
		{"mean", class, logits, []float64{0.3, 0.525, 0.175, 0.2, 0.2, 0.6, 0.9, 0.05, 0.05}, []int64{4, 6, 4}},
		{"max", class, logits, []float64{0.5 / 1.55, 0.8 / 1.55, 0.25 / 1.55, 0.2, 0.2, 0.6, 0.9, 0.05, 0.05}, []int64{4, 6, 4}},
		{"mean", nil, logits, []float64{0.3, 0.525, 0.175, 0.2, 0.2, 0.6, 0.9, 0.05, 0.05}, []int64{4, 6, 4}},
		{"mean", class, z, []float64{0.4, 1 / (1 + math.Exp(-2)), 1 / (1 + math.Exp(1))}, []int64{4, 6, 4}},
		{"max", class, z, []float64{0.75 / 1.7, 1 / (1 + math.Exp(-2)), 1 / (1 + math.Exp(1))}, []int64{4, 6, 4}},
		{"mean", &dataset.Label{Kind: "number"}, []float32{1, 4, 7, 9}, []float64{2.5, 7, 9}, []int64{4, 6, 4}},
		{"apart", class, logits, nil, []int64{4, 4, 6, 4}},
		{"", class, logits, nil, []int64{4, 4, 6, 4}},
		{"mean", &dataset.Label{Kind: "tags"}, logits, nil, []int64{4, 4, 6, 4}},
	} {
		d := &dataset.Data{Rows: 4, Source: []int64{4, 4, 6, 4}, Classes: []int32{1, 1, 2, 0}, Texts: map[string]*dataset.Texts{"lang": texts("en", "en", "de", "fr")}}
		out, got, counts := documents(c.how, c.out, d, c.label)
		if fmt.Sprint(got.Source) != fmt.Sprint(c.rows) {
			t.Errorf("%s: rows of %v, want %v", c.how, got.Source, c.rows)
		}
		if c.want == nil {
			if got != d || counts != nil || fmt.Sprint(out) != fmt.Sprint(c.out) {
				t.Errorf("%s: %v, %v", c.how, out, counts)
			}
			continue
		}
		if fmt.Sprint(counts, got.Rows, got.Classes) != "[2 1 1] 3 [1 2 0]" || got.Texts["lang"].At(1) != "de" {
			t.Errorf("%s: %v %+v", c.how, counts, got)
		}
		width := len(c.out) / 4
		for row := range 3 {
			p := make([]float64, max(width, 2))
			switch y := out[row*width : (row+1)*width]; {
			case c.label != nil && c.label.Kind == "number":
				p = []float64{float64(y[0])}
			case width == 1:
				p = []float64{1 / (1 + math.Exp(-float64(y[0])))}
			default:
				softmax(y, p)
			}
			for k := range width {
				if want := c.want[row*width+k]; math.Abs(p[k]-want) > 1e-6 {
					t.Errorf("%s, row %d: %v, want %v", c.how, row, p[k], want)
				}
			}
		}
	}
	// certain of the opposite in each window: finite
	far := []float32{200, -200}
	d := &dataset.Data{Rows: 2, Source: []int64{1, 1}}
	if out, _, _ := documents("mean", far, d, class); math.Abs(float64(out[0])) > 1e-6 {
		t.Errorf("%v", out)
	}
	if out, _, _ := documents("mean", []float32{200, 200}, d, class); out[0] < 50 || math.IsInf(float64(out[0]), 0) {
		t.Errorf("%v", out)
	}
}
