// Command mbuild is a declarative build system for models.
package main

import (
	"os"

	"mbuild.dev/mbuild/cmd/mbuild/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
