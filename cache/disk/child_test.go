package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"mbuild.dev/mbuild/cache"
)

// action is a small action of a cold build: one output of 60 bytes, an encoded action of 400 bytes, and the result.
type action struct {
	output, preimage []byte
	key              cache.ActionKey
	result           *cache.ActionResult
}

func makeAction(seed, n int) action {
	a := action{output: make([]byte, 60), preimage: bytes.Repeat([]byte("x"), 400)}
	for _, b := range [][]byte{a.output, a.preimage} {
		binary.LittleEndian.PutUint32(b, uint32(seed))
		binary.LittleEndian.PutUint32(b[4:], uint32(n))
	}
	a.key = cache.KeyOf(a.preimage)
	a.result = &cache.ActionResult{Outputs: []cache.Output{{Name: "out", MediaType: "text/plain", Digest: cache.Sum(a.output)}},
		Execution: cache.Execution{Started: time.Unix(1, int64(n)), Wall: 1000, Worker: "in-process", Backend: "go"}}
	return a
}

// build fills a store with so many actions, a thousand in one write.
func build(b testing.TB, dir string, n int) {
	s, err := Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < n; i += 1000 {
		err := s.append(func(out *batch) {
			for j := i; j < min(n, i+1000); j++ {
				a := makeAction(0, j)
				enc, _ := a.result.Encode()
				out.add(record{kind: recordBlob, digest: cache.Sum(a.output), payload: a.output})
				out.add(record{kind: recordBlob, digest: a.key.Digest(), payload: a.preimage})
				out.add(record{kind: recordResult, digest: a.key.Digest(), payload: enc})
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// The test binary runs itself as other processes on one store: children holds what they can do.
var children = map[string]func(dir string, seed, n int) error{
	"commit": commitMany,
	"stress": stress,
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
