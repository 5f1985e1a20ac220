package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// TestMain lets the test binary stand for mbuild, in scripts and for the workers that mbuild starts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"mbuild": main})
}

// TestScripts runs testdata/script. MBUILD_UPDATE=1 rewrites what scripts compare with.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "../../testdata/script",
		UpdateScripts: os.Getenv("MBUILD_UPDATE") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("MBUILD_CACHE", filepath.Join(e.WorkDir, ".store"))
			e.Setenv("ROOT", repository(t))
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"edit": edit, "field": field, "damage": damage, "exits": exits, "timeless": timeless, "cosines": cosines},
	})
}

func repository(t testing.TB) string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// timeless takes what differs from run to run out of a document of show -json: timeless FILE.
func timeless(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: timeless FILE")
	}
	b := regexp.MustCompile(` *"(examples_per_second|tokens_per_second|memory_bytes)": [0-9.e+-]+,?\n`).ReplaceAll([]byte(ts.ReadFile(args[0])), nil)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

// cosines holds an index over the dense layer "hidden", relu of x W + b, against vectors that it computes itself in float64, of the weights
// that target safetensors wrote and of the features "a" and "b" of the rows of a file: cosines INDEX WEIGHTS ROWS. Which row a vector is
// of, its text "name" says.
func cosines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: cosines INDEX WEIGHTS ROWS")
	}
	tensors := func(path string) map[string][]float32 {
		list, _, err := safetensors.ReadFile(ts.MkAbs(path))
		ts.Check(err)
		out := map[string][]float32{}
		for _, t := range list {
			if t.DType != "F32" {
				ts.Fatalf("%s: %s is %s", path, t.Name, t.DType)
			}
			out[t.Name] = safetensors.View[float32](t.Data)
		}
		return out
	}
	rows := func(path string) (out []map[string]any) {
		for line := range strings.Lines(ts.ReadFile(path)) {
			var row map[string]any
			ts.Check(json.Unmarshal([]byte(line), &row))
			out = append(out, row)
		}
		return out
	}
	model, vectors := tensors(args[1]), tensors(args[0] + "/vectors.safetensors")["vectors"]
	w, b := model["hidden.weight"], model["hidden.bias"]
	if len(b) == 0 || len(w) != 2*len(b) {
		ts.Fatalf("hidden has %d weights and %d biases", len(w), len(b))
	}
	units := len(b)
	want := map[string][]float64{}
	for _, row := range rows(args[2]) {
		v, sum := make([]float64, units), 0.0
		for j := range v {
			v[j] = max(0, row["a"].(float64)*float64(w[j])+row["b"].(float64)*float64(w[units+j])+float64(b[j]))
			sum += v[j] * v[j]
		}
		for j := range v {
			v[j] /= math.Sqrt(sum)
		}
		want[row["name"].(string)] = v
	}
	var names []string
	for _, row := range rows(args[0] + "/rows.jsonl") {
		names = append(names, row["name"].(string))
	}
	if len(names) != len(want) || len(vectors) != len(names)*units {
		ts.Fatalf("%d rows and %d numbers; want %d rows of %d", len(names), len(vectors), len(want), units)
	}
	least, most := 1.0, -1.0
	for i, x := range names {
		for k, y := range names {
			got, right := 0.0, 0.0
			for j := range units {
				got += float64(vectors[i*units+j]) * float64(vectors[k*units+j])
				right += want[x][j] * want[y][j]
			}
			if math.Abs(got-right) > 1e-6 {
				ts.Fatalf("the cosine of %s and %s is %g, and %g in float64", x, y, got, right)
			}
			if i != k {
				least, most = min(least, right), max(most, right)
			}
		}
		for j := range units {
			if got := float64(vectors[i*units+j]); math.Abs(got-want[x][j]) > 1e-6 {
				ts.Fatalf("element %d of %s is %g, and %g in float64", j, x, got, want[x][j])
			}
		}
	}
	if most-least < 0.1 {
		ts.Fatalf("all cosines are between %g and %g, which tells nothing", least, most)
	}
}

// edit replaces text in a file, once at least: edit FILE OLD NEW.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	if !strings.Contains(string(b), args[1]) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, []byte(strings.ReplaceAll(string(b), args[1], args[2])), 0o644))
}

// exits runs a command that must end with an exit code: exits CODE COMMAND ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// field compares a member of a JSON document, or of the last line of JSON lines, with a text: field FILE a.b.0.c WANT.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: field FILE PATH WANT")
	}
	b := []byte(ts.ReadFile(args[0]))
	var v any
	if json.Unmarshal(b, &v) != nil {
		lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
		ts.Check(json.Unmarshal(lines[len(lines)-1], &v))
	}
	for _, step := range strings.Split(args[1], ".") {
		switch t := v.(type) {
		case map[string]any:
			v = t[step]
		case []any:
			i := 0
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(t) {
				ts.Fatalf("no element %s in %s", step, args[1])
			}
			v = t[i]
		default:
			v = nil
		}
	}
	if got := fmt.Sprint(v); (got == args[2]) == neg {
		ts.Fatalf("%s is %s; wanted (unless negated) %s", args[1], got, args[2])
	}
}

// damage spoils files that a glob names: damage flip|truncate|delete GLOB.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: damage flip|truncate|delete GLOB")
	}
	files, err := filepath.Glob(ts.MkAbs(args[1]))
	ts.Check(err)
	if len(files) == 0 {
		ts.Fatalf("%s names no file", args[1])
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		ts.Check(err)
		os.Chmod(f, 0o644)
		switch args[0] {
		case "flip":
			b[len(b)/2] ^= 1
			ts.Check(os.WriteFile(f, b, 0o644))
		case "truncate":
			ts.Check(os.WriteFile(f, b[:len(b)/2], 0o644))
		default:
			ts.Check(os.Remove(f))
		}
	}
}

// mbuild is a command that runs mbuild on a directory with a store of its own.
func mbuild(t testing.TB, dir, store string, args ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Args = append([]string{"mbuild", "-C", dir}, args...)
	cmd.Env = append(os.Environ(), "MBUILD_CACHE="+store)
	return cmd
}

// run runs mbuild to its end and returns its standard output.
func run(t testing.TB, dir, store string, args ...string) string {
	t.Helper()
	cmd := mbuild(t, dir, store, args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("mbuild %v: %v\n%s%s", args, err, out, errs.String())
	}
	return string(out)
}

// write makes a directory with a spec.
func write(t testing.TB, spec string) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "spec.mbuild.hcl"), []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lines parses JSON lines.
func lines(t testing.TB, out string) []map[string]any {
	var all []map[string]any
	for sc := bufio.NewScanner(strings.NewReader(out)); sc.Scan(); {
		var m map[string]any
		if err := json.Unmarshal(sc.Bytes(), &m); err != nil {
			t.Fatalf("%s: %v", sc.Text(), err)
		}
		all = append(all, m)
	}
	return all
}
