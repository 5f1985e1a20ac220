// Package mlx is the doorway to GoMLX: it opens a backend, says what of it may change bits, moves tensors in and out, turns
// GoMLX's panics into errors, and has the random numbers that everything random in mbuild is made of.
//
// It does not know models, files or actions. The nouns, in order of appearance: Session (an open backend), Fingerprint (what a
// key must hold of it), Tensor and friends (float32 slices and bytes to tensors and back), Try (the recover at the boundary),
// Random.
//
// The invariant: two processes whose Fingerprint is equal compute equal bits from equal inputs, whatever their number of
// processors. Only packages of stdlib and this one import GoMLX. Read next: stdlib/graph/mlx, the lowering of models.
package mlx

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
)

// Go is the name of the pure Go backend, which is in every build.
const Go = "go"

// goConfig makes the Go backend run one operation at a time (each of them on all cores). Its parallel mode deadlocks when
// operations that wait for workers fill the pool, with one processor at once; the bits are the same.
const goConfig = "ops_sequential,creation_order"

// Session is an open backend. It may be used by several goroutines.
type Session struct {
	Name    string
	Backend compute.Backend
}

var (
	mu       sync.Mutex
	sessions = map[string]*Session{}
)

// Open opens a backend by name. A process has one session a name; it is never closed.
func Open(name string) (*Session, error) {
	if err := Known(name); err != nil {
		return nil, err
	}
	mu.Lock()
	defer mu.Unlock()
	if s := sessions[name]; s != nil {
		return s, nil
	}
	var b compute.Backend
	err := Try(func() (err error) { b, err = gobackend.New(goConfig); return })
	if err != nil {
		return nil, fmt.Errorf("opening backend %q: %w", name, err)
	}
	s := &Session{Name: name, Backend: b}
	sessions[name] = s
	return s, nil
}

// Known says, in one line, why a backend cannot be used and what to do, without opening it; nil if it can.
func Known(name string) error {
	switch base, _, _ := strings.Cut(name, ":"); {
	case name == Go:
		return nil
	case base == Go:
		return fmt.Errorf("backend %q takes no options: use %q", Go, Go)
	case base == "xla":
		return fmt.Errorf("there is no backend %q in this build of mbuild: that takes cgo, -tags xla and a PJRT plugin; use %q", name, Go)
	}
	return fmt.Errorf("there is no backend %q in this build of mbuild; it has %q", name, Go)
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
