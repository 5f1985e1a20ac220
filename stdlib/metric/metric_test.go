package metric

import (
	"math"
	"slices"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
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
	c, predicted := Classify(logits, labels, []string{"a", "b", "c"}, nil, nil)
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
	c, predicted := Classify([]float32{1, 1, 0, 1e30, 0, 0}, []int32{0, 0}, []string{"a", "b", "c"}, nil, nil)
	if predicted[0] != 0 || c.Accuracy != 1 || c.MacroF1 != 1 || math.IsNaN(c.LogLoss) {
		t.Errorf("%v %+v", predicted, c)
	}
}

// TestCut: rows of two classes with probabilities 0.1, 0.3, 0.6 and 0.9 of the second, by hand.
func TestCut(t *testing.T) {
	var logits []float32
	for _, p := range []float64{0.1, 0.3, 0.6, 0.9} {
		logits = append(logits, 0, float32(math.Log(p/(1-p))))
	}
	labels, classes := []int32{0, 1, 0, 1}, []string{"no", "yes"}
	for _, c := range []struct {
		cut                 *Cut
		accuracy, precision float64 // precision of yes
		predicted           []int32
	}{
		{nil, 0.5, 0.5, []int32{0, 0, 1, 1}},
		{&Cut{1, 0.5}, 0.5, 0.5, []int32{0, 0, 1, 1}},
		{&Cut{1, 0.2}, 0.75, 2.0 / 3, []int32{0, 1, 1, 1}},
		{&Cut{0, 0.2}, 0.75, 1, []int32{0, 0, 0, 1}}, // yes above 0.8
	} {
		got, predicted := Classify(logits, labels, classes, c.cut, nil)
		near(t, "accuracy", got.Accuracy, c.accuracy)
		near(t, "precision", got.PerClass[1].Precision, c.precision)
		if math.Abs(got.ECE-0.375) > 1e-6 { // by chance, of each: (2*0.1 + 0.7 + 0.6) / 4
			t.Errorf("%+v: ECE is %g", c.cut, got.ECE)
		}
		if !slices.Equal(predicted, c.predicted) {
			t.Errorf("%+v predicts %v, want %v", c.cut, predicted, c.predicted)
		}
	}
}

// TestReject: a row whose most likely class has less than the threshold is the class for such rows, which the model has no output for;
// log loss and calibration are of the probabilities.
func TestReject(t *testing.T) {
	none := float32(math.Inf(-1))
	var logits []float32
	for _, p := range []float64{0.9, 0.55, 0.6, 0.2} {
		logits = append(logits, float32(math.Log(p)), none, float32(math.Log(1-p)))
	}
	labels := []int32{0, 0, 1, 1}
	reject := &Reject{Class: 1, Threshold: 0.7}
	c, predicted := Classify(logits, labels, []string{"a", "outside", "b"}, nil, reject)
	if want := []int32{0, 1, 1, 2}; !slices.Equal(predicted, want) || !slices.Equal(Predict(logits, 3, nil, reject), want) {
		t.Errorf("predicted %v, want %v", predicted, want)
	}
	near(t, "accuracy", c.Accuracy, 0.5)
	near(t, "recall of outside", c.PerClass[1].Recall, 0.5)
	near(t, "precision of outside", c.PerClass[1].Precision, 0.5)
	if want := -(math.Log(0.9) + math.Log(0.55)) / 2; math.Abs(c.LogLoss-want) > 1e-6 {
		t.Errorf("log loss is %g, want %g: of the rows of classes that the model knows", c.LogLoss, want)
	}
}

// TestAUC against pairs that are counted one by one, with many equals.
func TestAUC(t *testing.T) {
	r := mlx.NewRandom(1, "auc")
	for n := range 40 {
		var logits []float32
		var labels []int32
		for range n {
			logits = append(logits, float32(r.Below(4)), float32(r.Below(4)))
			labels = append(labels, int32(r.Below(2)))
		}
		for positive := range 2 {
			won, pairs := 0.0, 0.0
			for i := range n {
				for j := range n {
					if int(labels[i]) != positive || int(labels[j]) == positive {
						continue
					}
					pairs++
					a, b := logits[2*i+positive]-logits[2*i+1-positive], logits[2*j+positive]-logits[2*j+1-positive]
					if a > b {
						won++
					} else if a == b {
						won += 0.5
					}
				}
			}
			if got, want := AUC(logits, labels, positive), won/pairs; got != want && !(math.IsNaN(got) && pairs == 0) {
				t.Errorf("%d rows: %g, counted %g", n, got, want)
			}
		}
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
