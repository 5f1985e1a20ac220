package stdlib_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mbuild.dev/mbuild/cache"
	"mbuild.dev/mbuild/cache/memory"
	"mbuild.dev/mbuild/stdlib"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// TestWithin holds a kind to the tolerance it states: values a little apart pass, and nothing else that differs does.
func TestWithin(t *testing.T) {
	ctx, store := context.Background(), memory.New()
	put := func(extra string, values ...float32) cache.Output {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "out")
		if err := os.MkdirAll(filepath.Join(dir, "layers"), 0o755); err != nil {
			t.Fatal(err)
		}
		tensor := safetensors.Tensor{Name: "w", DType: "F32", Shape: []int{len(values)}, Data: safetensors.Bytes(values)}
		if err := safetensors.WriteFile(filepath.Join(dir, "layers", "a.safetensors"), []safetensors.Tensor{tensor}, nil); err != nil {
			t.Fatal(err)
		}
		if extra != "" {
			if err := os.WriteFile(filepath.Join(dir, "graph.json"), []byte(extra), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		d, err := cache.PutTree(ctx, store, dir)
		if err != nil {
			t.Fatal(err)
		}
		return cache.Output{Name: "out", Directory: true, Digest: d}
	}
	base := put("g", 1, -1000, 0)
	for _, c := range []struct {
		name string
		out  cache.Output
		want bool
	}{
		{"equal", put("g", 1, -1000, 0), true},
		{"near", put("g", 1.00005, -1000.05, 0.00005), true},
		{"far at one", put("g", 1.001, -1000, 0), false},
		{"far at a thousand", put("g", 1, -1001, 0), false},
		{"not a number", put("g", float32(math.NaN()), -1000, 0), false},
		{"another shape", put("g", 1, -1000), false},
		{"another text", put("h", 1, -1000, 0), false},
		{"a file less", put("", 1, -1000, 0), false},
	} {
		if got := stdlib.Within(ctx, store, base, store, c.out, 1e-4); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
