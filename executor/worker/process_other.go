//go:build !linux

package worker

import "os/exec"

// isolate has nothing to offer here; a worker still ends when its input does.
func isolate(*exec.Cmd) {}

// describe words the end of a worker.
func describe(e *exec.ExitError) string { return e.Error() }

// peakMemory is not known here.
func peakMemory() int64 { return 0 }
