package chain

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// BenchmarkSegment is a segment of the digits model over a single batch in a warm worker: one step, and everything that is
// done once a segment. Subtract a step (BenchmarkEpoch of stdlib/learn, per step) for the fixed cost.
func BenchmarkSegment(b *testing.B) {
	dir := b.TempDir()
	g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{64}, DType: graph.F32, Scale: 1}}, Outputs: []string{"c"}, Layers: []graph.Layer{
		{Name: "a", Op: "dense", Inputs: []string{"x"}, Attrs: map[string]any{"units": int64(128), "activation": "relu"}},
		{Name: "b", Op: "dense", Inputs: []string{"a"}, Attrs: map[string]any{"units": int64(64), "activation": "relu"}},
		{Name: "c", Op: "dense", Inputs: []string{"b"}, Attrs: map[string]any{"units": int64(10)}},
	}}
	enc, err := g.Encode()
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "graph.json"), enc, 0o644); err != nil {
		b.Fatal(err)
	}
	d := &dataset.Data{Rows: 64, Features: make([]float32, 64*64), Classes: make([]int32, 64), Source: make([]int64, 64)}
	for i := range d.Features {
		d.Features[i] = float32(mlx.NewRandom(int64(i), "x").Float64())
	}
	m := &dataset.Manifest{Inputs: []dataset.Input{{Name: "x", Shape: []int{64}}}, Label: &dataset.Label{Kind: "class", Classes: make([]string, 10)}, Splits: []dataset.Split{{Name: "all", Rows: 64}}}
	if err := dataset.Write(dir, m, map[string]*dataset.Data{"all": d}); err != nil {
		b.Fatal(err)
	}
	params := map[string]any{"loss": "cross_entropy", "batch": int64(64), "optimizer": map[string]any{"type": "adam", "lr": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}}
	memory := &executor.Memory{}
	inputs := map[string]executor.JobInput{"data": {Path: dir, Digest: "d"}, "graph": {Path: filepath.Join(dir, "graph.json")}}
	id := 0
	for b.Loop() {
		id++
		out := filepath.Join(dir, fmt.Sprint(id))
		job := &executor.Job{ID: id, Params: params, Inputs: inputs, Backend: "go", Log: io.Discard, Memory: memory, Metrics: map[string]float64{},
			Progress: func(int64, int64, map[string]float64) {},
			Outputs:  map[string]string{"model": filepath.Join(out, "model"), "state": filepath.Join(out, "state"), "history": filepath.Join(out, "history")}}
		os.MkdirAll(job.Out("model"), 0o755)
		if err := segment(context.Background(), job); err != nil {
			b.Fatal(err)
		}
		inputs = map[string]executor.JobInput{"data": {Path: dir, Digest: "d"}, "model": {Path: job.Out("model")}, "history": {Path: job.Out("history")},
			"state": {Path: job.Out("state"), Origin: fmt.Sprintf("%d/state", id)}}
	}
}
