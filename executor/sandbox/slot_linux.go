package sandbox

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Arg is the first argument that makes the binary a slot.
const Arg = "__sandbox"

// slot is this side of a process that runs commands, one at a time, behind walls that stand already. It speaks gob over the
// process's standard input and output; what commands print comes through a pipe of its own.
type slot struct {
	mode   Mode
	limits Limits
	onDisk bool
	spent  bool   // not to be used again
	dir    string // on the host: area and spill; "" when there is none

	cmd    *exec.Cmd
	enc    *gob.Encoder
	dec    *gob.Decoder
	in     io.Closer
	stderr bytes.Buffer
	log    logPipe
}

// setup is the first message to a slot.
type setup struct {
	Mode   Mode
	Area   string // directory on the host to work in; "" is in memory
	Bytes  int64  // size of the area in memory
	Spill  string // directory on the host for large outputs
	Hide   []string
	Limits Limits
	Root   bool // mbuild runs as root
}

// ready answers a setup.
type ready struct{ Err string }

// request asks for a command.
type request struct {
	Args, Env []string
	Inputs    []File
	Outputs   []string
}

// reply says how it ended.
type reply struct {
	Result
	Full  bool   // the area in memory ran out of room
	Dirty string // why the slot must not be used again
	Err   string // of the sandbox, not of the command
}

// memoryArea is how much a command may write before it is run again on disk.
var memoryArea = sync.OnceValue(func() int64 {
	var si unix.Sysinfo_t
	if unix.Sysinfo(&si) != nil {
		return 256 << 20
	}
	return min(int64(si.Totalram)*int64(si.Unit)/8, 1<<30)
})

func startSlot(c Config, mode Mode, l Limits, onDisk bool) (*slot, error) {
	s := &slot{mode: mode, limits: l, onDisk: onDisk}
	if err := s.start(c); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *slot) start(c Config) error {
	var err error
	if s.dir, err = c.scratchDir("slot-"); err != nil {
		return err
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return err
	}
	set := setup{Mode: s.mode, Bytes: c.memory(), Spill: filepath.Join(s.dir, "spill"), Limits: s.limits, Root: os.Geteuid() == 0}
	if s.onDisk || s.mode != Private {
		set.Area = filepath.Join(s.dir, "area")
	}
	for _, h := range c.Hide {
		if abs, err := filepath.Abs(h); err == nil {
			set.Hide = append(set.Hide, abs)
		}
	}
	for _, d := range []string{set.Spill, filepath.Join(s.dir, "area")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if err := s.launch(); err != nil {
		return err
	}
	var r ready
	err = s.enc.Encode(set)
	if err == nil {
		err = s.dec.Decode(&r)
	}
	if err != nil {
		return s.lost(err)
	}
	if r.Err != "" {
		return errors.New(r.Err)
	}
	return nil
}

// launch starts the process, in namespaces of its own where that is the mode.
func (s *slot) launch() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	s.cmd = exec.Command(exe)
	s.cmd.Args = []string{"mbuild", Arg}
	s.cmd.Env = []string{"GOGC=100", "GOMAXPROCS=2"}
	s.cmd.Stderr = &s.stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if s.mode == Private {
		s.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL // in the others the slot must live to end its commands: see readAhead
		namespaces(s.cmd.SysProcAttr)
	}
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	log, err := s.log.open()
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd.ExtraFiles = []*os.File{log}
	s.in, s.enc, s.dec = in, gob.NewEncoder(in), gob.NewDecoder(out)
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("no namespaces of its own: %w", err)
	}
	go s.log.follow()
	return nil
}

// lost words the end of a slot that was not asked for.
func (s *slot) lost(err error) error {
	end := s.endProcess()
	if text := bytes.TrimSpace(s.stderr.Bytes()); len(text) > 0 {
		return fmt.Errorf("%w (%v: %s)", err, end, text)
	}
	return fmt.Errorf("%w (%v)", err, end)
}

// alive reports that the process has not ended while nobody was looking.
func (s *slot) alive() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, s.cmd.Process.Pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo == 0
}

