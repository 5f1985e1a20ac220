package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestLogOfKilled: after SIGKILL the record says which actions had finished and what was running; the next apply is another run.
func TestLogOfKilled(t *testing.T) {
	dir, store := write(t, slow), t.TempDir()
	cmd := mbuild(t, dir, store, "apply", "-auto-approve")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	type doc struct {
		Run     struct{ Status string }
		Actions []struct{ Address, Result string }
	}
	var d doc
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		out, err := mbuild(t, dir, store, "log", "what-ran", "-json").Output()
		if err != nil {
			continue // nothing is recorded yet
		}
		d = doc{}
		if err := json.Unmarshal(out, &d); err != nil {
			t.Fatal(err)
		}
		if n := len(d.Actions); n > 3 && d.Actions[n-1].Result == "running" {
			break
		}
	}
	if d.Run.Status != "running" {
		t.Errorf("status %s while it runs", d.Run.Status)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	out := run(t, dir, store, "log")
	if !strings.Contains(out, "killed") {
		t.Errorf("after the kill:\n%s", out)
	}
	out = run(t, dir, store, "log", "what-ran")
	for _, want := range []string{"built    dataset.synthetic.blobs", "built    train.supervised.base/segment[0]", "running  train.supervised.base/segment["} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	run(t, dir, store, "apply", "-auto-approve")
	if out := run(t, dir, store, "log"); strings.Count(out, "\n") != 2 || !strings.Contains(out, "ok") {
		t.Errorf("after the next apply:\n%s", out)
	}
}
