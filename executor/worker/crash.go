package worker

import (
	"os/exec"
	"regexp"
	"strings"
)

// crashed is how Go's runtime begins its report of a signal that it has no use for, in native code above all.
var crashed = regexp.MustCompile(`(?m)^(SIG[A-Z]+: .+)\nPC=`)

// ending words how a process ended, and returns what it printed without the report of registers and goroutines that Go's
// runtime adds when native code crashes: that says nothing of the native code, and hides what the code itself said before.
func ending(exit *exec.ExitError, printed string) (how, said string) {
	m := crashed.FindStringSubmatchIndex(printed)
	if m == nil || !strings.Contains(printed[m[0]:], "signal arrived during cgo execution") {
		return describe(exit), printed
	}
	return printed[m[2]:m[3]] + ", in native code", printed[:m[0]]
}
