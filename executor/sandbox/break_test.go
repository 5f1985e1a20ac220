package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// The tests of this file try to break out: each is a promise of ability.go and what a program would do against it.

// secret is a file of the project: readable by the user, declared by nobody.
func secret(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "mbuild-project-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := filepath.Join(dir, "other.txt")
	if err := os.WriteFile(p, []byte("undeclared"), 0o666); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestReadsOutside: a file that is not declared is not there, by whatever way one asks for it.
func TestReadsOutside(t *testing.T) {
	p := secret(t)
	each(t, Guarded, func(t *testing.T, pool *Pool) {
		for _, try := range []string{
			"cat " + p,
			"cd " + filepath.Dir(p) + " && cat other.txt",
			"cat /proc/self/root" + p,
			"cat /proc/$PPID/root" + p,
			"cat /proc/1/root" + p,
			"ln -s " + p + " link; cat link",
			"cat ../../../../../../../../../.." + p,
			"cat /proc/$PPID/environ",
			"cat /proc/$PPID/mem",
			"ls -l /proc/$PPID/fd/",
			"echo x > /proc/$PPID/fd/1",
			"cat /etc/shadow",
			"ls " + filepath.Dir(p),
			"cp -r /root . || ls /root/* /home/*",
			"cat /dev/mem || cat /dev/vda || cat /proc/kcore | head -c 10 | grep -q .",
		} {
			if res, out := sh(t, pool, try); res.Exit == 0 || strings.Contains(out, "undeclared") {
				t.Errorf("%s: exit status %d: %s", try, res.Exit, out)
			}
		}
	})
}

// TestWritesOutside: nothing can be written but in the command's own directories.
func TestWritesOutside(t *testing.T) {
	p := secret(t)
	each(t, Guarded, func(t *testing.T, pool *Pool) {
		for _, try := range []string{
			"echo x > " + p,
			"echo x > " + filepath.Dir(p) + "/new",
			"rm -f " + p + " && test ! -e /etc/../var/tmp/x && false",
			"echo x > /usr/bin/mbuild-test", "echo x > /etc/mbuild-test", "touch /mbuild-test", "mkdir /build2",
			"echo x > /proc/sys/kernel/core_pattern", "echo 1 > /proc/sysrq-trigger",
			"mv " + p + " .", "ln " + p + " hard", "truncate -s 0 " + p,
			"echo x > /proc/$PPID/root" + p,
			"mknod disk b 254 0 && cat disk",
		} {
			if res, out := sh(t, pool, try); res.Exit == 0 {
				t.Errorf("%s: exit status 0: %s", try, out)
			}
		}
		if b, _ := os.ReadFile(p); string(b) != "undeclared" {
			t.Errorf("the project's file is now %q", b)
		}
	})
}

// TestNetwork: no socket leads anywhere: not to the network, not to a service on this machine, not to an abstract name.
func TestNetwork(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("no promise on this system")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	abstract, err := net.Listen("unix", fmt.Sprintf("@mbuild-test-%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer abstract.Close()
	reached := make(chan string, 10)
	for _, l := range []net.Listener{l, abstract} {
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				reached <- l.Addr().String()
				c.Close()
			}
		}()
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	each(t, Guarded, func(t *testing.T, pool *Pool) {
		for _, try := range []string{
			"exec 3<>/dev/tcp/127.0.0.1/" + port,
			"exec 3<>/dev/udp/8.8.8.8/53 && echo x >&3",
			"exec 3<>/dev/tcp/192.0.2.1/80",
		} {
			bash := func(c *Command) { c.Args[0] = "bash" }
			if res, out := sh(t, pool, try, bash); res.Exit == 0 {
				t.Errorf("%s: exit status 0: %s", try, out)
			}
		}
		python := fmt.Sprintf("import socket; socket.socket(socket.AF_UNIX).connect('\\0mbuild-test-%d')", os.Getpid())
		if res, out := sh(t, pool, "python3 -c \"$CODE\"", func(c *Command) { c.Env = append(c.Env, "CODE="+python) }); res.Exit == 0 {
			t.Errorf("an abstract socket: %s", out)
		}
		select {
		case to := <-reached:
			t.Errorf("%s was reached", to)
		default:
		}
	})
}

// TestEnvironment: the command sees what it was given, HOME, TMPDIR and PWD; and no file descriptor but its three.
func TestEnvironment(t *testing.T) {
	t.Setenv("MBUILD_TEST_SECRET", "leak")
	stray, err := os.Open(os.DevNull) // inherited by whatever does not take care
	if err != nil {
		t.Fatal(err)
	}
	defer stray.Close()
	each(t, Bare, func(t *testing.T, pool *Pool) {
		res, out := sh(t, pool, "env; ls /proc/self/fd | wc -l", func(c *Command) { c.Env = append(c.Env, "MODE=fast") })
		var names []string
		for _, line := range strings.Split(out, "\n") {
			if name, _, ok := strings.Cut(line, "="); ok {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); res.Exit != 0 || got != "HOME MODE PATH PWD TMPDIR" {
			t.Errorf("the environment: %s", got)
		}
		if lines := strings.Fields(out); runtime.GOOS == "linux" && lines[len(lines)-1] != "4" { // the fourth is that of ls itself
			t.Errorf("open files: %s", lines[len(lines)-1])
		}
	})
}

// TestPrivileges: there are none, and a set-user-ID program gives none.
func TestPrivileges(t *testing.T) {
	each(t, Guarded, func(t *testing.T, pool *Pool) {
		res, out := sh(t, pool, "grep -E '^(Cap|NoNewPrivs)' /proc/self/status; cp /bin/sh $TMPDIR/sh; chmod 4755 $TMPDIR/sh; $TMPDIR/sh -c 'grep CapEff /proc/self/status'; mount -t tmpfs x /tmp && echo mounted; unshare -n true && echo unshared; su -c id && echo su; true")
		if res.Exit != 0 || strings.Contains(out, "mounted") || strings.Contains(out, "unshared") || strings.Contains(out, "su\n") {
			t.Errorf("%s", out)
		}
		if n := strings.Count(out, "CapEff:\t0000000000000000"); n != 2 || !strings.Contains(out, "NoNewPrivs:\t1") || !strings.Contains(out, "CapBnd:\t0000000000000000") && pool.mode == Private {
			t.Errorf("%s", out)
		}
	})
}

// TestProcessesOutside: the command does not see other processes, and cannot end the one that watches it.
func TestProcessesOutside(t *testing.T) {
	me := os.Getpid()
	each(t, Private, func(t *testing.T, pool *Pool) {
		if _, out := sh(t, pool, "ls /proc | grep -c '^[0-9]*$'"); strings.TrimSpace(out) != "4" { // the slot, sh, ls, grep
			t.Errorf("%s processes are seen", out)
		}
		if res, out := sh(t, pool, fmt.Sprintf("kill -9 %d", me)); me > 100 && res.Exit == 0 {
			t.Errorf("a process outside was there to be killed: %s", out)
		}
	})
	each(t, Private, func(t *testing.T, pool *Pool) {
		// Whatever it sends to its parent, it ends with an exit code of its own and the slot goes on.
		for _, sig := range []string{"KILL", "STOP", "TERM", "INT", "HUP", "QUIT", "PIPE", "USR1", "ABRT"} {
			if res, out := sh(t, pool, "kill -"+sig+" $PPID; echo x > out", outputs("out")); !res.OK() {
				t.Errorf("after SIG%s: %+v %s", sig, res, out)
			}
		}
	})
}

// TestIdentity: user, host, directories and time zone are the same on every machine.
func TestIdentity(t *testing.T) {
	each(t, Private, func(t *testing.T, pool *Pool) {
		_, out := sh(t, pool, "pwd; id -un; id -u; uname -n; echo $HOME $TMPDIR; date +%Z; umask")
		if want := "/build\nmbuild\n1000\nmbuild\n/tmp /tmp\nUTC\n0022\n"; out != want {
			t.Errorf("got %q, want %q", out, want)
		}
	})
}

// TestLeftovers: nothing that a command starts outlives it, in whatever way it lets go; and nothing it leaves in files, in
// memory or in the kernel is there for the next.
func TestLeftovers(t *testing.T) {
	each(t, Guarded, func(t *testing.T, pool *Pool) {
		mark := fmt.Sprintf("987%d.5", os.Getpid()*10+int(pool.mode))
		res, out := sh(t, pool, "sleep "+mark+" & setsid sleep "+mark+" & (setsid nohup sleep "+mark+" >/dev/null 2>&1 &) ; trap '' TERM HUP; echo x > out", outputs("out"))
		if !res.OK() || res.Left < 3 {
			t.Errorf("%+v %s", res, out)
		}
		if left := running(mark); len(left) > 0 {
			t.Errorf("still running: %v", left)
		}
		sh(t, pool, "echo x > $TMPDIR/left; mkdir -p $TMPDIR/a/b; chmod 0 $TMPDIR/a/b $TMPDIR/a; touch .hidden; test ! -w /dev/shm || echo x > /dev/shm/left")
		if _, out := sh(t, pool, "ls -A . $TMPDIR /dev/shm | grep -v :; true"); pool.mode == Private && strings.TrimSpace(out) != "" {
			t.Errorf("left: %s", out)
		}
	})
	each(t, Private, func(t *testing.T, pool *Pool) {
		sh(t, pool, "ipcmk -M 4096 -S 1 -Q")
		if _, out := sh(t, pool, "ipcs | grep -c ^0x; true"); strings.TrimSpace(out) != "0" {
			t.Errorf("%s System V objects are left", out)
		}
	})
}

// running lists processes whose command line holds a text.
func running(text string) (found []string) {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, l := range lines {
		if b, _ := os.ReadFile(l); bytes.Contains(b, []byte(text)) {
			found = append(found, l)
		}
	}
	return found
}

// TestEndless: a command that does not end is killed with all it started, even one that will not be asked.
func TestEndless(t *testing.T) {
	each(t, Bare, func(t *testing.T, pool *Pool) {
		mark := fmt.Sprintf("986%d.5", os.Getpid()*10+int(pool.mode))
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		_, err := pool.Run(ctx, &Command{Args: []string{"sh", "-c", "trap '' TERM INT HUP; sleep " + mark + " & while :; do :; done"}, Env: []string{"PATH=/usr/bin:/bin"}, Log: &bytes.Buffer{}})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		var left []string
		for range 100 { // the kernel ends a namespace a moment after its first process
			if left = running(mark); len(left) == 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if len(left) > 0 && pool.mode != Bare {
			t.Errorf("still running: %v", left)
		}
		if res, out := sh(t, pool, "echo again > out", outputs("out")); !res.OK() {
			t.Errorf("the next command: %+v %s", res, out)
		}
	})
}

// TestTooManyProcesses: a command that starts more processes than it may is refused them or ended. The kernel holds the limit in the
// private mode only. The loop is bounded: a test that really multiplied would take the machine with it where a limit fails.
func TestTooManyProcesses(t *testing.T) {
	each(t, Private, func(t *testing.T, pool *Pool) {
		res, out := sh(t, pool, "i=0; while [ $i -lt 600 ]; do sleep 20 & i=$((i+1)); done; echo all", limits(Limits{Processes: 50}))
		if res.OK() && strings.Contains(out, "all") || res.Left > 351 { // see limitTasks
			t.Errorf("%+v %s", res, out)
		}
		if res, out := sh(t, pool, "echo again > out", outputs("out")); !res.OK() {
			t.Errorf("the next command: %+v %s", res, out)
		}
	})
	each(t, Guarded, func(t *testing.T, pool *Pool) {
		if pool.config.Mode == Private {
			return
		}
		if res, out := sh(t, pool, "i=0; while [ $i -lt 100 ]; do sleep 20 & i=$((i+1)); done; wait", limits(Limits{Processes: 50})); res.Exceeded != "processes" {
			t.Errorf("%+v %s", res, out)
		}
	})
}

// TestMemoryHog: a limit holds for one process, for many together, and for files in memory.
func TestMemoryHog(t *testing.T) {
	each(t, Guarded, func(t *testing.T, pool *Pool) {
		lim := limits(Limits{Memory: 100e6})
		hog := "python3 -c \"import time; x = bytearray(%d); x[::4096] = b'x' * len(x[::4096]); time.sleep(%d)\""
		if res, out := sh(t, pool, fmt.Sprintf(hog, 200_000_000, 0), lim); res.OK() {
			t.Errorf("one process of 200 MB: %+v %s", res, out)
		}
		many := strings.Repeat(fmt.Sprintf(hog, 40_000_000, 20)+" & ", 4) + "wait"
		if res, out := sh(t, pool, many, lim); res.Exceeded != "memory" || res.Peak < 100e6 {
			t.Errorf("four of 40 MB: %+v %s", res, out)
		}
		if res, out := sh(t, pool, fmt.Sprintf(hog, 30_000_000, 0)+" && echo x > out", lim, outputs("out")); !res.OK() {
			t.Errorf("30 MB, which are allowed: %+v %s", res, out)
		}
	})
	each(t, Private, func(t *testing.T, pool *Pool) {
		if res, out := sh(t, pool, "head -c 200000000 /dev/zero > $TMPDIR/big; sleep 20", limits(Limits{Memory: 100e6})); res.Exceeded != "memory" {
			t.Errorf("files of 200 MB in memory: %+v %s", res, out)
		}
	})
}

// TestCPUs: a command runs on as many processors as it may, and cannot take more.
func TestCPUs(t *testing.T) {
	each(t, Guarded, func(t *testing.T, pool *Pool) {
		if _, out := sh(t, pool, "nproc; taskset -p ffffffff $$ >/dev/null 2>&1; nproc", limits(Limits{CPUs: 1})); out != "1\n1\n" {
			t.Errorf("processors: %s", out)
		}
	})
}
