//go:build !unix

package sandbox

import "os/exec"

// killGroup leaves the default: cancellation kills the command itself.
func killGroup(*exec.Cmd) {}

func signalOf(*exec.ExitError) string { return "" }
