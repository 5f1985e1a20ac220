// Command fingerprint prints the fingerprint of a backend: a test's own binary does not record the versions of modules.
package main

import (
	"fmt"
	"os"

	"mbuild.dev/mbuild/executor/mlx"
)

func main() {
	f, err := mlx.Fingerprint(os.Args[1])
	fmt.Println(f, err)
}
