package mlx

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"

	"mbuild.dev/mbuild/executor/pjrt"
	"mbuild.dev/mbuild/lang/value"
)

// Choice is what a backend's name stands for on this machine: everything that opening it takes.
type Choice struct {
	Name     string       `json:"name"`               // as given, in normal form
	Plugin   *pjrt.Plugin `json:"plugin,omitempty"`   // nil for go
	Platform string       `json:"platform,omitempty"` // of the plugin, in its own word: cpu, cuda, …
	Kind     string       `json:"kind,omitempty"`     // of the device: "cpu", "NVIDIA A100-SXM4-40GB"
	Threads  int          `json:"threads,omitempty"`
	Device   int          `json:"device,omitempty"`
}

// cudaFlags make XLA choose kernels whose sums have one order, and not choose among kernels by how fast they ran just now.
const cudaFlags = "--xla_gpu_deterministic_ops=true --xla_gpu_autotune_level=0"

// What auto decides by. A program is compiled and started anew for each action, which costs XLA up to 1.8 seconds; from about
// two seconds of work on it has won them back. goSpeed is what the go backend makes of small models with vector code, in
// operations a second. Both are numbers and not measurements, so that the choice is the same on every machine.
const (
	goSpeed      = 5e9
	heavySeconds = 2
)

// Heavy reports that so many floating point operations are worth the start of XLA.
func Heavy(operations float64) bool { return operations > goSpeed*heavySeconds }

// The platforms of plugins that are more than a name here.
const (
	PlatformCPU  = "cpu"
	PlatformCUDA = "cuda"
)

// GoChoice is the pure Go backend.
func GoChoice() *Choice { return &Choice{Name: Go} }

// Choose makes a choice of a name and a plugin, which may be nil only for go. kind is what the plugin says of the device; it
// is of no account on a CPU.
func Choose(n Name, p *pjrt.Plugin, platform, kind string) *Choice {
	c := &Choice{Name: n.String(), Plugin: p, Platform: platform, Kind: kind, Threads: n.Threads, Device: n.Device}
	switch platform {
	case PlatformCPU:
		c.Kind, c.Device = PlatformCPU, 0
		if c.Threads == 0 {
			c.Threads = Threads
		}
	default:
		c.Threads = 0
	}
	return c
}

// backend is the name without what does not change results: a plugin given by path is the same backend as one installed.
func (c *Choice) backend() string {
	if c.Plugin == nil {
		return c.Name
	}
	return "xla:" + c.Platform
}

// flags are the XLA flags that the worker runs with; those of the user's environment never reach it.
func (c *Choice) flags() string {
	if c.Platform == PlatformCUDA {
		return cudaFlags
	}
	return ""
}

// Fingerprint is canonical JSON, one line, with everything of a backend that may change the bits of what it computes:
//
//	backend           its name
//	gomlx, compute    versions of the two modules
//	go                version of the Go compiler without the patch level: math functions and kernels are compiled by it
//	arch, fma         the processor's architecture, and whether the compiler fuses x*y + z (always on arm64, with GOAMD64=v3)
//	precision         float32: no step is done in fewer bits unless the model says so
//
// for go also config, how it is opened, and simd, the instruction set in effect: avx512, avx2 or none; for plugins
//
//	go-xla, plugin    version of the module, and the digest of the plugin
//	device            the kind of device
//	processor         on a CPU: its maker and instruction set, for which XLA compiles and by which its libraries choose kernels
//	threads           on a CPU: the size of XLA's pool, by which it divides some sums
//	flags             XLA's flags
//	lowering          goes up when mbuild has XLA compute the same things in another way
//
// The number of processors is not in it; a test holds that it changes nothing.
func (c *Choice) Fingerprint() string {
	doc := map[string]any{
		"backend": c.backend(), "precision": "float32",
		"gomlx": moduleVersion("github.com/gomlx/gomlx"), "compute": moduleVersion("github.com/gomlx/compute"),
		"go": compiler(runtime.Version()), "arch": runtime.GOARCH, "fma": fuses(),
	}
	if c.Plugin == nil {
		doc["config"], doc["simd"] = goConfig, SIMD()
	} else {
		doc["go-xla"], doc["plugin"], doc["device"], doc["flags"] = moduleVersion("github.com/gomlx/go-xla"), c.Plugin.Digest, c.Kind, c.flags()
		doc["lowering"] = int64(3)
		if c.Platform == PlatformCPU {
			doc["threads"], doc["processor"] = int64(c.Threads), processor()
		}
	}
	b, err := value.Canonical(doc)
	if err != nil {
		panic(fmt.Sprintf("mlx: a fingerprint without canonical form: %v", err)) // strings and small integers have one
	}
	return string(b)
}

