package onnx

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
	"mbuild.dev/mbuild/stdlib/graph/reference"
)

func export(t testing.TB, m *bundle.Model) []byte {
	t.Helper()
	b, err := Export(m, map[string]string{"z": "1", "a": "é"})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// contents is what a file says, by name.
type contents struct {
	inputs, outputs []string
	operators       []string
	defined, used   map[string]int // values
}

// read takes a file apart and checks it on the way: topological order, names that are unique, tensors of the right size.
func read(t *testing.T, file []byte) contents {
	t.Helper()
	f := parse(t, file)
	if f[1][0] != uint64(10) || f.messages(t, 8)[0][2][0] != uint64(21) {
		t.Errorf("IR version %v, operator sets %v", f[1], f.messages(t, 8))
	}
	g := f.messages(t, 7)[0]
	c := contents{inputs: names(t, g, 11), outputs: names(t, g, 12), defined: map[string]int{}, used: map[string]int{}}
	for _, in := range c.inputs {
		c.defined[in]++
	}
	for _, init := range g.messages(t, 5) {
		c.defined[init.texts(8)[0]]++
		checkTensor(t, init)
	}
	nodes := map[string]bool{}
	for _, n := range g.messages(t, 1) {
		for _, in := range n.texts(1) {
			if in == "" { // an optional input that is left out
				continue
			}
			if c.defined[in] == 0 {
				t.Errorf("%v takes %q, which is not yet defined", n.texts(3), in)
			}
			c.used[in]++
		}
		for _, out := range n.texts(2) {
			if out == "" { // an output that is left out
				continue
			}
			c.defined[out]++
		}
		if name := n.texts(3)[0]; nodes[name] {
			t.Errorf("two nodes are called %q", name)
		} else {
			nodes[name] = true
		}
		c.operators = append(c.operators, n.texts(4)[0])
	}
	for _, out := range c.outputs {
		c.used[out]++
	}
	return c
}

// names are those of inputs or outputs, each of which must have a first dimension called batch.
func names(t *testing.T, g fields, num protowire.Number) []string {
	t.Helper()
	var out []string
	for _, v := range g.messages(t, num) {
		out = append(out, v.texts(1)[0])
		dims := v.messages(t, 2)[0].messages(t, 1)[0].messages(t, 2)[0].messages(t, 1)
		if got := dims[0].texts(2); len(dims) < 2 || !slices.Equal(got, []string{"batch"}) {
			t.Errorf("%v has dimensions %v", v.texts(1), dims)
		}
	}
	return out
}

func checkTensor(t *testing.T, f fields) {
	t.Helper()
	want := map[uint64]int{typeFloat: 4, typeInt8: 1, typeUint8: 1, typeInt32: 4, typeInt64: 8, typeFloat16: 2, typeBFloat16: 2}[f[2][0].(uint64)]
	for _, d := range f[1] {
		want *= int(d.(uint64))
	}
	if raw := f[9][0].([]byte); len(raw) != want || want == 0 {
		t.Errorf("%v: type %v, dimensions %v, but %d bytes", f.texts(8), f[2], f[1], len(raw))
	}
}

func TestExport(t *testing.T) {
	ops := map[string]bool{}
	for _, s := range samples(t) {
		file := export(t, s.model)
		c := read(t, file)
		if !slices.Equal(c.outputs, s.model.Graph.Outputs) || len(c.inputs) != len(s.inputs) {
			t.Errorf("%s: inputs %v, outputs %v", s.name, c.inputs, c.outputs)
		}
		for name, n := range c.defined {
			if n != 1 || c.used[name] == 0 {
				t.Errorf("%s: %q is defined %d times and used %d times", s.name, name, n, c.used[name])
			}
		}
		for _, want := range s.operators {
			if !slices.Contains(c.operators, want) {
				t.Errorf("%s: operators are %v, want %s among them", s.name, c.operators, want)
			}
		}
		for _, l := range s.model.Graph.Layers {
			ops[l.Op] = true
			if c.defined[l.Name] != 1 {
				t.Errorf("%s: no value bears the name of layer %q", s.name, l.Name)
			}
		}
		if !bytes.Equal(file, export(t, s.model)) {
			t.Errorf("%s: two exports differ", s.name)
		}
		if _, err := reference.Forward(s.model, s.rows, s.inputs); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
	for op := range graph.Ops {
		if !ops[op] {
			t.Errorf("no sample has the op %q", op)
		}
	}
}

func TestOperators(t *testing.T) {
	for _, s := range samples(t) {
		want := map[string]string{
			"mlp":            "Gemm Relu Gemm Gelu Gemm",
			"dynamic":        "DynamicQuantizeLinear MatMulInteger Cast Mul Mul Add",
			"dynamic_shared": "DynamicQuantizeLinear MatMulInteger Cast Mul Mul Tanh MatMulInteger Cast Mul Mul Add Sum",
			"shapes":         "Flatten Reshape Identity",
			// channels second from the first convolution on: the image is turned where it comes in, and nothing after it
			"net_convolutional": "Transpose Conv BatchNormalization Relu MaxPool Conv Sigmoid Mul AveragePool Flatten Identity Gemm",
			"net_residual":      "Transpose Conv Elu Conv BatchNormalization Sigmoid Mul Conv BatchNormalization Sum Gelu Conv GroupNormalization Gelu Conv Conv Sum ReduceMean Gemm",
			// one channel: the image is not moved at all; what is an output is turned back
			"net_many_outputs": "Reshape Conv Transpose Flatten Reshape Transpose Reshape Gemm Sum Reshape Transpose Reshape",
			"inputs":           "Mul Add Add Concat Gemm DynamicQuantizeLinear MatMulInteger Cast Mul Mul Add",
		}[s.name]
		if got := strings.Join(read(t, export(t, s.model)).operators, " "); want != "" && got != want {
			t.Errorf("%s: %s, want %s", s.name, got, want)
		}
	}
}

func TestMetadata(t *testing.T) {
	f := parse(t, export(t, samples(t)[0].model))
	var got []string
	for _, p := range f.messages(t, 14) {
		got = append(got, p.texts(1)[0]+"="+p.texts(2)[0])
	}
	if !slices.Equal(got, []string{"a=é", "z=1"}) || f.texts(2)[0] != "mbuild" {
		t.Errorf("metadata %v, producer %v", got, f.texts(2))
	}
}

func TestExportRefuses(t *testing.T) {
	m := samples(t)[0].model
	delete(m.Params["a"], "bias")
	if _, err := Export(m, nil); err == nil || !strings.Contains(err.Error(), `layer "a": parameter "bias" is missing`) {
		t.Errorf("a model without a bias: %v", err)
	}
}
