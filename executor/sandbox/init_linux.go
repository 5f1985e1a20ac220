package sandbox

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// host is the other side of a slot: it stands behind the walls, starts commands, and cleans up after them. In the private mode
// it is the first process of its namespace, so the kernel hands it all orphans and ends all when it ends; in the guarded mode it
// asks the kernel for the orphans.
//
// One thread, which the walls are closest around, does all of that, for what it starts is enclosed as it is. The few things that
// take more than a command may (mounting an input, moving an output out) are done by the other threads.
type host struct {
	set     setup
	area    area
	tmp     []string // other directories that commands write in
	attr    syscall.ProcAttr
	outside chan func() // served by threads that are not enclosed
	watch   *watcher    // nil where the kernel holds all limits
	dec     *gob.Decoder
	enc     *gob.Encoder
}

// Main is what the executable does when its first argument is Arg: it serves a Pool until its input ends, and returns the exit
// code.
func Main(in io.Reader, out io.Writer) int {
	// Whatever a command sends to its parent is taken and forgotten. To ignore it would have commands ignore it, too.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGABRT, unix.SIGALRM, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2,
		unix.SIGPIPE, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGIO, unix.SIGSYS, unix.SIGTRAP)
	unix.Umask(0o022)
	h := &host{dec: gob.NewDecoder(bufio.NewReader(in)), enc: gob.NewEncoder(out), outside: make(chan func())}
	if h.dec.Decode(&h.set) != nil {
		return 1
	}
	unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) // what the shell left open for mbuild is not for commands
	inner, err := h.enclose()
	if err != nil {
		h.enc.Encode(ready{Err: err.Error()})
		return 1
	}
	// A command may be of the same user and behind the same walls as the thread that starts it: keep it from reading the slot's
	// memory and from opening its ends of the protocol in /proc.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		h.enc.Encode(ready{Err: err.Error()})
		return 1
	}
	go h.serveAll(inner)
	for f := range h.outside {
		f()
	}
	return 0
}

// serveAll is the enclosed thread.
func (h *host) serveAll(inner func() error) {
	runtime.LockOSThread() // never unlocked
	defer close(h.outside)
	var r ready
	if err := h.prepare(inner); err != nil {
		r.Err = err.Error()
	}
	if h.enc.Encode(r) != nil || r.Err != "" {
		return
	}
	next := h.next
	if h.set.Mode != Private {
		next = h.readAhead()
	}
	for req := next(); req != nil; req = next() {
		rep := h.serve(req)
		if h.enc.Encode(&rep) != nil || rep.Dirty != "" {
			return
		}
	}
}

func (h *host) next() *request {
	var req request
	if h.dec.Decode(&req) != nil {
		return nil
	}
	return &req
}

// readAhead reads requests while commands run, so that the end of the input is noticed: nobody else would end a command's
// processes when the parent is gone. In the private mode the kernel does, and the detour would cost more than all walls together.
func (h *host) readAhead() func() *request {
	reqs := make(chan *request)
	go func() {
		for {
			req := h.next()
			if req == nil {
				break
			}
			reqs <- req
		}
		for deadline := time.Now().Add(lastWord / 2); len(descendants(os.Getpid())) > 0 && time.Now().Before(deadline); {
			h.kill()
			time.Sleep(time.Millisecond)
		}
		os.Exit(0)
	}()
	return func() *request { return <-reqs }
}

// prepare encloses the calling thread and sets out what all commands are started with.
func (h *host) prepare(inner func() error) error {
	if err := inner(); err != nil {
		return err
	}
	if n := h.set.Limits.CPUs; n > 0 {
		if err := keepToCPUs(n); err != nil {
			return err
		}
	}
	null, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	const log = 3
	h.attr = syscall.ProcAttr{Dir: h.area.dir, Files: []uintptr{uintptr(null), log, log}, Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}}
	return nil
}

// beyond does something that the enclosed thread may not.
func (h *host) beyond(f func() error) error {
	done := make(chan error)
	h.outside <- func() { done <- f() }
	return <-done
}

