package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/disk"
	"mbuild.dev/mbuild/cache/vfs"
	"mbuild.dev/mbuild/planner/project"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

const verified = `
dataset "synthetic" "d" {
  shape = "blobs"
  rows  = 100
}
model "layers" "m" {
  input "features" { shape = [2] }
  layer "dense" "h" { units = 3 }
  layer "dense" "out" { units = 2 }
}
train "supervised" "t" {
  graph  = model.layers.m.graph
  data   = dataset.synthetic.d.data
  loss   = "cross_entropy"
  epochs = 3
  optimizer "adam" {}
}
target "safetensors" "s" {
  from = train.supervised.t.model
  path = "dist/m.safetensors"
}
`

// TestVerify: a build that is as it was verifies; a result in the store that no build gives is found, with file, tensor and the
// size of the difference, and verify leaves it in the store.
func TestVerify(t *testing.T) {
	dir, store := write(t, verified), t.TempDir()
	run(t, dir, store, "apply", "-auto-approve")
	before := tree(t, store)
	if out := run(t, dir, store, "verify"); !strings.Contains(out, "6 actions built again, all equal to the bit") {
		t.Error(out)
	}
	if out := run(t, dir, store, "verify", "model.layers.m"); !strings.Contains(out, "1 actions built again, all equal") {
		t.Error(out)
	}
	if after := tree(t, store); after != before {
		t.Error("verify changed the store")
	}
	tamper(t, dir, store, "train.supervised.t/segment[1]", "model", "layers/out.safetensors")
	code := func(args ...string) (int, string) {
		cmd := mbuild(t, dir, store, args...)
		out, _ := cmd.Output()
		return cmd.ProcessState.ExitCode(), string(out)
	}
	got, out := code("verify")
	if got != 5 {
		t.Errorf("exit code %d, want 5\n%s", got, out)
	}
	for _, want := range []string{"DIFFERS  train.supervised.t/segment[1]  model/layers/out.safetensors: tensor ", "in 1 of ", "by at most 1"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if got, out := code("verify", "-json"); got != 5 || !json.Valid([]byte(out)) || !strings.Contains(out, `"reproducible": false`) {
		t.Errorf("%d %s", got, out)
	}
	for _, bad := range []string{"0%", "101%", "5", "x%"} {
		if got, _ := code("verify", "-sample", bad); got != 1 {
			t.Errorf("-sample %s is taken", bad)
		}
	}
}

// tree lists the files of a store.
func tree(t *testing.T, dir string) string {
	var b strings.Builder
	err := filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			b.WriteString(p + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// tamper records another result for an action: one value of one file of its output is changed.
func tamper(t *testing.T, dir, store, address, output, file string) {
	ctx := context.Background()
	memory := project.Open(vfs.OS, dir)
	defer memory.Close()
	s, err := disk.Open(store)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if key, _ := memory.Keys(address); !key.IsZero() {
		res, err := s.Lookup(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range res.Outputs {
			if o.Name == output {
				res.Outputs[i].Digest = spoiled(t, s, o, file)
			}
		}
		if err := s.Record(ctx, key, res); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no action %s", address)
}

func spoiled(t *testing.T, s *disk.Store, o cache.Output, file string) cache.Digest {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "output")
	if err := cache.Materialize(ctx, s, o, path); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(path, filepath.FromSlash(file))
	tensors, meta, err := safetensors.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	safetensors.View[float32](tensors[0].Data)[0]++
	os.Chmod(filepath.Dir(name), 0o755)
	os.Remove(name)
	if err := safetensors.WriteFile(name, tensors, meta); err != nil {
		t.Fatal(err)
	}
	d, err := cache.PutPath(ctx, s, path, true)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
