package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// killSpec has some of everything that a kill can hit: runs in memory, in the process, in workers, a chain, large and small
// blobs, directories, artifacts. salt makes all of it new.
const killSpec = `
variable "salt" { type = number }
dataset "synthetic" "blobs" {
  shape    = "blobs"
  rows     = 4000
  features = 16
  classes  = 3
  seed     = var.salt
}
model "layers" "mlp" {
  input "x" { shape = [16] }
  layer "dense" "h" {
    units      = 48
    activation = "relu"
  }
  layer "dense" "out" { units = 3 }
}
train "supervised" "base" {
  graph  = model.layers.mlp.graph
  data   = dataset.synthetic.blobs.data
  loss   = "cross_entropy"
  epochs = 4
  batch  = 64
  optimizer "momentum" {}
}
pass "prune" "half" {
  from     = train.supervised.base.model
  sparsity = 0.5
}
step "template" "text" {
  count    = 20
  template = "{{ .values.n }} of {{ .values.salt }}"
  values   = { n = count.index, salt = var.salt }
}
step "template" "all" {
  template = "{{ .inputs.a }} {{ .inputs.b }}"
  inputs   = { a = step.template.text[3].file, b = step.template.text[17].file }
}
target "safetensors" "out" {
  from = pass.prune.half.model
  path = "dist/m.safetensors"
}
`

// TestKills kills real applies with SIGKILL at random moments, the parent or one of its workers, and goes on: what was reported
// as built is never built again, nothing that the store has is wrong, and what is there in the end is to the bit what an
// undisturbed apply makes. The long form kills 1,000 times.
func TestKills(t *testing.T) {
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("finds workers in /proc")
	}
	kills, groups := 10, 1
	if os.Getenv("MBUILD_LONG") != "" {
		kills, groups = 250, 4 // most of the time an apply waits to be killed
	}
	var mu sync.Mutex
	var parents, workers int
	t.Run("groups", func(t *testing.T) {
		for g := range groups {
			t.Run(strconv.Itoa(g), func(t *testing.T) {
				t.Parallel()
				p, w := killMany(t, kills)
				mu.Lock()
				defer mu.Unlock()
				parents, workers = parents+p, workers+w
			})
		}
	})
	t.Logf("%d kills: %d of parents, %d of workers", parents+workers, parents, workers)
}

// killMany kills applies of one project so many times, and returns how many of them were of parents and of workers.
func killMany(t *testing.T, kills int) (parents, workers int) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	perSalt := min(kills, 25)
	dir, store := write(t, killSpec), t.TempDir()
	length := 300 * time.Millisecond
	for salt, done := 1, 0; done < kills; salt++ {
		k := killing{t: t, dir: dir, store: store, salt: salt, built: map[string]bool{}}
		for range perSalt {
			parent := r.IntN(3) > 0
			early := r.Float64() // rather than late: what is left to do gets less and less
			if k.apply(time.Duration(early*early*float64(length)), parent) {
				done++
				if parent {
					parents++
				} else {
					workers++
				}
			}
			if k.whole {
				break
			}
		}
		start := time.Now()
		k.apply(0, false)
		if !k.whole {
			t.Fatalf("salt %d: an apply that nobody killed did not complete", salt)
		}
		if salt == 1 {
			length = max(length, time.Since(start))
		}
		k.compare()
		if out := run(t, dir, store, "cache", "verify"); !strings.Contains(out, ", 0 damaged") {
			t.Fatalf("salt %d: %s", salt, out)
		}
		os.RemoveAll(filepath.Join(dir, "dist"))
	}
	return parents, workers
}

// killing is the work of one salt.
type killing struct {
	t          *testing.T
	dir, store string
	salt       int
	built      map[string]bool // reported as built
	whole      bool            // an apply has completed
}

func (k *killing) variable() string { return fmt.Sprintf("salt=%d", k.salt) }

// apply begins an apply and kills it, or a worker of it, after a while, unless the time is 0. It reports whether it hit.
func (k *killing) apply(after time.Duration, parent bool) (hit bool) {
	cmd := mbuild(k.t, k.dir, k.store, "apply", "-auto-approve", "-json", "-var", k.variable())
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	ended := make(chan struct{})
	killed := make(chan bool, 1)
	if after > 0 {
		go func() {
			select {
			case <-ended:
				killed <- false
			case <-time.After(after):
				killed <- killSoon(cmd.Process.Pid, parent, ended)
			}
		}()
	} else {
		killed <- false
	}
	for sc := bufio.NewScanner(out); sc.Scan(); {
		var e struct{ Type, Address, Result string }
		if json.Unmarshal(sc.Bytes(), &e) != nil || e.Type != "action_finished" {
			continue // or the line that a kill tore
		}
		if k.built[e.Address] && e.Result != "cached" {
			k.t.Errorf("salt %d: %s had been built, and is %s now", k.salt, e.Address, e.Result)
		}
		if e.Result == "built" {
			k.built[e.Address] = true
		}
	}
	close(ended)
	hit = <-killed
	err = cmd.Wait()
	k.whole = err == nil
	if err != nil && !hit {
		k.t.Fatalf("salt %d: an apply that nobody killed ended with %v", k.salt, err)
	}
	return hit
}

// killSoon kills a process, or the first of its children that there is before it has ended.
func killSoon(pid int, itself bool, ended chan struct{}) bool {
	for {
		if kill(pid, itself) {
			return true
		}
		select {
		case <-ended:
			return false
		case <-time.After(time.Millisecond):
		}
	}
}

// kill kills a process or one of its children; false when there is none.
func kill(pid int, itself bool) bool {
	if itself {
		return syscall.Kill(pid, syscall.SIGKILL) == nil
	}
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		for _, child := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(child); err == nil {
				return syscall.Kill(n, syscall.SIGKILL) == nil
			}
		}
	}
	return false
}

// compare holds the artifact against that of an apply into a store of its own.
func (k *killing) compare() {
	path := filepath.Join(k.dir, "dist", "m.safetensors")
	got, err := os.ReadFile(path)
	if err != nil {
		k.t.Fatal(err)
	}
	fresh := write(k.t, killSpec)
	run(k.t, fresh, k.t.TempDir(), "apply", "-auto-approve", "-var", k.variable())
	want, err := os.ReadFile(filepath.Join(fresh, "dist", "m.safetensors"))
	if err != nil {
		k.t.Fatal(err)
	}
	if string(got) != string(want) {
		k.t.Fatalf("salt %d: killed and resumed gives other bytes than undisturbed", k.salt)
	}
}
