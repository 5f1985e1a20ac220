package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mbuild.dev/mbuild/cache/vfs/faulty"
	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib"
)

// crashSpec is an apply with layers, sources, equal contents and an output; all of it runs in the process, so that a death is one of
// everything.
const crashSpec = `
step "template" "low" {
  for_each = { a = "one.txt", b = "two.txt", c = "one.txt" }
  template = "{{ .inputs.in }}{{ .values.n }}"
  values   = { n = each.key }
  inputs   = { in = each.value }
}
step "template" "same" {
  count    = 2
  template = "{{ len .inputs.in }}"
  inputs   = { in = step.template.low["a"].file }
}
step "template" "top" {
  template = "{{ .inputs.x }}-{{ .inputs.y }}-{{ .inputs.z }}"
  inputs   = { x = step.template.low["b"].file, y = step.template.low["c"].file, z = step.template.same[1].file }
}
output "top" { value = step.template.top.file }
`

// crashApply applies the spec as a process of the disk, and returns its exit code and what became of each action.
func crashApply(p *faulty.Process, dir string) (code int, results map[string]string) {
	return crashApplySaying(p, dir, io.Discard)
}

// crashApplySaying is crashApply with its standard error.
func crashApplySaying(p *faulty.Process, dir string, stderr io.Writer) (code int, results map[string]string) {
	var out bytes.Buffer
	a := &app{stdin: strings.NewReader(""), stdout: io.MultiWriter(&out, stderr), stderr: stderr, kinds: executor.NewTable(stdlib.Kinds()...), fs: p,
		args: []string{"-C", dir, "apply", "-auto-approve", "-json", "-j", "1"}, began: time.Now()}
	code = a.execute(context.Background())
	results = map[string]string{}
	for line := range bytes.Lines(out.Bytes()) {
		var e struct{ Type, Address, Result, Key string }
		if json.Unmarshal(line, &e) == nil && e.Type == "action_finished" && (e.Result == "built" || e.Result == "cached") {
			results[e.Address] = e.Result + " " + e.Key
		}
	}
	return code, results
}

func keysOnly(results map[string]string) map[string]string {
	keys := map[string]string{}
	for addr, r := range results {
		_, keys[addr], _ = strings.Cut(r, " ")
	}
	return keys
}

func crashProject(t *testing.T) string {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.mbuild.hcl": crashSpec, "one.txt": "one", "two.txt": "two"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("MBUILD_CACHE", "/store")
	return dir
}

// TestApplyCrash: an apply dies before each change of the disk that it makes, in the store and in .mbuild, and in the middle of each
// write. The next apply completes, with the keys of an apply that nobody disturbed, and builds nothing again that had been
// reported as built. After that there is nothing left to do.
func TestApplyCrash(t *testing.T) {
	dir := crashProject(t)
	whole := faulty.New().Process(faulty.Plan{})
	code, want := crashApply(whole, dir)
	if code != exitOK || len(want) != 6 {
		t.Fatalf("undisturbed: exit code %d, %v", code, want)
	}
	deaths := 0
	for k := 1; k <= whole.Changes(); k++ {
		for _, torn := range []bool{false, true} {
			disk := faulty.New()
			p := disk.Process(faulty.Plan{DieAt: k, Torn: torn})
			_, before := crashApply(p, dir)
			if !p.Died() {
				continue // the number of changes varies a little with time, for run records are written now and then
			}
			deaths++
			crashCheck(t, disk, dir, want, before, k)
		}
	}
	if deaths < 30 {
		t.Errorf("only %d deaths", deaths)
	}
	t.Logf("%d changes, %d deaths", whole.Changes(), deaths)
}

