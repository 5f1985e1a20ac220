package pretrained

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor/mlx"
	"mbuild.dev/mbuild/stdlib/adapt"
	"mbuild.dev/mbuild/stdlib/artifact/adapter"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph/reference"
)

// peftModel is the tiny BERT that testdata/peft/adapter was made on.
func peftModel(t testing.TB) *bundle.Model {
	t.Helper()
	l, err := directory(t, "testdata/peft/base", Options{Length: 8})
	if err != nil {
		t.Fatal(err)
	}
	return l.Model
}

func peftFiles(t testing.TB) ([]byte, []safetensors.Tensor) {
	t.Helper()
	config, err := os.ReadFile("testdata/peft/adapter/adapter_config.json")
	if err != nil {
		t.Fatal(err)
	}
	ts, _, err := safetensors.ReadFile("testdata/peft/adapter/adapter_model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	return config, ts
}

// over is the output of a model over rows of token ids.
func over(t *testing.T, m *bundle.Model, ids ...[]int) []float32 {
	t.Helper()
	var x, mask, types []float32
	for _, row := range ids {
		for _, id := range row {
			x, mask, types = append(x, float32(id)), append(mask, 1), append(types, 0)
		}
	}
	out, err := reference.Forward(m, len(ids), map[string][]float32{idsInput: x, maskInput: mask, typesInput: types})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// TestPEFT: an adapter of the PEFT library gives the logits that the library computes, beside the model and merged into it; and
// goes back to the tensors that it came from, to the byte, with a configuration that says the same.
func TestPEFT(t *testing.T) {
	var want struct {
		Keys    [][]any        `json:"keys"`
		Config  map[string]any `json:"config"`
		IDs     [][]int        `json:"input_ids"`
		Logits  [][]float64    `json:"logits"`
		Merged  [][]float64    `json:"merged"`
		Reloads [][]float64    `json:"reload"`
	}
	b, err := os.ReadFile("testdata/peft/outputs.json")
	if err != nil || json.Unmarshal(b, &want) != nil {
		t.Fatal(err)
	}
	base := peftModel(t)
	config, ts := peftFiles(t)
	a, err := LoadPEFT(base, "sha256:b", config, ts)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(a.Config.Targets, a.Config.ModulesToSave, a.Config.Rank, a.Config.Alpha) != "[layer0_query layer0_value] [classifier] 4 8" {
		t.Errorf("%+v", a.Config)
	}
	m, err := a.Over(base, "sha256:b")
	if err != nil {
		t.Fatal(err)
	}
	merged, err := adapt.Merge(base, "sha256:b", a)
	if err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string][]float32{"beside": over(t, m, want.IDs...), "merged": over(t, merged, want.IDs...)} {
		for i, x := range got {
			if d := math.Abs(float64(x) - want.Logits[0][i]); d > 1e-6 {
				t.Errorf("%s: logit %d is %g, and PEFT gives %g", what, i, x, want.Logits[0][i])
			}
		}
	}
	if d := math.Abs(float64(over(t, base, want.IDs...)[0]) - want.Logits[0][0]); d < 2e-5 {
		t.Errorf("the model without the adapter gives the same: %g apart", d)
	}
	saved, err := SavePEFT(a, "")
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(ts, func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) })
	for i, s := range saved.Tensors {
		if i >= len(ts) || s.Name != ts[i].Name || s.DType != ts[i].DType || !slices.Equal(s.Shape, ts[i].Shape) || !bytes.Equal(s.Data, ts[i].Data) {
			t.Errorf("tensor %d is %s %v", i, s.Name, s.Shape)
		}
		if k := want.Keys[i]; s.Name != k[0] || fmt.Sprint(s.Shape) != fmt.Sprint(k[1]) || s.DType != k[2] {
			t.Errorf("tensor %d is %s %v %s, and PEFT writes %v", i, s.Name, s.Shape, s.DType, k)
		}
	}
	if len(saved.Tensors) != len(want.Keys) {
		t.Errorf("%d tensors, want %d", len(saved.Tensors), len(want.Keys))
	}
	var got map[string]any
	if err := json.Unmarshal(saved.Config, &got); err != nil {
		t.Fatal(err)
	}
	for k, v := range got {
		w, ok := want.Config[k]
		switch {
		case !ok:
			t.Errorf("config has %s, which PEFT does not write", k)
		case k == "target_modules" || k == "modules_to_save": // PEFT's order is that of a set, and names what it takes for granted of a task
			for _, x := range v.([]any) {
				if !slices.Contains(w.([]any), x) {
					t.Errorf("config %s has %v, PEFT %v", k, v, w)
				}
			}
			if k == "target_modules" && len(v.([]any)) != len(w.([]any)) {
				t.Errorf("config %s is %v, PEFT has %v", k, v, w)
			}
		case fmt.Sprint(v) != fmt.Sprint(w):
			t.Errorf("config %s is %v, PEFT has %v", k, v, w)
		}
	}
}

