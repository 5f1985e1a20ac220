package mlx

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
)

// Random is a stream of random numbers that is a pure function of a seed and a name, equal on every backend, platform and
// version. The stream is PCG-DXSM (math/rand/v2), seeded with the first 16 bytes of SHA-256 of the seed (8 bytes, little
// endian) and the name; what is made of its 64-bit words is written out here, for the library's own methods may change.
type Random struct{ src *rand.PCG }

// NewRandom returns the stream of a seed and a name.
func NewRandom(seed int64, name string) *Random {
	h := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, uint64(seed)), name...))
	return &Random{rand.NewPCG(binary.LittleEndian.Uint64(h[:8]), binary.LittleEndian.Uint64(h[8:16]))}
}

// Uint64 is the next word.
func (r *Random) Uint64() uint64 { return r.src.Uint64() }

// Float64 is uniform in [0, 1), with 53 bits.
func (r *Random) Float64() float64 { return float64(r.src.Uint64()>>11) * (1.0 / (1 << 53)) }

// Normal is standard normal (Box and Muller 1958, the cosine branch; two words a number).
func (r *Random) Normal() float64 {
	u := 1 - r.Float64()
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*r.Float64())
}

// Below is uniform in [0, n), by rejection.
func (r *Random) Below(n uint64) uint64 {
	limit := math.MaxUint64 - math.MaxUint64%n
	for {
		if v := r.src.Uint64(); v < limit {
			return v % n
		}
	}
}

// Permutation is a random order of 0 to n-1 (Fisher and Yates, from the end).
func (r *Random) Permutation(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := int(r.Below(uint64(i + 1)))
		p[i], p[j] = p[j], p[i]
	}
	return p
}