// crashCheck applies again what was cut short, and once more.
func crashCheck(t *testing.T, disk *faulty.Disk, dir string, want, before map[string]string, k int) {
	t.Helper()
	code, after := crashApply(disk.Process(faulty.Plan{}), dir)
	if code != exitOK || !maps.Equal(keysOnly(after), keysOnly(want)) {
		t.Fatalf("change %d: the next apply ends with %d and %v, undisturbed it is %v", k, code, after, want)
	}
	for addr, r := range before {
		if !strings.HasPrefix(after[addr], "cached") {
			t.Fatalf("change %d: %s was reported as %q, and then as %q", k, addr, r, after[addr])
		}
	}
	code, last := crashApply(disk.Process(faulty.Plan{}), dir)
	for addr, r := range last {
		if code != exitOK || !strings.HasPrefix(r, "cached") {
			t.Fatalf("change %d: once more: exit code %d, %s is %q", k, code, addr, r)
		}
	}
}

// TestApplyPowerLoss: the power fails before each change of an apply, and what was not synced is lost or torn. The next apply
// completes with the keys of an undisturbed one.
func TestApplyPowerLoss(t *testing.T) {
	seeds := 2
	if os.Getenv("MBUILD_LONG") != "" {
		seeds = 20
	}
	dir := crashProject(t)
	whole := faulty.New().Process(faulty.Plan{})
	_, want := crashApply(whole, dir)
	losses := 0
	for k := 1; k <= whole.Changes(); k++ {
		for seed := range seeds {
			disk := faulty.New()
			p := disk.Process(faulty.Plan{DieAt: k, Torn: seed%2 == 1})
			crashApply(p, dir)
			if !p.Died() {
				continue
			}
			losses++
			disk.PowerLoss(int64(seed))
			crashCheck(t, disk, dir, want, nil, k)
		}
	}
	if losses < 30 {
		t.Errorf("only %d losses", losses)
	}
	t.Logf("%d changes, %d power losses", whole.Changes(), losses)
}

// TestApplyFaults: the disk is full, fails, or gives no more files, at each operation of an apply, once or from then on. The apply completes, or
// ends with an error that says so; what it reported as built is there, and the next apply on a sound disk completes with the keys of
// an undisturbed one.
func TestApplyFaults(t *testing.T) {
	every := 7
	if os.Getenv("MBUILD_LONG") != "" {
		every = 1
	}
	dir := crashProject(t)
	_, want := crashApply(faulty.New().Process(faulty.Plan{}), dir)
	opens := func(op faulty.Op) bool {
		return op.Name == "OpenFile" || op.Name == "CreateTemp" || op.Name == "ReadDir"
	}
	faults := []struct {
		err  syscall.Errno
		hits func(op faulty.Op) bool
	}{
		{syscall.ENOSPC, func(op faulty.Op) bool { return op.Change && op.Name != "Remove" }},
		{syscall.EIO, func(faulty.Op) bool { return true }},
		{syscall.EMFILE, opens},
	}
	count, failed := 0, 0
	for _, f := range faults {
		for n := 1; ; n += every {
			hit := false
			for _, lasting := range []bool{false, true} {
				disk, at := faulty.New(), 0
				var mu sync.Mutex
				p := disk.Process(faulty.Plan{Fail: func(op faulty.Op) error {
					mu.Lock()
					defer mu.Unlock()
					if !f.hits(op) {
						return nil
					}
					if at++; at == n || lasting && at > n {
						return f.err
					}
					return nil
				}})
				var said bytes.Buffer
				code, before := crashApplySaying(p, dir, &said)
				mu.Lock()
				reached := at >= n
				mu.Unlock()
				if !reached {
					continue
				}
				hit = true
				count++
				if code != exitOK {
					failed++
					if !strings.Contains(said.String(), f.err.Error()) {
						t.Fatalf("%v at operation %d (lasting: %t): exit code %d, and nothing says why: %s", f.err, n, lasting, code, said.String())
					}
				}
				p.Kill()
				if f.err == syscall.EIO {
					before = nil // what could not be read was taken for lost
				}
				crashCheck(t, disk, dir, want, before, n)
			}
			if !hit {
				break
			}
		}
	}
	if failed < 5 || count < 20 {
		t.Errorf("%d faults, %d of them reported", count, failed)
	}
	t.Logf("%d faults, %d reported", count, failed)
}
