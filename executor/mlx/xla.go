//go:build xla && cgo

package mlx

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	lib "github.com/gomlx/go-xla/pjrt"

	"mbuild.dev/mbuild/executor/pjrt"
)

// HasXLA reports that this build can open PJRT plugins.
const HasXLA = true

// cudaMemory is the share of a GPU's memory that a worker may use. Nothing is taken before it is needed.
const cudaMemory = 0.9

func init() { xla.EnableAutoInstall(false) }

// openPlugin loads a plugin into this process, for good: plugins cannot be unloaded, and may end the process when they fail.
func openPlugin(c *Choice) (b compute.Backend, err error) {
	if err := pjrt.Verify(c.Plugin); err != nil {
		return nil, err
	}
	path, done, err := neutral(c)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := preflight(path); err != nil {
		return nil, err
	}
	config, options := path, lib.NamedValuesMap{}
	switch c.Platform {
	case PlatformCPU:
		options["cpu_device_count"] = int64(1) // by default 4, and at least as many threads
	case PlatformCUDA:
		config += ",tf32=false" // 10 bits of mantissa are not float32
		options["visible_devices"] = []int64{int64(c.Device)}
		options["memory_fraction"] = float32(cudaMemory)
		options["preallocate"] = false
	}
	err = Try(func() (err error) { b, err = xla.NewWithOptions(config, options); return })
	return b, short(err)
}

// neutral is a path of the plugin that does not mislead go-xla, which takes every path with "cuda" or "nvidia" in it for a
// plugin of a GPU, a user's name included, and one without "cpu" for none of a CPU. done removes it once it is loaded.
func neutral(c *Choice) (path string, done func(), err error) {
	if c.Platform == PlatformCUDA || !lib.IsCUDAName(c.Plugin.Path) && (c.Platform != PlatformCPU || strings.Contains(strings.ToLower(c.Plugin.Path), PlatformCPU)) {
		return c.Plugin.Path, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "pjrt-")
	if err != nil {
		return "", nil, err
	}
	link := filepath.Join(dir, "pjrt_c_api_"+c.Platform+"_plugin"+filepath.Ext(c.Plugin.Path))
	return link, func() { os.RemoveAll(dir) }, os.Symlink(c.Plugin.Path, link)
}

// short cuts what go-xla puts before PJRT's own words.
func short(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if i := strings.LastIndex(text, "PJRT error"); i > 0 {
		text = text[i:]
	}
	return errors.New(text)
}

var deviceKind = regexp.MustCompile(`device_kind=([^,)]+)`)

// Probe opens a plugin in this process and says what is there. Use a process that may die of it.
func Probe(c *Choice) (*Probed, error) {
	if err := pjrt.Verify(c.Plugin); err != nil {
		return nil, err
	}
	version, err := preflight(c.Plugin.Path)
	if err != nil {
		return nil, err
	}
	p := &Probed{Version: version, Devices: []string{}}
	err = Try(func() error {
		plugin, err := lib.GetPlugin(c.Plugin.Path)
		if err != nil {
			return err
		}
		client, err := plugin.NewClient(probeOptions(c))
		if err != nil {
			return err
		}
		p.Platform, p.Runtime = strings.ToLower(client.Platform()), client.PlatformVersion()
		for _, d := range client.AddressableDevices() {
			desc, err := d.GetDescription()
			if err != nil {
				return err
			}
			p.Devices = append(p.Devices, kindOf(desc.DebugString()))
		}
		return nil
	})
	return p, short(err)
}

// probeOptions keep a probe from taking a GPU's memory.
func probeOptions(c *Choice) lib.NamedValuesMap {
	switch c.Platform {
	case PlatformCPU:
		return lib.NamedValuesMap{"cpu_device_count": int64(1)}
	case PlatformCUDA:
		return lib.NamedValuesMap{"preallocate": false}
	}
	return nil
}

// kindOf takes a device's kind out of its description, which also has its number.
func kindOf(text string) string {
	if m := deviceKind.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return trailingID.ReplaceAllString(text, "")
}

var trailingID = regexp.MustCompile(`(_\d+|\(id=\d+\)|:\d+)$`)

// versions of the PJRT interface that have been seen to work begin here; the interface promises no more than a year's.
const oldestMinor = 81

func checkVersion(path string, major, minor int) error {
	if major != 0 || minor < oldestMinor {
		return fmt.Errorf("%s speaks version %d.%d of the PJRT interface, and this build of mbuild takes 0.%d and later of 0: install another plugin", path, major, minor, oldestMinor)
	}
	return nil
}
