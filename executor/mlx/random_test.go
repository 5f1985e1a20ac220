package mlx

import (
	"math"
	"slices"
	"testing"
)

// TestVectors holds the generator against numbers from an implementation in another language, written from the comments.
func TestVectors(t *testing.T) {
	words := []struct {
		seed int64
		name string
		want [3]uint64
	}{
		{0, "", [3]uint64{0x774eeec809f0eb48, 0x5ceecb0d09df55e0, 0xd95c4267b1fafdb}},
		{42, "order/0", [3]uint64{0x3e66ae0604a84981, 0x45bac32d4f72f20b, 0x898cc220e0526455}},
		{-7, "init/hidden/weight", [3]uint64{0xc67f8f50262296b4, 0xb0d3348fcc379e37, 0x8b9daa6982ec7283}},
	}
	for _, c := range words {
		r := NewRandom(c.seed, c.name)
		for i, want := range c.want {
			if got := r.Uint64(); got != want {
				t.Errorf("seed %d, %q: word %d is %#x, want %#x", c.seed, c.name, i, got, want)
			}
		}
	}
	r := NewRandom(42, "order/0")
	for i, want := range []float64{0.2437542690937856, 0.2723810182209936, 0.5373040514244365} {
		if got := r.Float64(); got != want {
			t.Errorf("number %d is %v, want %v", i, got, want)
		}
	}
	r = NewRandom(42, "order/0")
	for i, want := range []float64{-0x1.0861bcfe838f5p-1, -0x1.07e6758f73b8dp+0, -0x1.9fbd37ceec7fbp+0, 0x1.323e7ab08316dp+0} {
		if got := r.Normal(); got != want {
			t.Errorf("normal number %d is %x, want %x", i, got, want)
		}
	}
	if got := NewRandom(42, "order/0").Permutation(10); !slices.Equal(got, []int{0, 4, 7, 6, 8, 9, 1, 5, 2, 3}) {
		t.Errorf("the permutation is %v", got)
	}
}

// TestNormal compares moments and tails with those of the normal distribution, within 5 standard errors.
func TestNormal(t *testing.T) {
	const n = 400_000
	var m1, m2, m3, m4, beyond2 float64
	r := NewRandom(1, "normal")
	for range n {
		x := r.Normal()
		m1, m2, m3, m4 = m1+x/n, m2+x*x/n, m3+x*x*x/n, m4+x*x*x*x/n
		if math.Abs(x) > 2 {
			beyond2 += 1.0 / n
		}
	}
	for _, c := range []struct {
		name            string
		got, want, each float64 // each: the standard deviation of one term
	}{
		{"mean", m1, 0, 1}, {"second moment", m2, 1, math.Sqrt(2)}, {"third moment", m3, 0, math.Sqrt(15)},
		{"fourth moment", m4, 3, math.Sqrt(96)}, {"share beyond 2", beyond2, math.Erfc(math.Sqrt2), 0.21},
	} {
		if math.Abs(c.got-c.want) > 5*c.each/math.Sqrt(n) {
			t.Errorf("%s is %g, want %g", c.name, c.got, c.want)
		}
	}
}

// TestBelow draws each of a few numbers about equally often, by a chi-squared test at 1 in a million.
func TestBelow(t *testing.T) {
	const n, draws = 7, 70_000
	var count [n]float64
	r := NewRandom(3, "below")
	for range draws {
		count[r.Below(n)]++
	}
	chi := 0.0
	for _, c := range count {
		chi += (c - draws/n) * (c - draws/n) / (draws / n)
	}
	if chi > 38.3 {
		t.Errorf("chi squared is %g over %v", chi, count)
	}
	if v := r.Below(1); v != 0 {
		t.Errorf("Below(1) is %d", v)
	}
	if v := r.Below(math.MaxUint64); v == math.MaxUint64 {
		t.Errorf("Below(n) is n")
	}
}
