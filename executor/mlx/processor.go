package mlx

import (
	"os"
	"regexp"
	"runtime"
	"sync"

	"golang.org/x/sys/cpu"
)

var vendorLine = regexp.MustCompile(`(?m)^(?:vendor_id|CPU implementer)\s*:\s*(\S+)`)

// processor is the maker of the processor, where the system tells, and the widest instructions it has: "AuthenticAMD avx512".
var processor = sync.OnceValue(func() string {
	vendor := "unknown"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := vendorLine.FindSubmatch(info); m != nil {
			vendor = string(m[1])
		}
	}
	return vendor + " " + instructions()
})

func instructions() string {
	x := cpu.X86
	switch {
	case runtime.GOARCH != "amd64":
		return runtime.GOARCH
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL:
		return "avx512"
	case x.HasAVX2 && x.HasFMA:
		return "avx2"
	case x.HasAVX:
		return "avx"
	}
	return "sse"
}
