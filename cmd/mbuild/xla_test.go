//go:build xla && cgo

package main

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/executor/worker"
)

// TestXLAScripts runs testdata/script/xla with a real plugin. $PLUGIN is its path.
func TestXLAScripts(t *testing.T) {
	so := mlxtest.Plugin(t)
	dir := filepath.Join(t.TempDir(), "backends")
	testscript.Run(t, testscript.Params{
		Dir:           "../../testdata/script/xla",
		UpdateScripts: os.Getenv("MBUILD_UPDATE") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("MBUILD_CACHE", filepath.Join(e.WorkDir, ".store"))
			e.Setenv("MBUILD_BACKENDS", dir) // installed once, for all
			e.Setenv("ROOT", repository(t))
			e.Setenv("PLUGIN", so)
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"edit": edit, "field": field, "damage": damage, "wheel": wheel},
	})
}

// wheel packs a file into a zip archive, without compressing it: wheel FILE MEMBER SOURCE.
func wheel(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: wheel FILE MEMBER SOURCE")
	}
	out, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer out.Close()
	z := zip.NewWriter(out)
	w, err := z.CreateHeader(&zip.FileHeader{Name: args[1], Method: zip.Store})
	ts.Check(err)
	in, err := os.Open(ts.MkAbs(args[2]))
	ts.Check(err)
	defer in.Close()
	_, err = io.Copy(w, in)
	ts.Check(err)
	ts.Check(z.Close())
}

// head is the beginning of the table that a plugin hands out, as PJRT's header has it, and the functions that follow.
const head = `
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>
#include <fcntl.h>
typedef void *(*fn)(void *);
static struct { size_t size; void *ext; size_t vsize; void *vext; int major, minor; fn f[200]; } api = { sizeof(api), 0, 32, 0, 0, 100 };
static void *stop(void *x) { abort(); }
static void *fault(void *x) { return (void *)(size_t)*(volatile int *)8; }
static void *leave(void *x) { _exit(3); }
static void *hog(void *x) { raise(SIGKILL); return 0; }
static void all(fn f) { for (int i = 0; i < 200; i++) api.f[i] = f; }
`