// enclose puts up the walls that are around the whole process, and returns how those of the enclosed thread are.
func (h *host) enclose() (inner func() error, err error) {
	if err := limitSelf(); err != nil {
		return nil, err
	}
	h.area.beyond = h.beyond
	if h.set.Mode == Private {
		if err := buildRoot(h.set); err != nil {
			return nil, err
		}
		h.area.dir, h.tmp = BuildDir, []string{TempDir, "/dev/shm"}
		h.area.bind = func(from, to string, directory bool) error {
			if directory {
				return bindDir(hostDir+from, to)
			}
			return bindFile(hostDir+from, to)
		}
		h.set.Spill = spillDir
		if h.set.Root || h.set.Limits.Memory > 0 {
			h.watch = newWatcher(h)
		}
		return leavePrivate, nil
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	build, temp := filepath.Join(h.set.Area, "build"), filepath.Join(h.set.Area, "tmp")
	for _, d := range []string{build, temp} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	h.area.dir, h.tmp = build, []string{temp}
	h.watch = newWatcher(h)
	if h.set.Mode == Bare {
		return func() error { return nil }, nil
	}
	return func() error {
		if err := dropCapabilities(); err != nil {
			return err
		}
		return Guard{Read: SystemPaths(), Write: []string{build, temp}}.Apply()
	}, nil
}

// limitSelf sets limits that hold for the slot as for all it starts.
func limitSelf() error {
	for what, n := range map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_MSGQUEUE: 0} {
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: n, Max: n}); err != nil {
			return fmt.Errorf("setting limits: %w", err)
		}
	}
	return nil
}

// limitTasks bounds process numbers of the namespace, where the kernel has such a bound (Linux 6.14): it holds even for root, whom
// RLIMIT_NPROC does not bind. It is coarse, for the kernel wants room for 300 more; the watcher is exact, and later.
func limitTasks(l Limits) {
	const reserved = 301
	os.WriteFile("/proc/sys/kernel/pid_max", fmt.Append(nil, l.Processes+reserved), 0o644)
}

// keepToCPUs has the calling thread, and what it starts, use that many processors and not change it.
func keepToCPUs(n int) error {
	var all, some unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	if all.Count() <= n {
		return nil
	}
	// Which ones is left to chance, so that slots do not all crowd on the first.
	for i, skip := 0, os.Getpid()%all.Count(); some.Count() < n; i++ {
		if cpu := i % 1024; all.IsSet(cpu) {
			if skip--; skip < 0 {
				some.Set(cpu)
			}
		}
	}
	if err := unix.SchedSetaffinity(0, &some); err != nil {
		return err
	}
	if lacks("seccomp") != "" {
		return nil
	}
	return denyCalls([]uint32{unix.SYS_SCHED_SETAFFINITY})
}

// serve runs one command.
func (h *host) serve(req *request) (rep reply) {
	err := h.area.layOut(req.Inputs, req.Outputs)
	if err == nil {
		err = h.command(req, &rep)
	}
	if err == nil && rep.NotFound == "" {
		err = h.area.collect(req.Outputs, h.set.Spill, &rep.Result)
	}
	rep.Full = h.full(err)
	if err != nil {
		rep.Err = err.Error()
		if rep.Full {
			rep.Err, rep.Exit = "", -1
		}
	}
	if err := h.clean(); err != nil {
		rep.Dirty = err.Error()
	}
	return rep
}

// full reports that the area in memory has run out of room.
func (h *host) full(err error) bool {
	if h.set.Area != "" {
		return false
	}
	var st unix.Statfs_t
	return errors.Is(err, unix.ENOSPC) || unix.Statfs(BuildDir, &st) == nil && (st.Bavail*8 < st.Blocks/100 || st.Ffree == 0)
}

