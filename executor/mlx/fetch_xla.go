//go:build xla && cgo

package mlx

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gomlx/go-xla/installer"

	"mbuild.dev/mbuild/executor/pjrt"
)

// Fetch lets go-xla's own installer download a plugin, and returns the library's path. It runs only when the user names it.
// A CPU's plugin lands in a directory of its own; a GPU's comes with NVIDIA's libraries, which must lie beside the plugin's
// directory, so they go to nvidia in d.
func Fetch(d pjrt.Dir, base, version string) (string, error) {
	if version == "" {
		version = "latest"
	}
	if err := os.MkdirAll(d.Path, 0o755); err != nil {
		return "", err
	}
	switch base {
	case XLACPU:
		dir, err := os.MkdirTemp(d.Path, ".fetch-")
		if err != nil {
			return "", err
		}
		if err := installer.CPUInstall(runtime.GOOS+"_"+runtime.GOARCH, version, dir, false, installer.Quiet); err != nil {
			os.RemoveAll(dir)
			return "", err
		}
		return library(dir)
	case XLACUDA:
		if err := installCUDA(version, d.Path); err != nil {
			return "", err
		}
		return library(filepath.Join(d.Path, "nvidia"))
	}
	return "", fmt.Errorf("go-xla's installer knows %q and %q, not %q", XLACPU, XLACUDA, base)
}

// library is the one plugin in a directory.
func library(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "pjrt_c_api_*_plugin*"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("go-xla's installer left %d plugins in %s, not one", len(found), dir)
	}
	return found[0], nil
}
