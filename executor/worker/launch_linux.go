package worker

import (
	"os"
	"path/filepath"
	"runtime"

	"mbuild.dev/mbuild/executor/sandbox"
)

// computeDevices are what a backend opens to compute on: graphics processors and what belongs to them.
var computeDevices = []string{"/dev/nvidia*", "/dev/dri", "/dev/kfd", "/dev/accel*", "/dev/vfio"}

// confined makes a thread that the guard is put up around once; workers that are started from it are behind the guard from their
// first instruction on, with all their threads. The thread lives as long as the launcher, for its end would be that of the workers
// (process_linux.go).
func confined(c Confinement) launcher {
	g := sandbox.Guard{Read: append(sandbox.SystemPaths(), "/sys"), Write: c.Write}
	g.Read = append(g.Read, c.Read...)
	if exe, err := os.Executable(); err == nil {
		g.Read = append(g.Read, exe)
	}
	if dir := os.Getenv("GOCOVERDIR"); dir != "" {
		g.Write = append(g.Write, dir)
	}
	for _, d := range computeDevices {
		found, _ := filepath.Glob(d)
		g.Write = append(g.Write, found...)
	}
	starts := make(chan func())
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this function
		err := g.Apply()
		ready <- err
		if err != nil {
			return
		}
		for f := range starts {
			f()
		}
	}()
	if <-ready != nil {
		return open // Weaker tells; workers are our own program, so this is no reason not to run
	}
	l := launcher{starts: starts}
	if len(c.Write) > 0 {
		l.temp = c.Write[0]
	}
	return l
}