// broken compiles a plugin whose entry point does what the body says.
func broken(t *testing.T, body string, flags ...string) string {
	dir := t.TempDir()
	src, so := filepath.Join(dir, "p.c"), filepath.Join(dir, "pjrt_c_api_cpu_plugin.so")
	if err := os.WriteFile(src, []byte(head+"void *GetPjrtApi(void) { "+body+" }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	compile(t, append([]string{"-o", so, src}, flags...)...)
	return so
}

func compile(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("gcc", append([]string{"-shared", "-fPIC", "-w"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// harmless is a spec of which one action computes and another does not.
const harmless = `
dataset "synthetic" "d" {
  shape = "blobs"
  rows  = 60
  seed  = 1
}
model "layers" "m" {
  input "x" { shape = [2] }
  layer "dense" "l" { units = 2 }
}
train "supervised" "t" {
  graph  = model.layers.m.graph
  data   = dataset.synthetic.d.data
  loss   = "cross_entropy"
  epochs = 1
  optimizer "sgd" { lr = 0.1 }
}
step "template" "other" {
  template = "it is built whatever happens"
}
output "other" { value = step.template.other.file }
target "safetensors" "s" {
  from = train.supervised.t.model
  path = "m.safetensors"
}
`

// attempt runs mbuild and returns what it printed and its exit code.
func attempt(t *testing.T, env []string, dir, store string, args ...string) (string, int) {
	cmd := mbuild(t, dir, store, args...)
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestBrokenPlugins: whatever a plugin does, mbuild ends with a clear message, one action is lost, and the rest is built.
func TestBrokenPlugins(t *testing.T) {
	for what, c := range map[string]struct{ body, want string }{
		"aborts when it is loaded":    {`abort();`, "SIGABRT: abort, in native code"},
		"faults when it is loaded":    {`return fault(0);`, "SIGSEGV: segmentation violation, in native code"},
		"leaves when it is loaded":    {`leave(0);`, "exit status 3"},
		"is killed, as without room":  {`hog(0);`, "out of memory"},
		"returns nothing":             {`return 0;`, "its entry point returned nothing"},
		"aborts when it is used":      {`all(stop); return &api;`, "SIGABRT: abort, in native code"},
		"faults when it is used":      {`all(fault); return &api;`, "SIGSEGV: segmentation violation, in native code"},
		"speaks a later interface":    {`api.major = 9; api.minor = 9; return &api;`, "speaks version 9.9 of the PJRT interface"},
		"speaks an earlier interface": {`api.minor = 3; return &api;`, "speaks version 0.3 of the PJRT interface"},
		"has too short a table":       {`api.size = 8; return &api;`, "shorter than its version"},
	} {
		t.Run(what, func(t *testing.T) {
			so, dir, store := broken(t, c.body), write(t, harmless), t.TempDir()
			env := []string{"MBUILD_BACKENDS=" + t.TempDir()}
			out, code := attempt(t, env, dir, store, "backend", "install", "xla:cpu", so)
			if code != 0 || !strings.Contains(out, "cannot be used as it is") {
				t.Errorf("install: %d\n%s", code, out)
			}
			if out, code = attempt(t, env, dir, store, "backend", "list"); code != 0 || !strings.Contains(out, c.want) {
				t.Errorf("list: %d\n%s\nwant %q", code, out, c.want)
			}
			out, code = attempt(t, env, dir, store, "apply", "-auto-approve", "-keep-going", "-backend", "xla:cpu")
			if code != 1 || !strings.Contains(out, c.want) || !strings.Contains(out, "3 built, 0 cached, 1 failed, 1 skipped") {
				t.Errorf("apply: %d\n%s\nwant %q and 3 actions built", code, out, c.want)
			}
			out, code = attempt(t, env, dir, store, "plan", "-backend", "pjrt:"+so)
			if code != 1 || !strings.Contains(out, "Backend cannot be used") || !strings.Contains(out, c.want) {
				t.Errorf("by path: %d\n%s\nwant %q", code, out, c.want)
			}
			if out, code = attempt(t, env, dir, store, "apply", "-auto-approve", "-backend", "go"); code != 0 || !strings.Contains(out, "2 built, 3 cached") {
				t.Errorf("without the plugin: %d\n%s", code, out)
			}
		})
	}
}

// TestPluginConfined: a plugin reads the libraries that it is linked to, wherever its run path says they are, and no file that is
// none; neither in a worker nor when it is asked what it is.
func TestPluginConfined(t *testing.T) {
	libs := filepath.Join(t.TempDir(), "libs")
	src, secret := filepath.Join(libs, "n.c"), filepath.Join(libs, "secret")
	for path, text := range map[string]string{src: "int needed(void) { return 1; }\n", secret: "not for plugins\n"} {
		if err := errors.Join(os.MkdirAll(libs, 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	compile(t, "-o", filepath.Join(libs, "libneeded.so"), src)
	so := broken(t, fmt.Sprintf("if (needed() != 1 || open(%q, 0) >= 0) leave(0); abort();", secret), "-L"+libs, "-lneeded", "-Wl,-rpath,"+libs)
	want := "SIGABRT: abort"
	if weaker := worker.NewPool().Weaker(); len(weaker) > 0 {
		want = "exit status 3" // nothing keeps it from the file
		t.Logf("this machine cannot confine: %v", weaker)
	}
	dir, store, env := write(t, harmless), t.TempDir(), []string{"MBUILD_BACKENDS=" + t.TempDir()}
	for _, args := range [][]string{{"backend", "install", "xla:cpu", so}, {"apply", "-auto-approve", "-backend", "xla:cpu"}, {"plan", "-backend", "pjrt:" + so}} {
		if out, _ := attempt(t, env, dir, store, args...); !strings.Contains(out, want) {
			t.Errorf("%v: %s\nwant %q", args, out, want)
		}
	}
}

// TestNoPlugins: files that are no plugins for this machine are refused before anything of them runs.
func TestNoPlugins(t *testing.T) {
	so := broken(t, `return &api;`)
	good, err := os.ReadFile(so)
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.Clone(good)
	binary.LittleEndian.PutUint16(other[18:], 0xF3) // e_machine: RISC-V
	dir := write(t, harmless)
	env := []string{"MBUILD_BACKENDS=" + t.TempDir()}
	for what, c := range map[string]struct {
		bytes []byte
		want  string
	}{
		"another processor": {other, "is for another processor"},
		"truncated":         {good[:len(good)-len(good)/4], "truncated"},
		"text":              {[]byte("#!/bin/sh\necho no plugin\n"), "no shared library"},
	} {
		bad := filepath.Join(t.TempDir(), "p.so")
		if err := os.WriteFile(bad, c.bytes, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"backend", "install", "xla:cpu", bad}, {"plan", "-backend", "pjrt:" + bad}} {
			if out, code := attempt(t, env, dir, t.TempDir(), args...); code != 1 || !strings.Contains(out, c.want) {
				t.Errorf("%s: %v gives %d\n%s\nwant %q", what, args, code, out, c.want)
			}
		}
	}
	// Damaged after it was installed: the digest tells, before it is loaded.
	if out, code := attempt(t, env, dir, t.TempDir(), "backend", "install", "xla:cpu", so); code != 0 {
		t.Fatal(out)
	}
	installed, _ := filepath.Glob(filepath.Join(strings.TrimPrefix(env[0], "MBUILD_BACKENDS="), "sha256-*", "*.so"))
	if len(installed) != 1 {
		t.Fatal(installed)
	}
	good[len(good)-1] ^= 1
	if err := os.WriteFile(installed[0], good, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, code := attempt(t, env, dir, t.TempDir(), "plan", "-backend", "xla:cpu"); code != 1 || !strings.Contains(out, "it was changed or damaged") {
		t.Errorf("damaged: %d\n%s", code, out)
	}
}

// tooLarge trains a model whose activations are 4 TB.
const tooLarge = `
dataset "synthetic" "d" {
  shape = "blobs"
  rows  = 65536
  seed  = 1
}
model "layers" "m" {
  input "x" { shape = [2] }
  layer "dense" "wide" { units = 8388608 }
  layer "dense" "l" { units = 2 }
}
train "supervised" "t" {
  graph  = model.layers.m.graph
  data   = dataset.synthetic.d.data
  loss   = "cross_entropy"
  epochs = 1
  batch  = 65536
  optimizer "sgd" { lr = 0.1 }
}
target "safetensors" "s" {
  from = train.supervised.t.model
  path = "m.safetensors"
}
`

// TestImpossibleAllocation: memory that runs out costs one action, which says what it took and what helps.
func TestImpossibleAllocation(t *testing.T) {
	so, dir := mlxtest.Plugin(t), write(t, tooLarge)
	env := []string{"MBUILD_BACKENDS=" + t.TempDir()}
	out, code := attempt(t, env, dir, t.TempDir(), "apply", "-auto-approve", "-json", "-backend", "pjrt:"+so)
	var found map[string]any
	for _, l := range lines(t, out) {
		if l["type"] == "diagnostic" {
			found = l
		}
	}
	text, _ := json.Marshal(found)
	for _, want := range []string{"out-of-memory", "an allocation of", "the estimate of the whole was", "at its peak", "accumulate gradients"} {
		if code != 1 || !strings.Contains(string(text), want) {
			t.Errorf("exit code %d, %s; want %q", code, text, want)
		}
	}
}
