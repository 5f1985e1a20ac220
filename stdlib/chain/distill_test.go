package chain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// model writes a new model of a graph.
func (b *bench) model(name string, g *graph.Graph, seed int64) string {
	info, err := graph.Infer(g)
	if err != nil {
		b.t.Fatal(err)
	}
	dir := filepath.Join(b.dir, name)
	os.Mkdir(dir, 0o755)
	if err := bundle.Write(dir, &bundle.Model{Graph: g, Info: info, Params: learn.Init(info, seed)}); err != nil {
		b.t.Fatal(err)
	}
	return dir
}

func (b *bench) do(f func(context.Context, *executor.Job) error, params map[string]any, inputs map[string]string, outputs ...string) (*executor.Job, error) {
	in := map[string]executor.JobInput{}
	for name, path := range inputs {
		in[name] = executor.JobInput{Path: path, Digest: path}
	}
	job := b.job(&executor.Memory{}, params, in, outputs...)
	return job, f(context.Background(), job)
}

// TestDistilled: from a teacher's lessons over a projection and three epochs to a student without it; epochs in one worker and in
// a worker each give the same bytes, and another teacher others.
func TestDistilled(t *testing.T) {
	b := newBench(t, 50)
	big := &graph.Graph{Inputs: []graph.Input{{Name: "x", Shape: []int{6}, DType: graph.F32, Scale: 1}}, Layers: []graph.Layer{
		{Name: "wide", Op: "dense", Attrs: map[string]any{"units": int64(12), "activation": "tanh"}}, dense("logits", 3)}}
	big.Connect()
	data := filepath.Join(b.dir, "data")
	ask := func(seed int64) string {
		job, err := b.do(teach, map[string]any{"layers": []any{"wide"}}, map[string]string{"teacher": b.model("big", big, seed), "data": data}, "lessons")
		if err != nil {
			t.Fatal(err)
		}
		return job.Out("lessons")
	}
	lessons := ask(1)
	got, err := readLessons(lessons)
	if err != nil || got.Logits.Width != 3 || got.Hidden["wide"].Width != 12 || len(got.Logits.Values) != 150 || !slices.Equal(got.Hidden["wide"].Shape, []int{12}) {
		t.Fatalf("%+v, %v", got, err)
	}
	hidden := map[string]any{"a": "wide", "n": "wide"}
	start, err := b.do(project, map[string]any{"hidden": hidden, "seed": int64(5)}, map[string]string{"graph": filepath.Join(b.dir, "graph.json"), "lessons": lessons}, "model")
	if err != nil {
		t.Fatal(err)
	}
	begun, err := bundle.Read(start.Out("model"))
	if err != nil || !slices.Equal(begun.Graph.Outputs, []string{"c", "distill_a", "distill_n"}) {
		t.Fatalf("%+v, %v", begun, err)
	}
	for layer, ps := range learn.Init(mustInfer(t, filepath.Join(b.dir, "graph.json")), 5) {
		for name, p := range ps {
			if !slices.Equal(p.Data, begun.Params[layer][name].Data) {
				t.Errorf("%s/%s is not what the student would begin with", layer, name)
			}
		}
	}

	params := everything(0)
	delete(params, "loss")
	maps.Copy(params, map[string]any{"loss": "cross_entropy", "schedule": map[string]any{"type": "constant"},
		"distill": map[string]any{"temperature": int64(2), "alpha": 0.5, "hidden": hidden, "hidden_loss": "mse", "hidden_weight": int64(1)}})
	chain := func(lessons string, fresh bool) (all []string, last *executor.Job) {
		memory := &executor.Memory{}
		for k := range 3 {
			in := map[string]executor.JobInput{"data": {Path: data, Digest: "d"}, "lessons": {Path: lessons, Digest: lessons}, "model": {Path: start.Out("model")}}
			if k > 0 {
				for _, name := range []string{"model", "state", "history"} {
					in[name] = executor.JobInput{Path: last.Out(name)}
				}
				if !fresh {
					in["state"] = executor.JobInput{Path: last.Out("state"), Origin: fmt.Sprintf("%d/state", last.ID)}
				}
			}
			if fresh {
				memory = &executor.Memory{}
			}
			was := memory.Get(warmSlot)
			job := b.job(memory, params, in, "model", "state", "history")
			if err := segment(context.Background(), job); err != nil {
				t.Fatal(err)
			}
			if k > 0 && !fresh && memory.Get(warmSlot) != was {
				t.Error("an epoch was not done by the warm trainer")
			}
			all, last = append(all, b.files(job)), job
		}
		return all, last
	}
	want, last := chain(lessons, false)
	if got, _ := chain(lessons, true); !slices.Equal(got, want) {
		t.Error("in a worker each, other bytes")
	}
	if got, _ := chain(ask(2), false); got[0] == want[0] {
		t.Error("another teacher taught the same")
	}
	job, err := b.do(student, nil, map[string]string{"model": last.Out("model")}, "model")
	if err != nil {
		t.Fatal(err)
	}
	full, err1 := bundle.Read(last.Out("model"))
	left, err2 := bundle.Read(job.Out("model"))
	if err := errors.Join(err1, err2); err != nil || !slices.Equal(left.Graph.Outputs, []string{"c"}) || len(left.Graph.Layers) != 4 || len(left.Params) != len(full.Params)-2 {
		t.Fatalf("%+v, %v", left.Graph, err)
	}
	for layer, ps := range left.Params {
		for name, p := range ps {
			if !slices.Equal(p.Data, full.Params[layer][name].Data) {
				t.Errorf("%s/%s changed", layer, name)
			}
		}
	}
}

