package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/cmd/mbuild/internal/contract"
	"mbuild.dev/mbuild/planner"
)

func text(s string) *string { return &s }

func savedPlan() planFile {
	return planFile{Dir: ".", Plan: &contract.Plan{FormatVersion: contract.FormatVersion, MbuildVersion: Version, SpecDigest: "sha256:1",
		Variables: map[string]any{"lr": 0.1}, Toolchain: planner.Toolchain{Backend: "go", Fingerprint: `{"simd":"avx2"}`, Platform: "linux/amd64"},
		Actions: []contract.Action{
			{Address: "a", Status: "cached", Key: text("k1"), Inputs: map[string]contract.Input{"in": {From: "file:x.csv", Digest: text("d1")}}},
			{Address: "b", Status: "build", Key: text("k2")},
			{Address: "c", Status: "unknown"},
		}}}
}

// TestPlanFileDamage flips every byte of a plan file, and cuts it everywhere: none of it is taken for a plan.
func TestPlanFileDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	if err := savedPlan().write(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readPlanFile(path); err != nil {
		t.Fatal(err)
	}
	try := func(what string, at int, b []byte) {
		if _, err := parsePlanFile(path, b); err == nil {
			t.Fatalf("%s at %d of %d is taken", what, at, len(good))
		}
	}
	for i := range good {
		for _, mask := range []byte{1, 0x20, 0x80} {
			b := slices.Clone(good)
			b[i] ^= mask
			try("flipped byte", i, b)
		}
		try("cut", i, good[:i])
	}
	try("appended", len(good), append(slices.Clone(good), '\n'))
	left, _ := os.ReadDir(filepath.Dir(path))
	if len(left) != 1 {
		t.Errorf("files are left behind: %v", left)
	}
}

// TestMoved: each thing that can move has its words, and nothing else is said.
func TestMoved(t *testing.T) {
	cases := []struct {
		name string
		f    func(*contract.Plan)
		want string
	}{
		{"nothing", func(*contract.Plan) {}, ""},
		{"version", func(p *contract.Plan) { p.MbuildVersion = "9" }, "it was made by mbuild " + Version + ", and this is 9"},
		{"toolchain", func(p *contract.Plan) { p.Toolchain.Fingerprint = `{"simd":"avx512"}` }, "the toolchain simd: avx2 -> avx512"},
		{"platform", func(p *contract.Plan) { p.Toolchain.Platform = "linux/arm64" }, "the toolchain platform: linux/amd64 -> linux/arm64"},
		{"variable", func(p *contract.Plan) { p.Variables = map[string]any{"lr": 0.2} }, `the variable "lr" was 0.1 and is 0.2`},
		{"source", func(p *contract.Plan) {
			p.Actions[0].Inputs = map[string]contract.Input{"in": {From: "file:x.csv", Digest: text("d2")}}
			p.Actions[0].Key, p.Actions[0].Status = text("k9"), "build"
			p.Actions[1].Key, p.Actions[1].Status = nil, "unknown"
		}, `the source "x.csv" has changed`},
		{"spec", func(p *contract.Plan) { p.SpecDigest = "sha256:2"; p.Actions[1].Key = text("k3") }, "the spec has changed: b"},
		{"built", func(p *contract.Plan) { p.Actions[1].Status = "cached" }, "the store has by now the results of b"},
		{"gone", func(p *contract.Plan) { p.Actions[0].Status = "build" }, "the store no longer has the results of a"},
		{"drift", func(p *contract.Plan) { p.Drift = []planner.Drift{{Path: "out/m", Change: "deleted"}} }, "the artifacts in the project have changed: out/m"},
		{"removed", func(p *contract.Plan) { p.SpecDigest = "sha256:2"; p.Actions = p.Actions[:2] }, "the spec has changed: c"},
	}
	for _, c := range cases {
		was, now := savedPlan(), savedPlan()
		c.f(now.Plan)
		if got := strings.Join(was.moved(now.Plan, ""), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	was := savedPlan()
	if got := was.moved(savedPlan().Plan, "sha256:3"); len(got) != 1 || !strings.Contains(got[0], "lock file") {
		t.Error(got)
	}
}
