package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mbuild.dev/mbuild/cache"
)

// TestCrowd: any number of commands on one store and one project at once, some of them killed. None ends with an error of its own
// making, and what is there in the end is what an undisturbed apply makes. The long form goes on for a minute.
func TestCrowd(t *testing.T) {
	length, crowd := 3*time.Second, 4
	if os.Getenv("MBUILD_LONG") != "" {
		length, crowd = time.Minute, 8
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dirs, store := []string{write(t, killSpec), write(t, killSpec)}, t.TempDir()
	commands := [][]string{
		{"apply", "-auto-approve"}, {"apply", "-auto-approve"}, {"apply", "-auto-approve"}, {"plan"}, {"drift"},
		{"cache", "gc", "-max-size", "200kB"}, {"cache", "gc"}, {"cache", "verify"}, {"verify", "-sample", "10%"}, {"cache", "stat"},
	}
	var mu sync.Mutex
	ran := map[string]int{}
	var group sync.WaitGroup
	end := time.Now().Add(length)
	for i := range crowd {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		group.Go(func() {
			for time.Now().Before(end) {
				args := commands[r.IntN(len(commands))]
				dir := dirs[r.IntN(len(dirs))]
				if args[0] == "apply" || args[0] == "plan" || args[0] == "drift" || args[0] == "verify" {
					args = append(args[:len(args):len(args)], "-var", fmt.Sprintf("salt=%d", 1+r.IntN(2)))
				}
				cmd := mbuild(t, dir, store, args...)
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &out
				if err := cmd.Start(); err != nil {
					t.Error(err)
					return
				}
				if r.IntN(4) == 0 {
					time.AfterFunc(time.Duration(r.Int64N(int64(300*time.Millisecond))), func() { cmd.Process.Kill() })
				}
				err := cmd.Wait()
				name := strings.Join(args[:min(2, len(args))], " ")
				if killed(err) {
					name = "killed"
				} else if err != nil && !allowed(args[0], cmd.ProcessState.ExitCode(), out.String()) {
					t.Errorf("%v: %v\n%s", args, err, out.String())
					return
				}
				mu.Lock()
				ran[name]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	t.Logf("%v", ran)
	k := killing{t: t, dir: dirs[0], store: store, salt: 1, built: map[string]bool{}}
	if k.apply(0, false); !k.whole {
		t.Fatal("the last apply did not complete")
	}
	k.compare()
	if out := run(t, dirs[0], store, "cache", "verify"); !strings.Contains(out, ", 0 damaged") {
		t.Error(out)
	}
	if left, _ := filepath.Glob(filepath.Join(store, "tmp", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func killed(err error) bool {
	exit, ok := err.(*exec.ExitError)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

// allowed are ends that a command may come to because of what others do.
func allowed(command string, code int, out string) bool {
	switch command {
	case "drift": // two applies with different variables write one file
		return code == 2
	case "cache": // one collection at a time
		return strings.Contains(out, cache.ErrBusy.Error())
	}
	return false
}