func mustInfer(t *testing.T, path string) *graph.Info {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, info, err := graph.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestTeacherErrors: a teacher of other classes, of another tokenizer, of another vocabulary; both sides are named.
func TestTeacherErrors(t *testing.T) {
	b := textBench(t, speaker(dense("logits", 3)))
	other := func(change func(m *dataset.Manifest)) string {
		m, err := dataset.ReadManifest(filepath.Join(b.dir, "data"))
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		dir := t.TempDir()
		splits := map[string]*dataset.Data{}
		for _, s := range m.Splits {
			d, err := dataset.Read(filepath.Join(b.dir, "data"), mustManifest(t, b), s.Name)
			if err != nil {
				t.Fatal(err)
			}
			if m.Label != nil {
				d.Classes = make([]int32, d.Rows)
			}
			splits[s.Name] = d
		}
		if err := dataset.Write(dir, m, splits); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	label := func(classes ...string) func(*dataset.Manifest) {
		return func(m *dataset.Manifest) {
			m.Label = &dataset.Label{Name: "y" + classes[0], Kind: "class", Classes: classes}
		}
	}
	data := other(label("a", "b", "c"))
	teacher := b.model("teacher", speaker(dense("logits", 3)), 1)
	for want, taught := range map[string]string{
		`the teacher was trained with the classes ["b" "a" "c"] of the label "yb", and the student's label "ya" has the classes ["a" "b" "c"]`: other(label("b", "a", "c")),
		`the teacher was trained with the tokens of the tokenizer sha256:111111111111 (20 tokens), and the student's data is of sha256:000000000000 (20 tokens)`: other(func(m *dataset.Manifest) {
			m.Sequences[0].Tokenizer = "sha256:" + strings.Repeat("1", 64)
		}),
	} {
		_, err := b.do(teach, nil, map[string]string{"teacher": teacher, "data": data, "taught": taught}, "lessons")
		var f *executor.Failure
		if !errors.As(err, &f) || f.Attr != "teacher" || !strings.Contains(f.Detail, want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	var f *executor.Failure
	_, err := b.do(teach, nil, map[string]string{"teacher": teacher, "data": data, "taught": data}, "lessons")
	if !errors.As(err, &f) || f.Attr != "teacher" || !strings.Contains(f.Detail, "The teacher: its \"logits\" has logits for each token, and the dataset has no label for each token") {
		t.Error(err)
	}
	g := speaker(dense("logits", 3))
	g.Layers[0].Attrs["vocabulary"] = int64(7)
	_, err = b.do(teach, nil, map[string]string{"teacher": b.model("small", g, 1), "data": data}, "lessons")
	if !errors.As(err, &f) || f.Attr != "teacher" || !strings.Contains(f.Detail, "The teacher: the tokenizer of the dataset's sequence \"text\" has 20 tokens, and the model's input \"input_ids\" goes to an embedding of 7 rows") {
		t.Error(err)
	}
}

func mustManifest(t *testing.T, b *bench) *dataset.Manifest {
	m, err := dataset.ReadManifest(filepath.Join(b.dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// FuzzLessons: what is no file of lessons is an error.
func FuzzLessons(f *testing.F) {
	p := filepath.Join(f.TempDir(), "lessons")
	v := &learn.Taught{Values: []float32{1, 2, 3, 4}, Width: 2, Tokens: true, Shape: []int{8, 2}}
	if err := writeLessons(p, &learn.Teacher{Logits: v, Hidden: map[string]*learn.Taught{"h": v}}); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(p)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		p := filepath.Join(t.TempDir(), "lessons")
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if x, err := readLessons(p); err == nil && x.Logits == nil {
			t.Error("lessons without logits")
		}
	})
}
