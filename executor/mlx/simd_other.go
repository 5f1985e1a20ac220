//go:build !(amd64 && goexperiment.simd)

package mlx

// SIMD is none: this build has no vector code for the Go backend. Build with GOEXPERIMENT=simd on amd64 for speed.
func SIMD() string { return "none" }
