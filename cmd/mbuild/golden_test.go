package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
)

// goldens are the digests that an example must give: by SIMD level of the Go backend, then by artifact.
type goldens map[string]map[string]string

// TestGoldenDigests builds both examples at every SIMD level that this build and processor have, and compares the digests of
// all artifacts with testdata/golden. MBUILD_UPDATE=1 writes them.
func TestGoldenDigests(t *testing.T) {
	levels := map[string][]string{"none": nil}
	switch mlx.SIMD() {
	case "avx512":
		levels = map[string][]string{"avx512": nil, "avx2": {"GOMLX_SIMD_AVX512=0"}, "none": {"GOMLX_SIMD_AVX512=0", "GOMLX_SIMD_AVX2=0"}}
	case "avx2":
		levels = map[string][]string{"avx2": nil, "none": {"GOMLX_SIMD_AVX2=0"}}
	}
	for _, name := range []string{"digits", "linear-regression"} {
		path := filepath.Join("../../testdata/golden", name+".json")
		want := goldens{}
		if b, err := os.ReadFile(path); err == nil {
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
		}
		for level, env := range levels {
			got := artifactDigests(t, name, env)
			if os.Getenv("MBUILD_UPDATE") != "" {
				want[level] = got
				continue
			}
			if want[level] == nil {
				t.Errorf("%s: there are no golden digests for level %s", name, level)
			}
			for a, d := range want[level] {
				if got[a] != d {
					t.Errorf("%s at level %s: %s is %s, want %s", name, level, a, got[a], d)
				}
			}
		}
		if os.Getenv("MBUILD_UPDATE") != "" {
			b, err := json.MarshalIndent(want, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func artifactDigests(t *testing.T, name string, env []string) map[string]string {
	dir := example(t, name, "")
	cmd := mbuild(t, dir, t.TempDir(), "apply", "-auto-approve", "-json")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	got := map[string]string{}
	for _, e := range lines(t, string(out)) {
		if e["type"] == "artifact" {
			got[e["path"].(string)] = e["digest"].(string)
		}
	}
	return got
}
