package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestParentKilled: when mbuild itself is killed, what its commands run is killed with it.
func TestParentKilled(t *testing.T) {
	if mark := os.Getenv("MBUILD_TEST_MARK"); mark != "" {
		var m Mode
		fmt.Sscan(os.Getenv("MBUILD_TEST_MODE"), (*int)(&m))
		p := NewPool(Config{Scratch: t.TempDir(), Mode: m})
		p.Run(context.Background(), &Command{Args: []string{"sh", "-c", "setsid sleep " + mark + " & sleep " + mark}, Env: []string{"PATH=/usr/bin:/bin"}, Log: &bytes.Buffer{}})
		return
	}
	for _, m := range modes(t) {
		mark := fmt.Sprintf("985%d.5", os.Getpid()*10+int(m))
		cmd := exec.Command(os.Args[0], "-test.run", "^TestParentKilled$")
		cmd.Env = append(os.Environ(), "MBUILD_TEST_MARK="+mark, fmt.Sprintf("MBUILD_TEST_MODE=%d", m))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The shell and both sleeps have the mark in their arguments.
		if !eventually(func() bool { return len(running(mark)) == 3 }) {
			t.Errorf("%v: %d processes have begun", m, len(running(mark)))
		}
		cmd.Process.Signal(syscall.SIGKILL)
		cmd.Wait()
		if !eventually(func() bool { return len(running(mark)) == 0 }) {
			t.Errorf("%v: %v have outlived mbuild", m, running(mark))
		}
	}
}

func eventually(f func() bool) bool {
	for range 1000 {
		if f() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// TestSlotKilled: a slot that dies costs its command an error, and the next command gets a new one.
func TestSlotKilled(t *testing.T) {
	each(t, Bare, func(t *testing.T, pool *Pool) {
		sh(t, pool, "true")
		pid := pool.idle[0].cmd.Process.Pid
		time.AfterFunc(200*time.Millisecond, func() { syscall.Kill(pid, syscall.SIGKILL) })
		_, err := pool.Run(context.Background(), &Command{Args: []string{"sleep", "20"}, Env: []string{"PATH=/usr/bin:/bin"}, Log: &bytes.Buffer{}})
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("%v", err)
		}
		if res, out := sh(t, pool, "echo x > out", outputs("out")); !res.OK() {
			t.Errorf("%+v %s", res, out)
		}
		// One that died while it was idle is replaced without a word.
		syscall.Kill(pool.idle[0].cmd.Process.Pid, syscall.SIGKILL)
		time.Sleep(50 * time.Millisecond)
		if res, out := sh(t, pool, "echo x > out", outputs("out")); !res.OK() {
			t.Errorf("after an idle slot died: %+v %s", res, out)
		}
	})
}

// TestLogLive: what a command prints comes while it runs, in order, and all of it is there when Run returns.
func TestLogLive(t *testing.T) {
	each(t, Bare, func(t *testing.T, pool *Pool) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		first := make(chan time.Time, 1)
		go func() {
			bufio.NewReader(r).ReadString('\n')
			first <- time.Now()
		}()
		begin := time.Now()
		sh(t, pool, "echo first; sleep 1; echo second", func(c *Command) { c.Log = w })
		if early := (<-first).Sub(begin); early > 900*time.Millisecond {
			t.Errorf("the first line came after %v", early)
		}
		for range 20 {
			if _, out := sh(t, pool, "seq 3000; echo end >&2"); strings.Count(out, "\n") != 3001 || !strings.HasSuffix(out, "3000\nend\n") {
				t.Errorf("%d lines, the end of them %q", strings.Count(out, "\n"), out[max(0, len(out)-20):])
			}
		}
	})
}

// TestUnprivileged: all of this holds for an ordinary user, too. As root, the tests are run again as one.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		return // that is what they are run as
	}
	exe, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "mbuild-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	const nobody = 65534
	os.Chmod(dir, 0o755)
	os.Mkdir(dir+"/tmp", 0o700)
	os.Chown(dir+"/tmp", nobody, nobody)
	if err := os.WriteFile(dir+"/test", exe, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(dir+"/test", "-test.run", "Test(Reads|Writes|Network|Environment|Privileges|Processes|Identity|Leftovers|TooMany|Inputs|Outputs)")
	cmd.Dir = dir + "/tmp"
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "TMPDIR=" + dir + "/tmp", "HOME=" + dir + "/tmp"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}
