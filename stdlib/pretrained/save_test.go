package pretrained

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/compress"
	"mbuild.dev/mbuild/stdlib/graph"
)

// TestRoundTrip: what was read is written as it was, tensor by tensor to the byte, with a config.json that means the same.
func TestRoundTrip(t *testing.T) {
	dirs, err := filepath.Glob("testdata/*/config.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		dir := filepath.Dir(d)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			before, err := os.ReadFile(d)
			if err != nil {
				t.Fatal(err)
			}
			c, err := ReadConfig(before)
			if err != nil {
				t.Fatal(err)
			}
			l, err := directory(t, dir, Options{Length: 10, TokenTypes: c.Types > 1})
			if err != nil {
				t.Fatal(err)
			}
			m := l.Model
			if filepath.Base(dir) == "bert_half" {
				if m, err = compress.Cast(m, graph.F16); err != nil {
					t.Fatal(err)
				}
			}
			saved, err := Save(m, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			var want []safetensors.Tensor
			files, _ := filepath.Glob(filepath.Join(dir, "*.safetensors"))
			for _, f := range files {
				ts, _, err := safetensors.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, ts...)
			}
			slices.SortFunc(want, func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) })
			if !slices.EqualFunc(saved.Tensors, want, func(a, b safetensors.Tensor) bool {
				return a.Name == b.Name && a.DType == b.DType && slices.Equal(a.Shape, b.Shape) && bytes.Equal(a.Data, b.Data)
			}) {
				for i := range max(len(want), len(saved.Tensors)) {
					switch {
					case i >= len(want):
						t.Errorf("more: %s", saved.Tensors[i].Name)
					case i >= len(saved.Tensors):
						t.Errorf("missing: %s", want[i].Name)
					case saved.Tensors[i].Name != want[i].Name || !bytes.Equal(saved.Tensors[i].Data, want[i].Data):
						t.Errorf("%s %s %v, want %s %s %v", saved.Tensors[i].Name, saved.Tensors[i].DType, saved.Tensors[i].Shape, want[i].Name, want[i].DType, want[i].Shape)
					}
				}
			}
			again, err := ReadConfig(saved.Config)
			if err != nil {
				t.Fatal(err)
			}
			c.Type = strings.TrimPrefix(c.Type, "xlm-")
			c.Architecture = strings.Replace(c.Architecture, "XLMRoberta", "Roberta", 1)
			again.keys, c.keys, c.family, again.family = nil, nil, nil, nil
			if again.Labels = c.Labels; !equalConfig(again, c) {
				t.Errorf("config.json was %+v and is %+v", c, again)
			}
			once, err := Save(m, nil, nil)
			if err != nil || !bytes.Equal(once.Config, saved.Config) {
				t.Errorf("another time config.json is another, %v", err)
			}
		})
	}
}

func equalConfig(a, b *Config) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && bytes.Equal(x, y)
}

// TestSavedHeads: heads that were put on are models of transformers, too, where it has them.
func TestSavedHeads(t *testing.T) {
	for _, c := range []struct {
		dir    string
		head   Head
		labels []string
		want   string // the architecture, or an error
	}{
		{"bert_masked", Head{Kind: "classification", Outputs: 2}, []string{"no", "yes"}, "BertForSequenceClassification"},
		{"bert", Head{Kind: "hidden"}, nil, "BertModel"},
		{"distilbert", Head{Kind: "tagging", Outputs: 3}, []string{"O", "B-PER", "I-PER"}, "DistilBertForTokenClassification"},
		{"roberta", Head{Kind: "classification", Outputs: 4}, nil, "RobertaForSequenceClassification"},
		{"gpt2", Head{Kind: "language_model"}, nil, "GPT2LMHeadModel"},
		{"bert", Head{Kind: "embedding"}, nil, `transformers has no model of these layers (they come near to type "bert"): `},
		{"bert", Head{Kind: "classification", Outputs: 2, Pool: "mean"}, nil, `the layer "pool" is sequence_pool of [layer1_norm attention_mask] with map[mode:mean], and should be sequence_pool of [layer1_norm] with map[mode:first]`},
		{"bert", Head{Kind: "classification", Outputs: 2}, []string{"a"}, "labels names 1 classes, and the classifier has 2 outputs"},
		{"bert", Head{Kind: "classification", Outputs: 2}, []string{"a", "a"}, `labels has "a" twice`},
		{"gpt2", Head{Kind: "language_model"}, []string{"a"}, "labels names 1 classes, and the model has no classifier"},
	} {
		l, err := directory(t, "testdata/"+c.dir, Options{Length: 8, Head: &c.head})
		if err != nil {
			t.Fatal(err)
		}
		saved, err := Save(l.Model, c.labels, nil)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %+v: %v", c.dir, c.head, err)
			}
			continue
		}
		var config struct {
			Architectures []string
			ID2Label      map[string]string
		}
		if err := json.Unmarshal(saved.Config, &config); err != nil || config.Architectures[0] != c.want || c.labels != nil && config.ID2Label["1"] != c.labels[1] {
			t.Errorf("%s, %+v: %+v, %v", c.dir, c.head, config, err)
		}
		// what transformers would read is read here
		dir := t.TempDir()
		if err := safetensors.WriteFile(filepath.Join(dir, "model.safetensors"), saved.Tensors, map[string]string{"format": "pt"}); err != nil {
			t.Fatal(err)
		}
		again, err := loaded(t, dir, saved.Config, Options{Length: 8})
		if err != nil || len(again.New)+len(again.Left) > 0 {
			t.Errorf("%s, %+v: %+v, %v", c.dir, c.head, again, err)
		}
	}
	l, err := directory(t, "testdata/bert_classification", Options{Length: 8})
	if err != nil {
		t.Fatal(err)
	}
	q, err := compress.Quantize(l.Model, graph.WeightOnlyInt8, []string{"tokens"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Save(q, nil, nil); err == nil || !strings.Contains(err.Error(), `the layer "layer0_query" is quantized, which such files do not hold`) {
		t.Error(err)
	}
	narrow, _, err := compress.PruneChannels(l.Model, 0.5, "l2", []string{"pooler"})
	if err != nil {
		t.Fatal(err)
	}
	if saved, err := Save(narrow, nil, nil); err != nil || !strings.Contains(string(saved.Config), `"intermediate_size": 12`) {
		t.Errorf("a narrower model: %v", err)
	}
}
