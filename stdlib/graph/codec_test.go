package graph

import (
	"reflect"
	"strings"
	"testing"
)

func TestEncode(t *testing.T) {
	g := over([]int{4}, layer("dense", "a", "units", 2, "activation", "relu"), layer("dropout", "d", "rate", 0.5))
	g.Inputs[0].Scale = 1.0 / 16
	g.Layers[0].Quant, g.Layers[1].Store = WeightOnlyInt8, F16
	enc, err := g.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"inputs":[{"dtype":"F32","name":"x","scale":0.0625,"shape":[4],"shift":0}],"layers":[` +
		`{"attrs":{"activation":"relu","units":2},"inputs":["x"],"name":"a","op":"dense","quant":"weight_only_int8"},` +
		`{"attrs":{"rate":0.5},"inputs":["a"],"name":"d","op":"dropout","store":"F16"}],"outputs":["d"]}`
	if string(enc) != want {
		t.Errorf("got  %s\nwant %s", enc, want)
	}
	back, info, err := Decode(enc)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, g) {
		t.Errorf("read back %+v, want %+v", back, g)
	}
	if info.Shapes["d"][0] != 2 {
		t.Errorf("shapes %v", info.Shapes)
	}
}

func TestDecodeConnects(t *testing.T) {
	g, _, err := Decode([]byte(`{"inputs":[{"name":"x","shape":[4],"dtype":"F32","scale":1}],"layers":[
		{"name":"a","op":"dense","attrs":{"units":3.0}}, {"name":"b","op":"dense","attrs":{"units":2}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if g.Layers[0].Inputs[0] != "x" || g.Layers[1].Inputs[0] != "a" || g.Outputs[0] != "b" {
		t.Errorf("connected as %+v, outputs %v", g.Layers, g.Outputs)
	}
}

func TestDecodeErrors(t *testing.T) {
	const inputs = `{"inputs":[{"name":"x","shape":[4],"dtype":"F32","scale":1}],`
	for src, want := range map[string]string{
		``:   "decoding a graph: EOF",
		`[]`: "decoding a graph",
		inputs + `"layers":[{"name":"a","op":"flatten"}],"version":2}`:                                                             `unknown field "version"`,
		inputs + `"layers":[{"name":"a","op":"flatten","bits":4}]}`:                                                                `unknown field "bits"`,
		inputs + `"layers":[{"name":"a","op":"flatten"}]} {}`:                                                                      "there is more after it",
		inputs + `"layers":[{"name":"a","op":"dense","attrs":{"units":1e999}}]}`:                                                   `layer "a"`,
		inputs + `"layers":[{"name":"a","op":"dense","attrs":{"units":0}}]}`:                                                       "units of at least 1",
		inputs + `"layers":[{"name":"a","op":"flatten","inputs":["b"]}]}`:                                                          "come before it",
		`{"inputs":[{"name":"x","shape":[9223372036854775807,2],"dtype":"F32","scale":1}],"layers":[{"name":"a","op":"flatten"}]}`: "at most 2^40",
	} {
		if _, _, err := Decode([]byte(src)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", src, err, want)
		}
	}
}

func TestClone(t *testing.T) {
	g := over([]int{4}, layer("dense", "a", "units", 2))
	before, _ := g.Encode()
	c := g.Clone()
	c.Inputs[0].Shape[0], c.Layers[0].Inputs[0], c.Layers[0].Attrs["units"], c.Outputs[0] = 9, "z", int64(9), "z"
	c.Layers[0].Quant = DynamicInt8
	if after, _ := g.Encode(); string(after) != string(before) {
		t.Errorf("changing a clone gave %s, was %s", after, before)
	}
}

// FuzzDecode: no input panics, and what is accepted is a fixed point of Encode and Decode with sound counts.
func FuzzDecode(f *testing.F) {
	g := over([]int{2, 2}, layer("flatten", "f"), layer("dense", "a", "units", 2), layer("reshape", "r", "shape", []any{int64(-1)}), layer("concat", "c", "inputs", "a r"))
	enc, err := g.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(enc)
	conv := over([]int{6, 5, 2}, layer("conv2d", "c", "filters", 4, "kernel", []any{int64(3), int64(2)}, "padding", "same", "groups", 2, "stride", 2, "dilation", 3),
		layer("max_pool", "p", "kernel", 3, "stride", 1, "pads", []any{int64(1), int64(2), int64(0), int64(2)}), layer("conv2d_transpose", "t", "filters", 2, "kernel", 3, "stride", 2, "output_padding", 1),
		layer("upsample", "u", "factor", 2, "mode", "bilinear"), layer("group_norm", "g", "groups", 2), layer("multiply", "m", "inputs", "g g"), layer("global_avg_pool", "o"))
	if enc, err = conv.Encode(); err != nil {
		f.Fatal(err)
	}
	f.Add(enc)
	f.Add([]byte(`{"inputs":[{"name":"x","shape":[1099511627776],"dtype":"F32","scale":1}],"layers":[{"name":"a","op":"concat","inputs":["x","x"]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, info, err := Decode(b)
		if err != nil {
			return
		}
		if info.Parameters < info.Trainable || info.Trainable < 0 || info.FLOPs < 0 || info.Bytes < info.Parameters {
			t.Errorf("counts %d %d %d %d", info.Parameters, info.Trainable, info.FLOPs, info.Bytes)
		}
		enc, err := g.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := Decode(enc)
		if err != nil {
			t.Fatal(err)
		}
		if enc2, _ := again.Encode(); string(enc2) != string(enc) {
			t.Errorf("%s, then %s", enc, enc2)
		}
	})
}