// Fingerprint is that of a backend without a plugin.
func Fingerprint(name string) (string, error) {
	if name != Go {
		if err := Known(name); err != nil {
			return "", err
		}
		return "", fmt.Errorf("the fingerprint of backend %q depends on its plugin", name)
	}
	return GoChoice().Fingerprint(), nil
}

// EnvChoice is the variable in which a worker finds its Choice.
const EnvChoice = "MBUILD_BACKEND_CHOICE"

// LargeStep is how many operations a step of training has for which calls of a device cost nothing that counts.
const LargeStep = 8e9

// Environment is what a worker of the backend gets in its environment, beside what every worker gets. Whatever else would
// change results, XLA_FLAGS above all, is kept from it by not being here.
//
// On a CPU the pool of threads has a fixed size, for it changes bits. glibc's malloc returns large blocks to the system at
// once by default, and XLA asks for such blocks at every step; kept, a transformer's step takes half the time, and in huge pages, where the
// kernel leaves them to be asked for, a tenth less again. Threads have heaps of 64 MB beside the one that grows: of what is larger, which is
// all that a large step computes with, they would have new memory each time. So where steps (operations of one, 0 for unknown) are large there
// is only the one heap; small ones lose more by taking turns at it.
func (c *Choice) Environment(step float64) []string {
	if c.Plugin == nil {
		return nil
	}
	enc, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("mlx: a choice without JSON: %v", err)) // it is made of strings and numbers
	}
	env := []string{EnvChoice + "=" + string(enc), "GOMLX_NO_AUTO_INSTALL=1", "TF_CPP_MIN_LOG_LEVEL=3",
		"PJRT_PLUGIN_LIBRARY_PATH="} // the library looks for plugins nowhere
	switch c.Platform {
	case PlatformCPU:
		env = append(env, fmt.Sprintf("PJRT_NPROC=%d", c.Threads),
			"MALLOC_MMAP_THRESHOLD_=4294967296", "MALLOC_TRIM_THRESHOLD_=8589934592", "MALLOC_TOP_PAD_=67108864", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1")
		if step >= LargeStep {
			env = append(env, "MALLOC_ARENA_MAX=1")
		}
	case PlatformCUDA:
		env = append(env, "XLA_FLAGS="+cudaFlags, "NVIDIA_TF32_OVERRIDE=0")
		for _, k := range []string{"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"} {
			if v, ok := os.LookupEnv(k); ok {
				env = append(env, k+"="+v)
			}
		}
	}
	return env
}

// inherited is the Choice that this process was started with for a backend.
func inherited(name string) (*Choice, error) {
	text := os.Getenv(EnvChoice)
	if text == "" {
		return nil, fmt.Errorf("backend %q is opened in workers only, which are told its plugin", name)
	}
	c := new(Choice)
	if err := json.Unmarshal([]byte(text), c); err != nil || c.Plugin == nil {
		return nil, fmt.Errorf("%s does not describe a plugin: %s", EnvChoice, text)
	}
	if c.Name != name {
		return nil, fmt.Errorf("this worker was started for backend %q, not %q", c.Name, name)
	}
	return c, nil
}

// Platform is the platform that a name speaks of, "" where only the plugin can tell.
func (n Name) Platform() string {
	p, ok := strings.CutPrefix(n.Base, "xla:")
	if !ok {
		return ""
	}
	return p
}
