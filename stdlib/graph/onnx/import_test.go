package onnx

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/graphtest"
	"mbuild.dev/mbuild/stdlib/graph/reference"
)

// roundTrip exports a model, imports it and compares what the two compute. It reports whether it could be read.
func roundTrip(t *testing.T, name string, model *bundle.Model, rows int, inputs map[string][]float32) bool {
	t.Helper()
	length := 0
	for _, in := range model.Graph.Sequences() {
		length = model.Info.Shapes[in][0]
	}
	m, err := Import(export(t, model), ImportOptions{Length: length})
	if err != nil {
		t.Errorf("%s: %v", name, strings.SplitN(err.Error(), ". Read are", 2)[0])
		return false
	}
	want, err := reference.Forward(model, rows, inputs)
	if err != nil {
		t.Fatal(err)
	}
	got, err := reference.Forward(m, rows, inputs)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for k := range want {
		for i := range want[k] {
			if d := math.Abs(float64(want[k][i] - got[k][i])); !(d <= 2e-5*max(1, math.Abs(float64(want[k][i])))) && want[k][i] == want[k][i] {
				t.Errorf("%s: output %d: %g, want %g", name, k, got[k][i], want[k][i])
				break
			}
		}
	}
	return true
}

// TestRoundTrip: what Export writes, Import reads, for every op, and the model computes the same.
func TestRoundTrip(t *testing.T) {
	all := samples(t)
	read := 0
	for _, s := range all {
		if roundTrip(t, s.name, s.model, s.rows, s.inputs) {
			read++
		}
	}
	if read < len(all) || read < 180 {
		t.Errorf("only %d of %d cases were read", read, len(all))
	}
}

// TestPadding: attention over a mask that is made of the token ids, which are 0 where nothing is.
func TestPadding(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, pad := range []int{0, 1, 5} {
		l := graphtest.Layer
		g := graphtest.Tokens(6, 0, l("padding_mask", "m", "inputs", "ids", "pad", pad), l("embedding", "e", "vocabulary", 9, "units", 4, "inputs", "ids"), l("dense", "q", "units", 4), l("attention", "a", "heads", 2, "inputs", "q e e m"))
		info, err := graph.Infer(g)
		if err != nil {
			t.Fatal(err)
		}
		m := &bundle.Model{Graph: g, Info: info, Params: weights(r, info)}
		if !roundTrip(t, fmt.Sprint("pad ", pad), m, 3, map[string][]float32{"ids": {3, 5, 1, 0, 0, 0, 2, 1, 1, 1, 1, 1, 8, 7, 6, 5, 5, 5}, "mask": make([]float32, 18)}) {
			t.Error("not read")
		}
	}
}

// TestRoundTripRandom: the same for graphs of any layers in any order.
func TestRoundTripRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 5))
	read := 0
	for k := range 150 {
		g := graphtest.Random(r, 2+r.IntN(8))
		if slices.ContainsFunc(g.Layers, func(l graph.Layer) bool { return l.Op == "padding_mask" }) {
			continue // a mask that is taken for features is nothing that anybody exports
		}
		info, err := graph.Infer(g)
		if err != nil {
			t.Fatal(err)
		}
		m := &bundle.Model{Graph: g, Info: info, Params: weights(r, info)}
		if roundTrip(t, fmt.Sprintf("random %d", k), m, 3, graphtest.Values(r, g, 3, r.NormFloat64)) {
			read++
		}
	}
	if read < 80 {
		t.Errorf("only %d were read", read)
	}
}

// TestTorch: files that PyTorch has written (testdata/torch/make.py) compute what PyTorch computes.
func TestTorch(t *testing.T) {
	files, err := filepath.Glob("testdata/torch/*.onnx")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	type numbers struct {
		Shape  []int
		Values []float32
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want struct{ Inputs, Outputs map[string]numbers }
		text, err := os.ReadFile(strings.TrimSuffix(file, "onnx") + "json")
		if err != nil || json.Unmarshal(text, &want) != nil {
			t.Fatal(err)
		}
		m, err := Import(b, ImportOptions{Length: 10})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		in, rows := map[string][]float32{}, 0
		for name, x := range want.Inputs {
			rows = x.Shape[0]
			v := x.Values
			if len(x.Shape) == 4 {
				a := &array{elem: typeFloat, shape: x.Shape, f: v}
				v = a.permuted([]int{0, 2, 3, 1}).f
			}
			in[name] = v
		}
		for _, i := range m.Graph.Inputs {
			if in[i.Name] == nil {
				in[i.Name] = make([]float32, rows*graph.Size(i.Shape))
			}
		}
		out, err := reference.Forward(m, rows, in)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for k := range m.Graph.Outputs {
			w := want.Outputs["output"+string(rune('0'+k))]
			if len(w.Values) != len(out[k]) {
				t.Errorf("%s: output %d has %d numbers, want %d", file, k, len(out[k]), len(w.Values))
				continue
			}
			for i, v := range w.Values {
				if d := math.Abs(float64(v - out[k][i])); !(d <= 2e-5*max(1, math.Abs(float64(v)))) {
					t.Errorf("%s: output %d is %g at %d, want %g", file, k, out[k][i], i, v)
					break
				}
			}
		}
		ops := map[string]int{}
		for _, l := range m.Graph.Layers {
			ops[l.Op]++
		}
		if want := layersOf[filepath.Base(file)]; fmt.Sprint(ops) != want {
			t.Errorf("%s has layers %v, want %s", file, ops, want)
		}
	}
}

