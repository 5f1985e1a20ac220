package augment

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
)

func must(t testing.TB, shape []int, ops ...Op) *Augmenter {
	t.Helper()
	a, err := New(ops, shape, 7)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// data is rows in which every element is different.
func data(rows, width int) []float32 {
	x := make([]float32, rows*width)
	for i := range x {
		x[i] = float32(i + 1)
	}
	return x
}

// apply augments some rows of data.
func apply(a *Augmenter, x []float32, epoch int, rows ...int) *Batch {
	b := &Batch{Rows: rows}
	read := func(row int, into []float32) { copy(into, x[row*a.width:(row+1)*a.width]) }
	for _, r := range rows {
		b.X = append(b.X, x[r*a.width:(r+1)*a.width]...)
	}
	a.Apply(epoch, b, len(x)/a.width, read)
	return b
}

func all() []Op {
	return []Op{{Type: "flip", Axis: "horizontal", Probability: 0.5}, {Type: "crop", Padding: 2, Fill: "zero"}, {Type: "shift", Max: 1}, {Type: "noise", Deviation: 0.5}, {Type: "mixup", Alpha: 0.4}}
}

// TestPure: a row becomes the same in any batch, and something else in another epoch, under another seed, or as another row.
func TestPure(t *testing.T) {
	const rows = 40
	a := must(t, []int{5, 6, 2}, all()...)
	x := data(rows, a.width)
	whole := apply(a, x, 3, slices.Sorted(func(yield func(int) bool) {
		for i := range rows {
			if !yield(i) {
				return
			}
		}
	})...)
	for _, order := range [][]int{{5}, {7, 5, 39}, {39, 0, 5, 5}} {
		b := apply(a, x, 3, order...)
		for i, r := range order {
			if !slices.Equal(b.X[i*a.width:(i+1)*a.width], whole.X[r*a.width:(r+1)*a.width]) || b.Partner[i] != whole.Partner[r] || b.Weight[i] != whole.Weight[r] {
				t.Fatalf("row %d of the batch %v is not as in the whole epoch", r, order)
			}
		}
	}
	if slices.Equal(apply(a, x, 4, 5).X, apply(a, x, 3, 5).X) {
		t.Error("two epochs are alike")
	}
	other, err := New(all(), a.shape, 8)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(apply(other, x, 3, 5).X, apply(a, x, 3, 5).X) {
		t.Error("the seed makes no difference")
	}
	if !reflect.DeepEqual(x, data(rows, a.width)) {
		t.Error("the data was changed")
	}
}

// TestOrder: an operation that is added at the end changes no draw of those before it.
func TestOrder(t *testing.T) {
	x := data(30, 24)
	flip, zero := all()[0], Op{Type: "noise", Deviation: math.SmallestNonzeroFloat32}
	one, two := must(t, []int{4, 6, 1}, flip), must(t, []int{4, 6, 1}, flip, zero)
	for r := range 30 {
		if !slices.Equal(apply(one, x, 0, r).X, apply(two, x, 0, r).X) {
			t.Fatal("another operation changed the flips")
		}
	}
}

func TestFlip(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12} // 2 x 3 x 2
	h := apply(must(t, []int{2, 3, 2}, Op{Type: "flip", Axis: "horizontal", Probability: 1}), x, 0, 0)
	if want := []float32{5, 6, 3, 4, 1, 2, 11, 12, 9, 10, 7, 8}; !slices.Equal(h.X, want) {
		t.Errorf("%v", h.X)
	}
	v := apply(must(t, []int{2, 3, 2}, Op{Type: "flip", Axis: "vertical", Probability: 1}), x, 0, 0)
	if want := []float32{7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6}; !slices.Equal(v.X, want) {
		t.Errorf("%v", v.X)
	}
	a := must(t, []int{1, 2, 1}, Op{Type: "flip", Axis: "horizontal", Probability: 0.3})
	x, flipped := data(5000, 2), 0
	for r := range 5000 {
		if b := apply(a, x, 1, r); b.X[0] > b.X[1] {
			flipped++
		}
	}
	if math.Abs(float64(flipped)-1500) > 4*math.Sqrt(5000*0.3*0.7) {
		t.Errorf("%d of 5000 are flipped with probability 0.3", flipped)
	}
}

