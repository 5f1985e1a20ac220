// Package mlx is the doorway to GoMLX: it opens a backend, says what of it may change bits, moves tensors in and out, turns
// GoMLX's panics into errors, and has the random numbers that everything random in mbuild is made of.
//
// It does not know models. Only packages of stdlib and this one import GoMLX.
package mlx

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// Go is the name of the pure Go backend, which is in every build.
const Go = "go"

// goConfig makes the Go backend run one operation at a time (each of them on all cores). Its parallel mode deadlocks when
// operations that wait for workers fill the pool; the bits are the same.
const goConfig = "ops_sequential"

// Session is an open backend.
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

// Known says why a backend cannot be used, without opening it; nil if it can.
func Known(name string) error {
	if name == Go {
		return nil
	}
	return fmt.Errorf("there is no backend %q in this build of mbuild; it has %q", name, Go)
}

// Fingerprint is one line of text with everything of a backend that may change the bits of what it computes: its name, the
// versions of GoMLX, the processor's architecture, and the SIMD level in effect.
func Fingerprint(name string) (string, error) {
	if err := Known(name); err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]string{
		"backend": name, "config": goConfig, "gomlx": moduleVersion("github.com/gomlx/gomlx"), "compute": moduleVersion("github.com/gomlx/compute"),
		"arch": runtime.GOARCH, "simd": SIMD(),
	})
	return string(b), err
}

var moduleVersion = func() func(string) string {
	versions := sync.OnceValue(func() map[string]string {
		m := map[string]string{}
		if info, ok := debug.ReadBuildInfo(); ok {
			for _, d := range info.Deps {
				if d.Replace != nil {
					d = d.Replace
				}
				m[d.Path] = d.Version
			}
		}
		return m
	})
	return func(path string) string { return versions()[path] }
}()

// Try calls f and turns a panic, which is how GoMLX reports errors in graphs, into an error.
func Try(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if e, ok := p.(error); ok {
				err = fmt.Errorf("gomlx: %w", e)
			} else {
				err = fmt.Errorf("gomlx: %v", p)
			}
			if _, ok := p.(runtime.Error); ok {
				err = fmt.Errorf("%w\n%s", err, debug.Stack())
			}
		}
	}()
	return f()
}

// Tensor makes a float32 tensor of a shape, copying the values.
func Tensor(values []float32, shape ...int) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, shape...)
}

// Zeros makes a float32 tensor of zeros.
func Zeros(shape ...int) *tensors.Tensor {
	return tensors.FromShape(shapes.Make(dtypes.Float32, shape...))
}

// Values copies the values of a float32 tensor.
func Values(t *tensors.Tensor) ([]float32, error) { return tensors.CopyFlatData[float32](t) }

// Donate gives a tensor's buffer to the next execution, which may reuse it; the tensor is of no use afterwards.
func (s *Session) Donate(t *tensors.Tensor) (any, error) {
	return graph.DonateTensorBuffer(t, s.Backend, 0)
}