// run runs one command. When it returns an error the slot is of no more use.
func (s *slot) run(ctx context.Context, c *Command) (res *Result, full bool, err error) {
	stop := context.AfterFunc(ctx, s.kill)
	s.log.begin(c.Log)
	req := request{Args: c.Args, Env: c.Env, Inputs: c.Inputs, Outputs: c.Outputs}
	var r reply
	err = s.enc.Encode(&req)
	if err == nil {
		err = s.dec.Decode(&r)
	}
	s.log.end()
	if !stop() {
		return nil, false, ctx.Err()
	}
	if err != nil {
		return nil, false, s.lost(fmt.Errorf("the sandbox of the command was lost: %w", err))
	}
	if r.Err != "" {
		return nil, false, errors.New(r.Err)
	}
	s.spent = r.Dirty != ""
	return &r.Result, r.Full, s.takeSpilled(&r.Result, c.Spill)
}

// takeSpilled moves outputs that were too large for a message to where the caller wants them.
func (s *slot) takeSpilled(res *Result, spill func() (string, error)) error {
	for i, o := range res.Outputs {
		if o.Path == "" {
			continue
		}
		to, err := spill()
		if err != nil {
			return err
		}
		dst := filepath.Join(to, filepath.FromSlash(o.Place))
		if err := moveFile(filepath.Join(s.dir, "spill", filepath.FromSlash(o.Place)), dst); err != nil {
			return err
		}
		res.Outputs[i].Path = dst
	}
	return nil
}

// kill ends the slot and all that runs in it. In the private mode the kernel sees to that; in the others the slot has to do it,
// and does when its input ends.
func (s *slot) kill() {
	if s.mode == Private {
		s.cmd.Process.Kill()
	} else {
		s.in.Close()
	}
}

// lastWord is how long a slot has to end by itself.
const lastWord = 5 * time.Second

func (s *slot) endProcess() error {
	s.kill()
	late := time.AfterFunc(lastWord, func() { s.cmd.Process.Kill() })
	defer late.Stop()
	return s.cmd.Wait()
}

func (s *slot) close() {
	if s.cmd != nil && s.cmd.Process != nil && s.cmd.ProcessState == nil {
		s.endProcess()
	}
	s.log.close()
	if s.dir != "" {
		removeAll(s.dir)
	}
}

// logPipe passes on what the commands of a slot print. The pipe outlives them, so its end does not tell that a command has
// said all it had to say; end reads what is left instead, when all its processes are dead.
type logPipe struct {
	r    *os.File
	raw  syscall.RawConn
	mu   sync.Mutex
	to   io.Writer
	buf  [1 << 15]byte
	done chan struct{}
}

// open makes the pipe and returns the end that commands get.
func (l *logPipe) open() (w *os.File, err error) {
	if l.r, w, err = os.Pipe(); err != nil {
		return nil, err
	}
	l.raw, err = l.r.SyscallConn()
	l.done = make(chan struct{})
	return w, err
}

// follow reads as long as the pipe is open.
func (l *logPipe) follow() {
	defer close(l.done)
	l.raw.Read(func(fd uintptr) bool {
		l.drain(int(fd))
		return false // wait for more
	})
}

// drain passes on what is in the pipe now.
func (l *logPipe) drain(fd int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		n, err := syscall.Read(fd, l.buf[:])
		if n <= 0 || err != nil {
			return
		}
		if l.to != nil {
			l.to.Write(l.buf[:n])
		}
	}
}

func (l *logPipe) begin(to io.Writer) {
	l.mu.Lock()
	l.to = to
	l.mu.Unlock()
}

// end passes on the rest and takes the writer away.
func (l *logPipe) end() {
	l.raw.Control(func(fd uintptr) { l.drain(int(fd)) })
	l.begin(nil)
}

func (l *logPipe) close() {
	if l.r == nil {
		return
	}
	l.r.SetReadDeadline(time.Unix(1, 0))
	<-l.done
	l.r.Close()
}
