package main

import (
	"mbuild.dev/mbuild/cmd/mbuild/internal/cli"
	"os"
	"strings"
	"testing"
)

func TestZZProf(t *testing.T) {
	a := os.Getenv("ZZARGS")
	if a == "" {
		t.Skip()
	}
	cli.Main(strings.Fields(a), os.Stdin, os.Stdout, os.Stderr)
}