// command starts the program, waits for it, and ends what it left behind.
func (h *host) command(req *request, rep *reply) error {
	path, err := h.lookPath(req)
	if err != nil {
		rep.NotFound = err.Error()
		return nil
	}
	h.attr.Env = append(req.Env, "HOME="+h.tmp[0], "TMPDIR="+h.tmp[0], "PWD="+h.area.dir)
	pid, err := syscall.ForkExec(path, req.Args, &h.attr)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("starting %s: %w", req.Args[0], err)
	case errors.Is(err, os.ErrNotExist):
		rep.NotFound = fmt.Sprintf("%q cannot be started: its interpreter or loader is missing", req.Args[0])
		return nil
	case err != nil:
		rep.NotFound = fmt.Sprintf("%q cannot be started: %v", req.Args[0], err)
		return nil
	}
	limitChild(pid, h.set)
	h.watch.begin()
	status, peak := h.wait(pid)
	rep.Exceeded, rep.Peak = h.watch.end()
	rep.Peak = max(rep.Peak, peak)
	rep.Left = h.endAll()
	rep.Exit = status.ExitStatus()
	if status.Signaled() {
		rep.Signal = status.Signal().String()
	}
	return nil
}

// lookPath finds the program as a shell would.
func (h *host) lookPath(req *request) (string, error) {
	name := req.Args[0]
	if strings.Contains(name, "/") {
		at := name
		if !filepath.IsAbs(at) {
			at = filepath.Join(h.area.dir, name)
		}
		if _, err := os.Stat(at); err != nil {
			return "", fmt.Errorf("there is no program %q", name)
		}
		return at, nil
	}
	for _, kv := range req.Env {
		if dirs, ok := strings.CutPrefix(kv, "PATH="); ok {
			for _, d := range filepath.SplitList(dirs) {
				at := filepath.Join(d, name)
				if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
					return at, nil
				}
			}
			return "", fmt.Errorf("%w: %q is not in %s", exec.ErrNotFound, name, dirs)
		}
	}
	return "", fmt.Errorf("%w: %q, for there is no PATH", exec.ErrNotFound, name)
}

// limitChild sets the limits of one process, which it hands on to its children. It has run for some microseconds by then.
func limitChild(pid int, set setup) {
	if n := uint64(set.Limits.Memory); n > 0 {
		unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: n, Max: n}, nil)
	}
	if n := uint64(set.Limits.Processes); n > 0 && set.Mode == Private {
		unix.Prlimit(pid, unix.RLIMIT_NPROC, &unix.Rlimit{Cur: n, Max: n}, nil)
	}
}

// wait reaps processes until the given one has ended.
func (h *host) wait(pid int) (unix.WaitStatus, int64) {
	for {
		var ws unix.WaitStatus
		var ru unix.Rusage
		got, err := unix.Wait4(-1, &ws, 0, &ru)
		if err == unix.EINTR {
			continue
		}
		if got == pid || err != nil {
			return ws, ru.Maxrss * 1024
		}
	}
}

// endAll kills and reaps everything that is left, and returns how many processes that were.
func (h *host) endAll() (n int) {
	var ws unix.WaitStatus
	for flags := unix.WNOHANG; ; {
		got, err := unix.Wait4(-1, &ws, flags, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n // no children
		case got > 0:
			if ws.Signaled() && ws.Signal() == unix.SIGKILL {
				n++
			}
			flags = unix.WNOHANG
		default:
			h.kill()
			flags = 0
		}
	}
}

// kill sends SIGKILL to all processes of commands.
func (h *host) kill() {
	if h.set.Mode == Private {
		unix.Kill(-1, unix.SIGKILL) // all of the namespace but this, its first process
		return
	}
	for _, p := range descendants(os.Getpid()) {
		unix.Kill(p.pid, unix.SIGKILL)
	}
}

// clean makes the slot what it was before the command.
func (h *host) clean() error {
	if len(h.area.bound) > 0 {
		err := h.beyond(func() error {
			for _, b := range h.area.bound {
				if err := unix.Unmount(b, unix.MNT_DETACH); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, d := range append([]string{h.area.dir}, h.tmp...) {
		if err := empty(d); err != nil {
			os.Chmod(d, 0o755) // the command may have locked it
			if err := empty(d); err != nil {
				return err
			}
		}
	}
	if h.set.Mode != Private {
		return nil // shared memory of System V is the whole machine's there
	}
	return ipcLeft()
}
