package dataset

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
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

	// By says what decides on a row: "position", its number (Deal), or "content", what it holds (DealByKey).
	By string `json:"by"`
	// Group names a column whose equal values stay together: DealByKey with its values as keys.
	Group string `json:"group"`
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

// Key is what decides where a row goes: a digest of its content, or of its group. Rows of equal keys go to one split.
type Key [16]byte

// place is a key's stable place in [0, 1): the first 53 bits of SHA-256 of the seed (8 bytes, little-endian) and the key.
func (f *Fractions) place(k Key) float64 {
	h := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, uint64(f.Seed)), k[:]...))
	return float64(binary.BigEndian.Uint64(h[:8])>>11) * (1.0 / (1 << 53))
}

// DealByKey assigns rows to splits as Deal does, by the places of their keys: those below train are for training, those below
// train+valid for validation, the rest for testing. So a row stays where it is when others come or go, and the sizes of splits
// are about what the fractions say. With Stratify each class is dealt apart, and exactly: the keys of a class in the order of
// their places, until round(train n) of its n rows are reached, and so on; a key belongs to the class that most of its rows
// have, the lower one in a tie.
func (f *Fractions) DealByKey(keys []Key, classes []int32) []uint8 {
	of := make([]uint8, len(keys))
	if !f.Stratify || classes == nil {
		for i, k := range keys {
			of[i] = f.at(f.place(k))
		}
		return of
	}
	split := map[Key]uint8{}
	for _, keys := range strata(keys, classes) {
		f.dealStratum(keys, split)
	}
	for i, k := range keys {
		of[i] = split[k]
	}
	return of
}

// at is the split of a place.
func (f *Fractions) at(place float64) uint8 {
	switch {
	case place < f.Train || f.Valid == 0 && f.Test == 0:
		return 0
	case place < f.Train+f.Valid || f.Test == 0:
		return 1
	}
	return 2
}

// weighted is a key and how many rows have it.
type weighted struct {
	key  Key
	rows int
}

// strata groups keys by the class that most of their rows have.
func strata(keys []Key, classes []int32) map[int32][]weighted {
	type pair struct {
		key   Key
		class int32
	}
	counts := map[pair]int{}
	for i, k := range keys {
		counts[pair{k, classes[i]}]++
	}
	most, total := map[Key]pair{}, map[Key]int{}
	for p, n := range counts {
		total[p.key] += n
		best, ok := most[p.key]
		if !ok || n > counts[best] || n == counts[best] && p.class < best.class {
			most[p.key] = p
		}
	}
	out := map[int32][]weighted{}
	for k, p := range most {
		out[p.class] = append(out[p.class], weighted{k, total[k]})
	}
	return out
}

// dealStratum deals the keys of one class.
func (f *Fractions) dealStratum(keys []weighted, split map[Key]uint8) {
	places := make(map[Key]float64, len(keys))
	n := 0
	for _, w := range keys {
		places[w.key] = f.place(w.key)
		n += w.rows
	}
	slices.SortFunc(keys, func(a, b weighted) int {
		return cmp.Or(cmp.Compare(places[a.key], places[b.key]), bytes.Compare(a.key[:], b.key[:]))
	})
	first := math.Round(f.Train * float64(n))
	second := math.Round((f.Train + f.Valid) * float64(n))
	done := 0
	for _, w := range keys {
		// A group belongs where its middle row falls.
		switch at := float64(done) + float64(w.rows)/2; {
		case at > second:
			split[w.key] = 2
		case at > first:
			split[w.key] = 1
		default:
			split[w.key] = 0
		}
		done += w.rows
	}
}
