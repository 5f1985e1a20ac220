// Package mlx is the doorway to GoMLX: it opens a backend, says what of it may change bits, moves tensors in and out, turns
// GoMLX's panics into errors, and has the random numbers that everything random in mbuild is made of.
//
// It does not know models, files or actions. The nouns, in order of appearance: Name (of a backend), Choice (what a name stands
// for on this machine, its Fingerprint, and the environment of its workers), Session (an open backend), Tensor and friends
// (float32 slices and bytes to tensors and back), Try (the recover at the boundary), Random.
//
// The pure Go backend is always there. XLA, through PJRT plugins, is in builds with cgo and -tags xla; nothing else imports
// its packages. The invariant: two processes whose Fingerprint is equal compute equal bits from equal inputs, whatever their
// number of processors (on GPUs: as far as XLA keeps what its flags promise). Only packages of stdlib and this one import
// GoMLX. Read next: stdlib/graph/mlx, the lowering of models.
package mlx

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
)

// goConfig makes the Go backend run one operation at a time (each of them on all cores). Its parallel mode deadlocks when
// operations that wait for workers fill the pool, with one processor at once; the bits are the same.
const goConfig = "ops_sequential,creation_order"

// IsGo reports whether a backend is the pure Go one, for lowerings that compute the same numbers in other operations there.
func IsGo(b compute.Backend) bool { return b.Name() == "Go Backend" }

// IsXLACPU reports whether a backend is a plugin for CPUs, for lowerings that lay values out for it.
func IsXLACPU(b compute.Backend) bool {
	mu.Lock()
	defer mu.Unlock()
	for _, s := range sessions {
		if s.Backend == b {
			return s.platform == PlatformCPU
		}
	}
	return false
}

// Session is an open backend. It may be used by several goroutines.
type Session struct {
	Name    string
	Backend compute.Backend

	platform string // of a plugin; "" for Go
}

var (
	mu       sync.Mutex
	sessions = map[string]*Session{}
)

// Open opens a backend by its name in normal form. A process has one session a name; it is never closed. One with a plugin
// is opened in workers only, whose environment describes it (Choice.Environment).
func Open(name string) (*Session, error) {
	mu.Lock()
	defer mu.Unlock()
	if s := sessions[name]; s != nil {
		return s, nil
	}
	if err := Known(name); err != nil {
		return nil, err
	}
	b, platform, err := open(name)
	if err != nil {
		return nil, fmt.Errorf("opening backend %q: %w", name, err)
	}
	s := &Session{Name: name, Backend: b, platform: platform}
	sessions[name] = s
	return s, nil
}

func open(name string) (b compute.Backend, platform string, err error) {
	if name != Go {
		c, err := inherited(name)
		if err != nil {
			return nil, "", err
		}
		b, err = openPlugin(c)
		return b, c.Platform, err
	}
	err = Try(func() (err error) { b, err = gobackend.New(goConfig); return })
	return b, "", err
}

// Try calls f and turns a panic, which is how GoMLX reports errors in graphs, into an error. A mistake in our own code (a
// runtime.Error) keeps its stack.
func Try(f func() error) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("gomlx: %w\n%s", p, debug.Stack())
		case error:
			err = fmt.Errorf("gomlx: %w", p)
		default:
			err = fmt.Errorf("gomlx: %v", p)
		}
	}()
	return f()
}
