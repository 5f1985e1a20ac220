package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slow is a spec whose epochs take long enough to be hit in the middle: longer than it takes to store the state of the one before, for the
// next begins meanwhile.
const slow = `
dataset "synthetic" "blobs" {
  shape    = "blobs"
  rows     = 20000
  features = 32
  classes  = 4
}
model "layers" "mlp" {
  input "x" { shape = [32] }
  layer "dense" "h" {
    units      = 64
    activation = "relu"
  }
  layer "dense" "out" { units = 4 }
}
train "supervised" "base" {
  graph  = model.layers.mlp.graph
  data   = dataset.synthetic.blobs.data
  loss   = "cross_entropy"
  epochs = 6
  batch  = 16
  optimizer "momentum" {}
}
`

// until starts an apply, waits for an event of the type about the address, and sends the signal to it.
func until(t *testing.T, dir, store, typ, address string, sig os.Signal) (*exec.Cmd, []map[string]any) {
	cmd := mbuild(t, dir, store, "apply", "-auto-approve", "-json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var seen []map[string]any
	hit := false
	for sc := bufio.NewScanner(out); sc.Scan(); {
		var e map[string]any
		if json.Unmarshal(sc.Bytes(), &e) != nil {
			continue // the line that the signal tore
		}
		seen = append(seen, e)
		if !hit && e["type"] == typ && e["address"] == address {
			hit = true
			cmd.Process.Signal(sig)
		}
	}
	if !hit {
		t.Fatalf("no %s of %s among %v", typ, address, seen)
	}
	cmd.Wait()
	return cmd, seen
}

func modelDigest(t *testing.T, dir, store string) string {
	var doc struct {
		Outputs map[string]struct{ Digest string }
	}
	if err := json.Unmarshal([]byte(run(t, dir, store, "show", "-json", "train.supervised.base")), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Outputs["model"].Digest == "" {
		t.Fatal("the model is not built")
	}
	return doc.Outputs["model"].Digest
}

// TestKilled: killed with SIGKILL when epoch 4 has begun and applied again, the chain goes on from the last epoch that was reported and ends in the
// same digests as an apply that nobody disturbed. No worker survives.
func TestKilled(t *testing.T) {
	dir, store := write(t, slow), t.TempDir()
	_, before := until(t, dir, store, "action_started", "train.supervised.base/segment[3]", syscall.SIGKILL)
	waitForWorkers(t, store)
	events := lines(t, run(t, dir, store, "apply", "-auto-approve", "-json"))
	results := map[string]any{}
	for _, e := range events {
		if e["type"] == "action_finished" {
			results[e["address"].(string)] = e["result"]
		}
	}
	for _, e := range before {
		if addr, _ := e["address"].(string); e["type"] == "action_finished" && results[addr] != "cached" {
			t.Errorf("%s was reported as %v before the kill, and is %v after it", addr, e["result"], results[addr])
		}
	}
	for k, want := range map[int]string{2: "cached", 5: "built"} {
		if got := results[fmt.Sprintf("train.supervised.base/segment[%d]", k)]; got != want {
			t.Errorf("segment %d was %v after the kill, want %s", k, got, want)
		}
	}
	fresh := t.TempDir()
	run(t, dir, fresh, "apply", "-auto-approve")
	if a, b := modelDigest(t, dir, store), modelDigest(t, dir, fresh); a != b {
		t.Errorf("killed and resumed: %s; undisturbed: %s", a, b)
	}
}

// TestInterrupted: SIGINT and SIGTERM stop the children, leave a consistent store, and exit with 8; the next apply goes on.
func TestInterrupted(t *testing.T) {
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		dir, store := write(t, slow), t.TempDir()
		cmd, events := until(t, dir, store, "action_started", "train.supervised.base/segment[2]", sig)
		if code := cmd.ProcessState.ExitCode(); code != 8 {
			t.Errorf("%v: exit code %d, want 8", sig, code)
		}
		last := events[len(events)-1]
		if last["type"] != "apply_complete" || last["exit_code"] != 8.0 {
			t.Errorf("%v: the last line is %v", sig, last)
		}
		sum := last["built"].(float64) + last["cached"].(float64) + last["failed"].(float64) + last["skipped"].(float64)
		if sum != 8 {
			t.Errorf("%v: counts add up to %v, the plan has 8 actions: %v", sig, sum, last)
		}
		waitForWorkers(t, store)
		out := lines(t, run(t, dir, store, "apply", "-auto-approve", "-json"))
		if built, rest := out[len(out)-1]["built"], last["failed"].(float64)+last["skipped"].(float64); built != rest || rest == 0 {
			t.Errorf("%v: the next apply built %v actions; %v were left", sig, built, rest)
		}
	}
}

// waitForWorkers waits for every process with this store in its environment to end; those that stay are a failure.
func waitForWorkers(t *testing.T, store string) {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		return
	}
	var left []string
	for range 100 {
		left = nil
		dirs, _ := os.ReadDir("/proc")
		for _, d := range dirs {
			line, _ := os.ReadFile("/proc/" + d.Name() + "/cmdline")
			if strings.Contains(string(line), "__worker") && parentGone(d.Name()) {
				left = append(left, d.Name())
			}
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("workers %v have outlived their parent", left)
}

// parentGone reports that a process belongs to init now and has not ended.
func parentGone(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	return len(f) > 1 && f[0] != "Z" && f[1] == "1"
}
