// Package metric holds the measures of models. All sums are in float64 and in the order of the rows, so that equal
// predictions give equal bits.
package metric

import (
	"cmp"
	"math"
	"slices"
)

// Class is the measures of one class.
type Class struct {
	Class     string  `json:"class"`
	Precision float64 `json:"precision"` // of the rows predicted as the class, the share that are; 0 when none is predicted
	Recall    float64 `json:"recall"`    // of the rows of the class, the share predicted as it; 0 when there are none
	F1        float64 `json:"f1"`        // harmonic mean of both; 0 when both are
	Support   int     `json:"support"`   // rows of the class
}

// Classification is the measures of a classifier.
type Classification struct {
	Accuracy  float64 // share of rows that are predicted right
	MacroF1   float64 // mean F1 of the classes that occur in labels or predictions
	LogLoss   float64 // mean of -ln p(class of the row), of the rows whose class has a logit above -Inf
	ECE       float64 // expected calibration error, 15 bins of equal width (Guo et al. 2017)
	PerClass  []Class
	Confusion [][]int // [class of the row][class predicted]
}

// eceBins is the number of bins of the expected calibration error.
const eceBins = 15

// Cut is how one of two classes is predicted: Positive where its probability is above Threshold, else the other.
type Cut struct {
	Positive  int
	Threshold float64
}

// Reject is how rows of no known class are told: Class is predicted where the most likely class has a probability below Threshold
// (the reject option of Chow 1970). Class may be one that the model has no output for: its logits are -Inf.
type Reject struct {
	Class     int
	Threshold float64
}

// Predict is the class predicted for each row of logits ([rows, classes], row-major): the most likely one, the first of equals; by
// cut, which is nil or of two classes; and by reject, or nil.
func Predict(logits []float32, classes int, cut *Cut, reject *Reject) []int32 {
	predicted := make([]int32, len(logits)/classes)
	for i := range predicted {
		best, p, _ := likely(logits[i*classes:(i+1)*classes], cut)
		predicted[i] = reject.predict(best, p)
	}
	return predicted
}

// likely is the class of a row, its probability, and the sum of exp(logit - greatest logit).
func likely(row []float32, cut *Cut) (best int, p, sum float64) {
	for j, v := range row {
		if v > row[best] {
			best = j
		}
	}
	for _, v := range row {
		sum += math.Exp(float64(v) - float64(row[best]))
	}
	p = 1 / sum
	if cut != nil {
		best, p = cut.predict(best, p)
	}
	return best, p, sum
}

// predict is the class predicted of a row whose class without rejection is best, with probability p.
func (r *Reject) predict(best int, p float64) int32 {
	if r != nil && p < r.Threshold {
		return int32(r.Class)
	}
	return int32(best)
}

// Classify measures logits ([rows, classes], row-major) against class indices, and returns the predicted classes as well, as Predict
// does. Log loss and calibration are of the probabilities, before anything is rejected.
func Classify(logits []float32, labels []int32, classes []string, cut *Cut, reject *Reject) (Classification, []int32) {
	n, k := len(labels), len(classes)
	c := Classification{Confusion: make([][]int, k)}
	for i := range c.Confusion {
		c.Confusion[i] = make([]int, k)
	}
	predicted := make([]int32, n)
	var conf, hit, count [eceBins]float64
	known := 0.0 // rows whose class the model knows
	for i, label := range labels {
		row := logits[i*k : (i+1)*k]
		best, p, sum := likely(row, cut)
		if own := float64(row[label]); !math.IsInf(own, -1) {
			c.LogLoss += math.Log(sum) - (own - float64(slices.Max(row)))
			known++
		}
		bin := min(int(p*eceBins), eceBins-1)
		conf[bin] += p
		count[bin]++
		if best == int(label) {
			hit[bin]++
		}
		predicted[i] = reject.predict(best, p)
		if predicted[i] == label {
			c.Accuracy++
		}
		c.Confusion[label][predicted[i]]++
	}
	rows := float64(n)
	c.Accuracy /= rows
	c.LogLoss /= known
	for b := range eceBins {
		c.ECE += math.Abs(conf[b]-hit[b]) / rows
	}
	c.perClass(classes)
	return c, predicted
}

// predict is the class that is predicted, and its probability, of a row whose most likely class is best, with probability p.
func (c *Cut) predict(best int, p float64) (int, float64) {
	positive := p
	if best != c.Positive {
		positive = 1 - p
	}
	if positive > c.Threshold {
		return c.Positive, positive
	}
	return 1 - c.Positive, 1 - positive
}

// AUC is the area under the ROC curve of two classes: the probability that a row of the positive class has a higher logit of it,
// against the other's, than a row of the other; equals count half (Hanley and McNeil 1982). NaN where a class has no row.
func AUC(logits []float32, labels []int32, positive int) float64 {
	order, scores := make([]int, len(labels)), make([]float64, len(labels))
	for i := range labels {
		order[i], scores[i] = i, float64(logits[2*i+positive])-float64(logits[2*i+1-positive])
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	var won, positives, negatives float64 // counts are whole or halves: exact
	for at := 0; at < len(order); {
		var p, n float64
		for first := scores[order[at]]; at < len(order) && cmp.Compare(scores[order[at]], first) == 0; at++ {
			if int(labels[order[at]]) == positive {
				p++
			} else {
				n++
			}
		}
		won += p*negatives + p*n/2
		positives, negatives = positives+p, negatives+n
	}
	return won / (positives * negatives)
}

func (c *Classification) perClass(classes []string) {
	occur := 0
	for k, name := range classes {
		tp, predicted, support := c.Confusion[k][k], 0, 0
		for j := range classes {
			predicted += c.Confusion[j][k]
			support += c.Confusion[k][j]
		}
		m := Class{Class: name, Support: support, Precision: ratio(tp, predicted), Recall: ratio(tp, support)}
		m.F1 = ratio(2*tp, predicted+support)
		if predicted+support > 0 {
			occur++
			c.MacroF1 += m.F1
		}
		c.PerClass = append(c.PerClass, m)
	}
	c.MacroF1 /= float64(max(occur, 1))
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// Regression is the measures of a model of one number.
type Regression struct {
	R2       float64 // 1 - sum of squared errors / sum of squared deviations from the mean of the rows; 0 when these are all equal
	MSE      float64
	RMSE     float64
	MAE      float64
	MaxError float64
}

// Regress measures predictions against numbers.
func Regress(predicted, actual []float32) Regression {
	n := float64(len(actual))
	mean := 0.0
	for _, y := range actual {
		mean += float64(y) / n
	}
	var r Regression
	var sse, sst float64
	for i, y := range actual {
		e := float64(predicted[i]) - float64(y)
		sse += e * e
		r.MAE += math.Abs(e) / n
		r.MaxError = max(r.MaxError, math.Abs(e))
		sst += (float64(y) - mean) * (float64(y) - mean)
	}
	r.MSE = sse / n
	r.RMSE = math.Sqrt(r.MSE)
	if sst > 0 {
		r.R2 = 1 - sse/sst
	}
	return r
}
