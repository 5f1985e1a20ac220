//go:build !(amd64 && goexperiment.simd)

package mlx

// SIMD is the instruction set that the Go backend multiplies matrices with: none, for this build has no vector code (build
// with GOEXPERIMENT=simd on amd64 for speed), or generic where even its portable kernels are switched off.
func SIMD() string {
	if !enabled(envMatMul) {
		return "generic"
	}
	return "none"
}