// TestPEFTFamilies: for each family and head, adapters of all forms go to the layout of PEFT and come back, and compute the same.
func TestPEFTFamilies(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*/config.json")
	if err != nil || len(dirs) < 10 {
		t.Fatal(err)
	}
	r := mlx.NewRandom(4, "peft")
	for _, d := range dirs {
		dir := filepath.Dir(d)
		name := filepath.Base(dir)
		l, err := directory(t, dir, Options{Length: 8})
		if err != nil {
			t.Fatal(err)
		}
		base := l.Model
		for i, c := range []adapter.Config{
			{Targets: []string{"*_query", "*_value"}, Rank: 2, Alpha: 3},
			{Targets: []string{"layer0_*", "layer1_key"}, Rank: 3, Alpha: 4, RSLoRA: true},
			{Targets: []string{"*_inner", "layer1_output"}, Rank: 2, Alpha: 2, Bias: "all", Dropout: 0.1},
			{Targets: []string{"*_outer"}, Rank: 1, Alpha: 5, Bias: "lora_only", ModulesToSave: []string{"layer0_attention_norm", "tokens"}},
			{Targets: []string{"*_query"}, Rank: 2, Alpha: 3, ModulesToSave: []string{"classifier", "pooler"}},
		} {
			if c.Type = adapter.LoRA; c.Bias == "" {
				c.Bias = "none"
			}
			c.ModulesToSave = slices.DeleteFunc(c.ModulesToSave, func(l string) bool { return base.Graph.Layer(l) == nil })
			if c.Bias == "all" && base.Graph.Layer("predictions") != nil {
				continue // a bias without a module
			}
			a, err := adapt.New(base, "sha256:b", c, 1)
			if err != nil {
				t.Fatalf("%s %d: %v", name, i, err)
			}
			for layer, ps := range a.Params {
				for param, p := range ps {
					v := slices.Clone(p.Float32s())
					for j := range v {
						v[j] += float32(0.3 * r.Normal())
					}
					a.Params[layer][param] = bundle.Float32(p.Shape, v)
				}
			}
			saved, err := SavePEFT(a, "org/model")
			if err != nil {
				t.Fatalf("%s %d: %v", name, i, err)
			}
			back, err := LoadPEFT(base, "sha256:b", saved.Config, saved.Tensors)
			if err != nil {
				t.Fatalf("%s %d: %v", name, i, err)
			}
			ids := [][]int{{5, 6, 7, 8, 9, 10, 11, 12}, {20, 21, 22, 5, 4, 3, 6, 7}}
			one, _ := a.Over(base, "sha256:b")
			two, _ := back.Over(base, "sha256:b")
			x, y, z := over(t, base, ids...), over(t, one, ids...), over(t, two, ids...)
			apart, moved := 0.0, 0.0
			for j := range x {
				apart, moved = max(apart, math.Abs(float64(y[j]-z[j]))), max(moved, math.Abs(float64(y[j]-x[j])))
			}
			if apart > 1e-5 || moved < 1e-4 {
				t.Errorf("%s %d: off by %g after a round trip; the adapter moves outputs by %g", name, i, apart, moved)
			}
			again, err := SavePEFT(back, "org/model")
			if err != nil {
				t.Fatalf("%s %d: %v", name, i, err)
			}
			names := func(p *PEFT) (out []string) {
				for _, t := range p.Tensors {
					out = append(out, t.Name)
				}
				return out
			}
			if !slices.Equal(names(again), names(saved)) {
				t.Errorf("%s %d: %v\nand then %v", name, i, names(saved), names(again))
			}
			if !strings.HasPrefix(name, "gpt2") && !bytes.Equal(again.Config, saved.Config) {
				t.Errorf("%s %d: %s\nand then %s", name, i, saved.Config, again.Config)
			}
		}
	}
}

