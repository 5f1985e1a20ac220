//go:build amd64 && goexperiment.simd

package mlx

import (
	"os"
	"simd/archsimd"
	"strings"
)

// SIMD is the instruction set that the Go backend uses here: avx512, avx2 or none. Each gives other bits.
func SIMD() string {
	switch {
	case archsimd.X86.AVX512() && !off("GOMLX_SIMD_AVX512"):
		return "avx512"
	case archsimd.X86.AVX2() && !off("GOMLX_SIMD_AVX2"):
		return "avx2"
	}
	return "none"
}

// off reports that an environment variable switches a feature off.
func off(name string) bool {
	switch strings.ToLower(os.Getenv(name)) {
	case "0", "false", "f", "no", "off":
		return true
	}
	return false
}
