package pretrained

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
	lower "mbuild.dev/mbuild/stdlib/graph/mlx"
	"mbuild.dev/mbuild/stdlib/graph/reference"
)

// expected is what transformers computes of a model (testdata/make.py).
type expected struct {
	IDs     [][]int `json:"input_ids"`
	Mask    [][]int `json:"attention_mask"`
	Types   [][]int `json:"token_type_ids"`
	Outputs map[string]struct {
		Shape  []int
		Values []float32
	}
}

// directory loads a model of testdata.
func directory(t testing.TB, dir string, o Options) (*Loaded, error) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	return loaded(t, dir, b, o)
}

// loaded loads the tensors of a directory with another config.json.
func loaded(t testing.TB, dir string, config []byte, o Options) (*Loaded, error) {
	t.Helper()
	c, err := ReadConfig(config)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{}
	for _, f := range files {
		paths[filepath.Base(f)] = f
	}
	index, _ := os.ReadFile(filepath.Join(dir, "model.safetensors.index.json"))
	ckpt, err := Open(paths, index)
	if err != nil {
		return nil, err
	}
	defer ckpt.Close()
	return Load(c, ckpt, o)
}

func expectations(t *testing.T, dir string) *expected {
	b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	e := new(expected)
	if err := json.Unmarshal(b, e); err != nil {
		t.Fatal(err)
	}
	return e
}

func numbers(rows [][]int) []float32 {
	var out []float32
	for _, row := range rows {
		for _, v := range row {
			out = append(out, float32(v))
		}
	}
	return out
}

// TestParity: of every family and head, what transformers computes, in plain loops and on the backend; at positions that are not
// padding.
func TestParity(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*/config.json")
	if err != nil || len(dirs) < 19 {
		t.Fatalf("%d models, %v", len(dirs), err)
	}
	architectures := map[string]bool{}
	for _, d := range dirs {
		dir := filepath.Dir(d)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			e := expectations(t, dir)
			variants := map[string]bool{"": e.Types != nil}
			if e.Types != nil {
				variants["without_types/"] = false
			}
			for prefix, types := range variants {
				l, err := directory(t, dir, Options{Length: len(e.IDs[0]), TokenTypes: types})
				if err != nil {
					t.Fatal(err)
				}
				if len(l.New)+len(l.Left) > 0 {
					t.Errorf("new: %v, left: %v", l.New, l.Left)
				}
				compare(t, l.Model, e, prefix, types)
			}
		})
		b, _ := os.ReadFile(d)
		if c, err := ReadConfig(b); err == nil {
			architectures[c.Architecture] = true
		}
	}
	for name, f := range families {
		for _, h := range f.heads {
			if !architectures[h.architecture] && h.architecture != "BertForPreTraining" { // which is BertForMaskedLM with another head beside it
				t.Errorf("%s: no model of testdata is a %s", name, h.architecture)
			}
		}
	}
}

func compare(t *testing.T, m *bundle.Model, e *expected, prefix string, types bool) {
	t.Helper()
	rows, length := len(e.IDs), len(e.IDs[0])
	inputs := map[string][]float32{idsInput: numbers(e.IDs), maskInput: numbers(e.Mask)}
	if types {
		inputs[typesInput] = numbers(e.Types)
	}
	plain, err := reference.Forward(m, rows, maps.Clone(inputs))
	if err != nil {
		t.Fatal(err)
	}
	s, err := mlx.Open(mlx.Go)
	if err != nil {
		t.Fatal(err)
	}
	p, err := lower.Load(s, m)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	fast, err := p.Forward(rows, inputs)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"last_hidden_state", "pooler_output"}
	if _, ok := e.Outputs[prefix+"logits"]; ok {
		names = []string{"logits"}
	}
	for i, name := range names {
		want, ok := e.Outputs[prefix+name]
		if !ok {
			if i < len(plain) {
				t.Errorf("there is an output %d, which transformers does not have", i)
			}
			continue
		}
		for how, got := range map[string][]float32{"plain loops": plain[i], "backend": fast[i]} {
			if len(got) != len(want.Values) {
				t.Fatalf("%s: %d numbers, want %v", name, len(got), want.Shape)
			}
			worst := 0.0
			for k := range got {
				each := len(got) / rows // of a row
				if len(want.Shape) == 3 && e.Mask[k/each][k%each/(each/length)] == 0 {
					continue
				}
				worst = max(worst, math.Abs(float64(got[k]-want.Values[k]))/max(1, math.Abs(float64(want.Values[k]))))
			}
			if t.Logf("%s%s, %s: off by %.2g", prefix, name, how, worst); !(worst <= 1e-5) {
				t.Errorf("%s%s, %s: off by %g", prefix, name, how, worst)
			}
		}
	}
}