// TestPEFTConfig: the names that PEFT matches modules by, ranks of fused modules, and what a task takes for granted.
func TestPEFTConfig(t *testing.T) {
	for _, c := range []struct {
		dir    string
		config adapter.Config
		want   []string
	}{
		{"bert_classification", adapter.Config{Targets: []string{"layer0_query"}, Rank: 2, Alpha: 2}, []string{`"target_modules":["bert.encoder.layer.0.attention.self.query"]`, `"task_type":null`, `"modules_to_save":null`, `"fan_in_fan_out":false`}},
		{"bert_classification", adapter.Config{Targets: []string{"*_query"}, Rank: 2, Alpha: 2, ModulesToSave: []string{"classifier"}}, []string{`"target_modules":["query"]`, `"task_type":"SEQ_CLS"`, `"modules_to_save":["classifier"]`}},
		{"roberta_classification", adapter.Config{Targets: []string{"*_query"}, Rank: 2, Alpha: 2, ModulesToSave: []string{"classifier", "pooler"}}, []string{`"task_type":"SEQ_CLS"`, `"modules_to_save":["classifier"]`}},
		{"roberta_classification", adapter.Config{Targets: []string{"*_query"}, Rank: 2, Alpha: 2, ModulesToSave: []string{"classifier"}}, []string{`"task_type":null`, `"modules_to_save":["classifier.out_proj"]`}},
		{"distilbert_tagging", adapter.Config{Targets: []string{"*_query", "*_value"}, Rank: 2, Alpha: 2, ModulesToSave: []string{"classifier"}}, []string{`"task_type":"TOKEN_CLS"`, `"target_modules":["q_lin","v_lin"]`}},
		{"gpt2_language_model", adapter.Config{Targets: []string{"*_query", "*_value"}, Rank: 2, Alpha: 3}, []string{`"task_type":"CAUSAL_LM"`, `"target_modules":["c_attn"]`, `"r":4`, `"lora_alpha":6`, `"rank_pattern":{}`, `"fan_in_fan_out":true`}},
		{"gpt2_language_model", adapter.Config{Targets: []string{"*_query", "*_value", "*_inner"}, Rank: 2, Alpha: 3}, []string{`"target_modules":["c_attn","c_fc"]`, `"r":2`, `"lora_alpha":3`, `"rank_pattern":{"transformer.h.0.attn.c_attn":4,"transformer.h.1.attn.c_attn":4}`, `"alpha_pattern":{"transformer.h.0.attn.c_attn":6,`}},
		{"gpt2_classification", adapter.Config{Targets: []string{"*_query"}, Rank: 2, Alpha: 3, ModulesToSave: []string{"classifier"}}, []string{`"task_type":"SEQ_CLS"`, `"modules_to_save":["score"]`}},
	} {
		l, err := directory(t, "testdata/"+c.dir, Options{Length: 8})
		if err != nil {
			t.Fatal(err)
		}
		c.config.Type = adapter.LoRA
		a, err := adapt.New(l.Model, "", c.config, 1)
		if err != nil {
			t.Fatal(err)
		}
		p, err := SavePEFT(a, "")
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := json.Compact(&b, p.Config); err != nil {
			t.Fatal(err)
		}
		for _, w := range c.want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%s: no %s in %s", c.dir, w, b.String())
			}
		}
	}
}

