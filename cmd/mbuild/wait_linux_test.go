package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOnce: an action that two processes want is done once. The second says for whom it waits, and has the result. (Only Linux has
// the locks for it.)
func TestOnce(t *testing.T) {
	const spec = `
step "exec" "slow" {
  command = ["sh", "-c", "sleep 1; date +%N > out"]
  outputs = ["out"]
}
`
	store, first, second := t.TempDir(), write(t, spec), write(t, spec)
	one := mbuild(t, first, store, "apply", "-auto-approve", "-json")
	out, err := one.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Start(); err != nil {
		t.Fatal(err)
	}
	var head strings.Builder
	for b := make([]byte, 4096); !strings.Contains(head.String(), "action_started"); {
		n, err := out.Read(b)
		if head.Write(b[:n]); err != nil {
			t.Fatalf("%s: %v", head.String(), err)
		}
	}
	time.Sleep(200 * time.Millisecond) // it has the lock by then; if not, the test below says so
	var waits, result string
	for _, e := range lines(t, run(t, second, store, "apply", "-auto-approve", "-json")) {
		switch e["type"] {
		case "action_waiting":
			waits, _ = e["for"].(string)
		case "action_finished":
			result, _ = e["result"].(string)
		}
	}
	if !strings.Contains(waits, "mbuild apply in "+first) || !strings.Contains(waits, "process ") {
		t.Errorf("waited for %q", waits)
	}
	if result != "cached" {
		t.Errorf("the second got it %q, not cached", result)
	}
	for b := make([]byte, 4096); ; {
		if _, err := out.Read(b); err != nil {
			break
		}
	}
	if err := one.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(store, "log")); err != nil {
		t.Fatal(err)
	}
}
