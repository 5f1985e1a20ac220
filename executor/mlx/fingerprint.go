package mlx

import (
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

var release = regexp.MustCompile(`^go\d+\.\d+`)

// compiler cuts a Go version down to what may change results; versions that are no releases stay whole.
func compiler(version string) string {
	if v := release.FindString(version); v != "" {
		return v
	}
	return version
}

// fuses reports whether the compiler turns x*y + z into one operation, which rounds once: 3 times the float64 next to a third
// is 1 after rounding, and 1 - 2^-54 before.
func fuses() bool { return multiplyAdd(1.0/3, 3, -1) != 0 }

//go:noinline
func multiplyAdd(x, y, z float64) float64 { return x*y + z }

var moduleVersions = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Replace != nil {
				d = d.Replace
			}
			m[d.Path] = d.Version
		}
	}
	return m
})

// moduleVersion is the version of a module of this binary; "" in a test's binary, which does not record it.
func moduleVersion(path string) string { return moduleVersions()[path] }

// The variables that the Go backend reads when it starts. Each is on unless it says no in one of GoMLX's words.
const (
	envMatMul = "GOMLX_DOT_MATMUL"
	envAVX512 = "GOMLX_SIMD_AVX512"
	envAVX2   = "GOMLX_SIMD_AVX2"
)

func enabled(name string) bool {
	return !slices.Contains([]string{"0", "false", "f", "no", "off", "disabled"}, strings.ToLower(os.Getenv(name)))
}
