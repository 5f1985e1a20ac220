package stdlib

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/model/layers"
)

// moduleGraph loads a spec that calls a module "net", in one syntax, and returns the graph that the module's model is.
func moduleGraph(t *testing.T, name, src string) *graph.Graph {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	table := executor.NewTable(Kinds()...).Planner
	spec, diags := lang.Load(context.Background(), lang.Request{Dir: dir, Kinds: table, Std: Modules})
	if diags.HasErrors() {
		t.Fatalf("%s: %v", name, diags)
	}
	lowered, diags := planner.Lower(spec, table)
	if diags.HasErrors() {
		t.Fatalf("%s: %v", name, diags)
	}
	for _, a := range lowered.Actions {
		if a.Kind.Family == "model" {
			out := filepath.Join(dir, "graph.json")
			job := &executor.Job{Params: a.Params, Outputs: map[string]string{"graph": out}, Metrics: map[string]float64{}}
			if err := layers.Kind.Runs[""].Func(context.Background(), job); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			g, _, err := graph.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
	}
	t.Fatal("no model")
	return nil
}

// TestConvolutionalModules calls std/cnn and std/resnet from both syntaxes: one graph each, of the parameters that the
// literature, or a count by hand, says.
func TestConvolutionalModules(t *testing.T) {
	for name, c := range map[string]struct {
		hcl, cue   string
		parameters int64
		layers     string // some that must be there, in order
	}{
		"cnn": {`source = "std/cnn"
			image = [28, 28, 1]
			outputs = 10`, `source: "std/cnn", inputs: {image: [28, 28, 1], outputs: 10}`,
			9*16 + 4*16 + 9*16*32 + 4*32 + 7*7*32*10 + 10, "conv1 norm1 act1 pool1 conv2 norm2 act2 pool2 head logits"},
		"cnn with everything": {`source = "std/cnn"
			image = [32, 32, 3]
			outputs = 4
			filters = [8]
			kernel = 5
			norm = false
			head = "average"
			hidden = [20]
			dropout = 0.5
			activation = "silu"
			scale = 0.5
			shift = -1`, `source: "std/cnn", inputs: {image: [32, 32, 3], outputs: 4, filters: [8], kernel: 5, norm: false, head: "average", hidden: [20], dropout: 0.5, activation: "silu", scale: 0.5, shift: -1}`,
			25*3*8 + 8 + 8*20 + 20 + 20*4 + 4, "conv1 act1 pool1 head hidden1 drop logits"},
		"resnet-20": {`source = "std/resnet"
			image = [32, 32, 3]
			outputs = 10
			blocks = 3`, `source: "std/resnet", inputs: {image: [32, 32, 3], outputs: 10, blocks: 3}`,
			// 269,722 trainable with parameter-free shortcuts (He et al. 2016); here projections and running statistics
			269722 + 16*32 + 2*32 + 32*64 + 2*64 + 2*(7*16+7*32+7*64), "stem stem_norm stem_act s1b1_conv1 s1b1_sum s1b1 s3b3 pool logits"},
		"resnet-18": {`source = "std/resnet"
			image = [224, 224, 3]
			outputs = 1000
			filters = [64, 128, 256, 512]
			stem = { kernel = 7, stride = 2, pool = true }
			dropout = 0.1`, `source: "std/resnet", inputs: {image: [224, 224, 3], outputs: 1000, filters: [64, 128, 256, 512], stem: {kernel: 7, stride: 2, pool: true}, dropout: 0.1}`,
			11689512 + 4800*2, "stem stem_norm stem_act stem_pool s1b1_conv1 s2b1_around s4b2 pool drop logits"}, // torchvision's count, and the running statistics
	} {
		checkModule(t, name, c.hcl, c.cue, c.parameters, c.layers)
	}
}

// checkModule calls a module from both syntaxes, which must give one graph, of so many parameters and with layers in an order.
func checkModule(t *testing.T, name, hcl, cue string, parameters int64, layers string) *graph.Graph {
	t.Helper()
	h := moduleGraph(t, "a.mbuild.hcl", "module \"net\" {\n"+hcl+"\n}\noutput \"g\" { value = module.net.graph }\n")
	u := moduleGraph(t, "a.mbuild.cue", "module: net: {"+cue+"}\noutput: g: value: module.net.outputs.graph\n")
	one, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if two, _ := u.Encode(); string(two) != string(one) {
		t.Errorf("%s: HCL gives %s\nCUE gives %s", name, one, two)
	}
	info, err := graph.Infer(h)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if info.Parameters != parameters {
		t.Errorf("%s has %d parameters, want %d", name, info.Parameters, parameters)
	}
	var names []string
	for _, l := range h.Layers {
		names = append(names, l.Name)
	}
	rest := " " + strings.Join(names, " ") + " "
	for _, want := range strings.Fields(layers) {
		_, after, ok := strings.Cut(rest, " "+want+" ")
		if !ok {
			t.Errorf("%s: no layer %q where it should be in %v", name, want, names)
			break
		}
		rest = " " + after
	}
	return h
}

// TestSequenceModules: the modules of sequences, of the parameters that the literature, or a count by hand, says.
func TestSequenceModules(t *testing.T) {
	block := func(units, inner int64) int64 { return 4*(units*units+units) + 2*units*inner + inner + units + 4*units }
	for name, c := range map[string]struct {
		hcl, cue   string
		parameters int64
		layers     string
		outputs    []int
	}{
		"bert-base": {`source = "std/bert"`, `source: "std/bert"`,
			109482240 + 2*768 + 2, // BertModel of transformers, and a classifier of two classes
			"tokens types positions embeddings_norm embeddings_dropout layer0_query layer0_attention layer0_output layer0_attention_norm layer0_inner layer0_norm layer11_norm pool pooler classifier_dropout classifier", []int{2}},
		"bert for tags": {`source = "std/bert"
			vocabulary = 1000
			length = 32
			positions = 40
			token_types = true
			units = 24
			blocks = 2
			heads = 3
			inner = 50
			head = "tagging"
			outputs = 9
			dropout = 0`, `source: "std/bert", inputs: {vocabulary: 1000, length: 32, positions: 40, token_types: true, units: 24, blocks: 2, heads: 3, inner: 50, head: "tagging", outputs: 9, dropout: 0}`,
			1042*24 + 2*24 + 2*block(24, 50) + 24*9 + 9, "tokens types positions embeddings_norm layer0_query layer1_norm classifier", []int{32, 9}},
		"bert as a language model": {`source = "std/bert"
			vocabulary = 100
			length = 16
			units = 8
			blocks = 1
			heads = 2
			head = "language_model"`, `source: "std/bert", inputs: {vocabulary: 100, length: 16, units: 8, blocks: 1, heads: 2, head: "language_model"}`,
			614*8 + 2*8 + block(8, 32) + 8*8 + 8 + 2*8 + 100, "layer0_norm transform transform_norm predictions", []int{16, 100}},
		"gpt2-small": {`source = "std/transformer_decoder"
			vocabulary = 50257
			length = 1024
			units = 768
			blocks = 12
			heads = 12
			activation = "gelu_tanh"`, `source: "std/transformer_decoder", inputs: {vocabulary: 50257, length: 1024, units: 768, blocks: 12, heads: 12, activation: "gelu_tanh"}`,
			124439808, "mask tokens positions embeddings_dropout layer0_attention_norm layer0_query layer0_sum layer11_sum final_norm predictions", []int{1024, 50257}}, // as published
		"gpt": {`source = "std/transformer_decoder"
			vocabulary = 40478
			length = 512
			units = 768
			blocks = 12
			heads = 12
			norm = "post"
			activation = "gelu_tanh"`, `source: "std/transformer_decoder", inputs: {vocabulary: 40478, length: 512, units: 768, blocks: 12, heads: 12, norm: "post", activation: "gelu_tanh"}`,
			116534784, "mask tokens positions embeddings_dropout layer0_query layer0_attention_sum layer0_attention_norm layer0_inner layer0_sum layer0_norm layer11_sum layer11_norm predictions", []int{512, 40478}}, // OpenAIGPTModel of transformers
		"rotary decoder": {`source = "std/transformer_decoder"
			vocabulary = 50
			length = 20
			units = 8
			heads = 2
			position = "rotary"
			dropout = 0`, `source: "std/transformer_decoder", inputs: {vocabulary: 50, length: 20, units: 8, heads: 2, position: "rotary", dropout: 0}`,
			400 + 2*block(8, 32) + 16, "mask tokens layer0_attention_norm layer1_sum final_norm predictions", []int{20, 50}},
		"encoder": {`source = "std/transformer_encoder"
			vocabulary = 200
			length = 12
			outputs = 3`, `source: "std/transformer_encoder", inputs: {vocabulary: 200, length: 12, outputs: 3}`,
			212*128 + 2*block(128, 512) + 2*128 + 3*128 + 3, "mask tokens positions embeddings_dropout layer0_attention_norm layer0_query layer1_sum final_norm pool classifier_dropout logits", []int{3}},
		"encoder, norm behind": {`source = "std/transformer_encoder"
			vocabulary = 200
			length = 12
			outputs = 3
			units = 16
			heads = 2
			inner = 20
			blocks = 3
			norm = "post"
			position = "rotary"
			pool = "none"
			pad = 1`, `source: "std/transformer_encoder", inputs: {vocabulary: 200, length: 12, outputs: 3, units: 16, heads: 2, inner: 20, blocks: 3, norm: "post", position: "rotary", pool: "none", pad: 1}`,
			200*16 + 2*16 + 3*block(16, 20) + 3*16 + 3, "mask tokens embeddings_norm embeddings_dropout layer0_query layer0_attention_norm layer0_norm layer2_norm classifier_dropout logits", []int{12, 3}},
		"encoder, language model": {`source = "std/transformer_encoder"
			vocabulary = 50
			length = 20
			units = 8
			heads = 2
			blocks = 1
			attention_dropout = 0.2
			head = "language_model"`, `source: "std/transformer_encoder", inputs: {vocabulary: 50, length: 20, units: 8, heads: 2, blocks: 1, attention_dropout: 0.2, head: "language_model"}`,
			(50+20)*8 + block(8, 32) + 2*8 + 50, "mask tokens positions layer0_sum final_norm predictions", []int{20, 50}},
		"lstm tagger": {`source = "std/lstm_tagger"
			vocabulary = 500
			length = 30
			outputs = 9`, `source: "std/lstm_tagger", inputs: {vocabulary: 500, length: 30, outputs: 9}`,
			50000 + 2*4*(100*128+128*128+128) + 256*9 + 9, "mask tokens embeddings_dropout layer0 layer0_dropout logits", []int{30, 9}},
		"gru tagger": {`source = "std/lstm_tagger"
			vocabulary = 50
			length = 30
			outputs = 2
			embedding = 8
			units = 4
			layers = 2
			cell = "gru"
			bidirectional = false
			dropout = 0`, `source: "std/lstm_tagger", inputs: {vocabulary: 50, length: 30, outputs: 2, embedding: 8, units: 4, layers: 2, cell: "gru", bidirectional: false, dropout: 0}`,
			400 + 3*(8*4+4*4+4) + 4 + 3*(4*4+4*4+4) + 4 + 4*2 + 2, "mask tokens layer0 layer1 logits", []int{30, 2}},
		"two towers of shared weights": {`source = "std/two_tower"
			towers = [{ name = "query", vocabulary = 100, length = 3 }, { name = "answer", vocabulary = 100, length = 4 }]
			embedding = 8
			units = 6
			hidden = [10]
			shared = true`, `source: "std/two_tower", inputs: {towers: [{name: "query", vocabulary: 100, length: 3}, {name: "answer", vocabulary: 100, length: 4}], embedding: 8, units: 6, hidden: [10], shared: true}`,
			100*8 + 8*10 + 10 + 10*6 + 6, "query_mask query_tokens query_pool query_hidden1 query_dense query_embedding answer_mask answer_tokens answer_hidden1 answer_embedding score", []int{1}},
		"two towers": {`source = "std/two_tower"
			towers = [{ name = "user", vocabulary = 100, length = 1 }, { name = "film", vocabulary = 30, length = 4 }]
			embedding = 8
			units = 6
			hidden = [10]`, `source: "std/two_tower", inputs: {towers: [{name: "user", vocabulary: 100, length: 1}, {name: "film", vocabulary: 30, length: 4}], embedding: 8, units: 6, hidden: [10]}`,
			130*8 + 2*(8*10+10+10*6+6), "user_mask user_tokens user_pool user_hidden1 user_dense user_embedding film_mask film_embedding score", []int{1}},
	} {
		g := checkModule(t, name, c.hcl, c.cue, c.parameters, c.layers)
		info, err := graph.Infer(g)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Shapes[g.Outputs[0]]; !slices.Equal(got, c.outputs) {
			t.Errorf("%s gives %v, want %v", name, got, c.outputs)
		}
	}
}

// TestBERTModule: std/bert has the layers, of the same names, inputs and parameters, that a model "pretrained" of the same sizes has.
func TestBERTModule(t *testing.T) {
	dir := "pretrained/testdata/bert_classification/"
	b := &bench{t: t}
	out := b.must("model.pretrained", "", map[string]any{"token_types": true, "seed": int64(0), "length": int64(10)}, map[string]string{"config": dir + "config.json", "weights0": dir + "model.safetensors"}, "graph", "model")
	m, err := bundle.Read(out["model"])
	if err != nil {
		t.Fatal(err)
	}
	g := moduleGraph(t, "a.mbuild.cue", `module: net: {source: "std/bert", inputs: {vocabulary: 40, length: 10, positions: 12, units: 16, blocks: 2, heads: 2, inner: 24, activation: "gelu_tanh", epsilon: 0.00001, outputs: 3, token_types: true}}
output: g: value: module.net.outputs.graph`)
	if err := (&bundle.Model{Graph: g, Params: m.Params}).Check(); err != nil {
		t.Error(err)
	}
	text := func(g *graph.Graph) string {
		var s strings.Builder
		for _, l := range g.Layers {
			fmt.Fprintln(&s, l.Name, l.Op, l.Inputs, l.Text("activation", "linear"), l.Float("epsilon", 0), l.Float("rate", 0), l.Int("heads"))
		}
		return s.String()
	}
	if text(g) != text(m.Graph) {
		t.Errorf("std/bert is\n%s\nand the checkpoint\n%s", text(g), text(m.Graph))
	}
}
