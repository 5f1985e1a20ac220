//go:build xla && cgo && !(linux && amd64)

package mlx

import "errors"

func installCUDA(string, string) error {
	return errors.New("go-xla's installer has CUDA for linux/amd64 only")
}