// TestHeads: what a head that is asked for takes of the checkpoint, what is new, and what is left.
func TestHeads(t *testing.T) {
	rate := 0.5
	for _, c := range []struct {
		dir                  string
		head                 Head
		outputs, fresh, left string
		shape                []int
	}{
		{"bert", Head{Kind: "hidden"}, "layer1_norm", "", "pooler.dense.bias pooler.dense.weight", []int{10, 16}},
		{"bert", Head{Kind: "embedding", Normalize: true}, "embedding", "", "pooler.dense.bias pooler.dense.weight", []int{16}},
		{"bert", Head{Kind: "classification", Outputs: 7, Dropout: &rate}, "classifier", "classifier", "", []int{7}},
		{"bert_masked", Head{Kind: "classification", Outputs: 7}, "classifier", "pooler classifier", "cls.predictions.bias cls.predictions.transform.LayerNorm.bias cls.predictions.transform.LayerNorm.weight cls.predictions.transform.dense.bias cls.predictions.transform.dense.weight", []int{7}},
		{"bert_classification", Head{Kind: "classification", Outputs: 3, Pool: "mean"}, "classifier", "classifier", "bert.pooler.dense.bias bert.pooler.dense.weight classifier.bias classifier.weight", []int{3}},
		{"bert_classification", Head{Kind: "language_model"}, "predictions", "transform transform_norm predictions", "bert.pooler.dense.bias bert.pooler.dense.weight classifier.bias classifier.weight", []int{10, 40}},
		{"bert_masked", Head{Kind: "language_model"}, "predictions", "", "", []int{10, 40}},
		{"distilbert", Head{Kind: "tagging", Outputs: 9}, "classifier", "classifier", "", []int{10, 9}},
		{"roberta_classification", Head{Kind: "embedding", Pool: "max"}, "pool", "", "classifier.dense.bias classifier.dense.weight classifier.out_proj.bias classifier.out_proj.weight", []int{16}},
		{"gpt2", Head{Kind: "language_model"}, "predictions", "", "", []int{10, 40}},
		{"gpt2_untied", Head{Kind: "classification", Outputs: 2}, "classifier", "classifier", "", []int{2}},
	} {
		l, err := directory(t, "testdata/"+c.dir, Options{Length: 10, Head: &c.head, Seed: 1})
		if err != nil {
			t.Errorf("%s, %+v: %v", c.dir, c.head, err)
			continue
		}
		m := l.Model
		if got := strings.Join(m.Graph.Outputs, " "); got != c.outputs || !slices.Equal(m.Info.Shapes[m.Graph.Outputs[0]], c.shape) {
			t.Errorf("%s, %+v: output %s of %v", c.dir, c.head, got, m.Info.Shapes[m.Graph.Outputs[0]])
		}
		if got := strings.Join(l.New, " "); got != c.fresh {
			t.Errorf("%s, %+v: new are %q, want %q", c.dir, c.head, got, c.fresh)
		}
		if got := strings.Join(l.Left, " "); got != c.left {
			t.Errorf("%s, %+v: left are %q, want %q", c.dir, c.head, got, c.left)
		}
		again, err := directory(t, "testdata/"+c.dir, Options{Length: 10, Head: &c.head, Seed: 1})
		if err != nil || !slices.EqualFunc(l.New, again.New, func(a, b string) bool {
			return maps.EqualFunc(m.Params[a], again.Model.Params[b], func(x, y *bundle.Tensor) bool { return slices.Equal(x.Data, y.Data) })
		}) {
			t.Errorf("%s, %+v: another time it is another, %v", c.dir, c.head, err)
		}
	}
}

