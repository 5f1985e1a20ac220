//go:build unix

package stdlib

import (
	"syscall"
	"time"
)

func umask(mask int) (restore func()) {
	old := syscall.Umask(mask)
	return func() { syscall.Umask(old) }
}

func past() time.Time { return time.Unix(1_000_000_000, 0) }