// TestMoves: every move within reach comes about, each about as often, and what comes in is zero, mirrored, or the edge.
func TestMoves(t *testing.T) {
	x := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9} // 3 x 3
	for _, c := range []struct {
		op      Op
		outside func(i, n int) int
	}{
		{Op{Type: "crop", Padding: 2, Fill: "zero"}, nothing},
		{Op{Type: "crop", Padding: 2, Fill: "reflect"}, mirrored},
		{Op{Type: "shift", Max: 2}, nearest},
	} {
		want, ways := map[[9]float32]int{}, map[[9]float32]int{}
		for down := -2; down <= 2; down++ {
			for right := -2; right <= 2; right++ {
				var m [9]float32
				for y := range 3 {
					for k := range 3 {
						if sy, sx := c.outside(y-down, 3), c.outside(k-right, 3); sy >= 0 && sx >= 0 {
							m[3*y+k] = x[3*sy+sx]
						}
					}
				}
				want[m] = 0
				ways[m]++ // mirrored, moves by -2 and by 2 are alike
			}
		}
		a := must(t, []int{3, 3, 1}, c.op)
		for epoch := range 2500 {
			m := [9]float32(apply(a, x, epoch, 0).X)
			if _, ok := want[m]; !ok {
				t.Fatalf("%+v: %v cannot be", c.op, m)
			}
			want[m]++
		}
		for m, n := range want {
			if due := 100 * ways[m]; n < due/2 || n > due*8/5 {
				t.Errorf("%+v: %v came %d times in 2500, about %d are due", c.op, m, n, due)
			}
		}
	}
	if got := []int{mirrored(-2, 3), mirrored(-1, 3), mirrored(3, 3), mirrored(4, 3)}; !slices.Equal(got, []int{2, 1, 1, 0}) {
		t.Errorf("mirrored: %v", got)
	}
	// A series moves along its first dimension only.
	seen := map[float32]bool{}
	a := must(t, []int{4, 2}, Op{Type: "shift", Max: 1})
	for epoch := range 100 {
		b := apply(a, data(1, 8), epoch, 0)
		seen[b.X[2]] = true
		if b.X[3] != b.X[2]+1 {
			t.Fatalf("%v", b.X)
		}
	}
	if !seen[1] || !seen[3] || !seen[5] || len(seen) != 3 {
		t.Errorf("%v", seen)
	}
}