// edit changes a key of a config.json; nil takes it out.
func edit(t *testing.T, dir string, changes map[string]any) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for k, v := range changes {
		if m[k] = v; v == nil {
			delete(m, k)
		}
	}
	b, err = json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct {
		dir    string
		change map[string]any
		want   string
	}{
		{"bert", map[string]any{"model_type": "llama"}, `config.json: model_type is "llama"; mbuild reads "bert", "camembert", "distilbert", "gpt2", "roberta" and "xlm-roberta"`},
		{"bert", map[string]any{"vocab_size": 41}, `the tensor "embeddings.word_embeddings.weight" in model.safetensors has shape [40 16], and config.json makes it [41 16] (vocab_size = 41, hidden_size = 16)`},
		{"bert", map[string]any{"hidden_size": 8}, `the tensor "embeddings.word_embeddings.weight" in model.safetensors has shape [40 16], and config.json makes it [40 8] (vocab_size = 40, hidden_size = 8)`},
		{"bert", map[string]any{"intermediate_size": 25}, `the tensor "encoder.layer.0.intermediate.dense.weight" in model.safetensors has shape [24 16], and config.json makes it [25 16] (hidden_size = 16, intermediate_size = 25)`},
		{"bert", map[string]any{"num_hidden_layers": 1}, `config.json says num_hidden_layers = 1, and the files have tensors of more: encoder.layer.1.attention.output.LayerNorm.bias, `},
		{"bert", map[string]any{"num_hidden_layers": 3}, `the files lack tensors of a model of type "bert" with num_hidden_layers = 3: encoder.layer.2.attention.self.query.weight, `},
		{"bert", map[string]any{"num_hidden_layers": "two"}, `config.json: num_hidden_layers is a string, where float64 is expected`},
		{"bert", map[string]any{"num_hidden_layers": 1e9}, `config.json: num_hidden_layers is 1e+09; it must be a whole number from 1 to 1000`},
		{"bert", map[string]any{"num_attention_heads": 3}, `config.json: hidden_size is 16 and num_attention_heads 3; the heads must divide it`},
		{"bert", map[string]any{"hidden_size": nil}, `config.json: hidden_size is missing`},
		{"bert", map[string]any{"hidden_act": "snake"}, `config.json: hidden_act is "snake"; mbuild knows `},
		{"bert", map[string]any{"position_embedding_type": "relative_key"}, `config.json: position_embedding_type is relative_key, which mbuild does not compute; it reads models with absolute`},
		{"bert", map[string]any{"is_decoder": true}, `config.json: is_decoder is true, which mbuild does not compute`},
		{"bert", map[string]any{"architectures": []string{"BertForQuestionAnswering"}}, `config.json: the architecture is "BertForQuestionAnswering"; of type "bert" mbuild knows "BertModel", "BertForSequenceClassification", `},
		{"bert_classification", map[string]any{"id2label": map[string]string{"0": "a", "1": "b"}}, `the tensor "classifier.weight" in model.safetensors has shape [3 16], and config.json makes it [2 16] (2 labels, hidden_size = 16)`},
		{"bert_classification", map[string]any{"model_type": "distilbert", "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "architectures": []string{"DistilBertModel"}}, `the files lack tensors of a model of type "distilbert" with n_layers = 2: embeddings.word_embeddings.weight`},
		{"gpt2_untied", map[string]any{"tie_word_embeddings": true}, `config.json says that the output has the weight of the token embedding (tie_word_embeddings), and the tensor "lm_head.weight" is another`},
		{"gpt2_language_model", map[string]any{"tie_word_embeddings": false}, `the files lack tensors of a model of type "gpt2" with n_layer = 2: lm_head.weight`},
	} {
		_, err := loaded(t, "testdata/"+c.dir, edit(t, "testdata/"+c.dir, c.change), Options{Length: 10})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v\nwant %s", c.change, err, c.want)
		}
	}
	for _, bad := range []string{"", "[]", "{", `{"model_type": 3}`, `{"model_type": "bert"}`} {
		if _, err := ReadConfig([]byte(bad)); err == nil || !strings.HasPrefix(err.Error(), "config.json: ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, o := range []Options{{Length: 13}, {Length: -1}} {
		if _, err := directory(t, "testdata/bert", o); err == nil || !strings.Contains(err.Error(), "the model has positions for sequences of 1 to 12 (max_position_embeddings = 12)") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := directory(t, "testdata/gpt2", Options{TokenTypes: true}); err == nil || !strings.Contains(err.Error(), `a model of type "gpt2" has no types of tokens`) {
		t.Error(err)
	}
	for _, h := range []Head{{Kind: "answers"}, {Kind: "tagging"}, {Kind: "embedding", Pool: "middle"}} {
		if _, err := directory(t, "testdata/bert", Options{Head: &h}); err == nil || !strings.Contains(err.Error(), "there ") && !strings.Contains(err.Error(), "at least 1 output") {
			t.Errorf("%+v: %v", h, err)
		}
	}
}

// TestTensorErrors: files with a tensor less, more, twice, or of another type.
func TestTensorErrors(t *testing.T) {
	const dir = "testdata/bert"
	ts, meta, err := safetensors.ReadFile(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) int {
		return slices.IndexFunc(ts, func(t safetensors.Tensor) bool { return t.Name == name })
	}
	for _, c := range []struct {
		change func(all []safetensors.Tensor) map[string][]safetensors.Tensor
		index  string
		want   string
	}{
		{func(all []safetensors.Tensor) map[string][]safetensors.Tensor {
			return map[string][]safetensors.Tensor{"a": slices.Delete(all, at("encoder.layer.1.output.dense.bias"), at("encoder.layer.1.output.dense.bias")+1)}
		}, "", "the files lack tensors of a model of type \"bert\" with num_hidden_layers = 2: encoder.layer.1.output.dense.bias"},
		{func(all []safetensors.Tensor) map[string][]safetensors.Tensor {
			return map[string][]safetensors.Tensor{"a": append(all, safetensors.Tensor{Name: "extra.weight", DType: "F32", Shape: []int{1}, Data: make([]byte, 4)})}
		}, "", "the files have tensors that a model of type \"bert\" does not: extra.weight"},
		{func(all []safetensors.Tensor) map[string][]safetensors.Tensor {
			return map[string][]safetensors.Tensor{"a": all[:10], "b": all[9:]}
		}, "", fmt.Sprintf("a and b both have a tensor %q", ts[9].Name)},
		{func(all []safetensors.Tensor) map[string][]safetensors.Tensor {
			twin := all[at("embeddings.word_embeddings.weight")]
			twin.Name = "bert." + twin.Name
			return map[string][]safetensors.Tensor{"a": append(all, twin)}
		}, "", `there are tensors "bert.embeddings.word_embeddings.weight" and "embeddings.word_embeddings.weight", which are one`},
		{func(all []safetensors.Tensor) map[string][]safetensors.Tensor {
			i := at("pooler.dense.bias")
			all[i].DType, all[i].Data = "I64", make([]byte, 16*8)
			return map[string][]safetensors.Tensor{"a": all}
		}, "", `the tensor "pooler.dense.bias" in a is of type I64; parameters are F32, F16 or BF16`},
		{func(all []safetensors.Tensor) map[string][]safetensors.Tensor {
			return map[string][]safetensors.Tensor{"a": all}
		}, `{"weight_map": {"x": "b", "pooler.dense.bias": "a"}}`, "the index of the shards is not what they have: x should be in b, which is not among the files, embeddings.LayerNorm.bias is not in the index, "},
		{func(all []safetensors.Tensor) map[string][]safetensors.Tensor {
			return map[string][]safetensors.Tensor{"a": all}
		}, `{"weight_map": 3}`, "the index of the shards: json: cannot unmarshal"},
	} {
		paths := map[string]string{}
		for name, part := range c.change(slices.Clone(ts)) {
			paths[name] = filepath.Join(t.TempDir(), name)
			if err := safetensors.WriteFile(paths[name], part, meta); err != nil {
				t.Fatal(err)
			}
		}
		var index []byte
		if c.index != "" {
			index = []byte(c.index)
		}
		ckpt, err := Open(paths, index)
		if err == nil {
			cfg, cerr := ReadConfig(config)
			if cerr != nil {
				t.Fatal(cerr)
			}
			_, err = Load(cfg, ckpt, Options{})
			ckpt.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
}

// TestOldNames: gamma and beta of norms, position_ids, and the head of the pre-training.
func TestOldNames(t *testing.T) {
	ts, meta, err := safetensors.ReadFile("testdata/bert/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	for i := range ts {
		ts[i].Name = "bert." + strings.NewReplacer("LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta").Replace(ts[i].Name)
	}
	ts = append(ts, safetensors.Tensor{Name: "bert.embeddings.position_ids", DType: "I64", Shape: []int{1, 12}, Data: make([]byte, 96)},
		safetensors.Tensor{Name: "cls.seq_relationship.bias", DType: "F32", Shape: []int{2}, Data: make([]byte, 8)},
		safetensors.Tensor{Name: "cls.predictions.transform.LayerNorm.gamma", DType: "F32", Shape: []int{16}, Data: make([]byte, 64)})
	dir := t.TempDir()
	if err := safetensors.WriteFile(filepath.Join(dir, "model.safetensors"), ts, meta); err != nil {
		t.Fatal(err)
	}
	l, err := loaded(t, dir, edit(t, "testdata/bert", nil), Options{Length: 10, TokenTypes: true})
	if err != nil || len(l.Left) != 1 {
		t.Fatalf("%+v, %v", l, err)
	}
	compare(t, l.Model, expectations(t, "testdata/bert"), "", true)
}

// TestSaved: a model that was read is a bundle like any other.
func TestSaved(t *testing.T) {
	l, err := directory(t, "testdata/gpt2_classification", Options{Length: 10})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := bundle.Write(dir, l.Model); err != nil {
		t.Fatal(err)
	}
	m, err := bundle.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, m, expectations(t, "testdata/gpt2_classification"), "", false)
	if groups := m.Graph.Elastic(); len(groups) != 1 || len(groups[0]) != 2 {
		t.Errorf("shorter sequences: %v", groups)
	}
}

// FuzzConfig: no config.json makes a graph that is not sound, or that is built without bound.
func FuzzConfig(f *testing.F) {
	dirs, _ := filepath.Glob("testdata/*/config.json")
	for _, d := range dirs {
		b, err := os.ReadFile(d)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ReadConfig(b)
		if err != nil {
			return
		}
		for _, h := range []*Head{nil, {Kind: "classification", Outputs: 2}, {Kind: "language_model"}} {
			if g, err := build(c, Options{Head: h}, func(string) bool { return true }); err == nil {
				_, _ = graph.Infer(g.g)
			}
		}
	})
}

// FuzzIndex: no index of shards is taken that is not what the files have.
func FuzzIndex(f *testing.F) {
	b, err := os.ReadFile("testdata/bert_tagging/model.safetensors.index.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"weight_map": {"a": "x"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var index struct {
			WeightMap map[string]string `json:"weight_map"`
		}
		err := checkIndex(b, map[string]string{"x": "/x"}, map[string]string{"a": "x"})
		if err == nil && (json.Unmarshal(b, &index) != nil || len(index.WeightMap) != 1 || index.WeightMap["a"] != "x") {
			t.Errorf("%q is taken", b)
		}
	})
}

// FuzzLoad: no pair of config.json and tensors breaks the loader; what it takes is a sound model.
func FuzzLoad(f *testing.F) {
	for _, dir := range []string{"bert_classification", "gpt2", "distilbert"} {
		config, err := os.ReadFile("testdata/" + dir + "/config.json")
		if err != nil {
			f.Fatal(err)
		}
		weights, err := os.ReadFile("testdata/" + dir + "/model.safetensors")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(config, weights, uint8(0))
		f.Add(config, weights, uint8(1))
	}
	heads := []*Head{nil, {Kind: "classification", Outputs: 2}, {Kind: "embedding"}}
	f.Fuzz(func(t *testing.T, config, weights []byte, head uint8) {
		c, err := ReadConfig(config)
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "a")
		if err := os.WriteFile(path, weights, 0o644); err != nil {
			t.Fatal(err)
		}
		ckpt, err := Open(map[string]string{"a": path}, nil)
		if err != nil {
			return
		}
		defer ckpt.Close()
		l, err := Load(c, ckpt, Options{Head: heads[int(head)%len(heads)], Length: min(8, c.Length())})
		if err == nil {
			if err := l.Model.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
