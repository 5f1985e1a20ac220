package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
)

// contractSpec has a bit of everything; the variable decides what goes wrong.
const contractSpec = `
variable "least" { default = 0 }
variable "lr" { default = 0.01 }
dataset "synthetic" "d" {
  shape    = "blobs"
  rows     = 100
  features = 3
}
dataset "synthetic" "line" {
  shape    = "linear"
  features = 3
}
model "layers" "m" {
  input "x" { shape = [3] }
  layer "dense" "out" { units = 2 }
}
model "layers" "one" {
  input "x" { shape = [3] }
  layer "dense" "h" { units = 9 }
  layer "dense" "out" { units = 1 }
}
train "supervised" "t" {
  graph  = model.layers.m.graph
  data   = dataset.synthetic.d.data
  loss   = "cross_entropy"
  epochs = 3
  select = "best"
  optimizer "sgd" {}
}
train "supervised" "u" {
  graph  = model.layers.one.graph
  data   = dataset.synthetic.line.data
  loss   = "mse"
  epochs = 2
  optimizer "sgd" { lr = var.lr }
}
pass "prune" "half" {
  from     = train.supervised.t.model
  sparsity = 0.5
}
eval "classification" "e" {
  from = pass.prune.half.model
  data = dataset.synthetic.d.data
  gate "accuracy" { min = var.least }
}
tokenizer "pretrained" "words" { file = "vocab.txt" }
target "safetensors" "out" {
  from  = pass.prune.half.model
  gates = [eval.classification.e.report]
  path  = "out/model.safetensors"
}
`

// TestContract holds every kind of document that mbuild writes for machines, in good and bad times, against
// testdata/contract/contract.cue.
func TestContract(t *testing.T) {
	src, err := os.ReadFile("../../testdata/contract/contract.cue")
	if err != nil {
		t.Fatal(err)
	}
	ctx := cuecontext.New()
	schema := ctx.CompileBytes(src)
	if schema.Err() != nil {
		t.Fatal(schema.Err())
	}
	seen := map[string]bool{}
	check := func(def, doc string) {
		t.Helper()
		v := schema.LookupPath(cue.ParsePath(def)).Unify(ctx.CompileString(doc))
		if err := v.Validate(cue.Concrete(true), cue.Final()); err != nil {
			t.Errorf("%s does not hold for %.2000s\n%v", def, doc, err)
		}
	}
	dir, store := write(t, contractSpec), t.TempDir()
	vocab := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "vocab.txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	vocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n")
	plan := func(args ...string) {
		t.Helper()
		check("#Plan", output(t, dir, store, append([]string{"plan", "-json"}, args...)...))
	}
	apply := func(args ...string) {
		t.Helper()
		out := output(t, dir, store, append([]string{"apply", "-auto-approve", "-json"}, args...)...)
		ls := strings.Split(strings.TrimSpace(out), "\n")
		for _, l := range ls {
			check("#Line", l)
			typ, _, _ := strings.Cut(strings.TrimPrefix(l, `{"type":"`), `"`)
			seen[typ] = true
		}
		if last := ls[len(ls)-1]; !strings.Contains(last, `"apply_complete"`) {
			t.Errorf("the last line is %s", last)
		}
	}
	plan()
	apply("-var", "lr=1e9", "-keep-going")
	plan()
	apply()
	plan()
	apply("-var", "least=2")
	plan("-var", "least=2")
	plan("-replace", "dataset.synthetic.d")
	os.Remove(filepath.Join(dir, "out/model.safetensors"))
	plan()
	for _, addr := range []string{"train.supervised.t", "eval.classification.e", "pass.prune.half", "target.safetensors.out", "dataset.synthetic.d"} {
		check("#Show", output(t, dir, store, "show", "-json", addr))
		check("#Why", output(t, dir, store, "why", "-json", addr))
	}
	check("#Why", output(t, dir, store, "why", "-json", "-var", "lr=0.2", "train.supervised.u"))
	check("#Doctor", output(t, dir, store, "doctor", "-json"))
	check("#Log", output(t, dir, store, "log", "-json"))
	for _, name := range []string{"last", "last~1", "last~2"} {
		check("#Run", output(t, dir, store, "log", "show", name, "-json"))
		for _, list := range []string{"what-ran", "what-failed", "slowest", "critical-path"} {
			check("#LogActions", output(t, dir, store, "log", list, name, "-json"))
		}
	}
	check("#LogShow", output(t, dir, store, "log", "show", "last~2", "pass.prune.half", "-json"))
	check("#LogDiff", output(t, dir, store, "log", "diff", "last~2", "last", "-json"))
	check("#Validate", output(t, dir, store, "validate", "-json"))
	check("#Validate", output(t, dir, store, "validate", "-json", "-var", "lr=-1"))
	apply("-var", "lr=-1")
	check("#Lock", output(t, dir, store, "lock", "-json"))
	vocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
	check("#Lock", output(t, dir, store, "lock", "-json"))
	check("#Lock", output(t, dir, store, "lock", "-remove", "vocab.txt", "-json"))
	for _, typ := range []string{"version", "plan_summary", "action_started", "action_progress", "action_finished", "gate", "artifact", "pin", "diagnostic", "apply_complete"} {
		if !seen[typ] {
			t.Errorf("no line of type %s was ever written", typ)
		}
	}
}

// output is like run, but lets mbuild fail.
func output(t testing.TB, dir, store string, args ...string) string {
	out, err := mbuild(t, dir, store, args...).Output()
	if err != nil && len(out) == 0 {
		t.Fatalf("mbuild %v: %v and no output", args, err)
	}
	return string(out)
}

// TestTwoProcesses: two applies at the same time on one project and one store both succeed, and the work is done once.
func TestTwoProcesses(t *testing.T) {
	dir, store := write(t, slow), t.TempDir()
	var wg sync.WaitGroup
	built := make([]float64, 2)
	for i := range built {
		wg.Go(func() {
			out, err := mbuild(t, dir, store, "apply", "-auto-approve", "-json").Output()
			if err != nil {
				t.Errorf("apply %d: %v\n%s", i, err, out)
				return
			}
			all := lines(t, string(out))
			built[i] = all[len(all)-1]["built"].(float64)
		})
	}
	wg.Wait()
	if n := built[0] + built[1]; n < 8 || n > 9 { // the graph is made in the process, without a lock: at worst twice
		t.Errorf("%v actions were built; the plan has 8", built)
	}
}
