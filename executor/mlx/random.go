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
//
// A stream for each thing that is random (an epoch's order, a parameter, a layer's mask at a step) rather than one for all
// makes each independent of what was drawn before, so that any part can be made again alone.
type Random struct{ src *rand.PCG }

// NewRandom returns the stream of a seed and a name.
func NewRandom(seed int64, name string) *Random {
	h := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, uint64(seed)), name...))
	return &Random{rand.NewPCG(binary.LittleEndian.Uint64(h[:8]), binary.LittleEndian.Uint64(h[8:16]))}
}

// Uint64 is the next word.
func (r *Random) Uint64() uint64 { return r.src.Uint64() }

// Float64 is uniform in [0, 1), with 53 bits of the next word.
func (r *Random) Float64() float64 { return float64(r.src.Uint64()>>11) * (1.0 / (1 << 53)) }

// Normal is standard normal, by the ratio of uniforms with Leva's bounds (ACM TOMS 18, 1992, algorithm 712). What it returns
// is a product and a quotient, which every platform rounds alike; Box and Muller's sines and logarithms they do not.
func (r *Random) Normal() float64 {
	for {
		u := 1 - r.Float64()
		v := 1.7156 * (r.Float64() - 0.5)
		x, y := u-0.449871, math.Abs(v)+0.386595
		q := x*x + y*(0.19600*y-0.25472*x)
		if q < 0.27597 || q <= 0.27846 && v*v <= -4*u*u*math.Log(u) {
			return v / u
		}
	}
}

// Below is uniform in [0, n), n above 0: a word modulo n, where words beyond the last multiple of n are drawn again.
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
