package mlx

import (
	"regexp"
	"strconv"
	"strings"
)

// outOfMemory matches what plugins say when an allocation fails: code 8 of PJRT is RESOURCE_EXHAUSTED.
var outOfMemory = regexp.MustCompile(`(?i)code=8\)|RESOURCE_EXHAUSTED|out of memory|failed to allocate`)

var askedBytes = regexp.MustCompile(`(?i)allocat\w*\s+(?:request for\s+)?([\d.]+)\s*(bytes|B|KiB|MiB|GiB|TiB)\b`)

var units = map[string]float64{"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}

// OutOfMemory reports that a device, or its plugin, had no memory left, and how many bytes were asked for in vain; 0 where
// that was not said.
func OutOfMemory(err error) (asked int64, ok bool) {
	if err == nil || !outOfMemory.MatchString(err.Error()) {
		return 0, false
	}
	if m := askedBytes.FindStringSubmatch(err.Error()); m != nil {
		unit := max(units[strings.ToUpper(m[2])], 1)
		if n, err := strconv.ParseFloat(m[1], 64); err == nil && n*unit < 1<<62 {
			asked = int64(n * unit)
		}
	}
	return asked, true
}
