package metric

import (
	"cmp"
	"math"
	"slices"
)

// Query is what a ranking gave for one question: a score and a gain for each candidate. A gain is how relevant a candidate is, 0 for not at all.
type Query struct {
	Scores []float64
	Gains  []float64
}

// Ranking is the measures of rankings: means over the queries that have a relevant candidate.
type Ranking struct {
	Recall  map[int]float64 // by k: of the relevant candidates, the share among the first k
	NDCG    map[int]float64 // by k: discounted gain of the first k, over the best there can be (Järvelin and Kekäläinen 2002)
	MRR     float64         // 1 over the place of the first relevant candidate
	Queries int             // that have a relevant candidate
	Skipped int             // that have none
}

// Rank measures rankings at the cut-offs ks. Candidates stand by their scores from high to low, those of equal scores in the order given, and
// not-a-number last. The gain of place i, from 1, counts 1/log2(i+1).
func Rank(queries []Query, ks []int) Ranking {
	r := Ranking{Recall: map[int]float64{}, NDCG: map[int]float64{}}
	for _, q := range queries {
		relevant := 0
		for _, g := range q.Gains {
			if g > 0 {
				relevant++
			}
		}
		if relevant == 0 {
			r.Skipped++
			continue
		}
		r.Queries++
		gains := q.ranked()
		best := slices.SortedFunc(slices.Values(q.Gains), func(a, b float64) int { return cmp.Compare(b, a) })
		first := slices.IndexFunc(gains, func(g float64) bool { return g > 0 })
		r.MRR += 1 / float64(first+1)
		for _, k := range ks {
			found := 0
			for _, g := range gains[:min(k, len(gains))] {
				if g > 0 {
					found++
				}
			}
			r.Recall[k] += float64(found) / float64(relevant)
			r.NDCG[k] += discounted(gains, k) / discounted(best, k)
		}
	}
	n := float64(max(r.Queries, 1))
	r.MRR /= n
	for _, k := range ks {
		r.Recall[k] /= n
		r.NDCG[k] /= n
	}
	return r
}

// Merge takes in the measures of other queries.
func (r *Ranking) Merge(o Ranking) {
	r.Skipped += o.Skipped
	if o.Queries == 0 {
		return
	}
	a, b := float64(r.Queries), float64(o.Queries)
	n := a + b
	r.MRR = (r.MRR*a + o.MRR*b) / n
	for k := range o.Recall {
		r.Recall[k] = (r.Recall[k]*a + o.Recall[k]*b) / n
		r.NDCG[k] = (r.NDCG[k]*a + o.NDCG[k]*b) / n
	}
	r.Queries += o.Queries
}

// ranked is the gains by score.
func (q *Query) ranked() []float64 {
	order := make([]int, len(q.Scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(q.Scores[b], q.Scores[a]) })
	out := make([]float64, len(order))
	for i, k := range order {
		out[i] = q.Gains[k]
	}
	return out
}

func discounted(gains []float64, k int) (sum float64) {
	for i, g := range gains[:min(k, len(gains))] {
		sum += float64(g / math.Log2(float64(i+2)))
	}
	return sum
}
