//go:build !linux

package worker

import (
	"io"
	"os"
	"os/exec"
	"time"
)

// isolate has nothing to offer here; a worker still ends when its input does.
func isolate(*exec.Cmd) {}

// describe words the end of a worker.
func describe(e *exec.ExitError) string { return e.Error() }

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }

// killed is not known here.
func killed(*exec.ExitError) bool { return false }

// peakOf is not known here.
func peakOf(*os.ProcessState) int64 { return 0 }

// peakMemory is not known here.
func peakMemory() int64 { return 0 }

// ended is not known here before one talks to it.
func ended(int) bool { return false }

// private leaves the protocol where it is.
func private(in io.Reader, out io.Writer) (io.Reader, io.Writer) { return in, out }
