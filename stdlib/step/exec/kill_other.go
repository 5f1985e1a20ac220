//go:build !unix

package exec

import osexec "os/exec"

// killGroup leaves the default: cancellation kills the command itself.
func killGroup(*osexec.Cmd) {}
