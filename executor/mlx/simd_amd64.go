//go:build amd64 && goexperiment.simd

package mlx

import "simd/archsimd"

// SIMD is the instruction set that the Go backend multiplies matrices with here: avx512, avx2, none, or generic where even
// its portable kernels are switched off. Each gives other bits.
func SIMD() string {
	switch {
	case !enabled(envMatMul):
		return "generic"
	case archsimd.X86.AVX512() && enabled(envAVX512):
		return "avx512"
	case archsimd.X86.AVX2() && enabled(envAVX2):
		return "avx2"
	}
	return "none"
}
