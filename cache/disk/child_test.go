package disk

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// The test binary runs itself as other processes on one store: children holds what they can do.
var children = map[string]func(dir string, seed, n int) error{
	"commit": commitMany,
}

// child is a command that does something in a process of its own.
func child(what, dir string, seed, n int) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "STORE_CHILD="+what, "STORE_DIR="+dir, "STORE_SEED="+strconv.Itoa(seed), "STORE_N="+strconv.Itoa(n))
	c.Stderr = os.Stderr
	return c
}

func TestMain(m *testing.M) {
	what := os.Getenv("STORE_CHILD")
	if what == "" {
		os.Exit(m.Run())
	}
	seed, _ := strconv.Atoi(os.Getenv("STORE_SEED"))
	n, _ := strconv.Atoi(os.Getenv("STORE_N"))
	if err := children[what](os.Getenv("STORE_DIR"), seed, n); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func commitMany(dir string, seed, n int) error {
	s, err := Open(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range n {
		a := makeAction(1+seed, i)
		if err := s.Commit(ctx, [][]byte{a.output}, a.preimage, a.key, a.result); err != nil {
			return err
		}
	}
	return nil
}
