package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestNoMemory: a model that no machine has the memory for costs one action, on the go backend too, whose process does not live to tell:
// the message has the estimate and what the worker had.
func TestNoMemory(t *testing.T) {
	if b, err := os.ReadFile("/proc/sys/vm/overcommit_memory"); err != nil || strings.TrimSpace(string(b)) == "1" {
		t.Skip("this system gives memory that it does not have")
	}
	dir := write(t, `
dataset "synthetic" "d" {
  shape = "blobs"
  rows  = 64
}
model "layers" "m" {
  input "x" { shape = [2] }
  layer "dense" "wide" { units = 9000000 }
  layer "dense" "deep" { units = 9000 }
  layer "dense" "l" { units = 2 }
}
train "supervised" "t" {
  graph  = model.layers.m.graph
  data   = dataset.synthetic.d.data
  loss   = "cross_entropy"
  epochs = 1
  batch  = 8
  optimizer "adam" {}
}
output "m" { value = train.supervised.t.model }
`)
	out, err := mbuild(t, dir, t.TempDir(), "apply", "-auto-approve", "-no-color").CombinedOutput()
	want := regexp.MustCompile(`(?s)Error: Out of memory.*spec.mbuild.hcl:17,.*batch  = 8.*segment\[0\] ran out of memory on backend go(: an allocation of 324 GB failed)?; the estimate of the whole was 1.3 TB, and this worker had [0-9.]+ MB at its peak.*The cause: its worker died: .*out of memory.*2 built, 0 cached, 1 failed`)
	if err == nil || !want.Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
}
