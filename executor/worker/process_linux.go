package worker

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// isolate gives a worker its own process group, so that the terminal's interrupts do not reach it, and has the kernel kill
// it when its parent dies.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// ended reports that a process has ended and nobody has asked for it yet.
func ended(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err != nil || info.Signo != 0
}

// private moves the worker's end of the protocol to descriptors that nothing else knows. What a native library prints to
// standard output goes to standard error then, and from there to the log, instead of tearing a message.
func private(in io.Reader, out io.Writer) (io.Reader, io.Writer) {
	move := func(f *os.File, instead int) *os.File {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil || unix.Dup3(instead, int(f.Fd()), 0) != nil {
			return f
		}
		return os.NewFile(uintptr(fd), "protocol")
	}
	if f, ok := out.(*os.File); ok {
		out = move(f, 2)
	}
	if null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0); err == nil {
		if f, ok := in.(*os.File); ok {
			in = move(f, null)
		}
	}
	return in, out
}

// describe words the end of a worker.
func describe(e *exec.ExitError) string {
	ws, ok := e.Sys().(syscall.WaitStatus)
	if !ok || !ws.Signaled() {
		return fmt.Sprintf("exit status %d", e.ExitCode())
	}
	if ws.Signal() == syscall.SIGKILL {
		return "killed (signal 9); if nobody killed it, the machine ran out of memory: use a smaller batch, or fewer slots (-j 1)"
	}
	return fmt.Sprintf("signal %d (%s)", ws.Signal(), ws.Signal())
}

// cpuTime is the processor time of this process and of its children that have ended.
func cpuTime() time.Duration {
	var total time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var ru unix.Rusage
		if unix.Getrusage(who, &ru) != nil {
			return 0
		}
		total += time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	}
	return total
}

// killed reports that a worker was killed from outside.
func killed(e *exec.ExitError) bool {
	ws, ok := e.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// peakOf is the largest resident size of a process that has ended, in bytes.
func peakOf(p *os.ProcessState) int64 {
	ru, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return ru.Maxrss * 1024
}

// peakMemory is the largest resident size of this process so far, in bytes.
func peakMemory() int64 {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &ru) != nil {
		return 0
	}
	return ru.Maxrss * 1024
}
