package stdlib

import (
	"context"
	"encoding/json"

	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/report"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/learn"
)

// bench runs verbs of kinds over files, without a planner.
type bench struct {
	t   *testing.T
	ids int
}

// do runs a verb and returns where its outputs are, and its log.
func (b *bench) do(kind, verb string, params map[string]any, inputs map[string]string, outputs ...string) (map[string]string, string, error) {
	b.t.Helper()
	b.ids++
	var log strings.Builder
	job := &executor.Job{ID: b.ids, Addr: kind, Params: params, Inputs: map[string]executor.JobInput{}, Outputs: map[string]string{}, Backend: "go", Log: &log, Memory: &executor.Memory{},
		Metrics: map[string]float64{}, Progress: func(int64, int64, map[string]float64) {}, Scratch: b.t.TempDir()}
	for name, path := range inputs {
		job.Inputs[name] = executor.JobInput{Path: path, Digest: "sha256:" + path, Display: filepath.Base(path)}
	}
	for _, name := range outputs {
		job.Outputs[name] = filepath.Join(b.t.TempDir(), name)
		if name == "model" || kind == "target.huggingface" {
			if err := os.Mkdir(job.Outputs[name], 0o755); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	for _, k := range Kinds() {
		if k.Name() == kind {
			err := k.Runs[verb].Func(context.Background(), job)
			return job.Outputs, log.String(), err
		}
	}
	b.t.Fatalf("there is no kind %s", kind)
	return nil, "", nil
}

func (b *bench) must(kind, verb string, params map[string]any, inputs map[string]string, outputs ...string) map[string]string {
	b.t.Helper()
	out, _, err := b.do(kind, verb, params, inputs, outputs...)
	if err != nil {
		b.t.Fatalf("%s %s: %v", kind, verb, err)
	}
	return out
}

// texts writes a dataset of rows of tokens below 40: of class 1 where token 7 is among them; tagged, a token is B after a 7.
func (b *bench) texts(tags bool) string {
	r := mlx.NewRandom(2, "texts")
	m := &dataset.Manifest{Sequences: []dataset.Sequence{{Name: "text", MaxLength: 10, Lengths: []int{5, 10}, VocabSize: 40, Tokenizer: "sha256:" + strings.Repeat("0", 64)}},
		Inputs: []dataset.Input{{Name: "input_ids", Shape: []int{10}, DType: "I32", Sequence: "text", Part: dataset.PartIDs}, {Name: "attention_mask", Shape: []int{10}, DType: "I32", Sequence: "text", Part: dataset.PartMask}},
		Label:  &dataset.Label{Name: "y", Kind: "class", Classes: []string{"no", "yes"}}}
	if tags {
		m.Label = &dataset.Label{Name: "y", Kind: "tags", Classes: []string{"O", "B"}, Of: "text", Scheme: "none"}
	}
	splits := map[string]*dataset.Data{}
	for _, name := range []string{"train", "test"} {
		t := &dataset.Tokens{}
		d := &dataset.Data{Rows: 240, Tokens: map[string]*dataset.Tokens{"text": t}}
		for row := range d.Rows {
			class, last := int32(0), int32(0)
			for range 2 + int(r.Below(9)) {
				id := int32(5 + r.Below(6))
				t.IDs = append(t.IDs, id)
				tag := int32(0)
				if last == 7 {
					tag = 1
				}
				if id == 7 {
					class = 1
				}
				if last = id; tags {
					d.Classes, t.Words = append(d.Classes, tag), append(t.Words, 0)
				}
			}
			t.Ends, d.Source = append(t.Ends, int64(len(t.IDs))), append(d.Source, int64(row))
			if !tags {
				d.Classes = append(d.Classes, class)
			}
		}
		m.Splits, splits[name] = append(m.Splits, dataset.Split{Name: name, Rows: d.Rows}), d
	}
	dir := b.t.TempDir()
	if err := dataset.Write(dir, m, splits); err != nil {
		b.t.Fatal(err)
	}
	return dir
}

func config(groups ...any) map[string]any {
	return map[string]any{"loss": "cross_entropy", "batch": int64(16), "shuffle": true, "seed": int64(1), "group": groups,
		"optimizer": map[string]any{"type": "adamw", "lr": 0.006, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01}}
}

// tagged is the share of tokens of the test split that a model tags right.
func (b *bench) tagged(model, data string) float64 {
	m, err := bundle.Read(model)
	if err != nil {
		b.t.Fatal(err)
	}
	manifest, err := dataset.ReadManifest(data)
	if err != nil {
		b.t.Fatal(err)
	}
	d, err := dataset.Read(data, manifest, "test")
	if err != nil {
		b.t.Fatal(err)
	}
	s, err := mlx.Open(mlx.Go)
	if err != nil {
		b.t.Fatal(err)
	}
	out, err := learn.Predict(context.Background(), s, m, d)
	if err != nil || len(out) != 2*len(d.Classes) {
		b.t.Fatalf("%d numbers for %d tokens, %v", len(out), len(d.Classes), err)
	}
	right := 0
	for i, c := range d.Classes {
		if (out[2*i+1] > out[2*i]) == (c == 1) {
			right++
		}
	}
	return float64(right) / float64(len(d.Classes))
}

// TestFineTune: a checkpoint of transformers gets another head, is trained with its embeddings and first block frozen, evaluated,
// pruned, quantised and exported.
func TestFineTune(t *testing.T) {
	for _, tags := range []bool{false, true} {
		b := &bench{t: t}
		data := b.texts(tags)
		head := map[string]any{"type": "classification", "outputs": int64(2)}
		if tags {
			head["type"] = "tagging"
		}
		const dir = "pretrained/testdata/bert/"
		out, log, err := b.do("model.pretrained", "", map[string]any{"token_types": false, "seed": int64(0), "length": int64(12), "head": head},
			map[string]string{"config": dir + "config.json", "weights0": dir + "model.safetensors"}, "graph", "model")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log, "new, for the files have nothing for them: classifier") {
			t.Errorf("log: %s", log)
		}
		before, err := bundle.Read(out["model"])
		if err != nil {
			t.Fatal(err)
		}
		freeze := map[string]any{"match": []any{"tokens", "positions", "types", "embeddings_*", "layer0_*"}, "freeze": true}
		inputs := map[string]string{"model": out["model"], "data": data}
		var trained map[string]string
		for range 16 {
			trained = b.must("train.supervised", "segment", config(freeze), inputs, "model", "state", "history")
			inputs = map[string]string{"model": trained["model"], "state": trained["state"], "history": trained["history"], "data": data}
		}
		after, err := bundle.Read(trained["model"])
		if err != nil {
			t.Fatal(err)
		}
		for layer, ps := range before.Params {
			frozen := !strings.HasPrefix(layer, "layer1_") && layer != "pooler" && layer != "classifier"
			for name, p := range ps {
				if same := slices.Equal(p.Data, after.Params[layer][name].Data); same != frozen {
					t.Errorf("tags %v: %s/%s: frozen is %v, unchanged is %v", tags, layer, name, frozen, same)
				}
			}
		}
		accuracy := func(model string) float64 {
			if tags {
				return b.tagged(model, data)
			}
			out := b.must("eval.classification", "evaluate", map[string]any{"split": "test"}, map[string]string{"model": model, "data": data}, "report", "predictions")
			r, err := report.Read(out["report"])
			if err != nil {
				t.Fatal(err)
			}
			ts, _, err := safetensors.ReadFile(out["predictions"])
			if err != nil || len(ts) != 4 {
				t.Fatalf("predictions: %d tensors, %v", len(ts), err)
			}
			return r.Metrics["accuracy"]
		}
		if a := accuracy(trained["model"]); a < 0.95 {
			t.Errorf("tags %v: accuracy %g", tags, a)
		}
		pruned := b.must("pass.prune", "prune", map[string]any{"sparsity": 0.1, "scope": "global"}, map[string]string{"model": trained["model"]}, "model", "effect")
		small := b.must("pass.quantize", "", map[string]any{"scheme": "dynamic_int8"}, map[string]string{"model": pruned["model"]}, "model", "effect")
		if a := accuracy(small["model"]); a < 0.9 {
			t.Errorf("tags %v: accuracy %g after pruning and quantization", tags, a)
		}
		file := b.must("target.onnx", "", nil, map[string]string{"model": small["model"]}, "artifact")
		onnx, err := os.ReadFile(file["artifact"])
		if err != nil || !strings.Contains(string(onnx), "sequence") || !strings.Contains(string(onnx), "MatMulInteger") {
			t.Errorf("ONNX of %d bytes, %v", len(onnx), err)
		}
	}
}

// TestPretrainedRun: what the files lack or contradict is a failure at the attribute.
func TestPretrainedRun(t *testing.T) {
	b := &bench{t: t}
	const dir = "pretrained/testdata/"
	params := func() map[string]any { return map[string]any{"token_types": false, "seed": int64(0)} }
	for _, c := range []struct {
		change       func(p map[string]any, in map[string]string)
		attr, detail string
	}{
		{func(_ map[string]any, in map[string]string) { in["weights0"] = dir + "gpt2/model.safetensors" }, "files", `the files lack tensors of a model of type "bert" with num_hidden_layers = 2: embeddings.word_embeddings.weight, `},
		{func(_ map[string]any, in map[string]string) { in["weights0"] = dir + "bert/config.json" }, "files", "config.json: not a safetensors file"},
		{func(p map[string]any, _ map[string]string) { p["length"] = int64(13) }, "length", "length does not fit: it is 13, and the model has positions for sequences of 1 to 12"},
	} {
		p, in := params(), map[string]string{"config": dir + "bert/config.json", "weights0": dir + "bert/model.safetensors"}
		c.change(p, in)
		_, _, err := b.do("model.pretrained", "", p, in, "graph", "model")
		f, ok := err.(*executor.Failure)
		if !ok || f.Attr != c.attr || !strings.Contains(f.Detail, c.detail) {
			t.Errorf("%v\nwant %s", err, c.detail)
		}
	}
	in := map[string]string{"config": dir + "bert_tagging/config.json", "index": dir + "bert_tagging/model.safetensors.index.json"}
	var names []any
	for i, name := range []string{"1", "2", "3", "4"} {
		names = append(names, "model-0000"+name+"-of-00004.safetensors")
		in["weights"+string(rune('0'+i))] = dir + "bert_tagging/" + names[i].(string)
	}
	p := params()
	p["names"] = names
	out := b.must("model.pretrained", "", p, in, "graph", "model")
	m, err := bundle.Read(out["model"])
	if err != nil || m.Graph.Outputs[0] != "classifier" {
		t.Errorf("%v", err)
	}
	var g map[string]any
	if enc, err := os.ReadFile(out["graph"]); err != nil || json.Unmarshal(enc, &g) != nil || g["layers"] == nil {
		t.Errorf("graph: %v", err)
	}
}
