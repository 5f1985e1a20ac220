package chain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// bench is a place to run segments in: files of a graph and a dataset.
type bench struct {
	t    testing.TB
	dir  string
	jobs int
	next map[string]any // Job.Next of the jobs to come
}

func newBench(t testing.TB, rows int) *bench {
	mlxtest.Open(t) // which makes it known to this process
	b := &bench{t: t, dir: t.TempDir()}
	g := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{6}, DType: graph.F32, Scale: 1}}, Outputs: []string{"c"}, Layers: []graph.Layer{
		{Name: "a", Op: "dense", Inputs: []string{"x"}, Attrs: map[string]any{"units": int64(8), "activation": "relu"}},
		{Name: "n", Op: "batch_norm", Inputs: []string{"a"}},
		{Name: "d", Op: "dropout", Inputs: []string{"n"}, Attrs: map[string]any{"rate": 0.25}},
		{Name: "c", Op: "dense", Inputs: []string{"d"}, Attrs: map[string]any{"units": int64(3)}},
	}}
	enc, err := g.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.dir, "graph.json"), enc, 0o644); err != nil {
		t.Fatal(err)
	}
	r := mlx.NewRandom(1, "rows")
	m := &dataset.Manifest{Inputs: []dataset.Input{{Name: "x", Shape: []int{6}}}, Label: &dataset.Label{Kind: "class", Classes: []string{"p", "q", "r"}}}
	splits := map[string]*dataset.Data{}
	for _, name := range []string{"train", "valid"} {
		d := &dataset.Data{Rows: rows, Width: 6}
		for i := range rows {
			d.Source, d.Classes = append(d.Source, int64(i)), append(d.Classes, int32(i%3))
			for j := range 6 {
				d.Features = append(d.Features, float32(r.Normal())+2*float32((i+j)%3))
			}
		}
		m.Splits, splits[name] = append(m.Splits, dataset.Split{Name: name, Rows: rows}), d
	}
	os.Mkdir(filepath.Join(b.dir, "data"), 0o755)
	if err := dataset.Write(filepath.Join(b.dir, "data"), m, splits); err != nil {
		t.Fatal(err)
	}
	return b
}

// job makes a job over files; outputs that are directories exist.
func (b *bench) job(memory *executor.Memory, params map[string]any, inputs map[string]executor.JobInput, outputs ...string) *executor.Job {
	b.jobs++
	out := filepath.Join(b.dir, fmt.Sprint("job", b.jobs))
	job := &executor.Job{ID: b.jobs, Addr: "t", Params: params, Inputs: inputs, Backend: mlxtest.Name(), Log: io.Discard, Memory: memory, Metrics: map[string]float64{}, Next: b.next,
		Progress: func(int64, int64, map[string]float64) {}, Outputs: map[string]string{}}
	for _, name := range outputs {
		job.Outputs[name] = filepath.Join(out, name)
	}
	os.MkdirAll(filepath.Join(out, "model"), 0o755)
	return job
}

// segment does an epoch after prev, nil for the first. origin says whether the state is one this memory made.
func (b *bench) segment(memory *executor.Memory, params map[string]any, prev *executor.Job, origin bool) (*executor.Job, error) {
	inputs := map[string]executor.JobInput{"data": {Path: filepath.Join(b.dir, "data"), Digest: "d"}}
	if prev == nil {
		inputs["graph"] = executor.JobInput{Path: filepath.Join(b.dir, "graph.json")}
	} else {
		for _, name := range []string{"model", "state", "history"} {
			inputs[name] = executor.JobInput{Path: prev.Out(name)}
		}
		if origin {
			inputs["state"] = executor.JobInput{Path: prev.Out("state"), Origin: fmt.Sprintf("%d/state", prev.ID)}
		}
	}
	job := b.job(memory, params, inputs, "model", "state", "history")
	return job, segment(context.Background(), job)
}