// layersOf are the layers that the files are, however many operators they have.
var layersOf = map[string]string{
	"bert_eager.onnx":     "map[activation:2 add:4 attention:2 dense:14 embedding:1 layer_norm:5 position_embedding:2 sequence_pool:1]",
	"bert_old.onnx":       "map[activation:2 add:4 attention:2 dense:14 embedding:1 layer_norm:5 position_embedding:2 sequence_pool:1]",
	"bert_sdpa.onnx":      "map[activation:2 add:4 attention:2 dense:13 embedding:1 layer_norm:5 position_embedding:2]",
	"distilbert.onnx":     "map[activation:2 add:4 attention:2 dense:14 embedding:1 layer_norm:5 position_embedding:1 sequence_pool:1]",
	"encoder_dynamo.onnx": "map[add:2 attention:1 dense:7 embedding:1 global_avg_pool:1 layer_norm:2]",
	"gpt2.onnx":           "map[activation:2 add:4 attention:2 dense:13 embedding:1 layer_norm:5 position_embedding:1]",
	"gpt2_dynamo.onnx":    "map[activation:2 add:4 attention:2 dense:13 embedding:1 layer_norm:5 position_embedding:1]",
	"gru_dynamo.onnx":     "map[dense:1 embedding:1 gru:1]",
	"llama.onnx":          "map[activation:2 add:4 attention:2 dense:15 embedding:1 multiply:4 rms_norm:5]",
	"llama_dynamo.onnx":   "map[activation:2 add:4 attention:2 dense:15 embedding:1 multiply:4 rms_norm:5]",
	"lstm.onnx":           "map[dense:1 embedding:1 lstm:1]",
	"roberta.onnx":        "map[activation:2 add:4 attention:2 dense:14 embedding:1 layer_norm:5 position_embedding:2 sequence_pool:1]",
	"cnn.onnx":            "map[activation:2 conv2d:2 dense:1 flatten:1 max_pool:1]",
	"mlp.onnx":            "map[dense:3]",
	"pooled.onnx":         "map[activation:1 avg_pool:1 conv2d:1 dense:1 global_avg_pool:1 multiply:1]",
}

// one makes a file of some operators over x [batch, 4, 6] and ids [batch, 4], and constants.
func one(inits map[string]*array, out string, nodes ...message) []byte {
	g := message{}
	for _, n := range nodes {
		g = g.bytes(1, n)
	}
	for name, a := range inits {
		g = g.bytes(5, tensor(name, a.elem, a.shape, safetensors.Bytes(a.f)))
	}
	g = g.bytes(11, valueInfo("x", typeFloat, []int{4, 6}, nil)).bytes(11, valueInfo("ids", typeInt64, []int{4}, nil)).bytes(12, valueInfo(out, typeFloat, []int{4, 6}, nil))
	return message{}.varint(1, irVersion).bytes(7, g).bytes(8, message{}.text(1, "").varint(2, opset))
}

func operatorOf(op, out string, in []string, attrs ...message) message {
	m := message{}
	for _, i := range in {
		m = m.text(1, i)
	}
	m = m.text(2, out).text(3, out).text(4, op)
	for _, a := range attrs {
		m = m.bytes(5, a)
	}
	return m
}

