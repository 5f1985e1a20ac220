package stdlib

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang"
	"mbuild.dev/mbuild/planner"
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
		h := moduleGraph(t, "a.mbuild.hcl", "module \"net\" {\n"+c.hcl+"\n}\noutput \"g\" { value = module.net.graph }\n")
		u := moduleGraph(t, "a.mbuild.cue", "module: net: {"+c.cue+"}\noutput: g: value: module.net.outputs.graph\n")
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
		if info.Parameters != c.parameters {
			t.Errorf("%s has %d parameters, want %d", name, info.Parameters, c.parameters)
		}
		var names []string
		for _, l := range h.Layers {
			names = append(names, l.Name)
		}
		rest := " " + strings.Join(names, " ") + " "
		for _, want := range strings.Fields(c.layers) {
			_, after, ok := strings.Cut(rest, " "+want+" ")
			if !ok {
				t.Errorf("%s: no layer %q where it should be in %v", name, want, names)
				break
			}
			rest = " " + after
		}
	}
}
