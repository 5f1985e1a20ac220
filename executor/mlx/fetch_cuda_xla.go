//go:build xla && cgo && linux && amd64

package mlx

import "github.com/gomlx/go-xla/installer"

func installCUDA(version, dir string) error {
	return installer.CudaInstall("cuda13", version, dir, false, installer.Quiet)
}
