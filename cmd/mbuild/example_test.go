package main

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// TestLinearRegression: gradient descent in mbuild reaches the least-squares solution, computed here from the normal
// equations, to 1e-3 relative in each coefficient, and R2 0.5178 (scikit-learn 1.9.1 gives 0.5177484).
func TestLinearRegression(t *testing.T) {
	dir, store := example(t, "linear-regression", ""), t.TempDir()
	run(t, dir, store, "apply", "-auto-approve")
	x, y := diabetes(t, dir)
	want := leastSquares(x, y)
	ts, _, err := safetensors.ReadFile(filepath.Join(dir, "dist/diabetes.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]float32{}
	for _, x := range ts {
		got[x.Name] = safetensors.View[float32](x.Data)
	}
	w := append(append([]float32{}, got["y.weight"]...), got["y.bias"]...)
	for i := range want {
		if math.Abs(float64(w[i])-want[i]) > 1e-3*math.Abs(want[i]) {
			t.Errorf("coefficient %d is %g, in closed form %g", i, w[i], want[i])
		}
	}
	var doc struct{ Metrics map[string]float64 }
	if err := json.Unmarshal([]byte(run(t, dir, store, "show", "-json", "eval.regression.fit")), &doc); err != nil {
		t.Fatal(err)
	}
	if r2 := doc.Metrics["r2"]; math.Abs(r2-0.5177484) > 1e-5 {
		t.Errorf("R2 is %g, want 0.5177484", r2)
	}
}

// diabetes reads the example's data: features scaled to mean 0 and deviation 1, with a column of ones, and the target.
func diabetes(t *testing.T, dir string) (x [][]float64, y []float64) {
	f, err := os.Open(filepath.Join(dir, "diabetes.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	recs, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range recs[1:] {
		row := make([]float64, 11)
		for i := range 10 {
			row[i], _ = strconv.ParseFloat(rec[i], 64)
		}
		row[10] = 1
		target, _ := strconv.ParseFloat(rec[10], 64)
		x, y = append(x, row), append(y, target)
	}
	n := float64(len(x))
	for j := range 10 {
		mean, variance := 0.0, 0.0
		for _, r := range x {
			mean += r[j] / n
		}
		for _, r := range x {
			variance += (r[j] - mean) * (r[j] - mean) / n
		}
		for _, r := range x {
			r[j] = (r[j] - mean) / math.Sqrt(variance)
		}
	}
	return x, y
}

// leastSquares solves the normal equations by Gaussian elimination with partial pivoting.
func leastSquares(x [][]float64, y []float64) []float64 {
	n := len(x[0])
	a := make([][]float64, n)
	for i := range a {
		a[i] = make([]float64, n+1)
		for k, r := range x {
			for j := range n {
				a[i][j] += r[i] * r[j]
			}
			a[i][n] += r[i] * y[k]
		}
	}
	for i := range n {
		p := i
		for r := i + 1; r < n; r++ {
			if math.Abs(a[r][i]) > math.Abs(a[p][i]) {
				p = r
			}
		}
		a[i], a[p] = a[p], a[i]
		for r := range n {
			if f := a[r][i] / a[i][i]; r != i {
				for c := i; c <= n; c++ {
					a[r][c] -= f * a[i][c]
				}
			}
		}
	}
	w := make([]float64, n)
	for i := range w {
		w[i] = a[i][n] / a[i][i]
	}
	return w
}
