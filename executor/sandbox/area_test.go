package sandbox

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInputs: small inputs are copies, large ones and directories are mounts or copies; either way the command finds them where
// they are declared and what it does to them is an error or impossible.
func TestInputs(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	if err := os.WriteFile(big, bytes.Repeat([]byte("x"), 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(dir, "tree")
	os.MkdirAll(filepath.Join(tree, "sub"), 0o755)
	os.WriteFile(filepath.Join(tree, "sub", "leaf"), []byte("leaf"), 0o644)
	in := inputs(File{Place: "a/small.txt", Bytes: []byte("small")}, File{Place: "run.sh", Bytes: []byte("#!/bin/sh\necho ran\n"), Executable: true},
		File{Place: "data/big", Path: big}, File{Place: "tree", Path: tree, Directory: true})
	each(t, Bare, func(t *testing.T, pool *Pool) {
		res, out := sh(t, pool, "cat a/small.txt tree/sub/leaf; wc -c < data/big; ./run.sh; echo x > out", in, outputs("out"))
		if !res.OK() || out != "smallleaf1048576\nran\n" {
			t.Errorf("%+v %q", res, out)
		}
		for script, place := range map[string]string{
			"chmod u+w a/small.txt; echo more >> a/small.txt": "a/small.txt",
			"rm -f a/small.txt": "a/small.txt",
			"mv a/small.txt a/other; cp a/other a/small.txt; rm a/other": "a/small.txt",
			"chmod 777 run.sh": "run.sh",
		} {
			if res, out := sh(t, pool, script, in); !slices.Contains(res.Changed, place) {
				t.Errorf("%s: %+v %s", script, res, out)
			}
		}
		for _, script := range []string{"echo x >> a/small.txt", "echo x >> data/big", "echo x > tree/sub/leaf", "echo x > tree/new", "rm data/big"} {
			if res, out := sh(t, pool, script, in); res.OK() && os.Geteuid() != 0 {
				t.Errorf("%s: %+v %s", script, res, out)
			}
		}
		if b, _ := os.ReadFile(big); len(b) != 1<<20 {
			t.Errorf("the file of the project has %d bytes now", len(b))
		}
		if b, _ := os.ReadFile(filepath.Join(tree, "sub", "leaf")); string(b) != "leaf" {
			t.Errorf("the file of the project is %q now", b)
		}
		// An input that is an output, too, may be changed in place.
		res, out = sh(t, pool, "echo more >> a/small.txt", in, outputs("a/small.txt"))
		if !res.OK() || string(res.Outputs[0].Bytes) != "smallmore\n" {
			t.Errorf("%+v %s", res, out)
		}
	})
}

// TestOutputs: what is declared comes back, small or large, file or directory; everything else is named.
func TestOutputs(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	os.WriteFile(outside, []byte("outside"), 0o644)
	each(t, Bare, func(t *testing.T, pool *Pool) {
		res, out := sh(t, pool, "mkdir -p d/e; echo 1 > d/one; echo 2 > d/e/two; chmod +x d/one; head -c 3000000 /dev/zero > large; echo s > small; chmod 0 small; echo t > $TMPDIR/scratch",
			outputs("d", "large", "small"))
		if !res.OK() || len(res.Outputs) != 4 {
			t.Fatalf("%+v %s", res, out)
		}
		got := map[string]string{}
		for _, o := range res.Outputs {
			b := o.Bytes
			if o.Path != "" {
				b, _ = os.ReadFile(o.Path)
			}
			got[o.Place] = fmt.Sprint(len(b), " ", o.Executable)
		}
		if want := map[string]string{"d/one": "2 true", "d/e/two": "2 false", "large": "3000000 false", "small": "2 false"}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v", got)
		}
		for script, what := range map[string]string{
			"true":                    "was not written",
			"ln -s " + outside + " o": "symbolic link",
			"ln -s /etc/passwd o":     "symbolic link",
			"mkfifo o":                "pipe",
			"mkdir o":                 "empty directory",
			"mkdir o; ln -s / o/root": "symbolic link",
			"ln -s nowhere o":         "symbolic link",
		} {
			res, out := sh(t, pool, script, outputs("o"))
			if len(res.Problems) != 1 || !strings.Contains(res.Problems[0].What, what) || len(res.Outputs) > 0 {
				t.Errorf("%s: %+v %s", script, res, out)
			}
		}
		res, out = sh(t, pool, "ln -s "+filepath.Dir(outside)+" d", outputs("d/outside"))
		if len(res.Problems) != 1 || !strings.Contains(res.Problems[0].What, `lies in "d", which is no directory but a symbolic link`) {
			t.Errorf("%+v %s", res, out)
		}
		res, _ = sh(t, pool, "echo x > o; echo y > extra.txt; mkdir sub; echo z > sub/more; ln -s / sub/link", outputs("o"))
		if slices.Sort(res.Undeclared); strings.Join(res.Undeclared, " ") != "extra.txt sub/link sub/more" {
			t.Errorf("undeclared: %v", res.Undeclared)
		}
	})
}

// TestOnDisk: a command that writes more than memory should hold runs again on disk, and gives what it would have given.
func TestOnDisk(t *testing.T) {
	each(t, Private, func(t *testing.T, pool *Pool) {
		pool.config.Memory = 4 << 20
		const n = 8 << 20
		res, out := sh(t, pool, fmt.Sprintf("head -c %d /dev/zero > big && wc -c < big > size && rm big && echo $PWD > dir", n), outputs("size", "dir"))
		if !res.OK() || string(res.Outputs[0].Bytes) != fmt.Sprint(n, "\n") || string(res.Outputs[1].Bytes) != "/build\n" || !strings.Contains(out, "runs again on disk") {
			t.Errorf("%+v %s", res, out)
		}
	})
}

// TestNotFound: a program that is not there, cannot be run or lacks its interpreter is told from one that fails.
func TestNotFound(t *testing.T) {
	each(t, Bare, func(t *testing.T, pool *Pool) {
		for _, args := range [][]string{{"no-such-program"}, {"./missing"}, {"/no/such/program"}, {"./plain"}, {"./script"}} {
			res, out := sh(t, pool, "", func(c *Command) { c.Args = args },
				inputs(File{Place: "plain", Bytes: []byte("text")}, File{Place: "script", Bytes: []byte("#!/no/interpreter\n"), Executable: true}))
			if res.NotFound == "" || !strings.Contains(res.NotFound, filepath.Base(args[0])) {
				t.Errorf("%v: %+v %s", args, res, out)
			}
		}
	})
}
