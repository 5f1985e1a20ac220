// Command cmd compiles the schema.cue of the current directory, with <family>.cue of the one above it and that of each family it uses, to schema_gen.go. It is run by go generate in a kind's folder:
//
//	//go:generate go run mbuild.dev/mbuild/lang/schema/gen/cmd -family train -type supervised
package main

import (
	"flag"
	"fmt"
	"os"

	"mbuild.dev/mbuild/lang/schema/gen"
)

func main() {
	family := flag.String("family", "", "family of the kind")
	typ := flag.String("type", "", "type of the kind")
	flag.Parse()
	if err := generate(*family, *typ, os.Getenv("GOPACKAGE")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func generate(family, typ, pkg string) error {
	src, err := gen.Read("schema.cue", family)
	if err != nil {
		return err
	}
	k, err := gen.Table(src, "schema.cue", family, typ)
	if err != nil {
		return err
	}
	out, err := gen.Source(pkg, k)
	if err != nil {
		return err
	}
	return os.WriteFile("schema_gen.go", out, 0o644)
}