func TestNoise(t *testing.T) {
	a := must(t, []int{1000}, Op{Type: "noise", Deviation: 2})
	b := apply(a, make([]float32, 20*1000), 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	var sum, squares float64
	for _, v := range b.X {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(b.X))
	if math.Abs(sum/n) > 0.1 || math.Abs(math.Sqrt(squares/n)-2) > 0.06 {
		t.Errorf("mean %g, deviation %g", sum/n, math.Sqrt(squares/n))
	}
}

// TestMixup: rows are mixed as they say, with weights of the mean and variance of Beta(alpha, alpha).
func TestMixup(t *testing.T) {
	x := data(100, 3)
	for _, alpha := range []float64{0.2, 1, 3} {
		a := must(t, []int{3}, Op{Type: "mixup", Alpha: alpha})
		if !a.Mixes() {
			t.Fatal("it does not mix")
		}
		var sum, squares, n float64
		for epoch := range 200 {
			rows := []int{0, 17, 99, 50, 3}
			b := apply(a, x, epoch, rows...)
			for i, r := range rows {
				w, p := b.Weight[i], b.Partner[i]
				for k := range 3 {
					if want := w*x[3*r+k] + (1-w)*x[3*p+k]; math.Abs(float64(b.X[3*i+k]-want)) > 1e-4 {
						t.Fatalf("row %d is %v, of %g and row %d", r, b.X[3*i:3*i+3], w, p)
					}
				}
				sum, squares, n = sum+float64(w), squares+float64(w)*float64(w), n+1
			}
		}
		mean, variance := sum/n, squares/n-(sum/n)*(sum/n)
		if want := 1 / (4 * (2*alpha + 1)); math.Abs(mean-0.5) > 0.05 || math.Abs(variance-want) > 0.15*want {
			t.Errorf("alpha %g: mean %g, variance %g, want 0.5 and %g", alpha, mean, variance, want)
		}
	}
	if must(t, []int{3}).Mixes() {
		t.Error("nothing mixes")
	}
}

// TestVectors holds what comes out, on every platform: stored training states depend on it.
func TestVectors(t *testing.T) {
	a := must(t, []int{2, 2, 1}, all()[0], Op{Type: "shift", Max: 1}, all()[4])
	b := apply(a, data(10, 4), 2, 0, 9)
	want := &Batch{Rows: []int{0, 9}, X: []float32{2, 2, 4, 4, 26.223633, 26.223633, 26.223633, 26.223633}, Partner: []int{0, 4}, Weight: []float32{0.6542969, 0.39160156}}
	if !reflect.DeepEqual(b, want) {
		t.Errorf("%+v", b)
	}
	if w := beta(mlx.NewRandom(1, "beta"), 0.4); w != 0.2265625 {
		t.Errorf("%v", w)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		shape []int
		op    Op
		attr  string
		want  string
	}{
		{[]int{4}, Op{Type: "flip", Axis: "horizontal", Probability: 0.5}, "", "it takes images, and a row has shape [4]"},
		{[]int{4, 4, 1}, Op{Type: "flip", Axis: "up"}, "axis", `axis is "up"`},
		{[]int{4, 4, 1}, Op{Type: "flip", Axis: "vertical", Probability: math.NaN()}, "probability", "probability is NaN"},
		{[]int{4, 4}, Op{Type: "crop", Padding: 1, Fill: "zero"}, "", "it takes images"},
		{[]int{4, 4, 1}, Op{Type: "crop", Padding: 4, Fill: "reflect"}, "padding", "padding is 4, and images are 4 x 4; it is from 1 to 3"},
		{[]int{4, 6, 1}, Op{Type: "crop", Padding: 7, Fill: "zero"}, "padding", "it is from 1 to 6"},
		{[]int{4, 4, 1}, Op{Type: "crop", Fill: "zero"}, "padding", "padding is 0"},
		{[]int{4, 4, 1}, Op{Type: "crop", Padding: 1, Fill: "blue"}, "fill", `fill is "blue"`},
		{[]int{4, 5, 1}, Op{Type: "shift", Max: 9}, "max", "max is 9, and rows have shape [4 5 1]; it is from 1 to 5"},
		{[]int{4, 50}, Op{Type: "shift", Max: 9}, "max", "it is from 1 to 4"}, // a series of 50 features a step
		{nil, Op{Type: "shift", Max: 1}, "", "a row is one number"},
		{[]int{4, 4, 1}, Op{Type: "noise"}, "deviation", "above 0"},
		{[]int{4, 4, 1}, Op{Type: "mixup", Alpha: math.Inf(1)}, "alpha", "above 0"},
		{[]int{4, 4, 1}, Op{Type: "turn"}, "", "no such operation"},
	} {
		_, err := New([]Op{all()[3], c.op}, c.shape, 0)
		var m *Misfit
		if !errors.As(err, &m) || m.Place != 1 || m.Attr != c.attr || !strings.Contains(m.Text, c.want) {
			t.Errorf("%+v: %+v, want %s at %q", c.op, err, c.want, c.attr)
		}
	}
	if _, err := New([]Op{all()[4], all()[4]}, []int{3}, 0); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Error(err)
	}
}

func BenchmarkApply(b *testing.B) {
	for _, c := range []struct {
		name string
		ops  []Op
	}{{"flip and crop", all()[:2]}, {"noise", all()[3:4]}, {"mixup", all()[4:]}} {
		b.Run(c.name, func(b *testing.B) {
			a := must(b, []int{28, 28, 1}, c.ops...)
			x := data(256, a.width)
			rows := make([]int, 128)
			for i := range rows {
				rows[i] = i
			}
			for b.Loop() {
				apply(a, x, 0, rows...)
			}
		})
	}
}
