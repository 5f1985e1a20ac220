package mlx

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Go is the name of the pure Go backend, which is in every build.
const Go = "go"

// Auto stands for a backend that is chosen for each block: XLA where a plugin is pinned and the work is worth its start.
const Auto = "auto"

// The names of XLA's backends, and what stands before the path of any other plugin.
const (
	XLACPU  = "xla:cpu"
	XLACUDA = "xla:cuda"
	byPath  = "pjrt:"
)

// Threads is how many threads XLA computes with on a CPU unless the name says otherwise. It is a fixed number, not that of
// the processors, because it changes bits: so that machines with 2 and with 64 share results.
const Threads = 2

// Name is the name of a backend, taken apart. As text: go, auto, xla:cpu, xla:cuda or pjrt:PATH, then any of ,threads=N and
// ,device=N.
type Name struct {
	Base    string // without options
	Threads int    // on a CPU; 0 where it does not apply
	Device  int    // number of the device, for those that may have several; 0 is the first
}

// ParseName takes a name apart. Its errors are one line and say what may be written.
func ParseName(s string) (Name, error) {
	n := Name{Base: s}
	for {
		i := strings.LastIndexByte(n.Base, ',')
		if i < 0 {
			break
		}
		key, val, _ := strings.Cut(n.Base[i+1:], "=")
		v, err := strconv.Atoi(val)
		switch {
		case key == "threads" && err == nil && v >= 1 && v <= 1024 && n.Threads == 0:
			n.Threads = v
		case key == "device" && err == nil && v >= 0 && v < 1024 && n.Device == 0:
			n.Device = v
		case strings.HasPrefix(n.Base, byPath) && key != "threads" && key != "device":
			return n, n.check(s) // a comma of the path
		default:
			return n, fmt.Errorf("backend %q has the option %q: write threads=N (1 to 1024, on a CPU) or device=N (from 0, on a GPU), each once", s, n.Base[i+1:])
		}
		n.Base = n.Base[:i]
	}
	return n, n.check(s)
}

func (n *Name) check(s string) error {
	switch {
	case n.Base == Go || n.Base == Auto:
		if n.Threads != 0 || n.Device != 0 {
			return fmt.Errorf("backend %q takes no options: use %q", n.Base, n.Base)
		}
	case strings.HasPrefix(n.Base, Go+":"):
		return fmt.Errorf("backend %q takes no options: use %q", Go, Go)
	case n.Base == XLACPU:
		if n.Device != 0 {
			return fmt.Errorf("backend %q has one device: write threads=N or nothing", XLACPU)
		}
		if n.Threads == 0 {
			n.Threads = Threads
		}
	case n.Base == XLACUDA:
		if n.Threads != 0 {
			return fmt.Errorf("backend %q takes no threads: write device=N or nothing", XLACUDA)
		}
	case strings.HasPrefix(n.Base, byPath) && len(n.Base) > len(byPath):
	default:
		return fmt.Errorf("there is no backend %q; there are %q, %q, %q, %q with a PJRT plugin's path, and %q", s, Go, XLACPU, XLACUDA, byPath+"PATH", Auto)
	}
	return nil
}

// Path is the plugin's path of a name pjrt:PATH, "" of others.
func (n Name) Path() string {
	p, ok := strings.CutPrefix(n.Base, byPath)
	if !ok {
		return ""
	}
	return filepath.Clean(p)
}

// String is the name in normal form: options only where they are not what holds without them.
func (n Name) String() string {
	s := n.Base
	if n.Threads != 0 && n.Threads != Threads {
		s += fmt.Sprintf(",threads=%d", n.Threads)
	}
	if n.Device != 0 {
		s += fmt.Sprintf(",device=%d", n.Device)
	}
	return s
}

// Known says, in one line, why a backend cannot be used with this build and what to do; nil if it can.
func Known(name string) error {
	n, err := ParseName(name)
	if err != nil {
		return err
	}
	if n.Base == Go || n.Base == Auto || HasXLA {
		return nil
	}
	return fmt.Errorf("backend %q is not in this build of mbuild: build it with cgo and -tags xla, then give it a PJRT plugin with mbuild backend install; or use %q", name, Go)
}
