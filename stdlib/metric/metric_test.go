package metric

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

// TestClassify: four rows of three classes, worked out by hand. Logits are logarithms of probabilities.
func TestClassify(t *testing.T) {
	p := [][]float64{{0.5, 0.25, 0.25}, {0.25, 0.5, 0.25}, {0.5, 0.25, 0.25}, {0.25, 0.25, 0.5}}
	labels := []int32{0, 1, 1, 2}
	var logits []float32
	for _, row := range p {
		for _, v := range row {
			logits = append(logits, float32(math.Log(v)))
		}
	}
	c, predicted := Classify(logits, labels, []string{"a", "b", "c"})
	near(t, "accuracy", c.Accuracy, 0.75)
	if math.Abs(c.LogLoss-(3*math.Ln2+math.Log(4))/4) > 1e-6 {
		t.Errorf("log loss is %g", c.LogLoss)
	}
	if math.Abs(c.ECE-0.25) > 1e-6 { // confidence 0.5 everywhere, right in 3 of 4
		t.Errorf("ECE is %g", c.ECE)
	}
	near(t, "precision of a", c.PerClass[0].Precision, 0.5)
	near(t, "recall of a", c.PerClass[0].Recall, 1)
	near(t, "F1 of a", c.PerClass[0].F1, 2.0/3)
	near(t, "F1 of b", c.PerClass[1].F1, 2.0/3)
	near(t, "macro F1", c.MacroF1, (2.0/3+2.0/3+1)/3)
	if c.Confusion[1][0] != 1 || c.Confusion[1][1] != 1 || predicted[2] != 0 {
		t.Errorf("confusion %v, predicted %v", c.Confusion, predicted)
	}
}

// TestTies: of equal logits the first class is predicted; a class that does not occur counts for nothing; huge logits overflow
// nowhere.
func TestTies(t *testing.T) {
	c, predicted := Classify([]float32{1, 1, 0, 1e30, 0, 0}, []int32{0, 0}, []string{"a", "b", "c"})
	if predicted[0] != 0 || c.Accuracy != 1 || c.MacroF1 != 1 || math.IsNaN(c.LogLoss) {
		t.Errorf("%v %+v", predicted, c)
	}
}

func TestRegress(t *testing.T) {
	r := Regress([]float32{1, 2, 4}, []float32{1, 3, 2})
	near(t, "mse", r.MSE, 5.0/3)
	near(t, "rmse", r.RMSE, math.Sqrt(5.0/3))
	near(t, "mae", r.MAE, 1)
	near(t, "max error", r.MaxError, 2)
	near(t, "r2", r.R2, 1-5.0/2)
	if r := Regress([]float32{1, 2}, []float32{3, 3}); r.R2 != 0 {
		t.Errorf("r2 without variance is %g", r.R2)
	}
}
