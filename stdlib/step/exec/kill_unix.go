//go:build unix

package exec

import (
	osexec "os/exec"
	"syscall"
)

// killGroup has cancellation kill the command with everything it started.
func killGroup(cmd *osexec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