// TestPEFTErrors: what is no adapter of the model is said, by name.
func TestPEFTErrors(t *testing.T) {
	base := peftModel(t)
	tensor := func(name string, shape ...int) safetensors.Tensor {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return safetensors.Tensor{Name: name, DType: "F32", Shape: shape, Data: make([]byte, 4*n)}
	}
	const query = "base_model.model.bert.encoder.layer.0.attention.self.query."
	for _, c := range []struct {
		config func(string) string
		change func([]safetensors.Tensor) []safetensors.Tensor
		want   string
	}{
		{func(string) string { return "{" }, nil, "adapter_config.json: unexpected end"},
		{func(s string) string { return strings.Replace(s, `"LORA"`, `"IA3"`, 1) }, nil, `peft_type is "IA3"; mbuild reads LORA`},
		{func(s string) string { return strings.Replace(s, `"use_dora": false`, `"use_dora": true`, 1) }, nil, "use_dora is true, which mbuild does not compute"},
		{func(s string) string { return strings.Replace(s, `"r": 4`, `"r": 0`, 1) }, nil, "r is 0"},
		{func(s string) string { return strings.Replace(s, `"r": 4`, `"r": 5`, 1) }, nil, "have rank 4, and adapter_config.json says 5"},
		{func(s string) string { return strings.Replace(s, `"bias": "none"`, `"bias": "some"`, 1) }, nil, `bias is "some"`},
		{func(s string) string {
			return strings.Replace(s, `"rank_pattern": {}`, `"rank_pattern": {"[": 3}`, 1)
		}, nil, "is no pattern of modules"},
		{nil, func(ts []safetensors.Tensor) []safetensors.Tensor { return append(ts, tensor("x", 1)) }, `"x" does not begin with`},
		{nil, func(ts []safetensors.Tensor) []safetensors.Tensor { return append(ts, tensor("base_model.model.y", 1)) }, `"base_model.model.y" is none that the model has`},
		{nil, func(ts []safetensors.Tensor) []safetensors.Tensor {
			return append(ts, tensor("base_model.model.bert.encoder.layer.7.output.dense.lora_A.weight", 4, 16))
		}, "is of no module that the model has"},
		{nil, func(ts []safetensors.Tensor) []safetensors.Tensor {
			return append(ts, tensor("base_model.model.bert.embeddings.word_embeddings.lora_embedding_A", 4, 40))
		}, "is LoRA of an embedding, bert.embeddings.word_embeddings, and adapters here go beside dense layers alone"},
		{nil, func(ts []safetensors.Tensor) []safetensors.Tensor {
			return append(ts, tensor("base_model.model.bert.encoder.layer.0.output.dense.lora_A.weight", 4, 32, 3, 3))
		}, "has shape [4 32 3 3], as LoRA of a convolution has, and adapters here go beside dense layers alone"},
		{nil, func(ts []safetensors.Tensor) []safetensors.Tensor {
			return append(ts, tensor("base_model.model.bert.encoder.layer.0.output.dense.lora_A.weight", 4, 32))
		}, "the module bert.encoder.layer.0.output.dense has one matrix of two"},
		{nil, func(ts []safetensors.Tensor) []safetensors.Tensor {
			return append(ts, tensor("base_model.model.bert.embeddings.LayerNorm.lora_A.weight", 4, 16), tensor("base_model.model.bert.embeddings.LayerNorm.lora_B.weight", 16, 4))
		}, "the module bert.embeddings.LayerNorm has matrices, and is no dense layer"},
		{nil, func([]safetensors.Tensor) []safetensors.Tensor {
			return []safetensors.Tensor{tensor(query+"lora_A.weight", 4, 17), tensor(query+"lora_B.weight", 16, 4)}
		}, "its weight takes 16 and gives 16"},
		{nil, func([]safetensors.Tensor) []safetensors.Tensor {
			return []safetensors.Tensor{tensor(query+"lora_A.weight", 4, 16), tensor(query+"lora_B.weight", 16, 3)}
		}, "which are of two ranks"},
		{nil, func([]safetensors.Tensor) []safetensors.Tensor { return nil }, "the file has no matrices of LoRA"},
		{nil, func(ts []safetensors.Tensor) []safetensors.Tensor {
			return append(ts, tensor(query+"base_layer.bias", 16))
		}, `the file has the parameter "bias" of the layer "layer0_query" without the others, and bias is "none"`},
		{nil, func(ts []safetensors.Tensor) []safetensors.Tensor {
			return append(ts, tensor("base_model.model.bert.encoder.layer.0.output.dense.bias", 3))
		}, "has shape [3], and the model wants [16]"},
	} {
		config, ts := peftFiles(t)
		text := string(config)
		if c.config != nil {
			if text = c.config(text); text == string(config) {
				t.Fatalf("nothing changed for %s", c.want)
			}
		}
		if c.change != nil {
			ts = c.change(ts)
		}
		if _, err := LoadPEFT(base, "", []byte(text), ts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
	l, err := directory(t, "testdata/gpt2", Options{Length: 8})
	if err != nil {
		t.Fatal(err)
	}
	a, err := adapt.New(l.Model, "", adapter.Config{Type: adapter.LoRA, Targets: []string{"layer0_query"}, Rank: 1, Alpha: 1, Bias: "lora_only"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SavePEFT(a, ""); err == nil || !strings.Contains(err.Error(), "are one module h.0.attn.c_attn") {
		t.Error(err)
	}
	b, err := adapt.New(l.Model, "", adapter.Config{Type: adapter.Bottleneck, Targets: []string{"layer0_outer"}, Width: 1, Activation: "relu"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := SavePEFT(b, ""); err == nil || !strings.Contains(err.Error(), "PEFT has no bottleneck adapters") {
		t.Error(err)
	}
}

// FuzzPEFT: no configuration and no file of tensors makes a reader of adapters panic, and what it takes is an adapter of the model, with the graph that the
// plan knew.
func FuzzPEFT(f *testing.F) {
	config, err := os.ReadFile("testdata/peft/adapter/adapter_config.json")
	if err != nil {
		f.Fatal(err)
	}
	tensors, err := os.ReadFile("testdata/peft/adapter/adapter_model.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(config, tensors)
	f.Add([]byte(`{"peft_type": "LORA", "r": 4, "lora_alpha": 1, "rank_pattern": {".*": 4}, "alpha_pattern": {"query": 3}, "bias": "all"}`), tensors)
	base := peftModel(f)
	f.Fuzz(func(t *testing.T, config, tensors []byte) {
		ts, _, err := safetensors.Decode(tensors)
		if err != nil {
			return
		}
		g, early := PEFTGraph(base.Graph, config, ts) // what the plan sees
		a, err := LoadPEFT(base, "sha256:b", config, ts)
		if err != nil {
			return
		}
		if early != nil || !reflect.DeepEqual(g, a.Graph) {
			t.Errorf("the graph of the plan is not that of the run: %v", early)
		}
		if _, err := a.Over(base, "sha256:b"); err != nil {
			t.Error(err)
		}
		if _, err := adapt.Merge(base, "sha256:b", a); err != nil {
			t.Error(err)
		}
	})
}
