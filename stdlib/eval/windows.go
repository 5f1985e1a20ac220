package eval

import (
	"math"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
)

// How the numbers that a model gives for the windows of one text (dataset tokenized with stride) become those of the text.
const (
	meanOfWindows = "mean"  // of classes the mean of the probabilities; of numbers the mean
	maxOfWindows  = "max"   // of each class the greatest probability, all brought to a sum of 1
	windowsApart  = "apart" // a window is a row
)

// documents makes one row of the windows of each text: rows that follow each other and have one source. out is [rows, width], and of
// classes logits, one for two classes; what comes back are logits again, logarithms of the probabilities. counts are the windows of each
// row, nil where every row is one, and out and data are then as they were.
func documents(how string, out []float32, d *dataset.Data, label *dataset.Label) (_ []float32, _ *dataset.Data, counts []int32) {
	if how == "" || how == windowsApart || label != nil && label.Kind == "tags" {
		return out, d, nil
	}
	var first []int
	for i := range d.Rows {
		if i == 0 || d.Source[i] != d.Source[i-1] {
			first, counts = append(first, i), append(counts, 0)
		}
		counts[len(counts)-1]++
	}
	if len(first) == d.Rows {
		return out, d, nil
	}
	width := len(out) / d.Rows
	numbers := label != nil && label.Kind == "number"
	texts, _ := subset(d, out, first, label)
	merged := make([]float32, 0, len(first)*width)
	for k, at := range first {
		rows := out[at*width : (at+int(counts[k]))*width]
		if counts[k] == 1 {
			merged = append(merged, rows...)
			continue
		}
		merged = append(merged, together(how, rows, width, numbers)...)
	}
	return merged, texts, counts
}

// together is the row of some windows.
func together(how string, rows []float32, width int, numbers bool) []float32 {
	classes := width
	if width == 1 && !numbers {
		classes = 2
	}
	sum := make([]float64, classes)
	p := make([]float64, classes)
	n := len(rows) / width
	for w := range n {
		row := rows[w*width : (w+1)*width]
		switch {
		case numbers:
			for c, v := range row {
				p[c] = float64(v)
			}
		case width == 1: // softmax of (0, z)
			softmax([]float32{0, row[0]}, p)
		default:
			softmax(row, p)
		}
		for c, v := range p {
			if how == maxOfWindows {
				sum[c] = max(sum[c], v)
			} else {
				sum[c] += v / float64(n)
			}
		}
	}
	out := make([]float32, width)
	switch {
	case numbers:
		for c, v := range sum {
			out[c] = float32(v)
		}
	case width == 1:
		out[0] = float32(math.Log(sum[1]) - math.Log(sum[0]))
	default:
		total := 0.0
		for _, v := range sum {
			total += v
		}
		for c, v := range sum {
			out[c] = float32(math.Log(v / total))
		}
	}
	return out
}

// smallest keeps logarithms finite.
const smallest = 1e-30

func softmax(row []float32, p []float64) {
	top, total := math.Inf(-1), 0.0
	for _, v := range row {
		top = max(top, float64(v))
	}
	for c, v := range row {
		p[c] = math.Exp(float64(v) - top)
		total += p[c]
	}
	for c := range p {
		p[c] = max(p[c]/total, smallest)
	}
}
