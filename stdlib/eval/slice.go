package eval

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
)

// sliceParams are the attribute slice.
type sliceParams struct {
	Column  string `json:"column"`
	MinRows int    `json:"min_rows"`
}

// maxSlices bounds the values that a column may have.
const maxSlices = 1000

// The prefixes of metrics that are the lowest, and the highest, of a metric over the slices.
const (
	lowest  = "lowest_"
	highest = "highest_"
)

// sliced is the metrics of a block: where there are slices, the lowest and highest of each beside them.
func sliced(l *planner.Lowering, metrics []string) []string {
	if l.Attr("slice") == nil {
		return metrics
	}
	out := slices.Clone(metrics)
	for _, m := range metrics {
		out = append(out, lowest+m, highest+m)
	}
	return out
}

// slice measures the rows of each value of a column apart and puts it into the report.
func (p *sliceParams) slice(r *report.Report, out []float32, d *dataset.Data, label *dataset.Label, log io.Writer, measure func(*report.Report, []float32, *dataset.Data) error) error {
	t := d.Texts[p.Column]
	if t == nil || t.Rows != nil {
		var have []string
		for name := range d.Texts {
			have = append(have, name)
		}
		slices.Sort(have)
		return fmt.Errorf("the data has no column of text %q to slice by; it has %s (list it under text in the dataset's block, or under keep in dataset \"tokenized\")", p.Column, schema.Words(have))
	}
	rows := map[string][]int{}
	for i := range d.Rows {
		v := t.At(i)
		if rows[v] = append(rows[v], i); len(rows) > maxSlices {
			return fmt.Errorf("the column %q has more than %d different values; slices are by a column of few", p.Column, maxSlices)
		}
	}
	small := 0
	for value, list := range rows {
		s := report.Slice{Value: value, Rows: len(list)}
		if len(list) < p.MinRows {
			small++
		} else {
			part := &report.Report{Metrics: map[string]float64{}}
			x, y := subset(d, out, list, label)
			if err := measure(part, y, x); err != nil {
				return fmt.Errorf("slice %q: %w", value, err)
			}
			s.Metrics = part.Metrics
		}
		r.Slices = append(r.Slices, s)
	}
	slices.SortFunc(r.Slices, func(a, b report.Slice) int { return cmp.Compare(a.Value, b.Value) })
	if small > 0 {
		fmt.Fprintf(log, "warning: %d of %d slices have fewer than min_rows = %d rows and are not measured\n", small, len(rows), p.MinRows)
	}
	for _, s := range r.Slices {
		for name, v := range s.Metrics {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				delete(s.Metrics, name)
				continue
			}
			if old, ok := r.Metrics[lowest+name]; !ok || v < old {
				r.Metrics[lowest+name] = v
			}
			if old, ok := r.Metrics[highest+name]; !ok || v > old {
				r.Metrics[highest+name] = v
			}
		}
	}
	return nil
}

// subset is some rows of data, and what a model gave for them.
func subset(d *dataset.Data, out []float32, rows []int, label *dataset.Label) (*dataset.Data, []float32) {
	x := *d
	x.Rows, x.Features, x.Stream, x.Classes, x.Numbers, x.Source, x.Texts, x.Tokens = len(rows), nil, nil, nil, nil, nil, map[string]*dataset.Texts{}, map[string]*dataset.Tokens{}
	for name := range d.Texts {
		x.Texts[name] = &dataset.Texts{}
	}
	for name := range d.Tokens {
		x.Tokens[name] = &dataset.Tokens{}
	}
	var tagged *dataset.Tokens // that the model gives numbers for, and labels are of
	if label != nil && label.Kind == "tags" {
		tagged = d.Tokens[label.Of]
	}
	var y []float32
	for _, row := range rows {
		from, to, n := row, row+1, d.Rows
		if tagged != nil {
			from, to = tagged.Span(row)
			n = len(tagged.IDs)
		}
		width := len(out) / max(n, 1)
		y = append(y, out[from*width:to*width]...)
		if d.Classes != nil {
			x.Classes = append(x.Classes, d.Classes[from:to]...)
		}
		if d.Numbers != nil {
			x.Numbers = append(x.Numbers, d.Numbers[row])
		}
		x.Source = append(x.Source, d.Source[row])
		for name, t := range d.Texts {
			if t.Rows == nil {
				x.Texts[name].Bytes = append(x.Texts[name].Bytes, t.At(row)...)
				x.Texts[name].Ends = append(x.Texts[name].Ends, int64(len(x.Texts[name].Bytes)))
			}
		}
		for name, t := range d.Tokens {
			from, to := t.Span(row)
			part := x.Tokens[name]
			part.IDs = append(part.IDs, t.IDs[from:to]...)
			if t.Types != nil {
				part.Types = append(part.Types, t.Types[from:to]...)
			}
			if t.Words != nil {
				part.Words = append(part.Words, t.Words[from:to]...)
			}
			part.Ends = append(part.Ends, int64(len(part.IDs)))
			if t.Bytes != nil {
				part.Bytes = append(part.Bytes, t.Bytes[row])
			}
		}
	}
	for name, t := range d.Texts {
		if t.Rows != nil {
			delete(x.Texts, name) // words are tokens by now
		}
	}
	return &x, y
}

// withoutSlice is the name of a metric without lowest_ and highest_.
func withoutSlice(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, lowest), highest)
}
