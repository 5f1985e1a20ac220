package executor_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"mbuild.dev/mbuild/cache/memory"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/sandbox"
	"mbuild.dev/mbuild/executor/worker"
	"mbuild.dev/mbuild/planner"
)

// breakOut tries to reach what a worker has not been given; an error says what it reached. home holds a file.
func breakOut(home string) error {
	if b, err := os.ReadFile(filepath.Join(home, "private")); err == nil {
		return fmt.Errorf("read %s", b)
	}
	if err := os.WriteFile(filepath.Join(home, "new"), nil, 0o644); err == nil {
		return errors.New("wrote into the home directory")
	}
	if err := os.WriteFile("/tmp/mbuild-breakout", nil, 0o644); err == nil {
		os.Remove("/tmp/mbuild-breakout")
		return errors.New("wrote into /tmp")
	}
	if f, err := os.CreateTemp("", "x"); err != nil {
		return fmt.Errorf("cannot make a temporary file: %w", err)
	} else if f.Close(); os.Remove(f.Name()) != nil {
		return errors.New("cannot remove it")
	}
	for _, network := range []string{"tcp", "udp", "unix"} {
		at := map[string]string{"tcp": "127.0.0.1:1", "udp": "127.0.0.1:1", "unix": "@mbuild"}[network]
		if _, err := net.Dial(network, at); err == nil || !errors.Is(err, syscall.EPERM) {
			return fmt.Errorf("a socket of %s: %v", network, err)
		}
	}
	return nil
}

// TestWorkersConfined: a worker that is confined reads its inputs, writes its outputs, and reaches nothing else; all that the
// machine cannot do of it is said.
func TestWorkersConfined(t *testing.T) {
	home := t.TempDir()
	os.WriteFile(filepath.Join(home, "private"), []byte("private"), 0o644)
	t.Setenv("HOME", home)
	scratch := t.TempDir()
	r := newRig(t, memory.New(), false, "step \"toy\" \"a\" {\n  op = \"breakout\"\n  value = 2\n}\nstep \"toy\" \"b\" {\n  op = \"breakout\"\n  from = [step.toy.a.out]\n}\n")
	pool := r.runner.(*worker.Pool)
	pool.Confine(worker.Confinement{Write: []string{scratch}})
	p := r.plan(planner.Request{})
	res, diags := r.applyIn(context.Background(), p, executor.Options{}, scratch)
	if runtime.GOOS != "linux" || len(pool.Weaker()) > 0 {
		if len(pool.Weaker()) == 0 {
			t.Error("nothing is said to be off")
		}
		return
	}
	if res.Built != 2 {
		t.Errorf("%+v %v", res, diags)
	}
}

// TestNativeOutput: what is printed past the protocol goes to the log and tears nothing.
func TestNativeOutput(t *testing.T) {
	r := newRig(t, memory.New(), false, "step \"toy\" \"a\" {\n  op = \"garble\"\n}\n")
	done := make(chan *executor.Result, 1)
	go func() {
		res, _ := r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{})
		done <- res
	}()
	select {
	case res := <-done:
		if res.Built != 1 {
			t.Errorf("%+v", res)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the answer of the worker was lost")
	}
}

// TestIdleWorkerDies: a worker that dies between two jobs is replaced without a word.
func TestIdleWorkerDies(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("the death of a process is noticed on Linux only")
		return
	}
	r := newRig(t, memory.New(), false, "")
	for i := range 3 {
		r.spec = fmt.Sprintf("step \"toy\" \"a\" { value = %d }\n", i)
		res, diags := r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{Jobs: 1})
		if res.Built != 1 || diags.HasErrors() {
			t.Fatalf("%+v %v", res, diags)
		}
		killWorkers(t)
	}
}

// killWorkers kills this process's workers and waits until they are dead.
func killWorkers(t *testing.T) {
	me, n := fmt.Sprint(os.Getpid()), 0
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		stat, _ := os.ReadFile(d + "/stat")
		line, _ := os.ReadFile(d + "/cmdline")
		_, rest, _ := strings.Cut(string(stat), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == me && strings.Contains(string(line), worker.Arg) {
			var pid int
			fmt.Sscan(filepath.Base(d), &pid)
			syscall.Kill(pid, syscall.SIGKILL)
			n++
			for range 500 {
				if b, _ := os.ReadFile(d + "/stat"); strings.Contains(string(b), ") Z ") {
					break
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
	time.Sleep(100 * time.Millisecond) // the first thread is dead; now the others
	if n == 0 {
		t.Error("there was no worker to kill")
	}
}

// TestWeakWarning: when a promise is off, an apply says so once, as a warning.
func TestWeakWarning(t *testing.T) {
	r := newRig(t, memory.New(), false, diamond)
	r.runner = weakRunner{r.runner}
	r.apply(context.Background(), r.plan(planner.Request{}), executor.Options{})
	if len(r.warnings) != 1 || r.warnings[0].Summary != "Workers run in a weaker sandbox" || !strings.Contains(r.warnings[0].Detail, "no network") || !strings.Contains(r.warnings[0].Detail, "for the moon is full") {
		t.Errorf("%v", r.warnings)
	}
}

type weakRunner struct{ executor.Runner }

func (weakRunner) Weaker() []sandbox.Ability {
	return []sandbox.Ability{{Name: "worker-network", What: "workers reach no network", Why: "the moon is full"}}
}
