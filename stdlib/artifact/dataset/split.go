package dataset

import (
	"math"
	"sort"
	"strconv"

	"mbuild.dev/mbuild/executor/mlx"
)

// Fractions says how rows are dealt out to splits.
type Fractions struct {
	Train    float64 `json:"train"`
	Valid    float64 `json:"valid"`
	Test     float64 `json:"test"`
	Seed     int64   `json:"seed"`
	Stratify bool    `json:"stratify"`
}

// Sum is 1 when the fractions are sound, but for rounding.
func (f *Fractions) Sum() float64 { return f.Train + f.Valid + f.Test }

// names of the splits in the order in which rows are dealt.
var splitNames = []string{"train", "valid", "test"}

// Deal assigns each of n rows to a split, by number in the order train, valid, test. The rows are put into a random order
// (Permutation of the stream "split" of the seed); the first round(train n) are for training, those up to
// round((train+valid) n) for validation, the rest for testing. With Stratify this is done for the rows of each class apart,
// with the stream "split/<class>".
func (f *Fractions) Deal(n int, classes []int32) []uint8 {
	of := make([]uint8, n)
	deal := func(rows []int, stream string) {
		first := int(math.Round(f.Train * float64(len(rows))))
		second := int(math.Round((f.Train + f.Valid) * float64(len(rows))))
		for k, j := range mlx.NewRandom(f.Seed, stream).Permutation(len(rows)) {
			switch {
			case k >= second:
				of[rows[j]] = 2
			case k >= first:
				of[rows[j]] = 1
			}
		}
	}
	if !f.Stratify || classes == nil {
		rows := make([]int, n)
		for i := range rows {
			rows[i] = i
		}
		deal(rows, "split")
		return of
	}
	by := map[int32][]int{}
	for i, c := range classes {
		by[c] = append(by[c], i)
	}
	var order []int32
	for c := range by {
		order = append(order, c)
	}
	sort.Slice(order, func(i, j int) bool { return order[i] < order[j] })
	for _, c := range order {
		deal(by[c], "split/"+strconv.Itoa(int(c)))
	}
	return of
}

// Splits lists the splits of a deal with their rows, leaving out empty ones, in order. nil fractions give the one split All.
func Splits(f *Fractions, n int, classes []int32) (names []string, rows map[string][]int) {
	rows = map[string][]int{}
	if f == nil {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		return []string{All}, map[string][]int{All: all}
	}
	for i, s := range f.Deal(n, classes) {
		rows[splitNames[s]] = append(rows[splitNames[s]], i)
	}
	for _, s := range splitNames {
		if len(rows[s]) > 0 {
			names = append(names, s)
		}
	}
	return names, rows
}
