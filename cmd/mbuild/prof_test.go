package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"mbuild.dev/mbuild/cmd/mbuild/internal/cli"
)

// BenchmarkCommand runs the command line of MBUILD_BENCH in the process, for profiles.
func BenchmarkCommand(b *testing.B) {
	args := strings.Fields(os.Getenv("MBUILD_BENCH"))
	if len(args) == 0 {
		b.Skip("MBUILD_BENCH is not set")
	}
	for b.Loop() {
		if code := cli.Main(args, os.Stdin, io.Discard, io.Discard); code != 0 {
			b.Fatal(code)
		}
	}
}