// files is the content of all outputs of a job.
func (b *bench) files(job *executor.Job) string {
	var out strings.Builder
	for _, name := range []string{"model", "state", "history"} {
		err := filepath.WalkDir(job.Out(name), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			c, err := os.ReadFile(p)
			fmt.Fprintf(&out, "%s %x\n", strings.TrimPrefix(p, job.Out(name)), c)
			return err
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
	return out.String()
}

// params are those of the k-th of six epochs: four stable, two of decay, with every feature on.
func everything(k int) map[string]any {
	p := map[string]any{"loss": "cross_entropy", "label_smoothing": 0.1, "class_weights": map[string]any{"q": int64(2)}, "batch": int64(16), "accumulate": int64(2),
		"seed": int64(5), "shuffle": true, "clip_norm": int64(1), "clip_value": 0.5, "ema": map[string]any{"decay": 0.9}, "precision": "float16",
		"checkpoint": int64(1), "log_every": int64(2),
		"optimizer": map[string]any{"type": "adamw", "lr": 0.02, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8, "weight_decay": 0.01},
		"group":     []any{map[string]any{"match": []any{"*/bias"}, "lr_scale": 0.5, "weight_decay": int64(0)}},
		"schedule":  map[string]any{"type": "wsd", "warmup_steps": int64(3), "decay_epochs": int64(2), "shape": "sqrt", "final": 0.1}}
	a := Spec{Prefix: "segment", Params: p, Epochs: 6, Decay: 2}.segment(k)
	return a.Params
}

// TestInterrupted: six epochs in one worker, in six workers, and with a break in any place give the same bytes of model, state
// and history: through the files, with every feature on, stable and decay.
func TestInterrupted(t *testing.T) {
	b := newBench(t, 50)
	chain := func(fresh func(k int) bool) []string {
		memory := &executor.Memory{}
		var prev *executor.Job
		var all []string
		for k := range 6 {
			was := memory.Get(warmSlot)
			if fresh(k) {
				memory = &executor.Memory{}
			}
			job, err := b.segment(memory, everything(k), prev, !fresh(k))
			if err != nil {
				t.Fatal(err)
			}
			if k > 0 && !fresh(k) && memory.Get(warmSlot) != was {
				t.Errorf("epoch %d was not done by the warm trainer", k)
			}
			prev, all = job, append(all, b.files(job))
		}
		return all
	}
	want := chain(func(int) bool { return false })
	for at := range 7 {
		got := chain(func(k int) bool { return k == at || at == 6 })
		for k := range want {
			if got[k] != want[k] {
				t.Fatalf("broken at %d, epoch %d has other bytes", at, k)
			}
		}
	}
}

// TestPick: the average is the mean of the last models, the moving average what the state holds, the best of the lowest loss.
func TestPick(t *testing.T) {
	b := newBench(t, 50)
	var prev *executor.Job
	inputs := map[string]executor.JobInput{}
	var weights [][]float32
	memory := &executor.Memory{}
	for k := range 4 {
		job, err := b.segment(memory, everything(k), prev, true)
		if err != nil {
			t.Fatal(err)
		}
		prev = job
		inputs[fmt.Sprintf("model%d", k)] = executor.JobInput{Path: job.Out("model")}
		m, err := bundle.Read(job.Out("model"))
		if err != nil {
			t.Fatal(err)
		}
		weights = append(weights, m.Params["a"]["weight"].Float32s())
	}
	inputs["history"] = executor.JobInput{Path: prev.Out("history")}
	run := func(f func(context.Context, *executor.Job) error, params map[string]any, in map[string]executor.JobInput) ([]float32, *executor.Job) {
		job := b.job(memory, params, in, "model")
		if err := f(context.Background(), job); err != nil {
			t.Fatal(err)
		}
		m, err := bundle.Read(job.Out("model"))
		if err != nil {
			t.Fatal(err)
		}
		return m.Params["a"]["weight"].Float32s(), job
	}
	mean, _ := run(average, map[string]any{"epochs": int64(3)}, inputs)
	moving, _ := run(ema, nil, map[string]executor.JobInput{"model": {Path: prev.Out("model")}, "state": {Path: prev.Out("state")}})
	lowest, job := run(best, nil, inputs)
	h, err := ReadHistory(prev.Out("history"))
	if err != nil {
		t.Fatal(err)
	}
	at := int(job.Metrics["epoch"]) - 1
	for k := range h {
		if *h[k].ValidLoss < *h[at].ValidLoss {
			t.Errorf("epoch %d is better than %d", k+1, at+1)
		}
	}
	moved := false
	for i, v := range mean {
		want := (float64(weights[1][i]) + float64(weights[2][i]) + float64(weights[3][i])) / 3
		if v != float32(want) || lowest[i] != weights[at][i] {
			t.Fatalf("weight %d: mean %g, want %g; best %g, want %g", i, v, want, lowest[i], weights[at][i])
		}
		moved = moved || math.Abs(float64(moving[i]-weights[3][i])) > 1e-4
	}
	if !moved {
		t.Error("the moving average is the last weight")
	}
	job = b.job(memory, nil, map[string]executor.JobInput{"model": {Path: prev.Out("model")}, "state": {Path: prev.Out("history")}}, "model")
	if err := ema(context.Background(), job); err == nil {
		t.Error("a state that is none was taken")
	}
}

// TestFailures: what goes wrong in a segment is a failure with the attribute at fault, and the worker goes on afterwards.
func TestFailures(t *testing.T) {
	b := newBench(t, 50)
	for _, c := range []struct {
		code, attr, text string
		change           map[string]any
	}{
		{"misfit", "batch", "batch = 64 is larger than the data set: its train split has 50 rows", map[string]any{"batch": int64(64)}},
		{"misfit", "class_weights", `names "z", which is no class`, map[string]any{"class_weights": map[string]any{"z": int64(1)}}},
		{"misfit", "schedule", "ends before it begins", map[string]any{"schedule": map[string]any{"type": "linear", "epochs": int64(1), "warmup_steps": int64(99)}}},
		{"diverged", "optimizer", "of layer", map[string]any{"precision": "float32", "clip_norm": int64(0), "clip_value": int64(0), "schedule": map[string]any{"type": "constant"},
			"optimizer": map[string]any{"type": "sgd", "lr": 1e30}}},
	} {
		memory := &executor.Memory{}
		params := everything(0)
		maps.Copy(params, c.change)
		_, err := b.segment(memory, params, nil, false)
		var f *executor.Failure
		if !errors.As(err, &f) || f.Code != c.code || f.Attr != c.attr || !strings.Contains(f.Detail, c.text) {
			t.Errorf("got %v (%+v), want %s at %s: %s", err, f, c.code, c.attr, c.text)
		}
		if _, err := b.segment(memory, everything(0), nil, false); err != nil {
			t.Errorf("after %s: %v", c.code, err)
		}
	}
}
