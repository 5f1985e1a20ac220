//go:build !(xla && cgo)

package mlx

import (
	"errors"

	"github.com/gomlx/compute"

	"mbuild.dev/mbuild/executor/pjrt"
)

// HasXLA reports that this build can open PJRT plugins.
const HasXLA = false

var errNoXLA = errors.New("this build of mbuild has no XLA: build it with cgo and -tags xla")

func openPlugin(*Choice) (compute.Backend, error) { return nil, errNoXLA }

// Probe opens a plugin and says what is there. Not in this build.
func Probe(*Choice) (*Probed, error) { return nil, errNoXLA }

// Fetch lets go-xla's own installer download a plugin. Not in this build.
func Fetch(pjrt.Dir, string, string) (string, error) { return "", errNoXLA }