// TestImportErrors: what is not read is said, with the operator.
func TestImportErrors(t *testing.T) {
	w := map[string]*array{"w": newArray(typeFloat, 5, 6)}
	for want, b := range map[string][]byte{
		"not an ONNX file: it has no graph": {},
		"not an ONNX file: ":                []byte("hello"),
		`the operator Celu "y" of operator set 21 is not read here. Read are "Add"`:                              one(nil, "y", operatorOf("Celu", "y", []string{"x"})),
		`the operator Relu "y" takes "z", which nothing gives`:                                                   one(nil, "y", operatorOf("Relu", "y", []string{"z"})),
		`the operator MatMul "y" lacks an input`:                                                                 one(nil, "y", operatorOf("MatMul", "y", []string{"x"})),
		`the operator MatMul "y" of operator set 21 is not read here: a weight of [5 6] and an input of [2 4 6]`: one(w, "y", operatorOf("MatMul", "y", []string{"x", "w"})),
		`the operator MatMul "y" of operator set 21 is not read here: a product of two values that are computed`: one(nil, "y", operatorOf("MatMul", "y", []string{"x", "x"})),
		`"r" is a part of a layer, mean, and stands by itself`:                                                   one(nil, "y", operatorOf("ReduceMean", "r", []string{"x"}, attr("axes", []int{-1})), operatorOf("Relu", "y", []string{"r"})),
		`the rows of a table are taken by numbers that are computed from inputs`:                                 one(w, "y", operatorOf("Add", "i", []string{"ids", "ids"}), operatorOf("Gather", "y", []string{"w", "i"})),
		`"y" has its axes in another order, or a shape of [24 2]`:                                                one(nil, "y", operatorOf("Flatten", "f", []string{"x"}), operatorOf("Transpose", "y", []string{"f"})),
		`the output "z" is given by nothing`:                                                                     one(nil, "z", operatorOf("Relu", "y", []string{"x"})),
		`alpha is not 1`:                                                                                         one(nil, "y", operatorOf("Elu", "y", []string{"x"}, attr("alpha", float32(2)))),
	} {
		_, err := Import(b, ImportOptions{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	b, err := os.ReadFile("testdata/torch/bert_sdpa.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Import(b, ImportOptions{}); err == nil || !strings.Contains(err.Error(), `the input "input_ids" has a dimension of any size, "sequence": set length`) {
		t.Error(err)
	}
	if _, err := Import(b, ImportOptions{Length: 13}); err == nil {
		t.Error("a length beyond the positions is taken")
	}
}

// FuzzImport: no file makes the reader panic, and what it takes is a model.
func FuzzImport(f *testing.F) {
	files, _ := filepath.Glob("testdata/torch/*.onnx")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range samples(f)[:40] {
		f.Add(export(f, s.model))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Import(b, ImportOptions{Length: 10})
		if err != nil {
			return
		}
		if err := m.Check(); err != nil {
			t.Error(err)
		}
	})
}

// weights are random parameters.
func weights(r *rand.Rand, info *graph.Info) map[string]bundle.Params {
	params := map[string]bundle.Params{}
	for _, layer := range slices.Sorted(maps.Keys(info.Layers)) {
		for _, p := range info.Layers[layer].Params {
			if params[layer] == nil {
				params[layer] = bundle.Params{}
			}
			params[layer][p.Name] = random(r, p)
		}
	}
	return params
}

// TestExternalData: data in a file beside is read where the tensor says, and a location that leaves the directory is refused.
func TestExternalData(t *testing.T) {
	file := func(entries ...string) []byte {
		w := message{}.varint(1, 6).varint(1, 2).varint(2, typeFloat).text(8, "w")
		for k := 0; k < len(entries); k += 2 {
			w = w.bytes(13, message{}.text(1, entries[k]).text(2, entries[k+1]))
		}
		g := message{}.bytes(1, operatorOf("MatMul", "y", []string{"x", "w"})).bytes(5, w.varint(14, 1)).bytes(11, valueInfo("x", typeFloat, []int{4, 6}, nil)).bytes(12, valueInfo("y", typeFloat, []int{4, 2}, nil))
		return message{}.varint(1, irVersion).bytes(7, g).bytes(8, message{}.text(1, "").varint(2, opset))
	}
	data := filepath.Join(t.TempDir(), "w.bin")
	values := make([]float32, 16)
	for k := range values {
		values[k] = float32(k)
	}
	if err := os.WriteFile(data, safetensors.Bytes(values), 0o644); err != nil {
		t.Fatal(err)
	}
	given := ImportOptions{External: map[string]string{"w.bin": data, "below/w.bin": data}}
	for _, entries := range [][]string{{"location", "w.bin", "offset", "16", "length", "48"}, {"location", "./below/w.bin", "offset", "16"}} {
		m, err := Import(file(entries...), given)
		if err != nil {
			t.Errorf("%v: %v", entries, err)
			continue
		}
		if got := m.Params[m.Graph.Outputs[0]]["weight"].Float32s(); !slices.Equal(got, values[4:]) {
			t.Errorf("%v: %v", entries, got)
		}
	}
	for want, entries := range map[string][]string{
		`its data is in "../w.bin"; a file of data must be in the directory of the model`:                         {"location", "../w.bin"},
		`its data is in "below/../../w.bin"; a file of data must be`:                                              {"location", "below/../../w.bin"},
		`its data is in "/etc/passwd"; a file of data must be`:                                                    {"location", "/etc/passwd"},
		`its data is in "a\\w.bin"; a file of data must be`:                                                       {"location", `a\w.bin`},
		`its data is in ""; a file of data must be`:                                                               {"offset", "3"},
		`its data is in "v.bin", a file beside the model that was not given: given are "below/w.bin" and "w.bin"`: {"location", "v.bin"},
		`its data is at bytes 20 to 68 of w.bin, which has 64`:                                                    {"location", "w.bin", "offset", "20"},
		`its offset in w.bin is "-8"`:                                                                             {"location", "w.bin", "offset", "-8"},
		`it has 40 bytes in w.bin, and needs 48`:                                                                  {"location", "w.bin", "length", "40"},
	} {
		if _, err := Import(file(entries...), given); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
	if _, err := Import(file("location", "w.bin"), ImportOptions{}); err == nil || !strings.Contains(err.Error(), `the tensor "w": its data is in "w.bin", a file beside the model that was not given: none is given`) {
		t.Error(err)
	}
}
