package worker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/sandbox"
	"mbuild.dev/mbuild/lang/value"
)

// Pool starts workers as they are needed and keeps them for the next job. It implements executor.Runner.
type Pool struct {
	// Environment is what the worker of a job gets in its environment beside what all workers get. May be nil.
	Environment func(job *executor.Job) []string

	command func() *exec.Cmd
	launch  launcher

	mu   sync.Mutex
	idle []*process
	ids  int
}

// NewPool returns a pool of workers that are this very binary, called with Arg.
func NewPool() *Pool {
	return &Pool{launch: open, command: func() *exec.Cmd { return self(Arg) }}
}

// self is a command that runs this very binary.
func self(arg string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		exe = os.Args[0]
	}
	cmd := exec.Command(exe)
	cmd.Args = []string{os.Args[0], arg}
	return cmd
}

// Confinement says what workers may touch beside the program, the system's libraries and devices that compute: everything else
// is shut, and so is the network. It holds as far as the machine can do it; see Weaker.
type Confinement struct {
	Read  []string // files, and directories with what is below them; plugins belong here, too
	Write []string // directories: the scratch that private roots are made in
}

// Confine confines the workers that the pool starts from now on.
func (p *Pool) Confine(c Confinement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.launch.close()
	p.launch = confined(c)
}

// Weaker says which promises about workers do not hold on this machine.
func (p *Pool) Weaker() []sandbox.Ability { return weaker(sandbox.WorkerAbilities()) }

func weaker(all []sandbox.Ability) (off []sandbox.Ability) {
	for _, a := range all {
		if !a.On {
			off = append(off, a)
		}
	}
	return off
}

// process is one worker and what the parent knows of its memory.
type process struct {
	cmd     *exec.Cmd
	special []string // what its environment has beside that of all workers
	in      io.WriteCloser
	out     *bufio.Reader
	stderr  *tail
	wait    func() error      // reaps the process, once
	made    map[string]string // digest -> "<job id>/<output>" of the jobs that ran here, newest wins
}

// Run implements executor.Runner. Cancelling ctx kills the worker.
func (p *Pool) Run(ctx context.Context, kind, verb string, job *executor.Job) (executor.Ran, error) {
	w, err := p.acquire(job)
	if err != nil {
		return executor.Ran{}, fmt.Errorf("starting a worker: %w", err)
	}
	ran := executor.Ran{Worker: fmt.Sprintf("worker %d", w.cmd.Process.Pid)}
	stop := context.AfterFunc(ctx, w.kill)
	ans, err := w.do(p.request(w, kind, verb, job), job)
	if !stop() && ctx.Err() != nil {
		w.close()
		return ran, ctx.Err()
	}
	if err != nil {
		return ran, w.epitaph(err, job)
	}
	id := ans.ID
	ran.Peak, ran.CPU = ans.Peak, ans.CPU
	ran.Keep = func(digests map[string]string) { p.remember(w, id, digests) }
	p.release(w)
	for k, v := range ans.Metrics {
		job.Metrics[k] = v
	}
	switch {
	case ans.Failure != nil:
		return ran, ans.Failure
	case ans.Error != "":
		return ran, errors.New(ans.Error)
	}
	return ran, nil
}

// remember notes which digests the outputs of a job have, so that the next job on that worker may find them in memory.
func (p *Pool) remember(w *process, id int, digests map[string]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(w.made) > 1024 {
		clear(w.made)
	}
	for output, d := range digests {
		w.made[d] = fmt.Sprintf("%d/%s", id, output)
	}
}

// acquire takes an idle worker with the environment that the job's backend needs, preferably the one that made one of the job's
// inputs. One that has died meanwhile is replaced without a word.
func (p *Pool) acquire(job *executor.Job) (*process, error) {
	var special []string
	if p.Environment != nil {
		special = p.Environment(job)
	}
	for w := p.take(job, special); w != nil; w = p.take(job, special) {
		if !ended(w.cmd.Process.Pid) {
			return w, nil
		}
		w.close()
	}
	p.mu.Lock()
	launch := p.launch
	p.mu.Unlock()
	cmd := p.command()
	cmd.Env = append(environment(), special...)
	return start(cmd, special, launch)
}

// take removes an idle worker with that environment from the pool; nil when there is none.
func (p *Pool) take(job *executor.Job, special []string) *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	best, made := -1, false
	for i, w := range p.idle {
		if !slices.Equal(w.special, special) {
			continue
		}
		if !made {
			best = i
		}
		for _, in := range job.Inputs {
			if w.made[in.Digest] != "" {
				best, made = i, true
			}
		}
	}
	if best < 0 {
		return nil
	}
	w := p.idle[best]
	p.idle = append(p.idle[:best], p.idle[best+1:]...)
	return w
}

func (p *Pool) release(w *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, w)
}

// Close ends all idle workers and waits for them.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, w := range idle {
		w.close()
	}
	p.launch.close()
}

