package chain

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/executor/mlx/mlxtest"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/learn"
)

// speaker is a network over tokens with a head: of tokens at each position, or of classes.
func speaker(head ...graph.Layer) *graph.Graph {
	attrs := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	g := &graph.Graph{Inputs: []graph.Input{{Name: "input_ids", Shape: []int{8}, DType: graph.I32, Scale: 1}}, Layers: append([]graph.Layer{
		{Name: "tokens", Op: "embedding", Inputs: []string{"input_ids"}, Attrs: attrs("vocabulary", int64(20), "units", int64(6), "init", "normal")},
		{Name: "drop", Op: "dropout", Attrs: attrs("rate", 0.2)},
		{Name: "state", Op: "gru", Attrs: attrs("units", int64(6), "bidirectional", false)},
	}, head...)}
	g.Connect()
	return g
}

func tied() graph.Layer {
	return graph.Layer{Name: "predictions", Op: "tied_dense", Attrs: map[string]any{"embedding": "tokens"}}
}

func dense(name string, units int) graph.Layer {
	return graph.Layer{Name: name, Op: "dense", Attrs: map[string]any{"units": int64(units)}}
}

// textBench is a bench over tokens.
func textBench(t testing.TB, g *graph.Graph) *bench {
	mlxtest.Open(t)
	b := &bench{t: t, dir: t.TempDir()}
	b.graph("graph.json", g)
	r := mlx.NewRandom(1, "tokens")
	mask := 3
	m := &dataset.Manifest{Sequences: []dataset.Sequence{{Name: "text", MaxLength: 8, Lengths: []int{4, 8}, VocabSize: 20, MaskID: &mask, Special: []int{1, 2, 3}, Tokenizer: "sha256:" + strings.Repeat("0", 64)}},
		Inputs: []dataset.Input{{Name: "input_ids", Shape: []int{8}, DType: "I32", Sequence: "text", Part: dataset.PartIDs}}}
	splits := map[string]*dataset.Data{}
	for _, name := range []string{"train", "valid"} {
		tok := &dataset.Tokens{}
		d := &dataset.Data{Rows: 50, Tokens: map[string]*dataset.Tokens{"text": tok}}
		for i := range d.Rows {
			for range 1 + r.Below(8) {
				tok.IDs = append(tok.IDs, int32(1+r.Below(19)))
			}
			tok.Ends, d.Source = append(tok.Ends, int64(len(tok.IDs))), append(d.Source, int64(i))
		}
		m.Splits, splits[name] = append(m.Splits, dataset.Split{Name: name, Rows: d.Rows}), d
	}
	os.Mkdir(filepath.Join(b.dir, "data"), 0o755)
	if err := dataset.Write(filepath.Join(b.dir, "data"), m, splits); err != nil {
		t.Fatal(err)
	}
	return b
}

// graph writes a graph into the bench's directory.
func (b *bench) graph(name string, g *graph.Graph) string {
	enc, err := g.Encode()
	if err != nil {
		b.t.Fatal(err)
	}
	p := filepath.Join(b.dir, name)
	if err := os.WriteFile(p, enc, 0o644); err != nil {
		b.t.Fatal(err)
	}
	return p
}

// TestInterruptedLanguage: epochs of masked and causal language models in one worker, in a worker each, and begun ahead, give the
// same bytes.
func TestInterruptedLanguage(t *testing.T) {
	b := textBench(t, speaker(tied()))
	for _, objective := range []string{learn.MaskedLM, learn.CausalLM} {
		params := everything(0)
		delete(params, "class_weights")
		params["objective"], params["mask_probability"], params["schedule"] = objective, 0.3, map[string]any{"type": "constant"}
		params["precision"] = "float32"
		chain := func(fresh, ahead bool) []string {
			memory := &executor.Memory{}
			var prev *executor.Job
			var all []string
			for range 3 {
				if fresh {
					memory = &executor.Memory{}
				}
				if b.next = nil; ahead {
					b.next = params
				}
				job, err := b.segment(memory, params, prev, !fresh)
				if err != nil {
					t.Fatal(err)
				}
				prev, all = job, append(all, b.files(job))
			}
			drop(memory)
			return all
		}
		want := chain(false, false)
		if got := chain(true, false); !slices.Equal(got, want) {
			t.Errorf("%s: in a worker each, other bytes", objective)
		}
		if got := chain(false, true); !slices.Equal(got, want) {
			t.Errorf("%s: begun ahead, other bytes", objective)
		}
		if want[0] == want[1] {
			t.Errorf("%s: nothing was learnt", objective)
		}
	}
}

// TestTransfer: what both have is the model's to the bit, the rest is what a graph of its own would begin with.
func TestTransfer(t *testing.T) {
	b := textBench(t, speaker(tied()))
	old := speaker(tied())
	info, err := graph.Infer(old)
	if err != nil {
		t.Fatal(err)
	}
	m := &bundle.Model{Graph: old, Info: info, Params: learn.Init(info, 1)}
	dir := filepath.Join(b.dir, "old")
	os.Mkdir(dir, 0o755)
	if err := bundle.Write(dir, m); err != nil {
		t.Fatal(err)
	}
	do := func(g *graph.Graph) (*bundle.Model, string, error) {
		job := b.job(&executor.Memory{}, map[string]any{"seed": int64(9)}, map[string]executor.JobInput{"graph": {Path: b.graph("new.json", g)}, "model": {Path: dir}}, "model")
		var log strings.Builder
		job.Log = &log
		if err := transfer(context.Background(), job); err != nil {
			return nil, "", err
		}
		m, err := bundle.Read(job.Out("model"))
		return m, log.String(), err
	}
	next := speaker(dense("logits", 3))
	got, log, err := do(next)
	if err != nil {
		t.Fatal(err)
	}
	fresh := learn.Init(got.Info, 9)
	for layer, ps := range got.Params {
		for name, p := range ps {
			want := m.Params[layer][name]
			if layer == "logits" {
				want = fresh[layer][name]
			}
			if !slices.Equal(p.Data, want.Data) {
				t.Errorf("%s/%s is another", layer, name)
			}
		}
	}
	for _, want := range []string{"of the model: tokens, state\n", "new: logits\n", "does not have them: predictions\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("log:\n%swant %q", log, want)
		}
	}

	wider := speaker(dense("logits", 3))
	wider.Layers[2].Attrs["units"] = int64(7)
	other := speaker(dense("logits", 3))
	other.Layers[2].Op = "lstm"
	stranger := speaker(dense("logits", 3))
	stranger.Layers[0].Name, stranger.Layers[1].Inputs, stranger.Layers[2].Name, stranger.Layers[3].Inputs = "words", []string{"words"}, "cells", []string{"cells"}
	for want, g := range map[string]*graph.Graph{
		`layer "state" is gru with`:  wider,
		`layer "state" is lstm with`: other,
		"no layer of the graph has the name of a layer of the model, so that it would take nothing: the graph has words, cells, logits, the model tokens, state, predictions": stranger,
	} {
		_, _, err := do(g)
		var f *executor.Failure
		if !errors.As(err, &f) || f.Attr != "from" || !strings.Contains(f.Detail, want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
