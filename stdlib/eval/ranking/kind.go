// Package ranking is the kind `eval ranking`: where a model puts what is relevant among the candidates for a query.
package ranking

import (
	"fmt"
	"math"
	"strconv"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/eval"
	"mbuild.dev/mbuild/stdlib/metric"
)

// Kind is eval.ranking.
var Kind = eval.KindWith("ranking", Schema, names, measure)

// names are the metrics of a block.
func names(l *planner.Lowering) []string {
	out := []string{"mrr"}
	ks := defaultK
	if list, ok := l.Attr("k").([]any); ok {
		ks = nil
		for _, k := range list {
			n, _ := k.(int64)
			ks = append(ks, int(n))
		}
	}
	for _, k := range ks {
		out = append(out, recallAt(k), ndcgAt(k))
	}
	return out
}

// defaultK is the attribute k where it is absent.
var defaultK = []int{1, 5, 10}

func recallAt(k int) string { return "recall_at_" + strconv.Itoa(k) }
func ndcgAt(k int) string   { return "ndcg_at_" + strconv.Itoa(k) }

func measure(job *executor.Job, r *report.Report, out []float32, d *dataset.Data, label *dataset.Label) ([]safetensors.Tensor, error) {
	var p struct {
		Query string `json:"query"`
		K     []int  `json:"k"`
	}
	if err := job.Bind(&p); err != nil {
		return nil, err
	}
	if p.K == nil {
		p.K = defaultK
	}
	var m metric.Ranking
	if p.Query == "" {
		var err error
		if m, err = neighbours(out, d, label, p.K); err != nil {
			return nil, err
		}
	} else {
		queries, err := group(p.Query, out, d, label)
		if err != nil {
			return nil, err
		}
		m = metric.Rank(queries, p.K)
	}
	if m.Queries == 0 {
		return nil, fmt.Errorf("none of the %d queries has a relevant candidate: the label %q says so of no row", m.Skipped, label.Name)
	}
	if m.Skipped > 0 {
		fmt.Fprintf(job.Log, "warning: %d of %d queries have no relevant candidate and are left aside\n", m.Skipped, m.Skipped+m.Queries)
	}
	r.Task, r.Metrics = "ranking", map[string]float64{"mrr": m.MRR}
	for _, k := range p.K {
		r.Metrics[recallAt(k)], r.Metrics[ndcgAt(k)] = m.Recall[k], m.NDCG[k]
	}
	job.Metrics["queries"], job.Metrics["skipped_queries"] = float64(m.Queries), float64(m.Skipped)
	if label.Kind == "class" {
		return []safetensors.Tensor{{Name: "label", DType: "I32", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Classes)}}, nil
	}
	return []safetensors.Tensor{{Name: "label", DType: "F32", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Numbers)}}, nil
}

// group makes queries of rows, in the order in which they appear. The score of a row is the model's number, or, of two classes, how
// much more likely the second is; its gain is the label, or the place of its class.
func group(column string, out []float32, d *dataset.Data, label *dataset.Label) ([]metric.Query, error) {
	t := d.Texts[column]
	if t == nil || t.Rows != nil {
		var have []string
		for name := range d.Texts {
			have = append(have, name)
		}
		return nil, fmt.Errorf("the data has no column of text %q to tell queries apart; it has %s (list it under text in the dataset's block, or under keep in dataset \"tokenized\")", column, schema.Words(have))
	}
	width := len(out) / d.Rows
	switch {
	case label.Kind == "tags":
		return nil, fmt.Errorf("the label %q tags words; ranking needs a number, or a class, for each row", label.Name)
	case width != 1 && width != 2 || width == 2 && len(label.Classes) != 2:
		return nil, fmt.Errorf("the model gives %d outputs a row; ranking needs 1, or 2 for two classes", width)
	}
	place := map[string]int{}
	var queries []metric.Query
	for row := range d.Rows {
		name := t.At(row)
		i, ok := place[name]
		if !ok {
			i = len(queries)
			place[name] = i
			queries = append(queries, metric.Query{})
		}
		score, gain := float64(out[row*width]), 0.0
		if width == 2 {
			score = float64(out[2*row+1]) - score
		}
		if label.Kind == "class" {
			gain = float64(d.Classes[row])
		} else {
			gain = float64(d.Numbers[row])
		}
		queries[i].Scores, queries[i].Gains = append(queries[i].Scores, score), append(queries[i].Gains, gain)
	}
	return queries, nil
}

// maxNeighbours bounds the rows that are compared each with each.
const maxNeighbours = 50_000

// neighbours measures vectors: each row's nearest others, of which those of its class are relevant.
func neighbours(out []float32, d *dataset.Data, label *dataset.Label, ks []int) (metric.Ranking, error) {
	width := len(out) / d.Rows
	switch {
	case label.Kind != "class":
		return metric.Ranking{}, fmt.Errorf("the label %q is no class; without query, rows of one class are relevant to each other", label.Name)
	case width < 2:
		return metric.Ranking{}, fmt.Errorf("the model gives one number a row, not a vector: set query, the column that tells queries apart")
	case d.Rows > maxNeighbours:
		return metric.Ranking{}, fmt.Errorf("there are %d rows, and at most %d are compared each with each: take a smaller split", d.Rows, maxNeighbours)
	}
	total := metric.Ranking{Recall: map[int]float64{}, NDCG: map[int]float64{}}
	q := metric.Query{Scores: make([]float64, d.Rows-1), Gains: make([]float64, d.Rows-1)}
	unit := normalized(out, width)
	for row := range d.Rows {
		at := 0
		for other := range d.Rows {
			if other == row {
				continue
			}
			q.Scores[at], q.Gains[at] = dot(unit[row*width:(row+1)*width], unit[other*width:(other+1)*width]), 0
			if d.Classes[other] == d.Classes[row] {
				q.Gains[at] = 1
			}
			at++
		}
		total.Merge(metric.Rank([]metric.Query{q}, ks))
	}
	return total, nil
}

// normalized is vectors of length 1 (or 0).
func normalized(out []float32, width int) []float64 {
	v := make([]float64, len(out))
	for i := 0; i < len(out); i += width {
		sum := 0.0
		for k := range width {
			x := float64(out[i+k])
			sum += float64(x * x)
		}
		for k := range width {
			if sum > 0 {
				v[i+k] = float64(out[i+k]) / math.Sqrt(sum)
			}
		}
	}
	return v
}

func dot(a, b []float64) (sum float64) {
	for i, x := range a {
		sum += float64(x * b[i])
	}
	return sum
}