func start(cmd *exec.Cmd, special []string, launch launcher) (*process, error) {
	w := &process{cmd: cmd, special: special, stderr: &tail{}, made: map[string]string{}}
	cmd.Stderr = w.stderr
	isolate(cmd)
	var err error
	if w.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	w.out = bufio.NewReaderSize(out, 1<<16)
	if err := launch.start(cmd); err != nil {
		return nil, err
	}
	w.wait = sync.OnceValue(cmd.Wait)
	return w, nil
}

// environment is what all workers get to see: enough to find temporary directories, and of what could change results only
// what is in the fingerprint of the go backend.
func environment() []string {
	var env []string
	for _, k := range []string{"HOME", "PATH", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "SystemRoot", "GOMEMLIMIT", "GOCOVERDIR", "GOMLX_SIMD_AVX512", "GOMLX_SIMD_AVX2", "GOMLX_DOT_MATMUL"} {
		if v, ok := os.LookupEnv(k); ok {
			env = append(env, k+"="+v)
		}
	}
	return env
}

// request words a job for the worker, with the origin of each input that it made itself.
func (p *Pool) request(w *process, kind, verb string, job *executor.Job) request {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids++
	job.ID = p.ids
	r := request{ID: p.ids, Kind: kind, Verb: verb, Addr: job.Addr, Inputs: make(map[string]executor.JobInput, len(job.Inputs)),
		Outputs: job.Outputs, Scratch: job.Scratch, Backend: job.Backend}
	for name, in := range job.Inputs {
		in.Origin = w.made[in.Digest]
		r.Inputs[name] = in
	}
	return r
}

// do sends one request and reads until its answer.
func (w *process) do(r request, job *executor.Job) (*answer, error) {
	var err error
	if r.Params, err = value.Canonical(job.Params); err != nil {
		return nil, err
	}
	if job.Next != nil {
		if r.Next, err = value.Canonical(job.Next); err != nil {
			return nil, err
		}
	}
	req, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if _, err := w.in.Write(append(req, '\n')); err != nil {
		return nil, err
	}
	for {
		line, err := w.out.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		var m message
		if err := json.Unmarshal(line, &m); err != nil {
			fmt.Fprintf(job.Log, "%s", line) // something printed to standard output: it belongs to the log
			continue
		}
		switch {
		case m.Progress != nil:
			job.Progress(m.Progress.Step, m.Progress.Total, m.Progress.Metrics)
		case m.Answer != nil && m.Answer.ID == r.ID:
			return m.Answer, nil
		case m.Need > 0:
			job.Need = m.Need
		case m.Log != "":
			io.WriteString(job.Log, m.Log)
		}
	}
}

func (w *process) kill() { w.cmd.Process.Kill() }

func (w *process) close() {
	w.in.Close()
	w.kill()
	w.wait()
}

// goOutOfMemory is what Go's runtime says before it ends a process for want of memory.
var goOutOfMemory = regexp.MustCompile(`fatal error: (runtime: )?(out of memory|cannot allocate memory)[^\n]*|runtime: out of memory: [^\n]*`)

// goAsked finds in that how many bytes there were not.
var goAsked = regexp.MustCompile(`cannot allocate ([0-9]+)-byte block`)

// epitaph says what became of a worker that died on a job, and puts the end of what it printed into the job's log.
func (w *process) epitaph(err error, job *executor.Job) error {
	w.in.Close()
	end := w.wait()
	how, said := "", w.stderr.String()
	var exit *exec.ExitError
	if errors.As(end, &exit) {
		how, said = ending(exit, said)
	}
	if said != "" {
		fmt.Fprintf(job.Log, "%s\n", strings.TrimRight(said, "\n"))
	}
	switch {
	case exit != nil && goOutOfMemory.MatchString(said):
		asked := int64(0)
		if m := goAsked.FindStringSubmatch(said); m != nil {
			asked, _ = strconv.ParseInt(m[1], 10, 64)
		}
		return memoryFailure(job, asked, peakOf(exit.ProcessState), "its worker died: "+goOutOfMemory.FindString(said))
	case exit != nil && killed(exit) && job.Need > 0:
		return fmt.Errorf("its worker died: %s. It had %s at its peak, and the estimate of the whole was %s", how, size(peakOf(exit.ProcessState)), size(job.Need))
	case exit != nil && len(w.special) > 0:
		return fmt.Errorf("its worker died: %s. It used backend %s, whose plugin may end the process it is in: mbuild backend list asks the plugin, and -backend go does without", how, job.Backend)
	case exit != nil:
		return fmt.Errorf("its worker died: %s", how)
	case end == nil:
		return fmt.Errorf("its worker ended before it was done (%v)", err)
	default:
		return fmt.Errorf("its worker was lost: %w", err)
	}
}

// tail keeps the last 64 KiB written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - 1<<16; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
