package sandbox

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

// Config is what a Pool needs to know.
type Config struct {
	Scratch string   // directory for what does not fit into memory; made when needed
	Hide    []string // directories that no command may see even where they lie among the system's: the project, the store

	// Memory is how many bytes a command may write before it is run again on disk; 0 chooses.
	Memory int64

	// Mode is the strongest wall to put up; what the machine cannot do falls to the next. Tests ask for weaker ones.
	Mode Mode
}

// Mode is how a command is kept in.
type Mode int

// The modes, from the strongest to the weakest.
const (
	Private Mode = iota // namespaces
	Guarded             // Landlock and seccomp
	Bare                // nothing but a directory and an environment
)

func (m Mode) String() string { return [...]string{"private", "guarded", "bare"}[m] }

// Pool runs commands. Slots are started when they are needed and kept for the next command of the same limits.
type Pool struct {
	config Config

	mu   sync.Mutex
	idle []*slot
	mode Mode
	sure bool     // the mode has worked
	why  []string // why stronger modes are not there
}

// NewPool returns a pool; it starts nothing yet.
func NewPool(c Config) *Pool { return &Pool{config: c, mode: c.Mode} }

// Run runs a command to its end. The error is about the sandbox or, after ctx is done, ctx's own; what became of the command
// stands in the result.
func (p *Pool) Run(ctx context.Context, c *Command) (*Result, error) {
	if c.Limits.Processes == 0 {
		c.Limits.Processes = DefaultProcesses
	}
	for onDisk := p.large(c); ; onDisk = true {
		s, err := p.acquire(c.Limits, onDisk)
		if err != nil {
			return nil, fmt.Errorf("starting a sandbox: %w", err)
		}
		start := time.Now()
		res, full, err := s.run(ctx, c)
		if err != nil {
			s.close()
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, err
		}
		p.release(s)
		if full && !onDisk && !res.OK() {
			fmt.Fprintf(c.Log, "mbuild: the command filled its %d MB of memory for files; it runs again on disk\n", p.config.memory()>>20)
			continue
		}
		res.Wall = time.Since(start)
		return res, nil
	}
}

func (c Config) memory() int64 {
	if c.Memory > 0 {
		return c.Memory
	}
	return memoryArea()
}

// large reports that a command gets a directory on disk at once: what it must copy is more than memory should hold.
func (p *Pool) large(c *Command) bool {
	var sum int64
	for _, f := range c.Inputs {
		sum += int64(len(f.Bytes))
	}
	return sum > p.config.memory()/4
}

// acquire takes an idle slot of that kind or starts one, in the strongest mode that works here.
func (p *Pool) acquire(l Limits, onDisk bool) (*slot, error) {
	for s := p.take(l, onDisk); s != nil; s = p.take(l, onDisk) {
		if s.alive() {
			return s, nil
		}
		s.close()
	}
	p.mu.Lock()
	mode, sure := p.mode, p.sure
	p.mu.Unlock()
	for {
		s, err := startSlot(p.config, mode, l, onDisk)
		// What has worked once is not given up for a weaker mode: it would be for want of memory, or of room on the disk.
		if err == nil || mode == Bare || sure {
			p.mu.Lock()
			p.sure = p.sure || err == nil
			p.mu.Unlock()
			return s, err
		}
		p.mu.Lock()
		if p.mode == mode {
			p.why = append(p.why, fmt.Sprintf("%s: %v", mode, err))
			p.mode = mode + 1
		}
		mode, sure = p.mode, p.sure
		p.mu.Unlock()
	}
}

// take removes an idle slot of that kind from the pool; nil when there is none.
func (p *Pool) take(l Limits, onDisk bool) *slot {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if s := p.idle[i]; s.limits == l && s.onDisk == onDisk {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			return s
		}
	}
	return nil
}

// maxIdle bounds the slots kept for limits that may not come again.
func maxIdle() int { return 2 * runtime.GOMAXPROCS(0) }

func (p *Pool) release(s *slot) {
	if s.spent {
		s.close()
		return
	}
	p.mu.Lock()
	p.idle = append(p.idle, s)
	var old *slot
	if len(p.idle) > maxIdle() {
		old, p.idle = p.idle[0], p.idle[1:]
	}
	p.mu.Unlock()
	if old != nil {
		old.close()
	}
}

// Close ends all slots.
func (p *Pool) Close() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, s := range idle {
		s.close()
	}
}

// Weaker says which promises do not hold for the commands that the pool has run, and why; nil when all do. It knows only after
// the first command.
func (p *Pool) Weaker() []Ability {
	p.mu.Lock()
	defer p.mu.Unlock()
	var off []Ability
	for _, a := range abilitiesOf(p.mode, joinWhy(p.why)) {
		if !a.On {
			off = append(off, a)
		}
	}
	return off
}

// scratchDir makes a directory under the pool's scratch.
func (c Config) scratchDir(prefix string) (string, error) {
	if err := os.MkdirAll(c.Scratch, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(c.Scratch, prefix)
}

// joinWhy is the reason of the strongest mode that is missing: the others follow from it or add nothing.
func joinWhy(why []string) string {
	if len(why) == 0 {
		return ""
	}
	return why[0]
}
