// Package mlxtest opens the backend that tests compute with: go, or the one that MBUILD_TEST_BACKEND names. For one of XLA the
// variable MBUILD_PJRT_CPU is the path of its plugin. Tests open it in their own process, where the program would use a worker.
package mlxtest

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/pjrt"
)

// The variables that choose what tests compute with.
const (
	EnvBackend = "MBUILD_TEST_BACKEND"
	EnvPlugin  = "MBUILD_PJRT_CPU"
	EnvRequire = "MBUILD_REQUIRE_XLA" // set, tests that need the plugin fail without it
)

// Name is the backend that tests compute with.
func Name() string { return cmp.Or(os.Getenv(EnvBackend), mlx.Go) }

// Open opens the backend. A backend that is asked for and cannot be opened fails the test; it is not skipped.
func Open(t testing.TB) *mlx.Session {
	t.Helper()
	return open(t, Name())
}

// Plugin is the path of the plugin. Without one the test is skipped, unless MBUILD_REQUIRE_XLA is set.
func Plugin(t testing.TB) string {
	t.Helper()
	path := os.Getenv(EnvPlugin)
	if path == "" && os.Getenv(EnvRequire) == "" {
		t.Skipf("%s names no PJRT plugin", EnvPlugin)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s: %v", EnvPlugin, err)
	}
	return path
}

// Both opens the go backend and XLA's on a CPU, to hold one against the other.
func Both(t testing.TB) (goes, xla *mlx.Session) {
	t.Helper()
	Plugin(t)
	return open(t, mlx.Go), open(t, mlx.XLACPU)
}

func open(t testing.TB, name string) *mlx.Session {
	t.Helper()
	n, err := mlx.ParseName(name)
	if err == nil && n.Base != mlx.Go {
		err = prepare(n)
	}
	if err != nil {
		t.Fatalf("backend %s with the plugin %s=%q: %v", name, EnvPlugin, os.Getenv(EnvPlugin), err)
	}
	s, err := mlx.Open(n.String())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// prepare gives this process the environment of a worker; the first call counts.
func prepare(n mlx.Name) error {
	if os.Getenv(mlx.EnvChoice) != "" {
		return nil
	}
	path, err := filepath.Abs(os.Getenv(EnvPlugin))
	if err != nil {
		return err
	}
	p, err := pjrt.Dir{Path: filepath.Join(os.TempDir(), "mbuild-test-plugins")}.ByPath(n.Base, path)
	if err != nil {
		return err
	}
	if err := os.Unsetenv("XLA_FLAGS"); err != nil {
		return err
	}
	for _, kv := range mlx.Choose(n, p, n.Platform(), "").Environment(0) {
		name, val, _ := strings.Cut(kv, "=")
		if err := os.Setenv(name, val); err != nil {
			return err
		}
	}
	return nil
}
