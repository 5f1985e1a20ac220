// Package mlxtest opens the backend that tests compute with: go, or the one that MBUILD_TEST_BACKEND names. For one of XLA the
// variable MBUILD_PJRT_CPU is the path of its plugin. Tests open it in their own process, where the program would use a worker.
package mlxtest

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/pjrt"
)

// The variables that choose what tests compute with.
const (
	EnvBackend = "MBUILD_TEST_BACKEND"
	EnvPlugin  = "MBUILD_PJRT_CPU"
)

// Name is the backend that tests compute with.
func Name() string {
	if n := os.Getenv(EnvBackend); n != "" {
		return n
	}
	return mlx.Go
}

var prepare = sync.OnceValue(func() error {
	n, err := mlx.ParseName(Name())
	if err != nil || n.Base == mlx.Go {
		return err
	}
	path, err := filepath.Abs(os.Getenv(EnvPlugin))
	if err != nil {
		return err
	}
	p, err := pjrt.Dir{Path: os.TempDir()}.ByPath(n.Base, path)
	if err != nil {
		return err
	}
	for _, kv := range mlx.Choose(n, p, n.Platform(), "").Environment() {
		name, val, _ := strings.Cut(kv, "=")
		if err := os.Setenv(name, val); err != nil {
			return err
		}
	}
	return os.Unsetenv("XLA_FLAGS")
})

// Open opens the backend. A backend that is asked for and cannot be opened fails the test; it is not skipped.
func Open(t testing.TB) *mlx.Session {
	t.Helper()
	if err := prepare(); err != nil {
		t.Fatalf("%s=%s with the plugin %s=%q: %v", EnvBackend, Name(), EnvPlugin, os.Getenv(EnvPlugin), err)
	}
	n, err := mlx.ParseName(Name())
	if err != nil {
		t.Fatal(err)
	}
	s, err := mlx.Open(n.String())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
