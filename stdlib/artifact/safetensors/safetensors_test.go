package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// file makes a file of a header, as it stands, and data.
func file(header string, data ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func TestBytes(t *testing.T) {
	ts := []Tensor{
		{Name: "weight", DType: "I8", Shape: []int{3, 1}, Data: []byte{1, 2, 3}},
		{Name: "bias", DType: "F32", Shape: []int{1}, Data: []byte{0, 0, 128, 63}},
		{Name: "step", DType: "I64", Data: []byte{7, 0, 0, 0, 0, 0, 0, 0}},
		{Name: "none", DType: "F16", Shape: []int{0, 4}, Data: nil},
	}
	want := file(`{"__metadata__":{"a":"1","b":"2"},"bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},`+
		`"none":{"dtype":"F16","shape":[0,4],"data_offsets":[4,4]},"step":{"dtype":"I64","shape":[],"data_offsets":[4,12]},`+
		`"weight":{"dtype":"I8","shape":[3,1],"data_offsets":[12,15]}}       `,
		0, 0, 128, 63, 7, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3)
	got, err := Encode(ts, map[string]string{"b": "2", "a": "1"})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if binary.LittleEndian.Uint64(got)%8 != 0 {
		t.Error("the data does not begin at a multiple of 8")
	}
	slices.Reverse(ts)
	if again, _ := Encode(ts, map[string]string{"a": "1", "b": "2"}); !bytes.Equal(again, got) {
		t.Error("another order of tensors gives other bytes")
	}
	if ts[0].Name != "none" {
		t.Error("Encode reordered its argument")
	}
}

func TestRoundTrip(t *testing.T) {
	var ts []Tensor
	for name, size := range sizes {
		ts = append(ts, Tensor{Name: "t" + name, DType: name, Shape: []int{2, 3}, Data: bytes.Repeat([]byte{byte(size)}, 6*size)})
	}
	slices.SortFunc(ts, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	ts = append(ts, Tensor{Name: `é "<&>` + "\u2028", DType: "U8", Shape: []int{}, Data: []byte{9}})
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := WriteFile(path, ts, map[string]string{"k": `{"json": "<é>"}`}); err != nil {
		t.Fatal(err)
	}
	got, meta, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, ts) || !reflect.DeepEqual(meta, map[string]string{"k": `{"json": "<é>"}`}) {
		t.Errorf("read back %+v, %v", got, meta)
	}
	if _, meta, err := Decode(file("{}")); err != nil || meta != nil {
		t.Errorf("an empty file: %v, %v", meta, err)
	}
}

// TestDecodeTakes: other writers order, space and align differently.
func TestDecodeTakes(t *testing.T) {
	b := file(`{ "b" : {"shape":[2],"data_offsets":[4,6],"dtype":"U8"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}, "__metadata__":{} }      `, 0, 0, 128, 63, 8, 9)
	got, meta, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Name != "a" || View[float32](got[0].Data)[0] != 1 || got[1].Data[1] != 9 || meta == nil {
		t.Errorf("%+v, %v", got, meta)
	}
	b[len(b)-1] = 5
	if got[1].Data[1] != 5 {
		t.Error("the tensor is a copy")
	}
	if cap(got[0].Data) != 4 {
		t.Error("appending to one tensor would write into the next")
	}
}

func TestDecodeErrors(t *testing.T) {
	one := func(entry string, data ...byte) []byte { return file(`{"a":`+entry+`}`, data...) }
	for _, c := range []struct {
		b    []byte
		want string
	}{
		{nil, "it has 0 bytes"},
		{[]byte("1234567"), "it has 7 bytes"},
		{file("{}")[:9], "a header of 2 bytes in a file of 9"},
		{binary.LittleEndian.AppendUint64(nil, math.MaxUint64), "a header of 18446744073709551615 bytes"},
		{append(binary.LittleEndian.AppendUint64(nil, maxHeader+1), make([]byte, 100)...), "a header of 100000001 bytes"},
		{file(""), "not a JSON object"},
		{file(" {}"), "not a JSON object"},
		{file("[]"), "not a JSON object"},
		{file("{\"\xff\":1}"), "not a JSON object in UTF-8"},
		{file("{"), "EOF"},
		{file("{} x"), "1 bytes after the object"},
		{file("{}{}"), "2 bytes after the object"},
		{file(`{"a":3}`), `tensor "a": not an object`},
		{one(`{}`), "needs dtype, shape and two data_offsets"},
		{one(`{"dtype":"F32","shape":[1]}`), "needs dtype, shape"},
		{one(`{"dtype":"F32","shape":null,"data_offsets":[0,4]}`, 0, 0, 0, 0), "needs dtype, shape"},
		{one(`{"dtype":"F32","shape":[],"data_offsets":[0,4,8]}`, 0, 0, 0, 0), "needs dtype, shape"},
		{one(`{"dtype":"F32","shape":[],"data_offsets":[0]}`), "needs dtype, shape"},
		{one(`{"DTYPE":"F32","shape":[],"data_offsets":[0,4]}`, 0, 0, 0, 0), `unknown member "DTYPE"`},
		{one(`{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}`, 0, 0, 0, 0), `"dtype" comes twice`},
		{one(`{"dtype":"F33","shape":[],"data_offsets":[0,4]}`, 0, 0, 0, 0), `unknown type "F33"`},
		{one(`{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}`, 0, 0, 0, 0), `tensor "a"`},
		{one(`{"dtype":"F32","shape":[2],"data_offsets":[0,4]}`, 0, 0, 0, 0), "F32[2] does not lie at bytes 0 to 4 of 4"},
		{one(`{"dtype":"U8","shape":[-1,-4],"data_offsets":[0,4]}`, 0, 0, 0, 0), "U8[-1 -4] does not lie"},
		{one(`{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}`), "does not lie"},
		{one(`{"dtype":"U8","shape":[4],"data_offsets":[-4,0]}`), "does not lie"},
		{one(`{"dtype":"U8","shape":[0],"data_offsets":[4,3]}`, 0, 0, 0, 0), "does not lie"},
		{one(`{"dtype":"U8","shape":[8],"data_offsets":[0,8]}`, 0), "does not lie at bytes 0 to 8 of 1"},
		{one(`{"dtype":"U8","shape":[1],"data_offsets":[1,2]}`, 0, 0), "gap or overlap at byte 0"},
		{one(`{"dtype":"U8","shape":[1],"data_offsets":[0,1]}`, 0, 0), "1 bytes that belong to no tensor"},
		{file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 0, 0, 0), "gap or overlap at byte 2"},
		{file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 0, 0), `"a" comes twice`},
		{file(`{"__metadata__":{"k":1}}`), `metadata "k" is no string`},
		{file(`{"__metadata__":{"k":null}}`), `metadata "k" is no string`},
		{file(`{"__metadata__":null}`), "not an object"},
		{file(`{"__metadata__":{"k":"1","k":"2"}}`), `"k" comes twice`},
	} {
		if ts, _, err := Decode(c.b); err == nil || ts != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, %v, want %s", c.b, ts, err, c.want)
		}
	}
}

func TestEncodeErrors(t *testing.T) {
	u8 := func(name string, shape ...int) Tensor {
		return Tensor{Name: name, DType: "U8", Shape: shape, Data: make([]byte, 4)}
	}
	stream := func(n int) func(io.Writer) error {
		return func(w io.Writer) error { _, err := w.Write(make([]byte, n)); return err }
	}
	full := errors.New("disk full")
	for _, c := range []struct {
		want string
		meta map[string]string
		ts   []Tensor
	}{
		{`tensor "a": U8[3] needs 3 bytes, got 4`, nil, []Tensor{u8("a", 3)}},
		{`tensor "a": U8[-1 -4] is no type and shape`, nil, []Tensor{u8("a", -1, -4)}},
		{`tensor "a": X8[4] is no type and shape`, nil, []Tensor{{Name: "a", DType: "X8", Shape: []int{4}, Data: make([]byte, 4)}}},
		{`tensor "a" twice`, nil, []Tensor{u8("a", 4), u8("b", 4), u8("a", 4)}},
		{`cannot be called "__metadata__"`, nil, []Tensor{u8("__metadata__", 4)}},
		{`cannot be called "\xff"`, nil, []Tensor{u8("\xff", 4)}},
		{`metadata "k" is not valid UTF-8`, map[string]string{"k": "\xff"}, nil},
		{`tensor "a": 3 bytes written, U8[4] needs 4`, nil, []Tensor{{Name: "a", DType: "U8", Shape: []int{4}, Stream: stream(3)}}},
		{`tensor "a": 5 bytes written, U8[4] needs 4`, nil, []Tensor{{Name: "a", DType: "U8", Shape: []int{4}, Stream: stream(5)}}},
		{`disk full`, nil, []Tensor{{Name: "a", DType: "U8", Shape: []int{4}, Stream: func(io.Writer) error { return full }}}},
	} {
		if _, err := Encode(c.ts, c.meta); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	if err := WriteFile(filepath.Join(t.TempDir(), "no", "x"), nil, nil); err == nil {
		t.Error("wrote into a directory that is not there")
	}
}

func TestStream(t *testing.T) {
	data := Tensor{Name: "a", DType: "U8", Shape: []int{5}, Data: []byte("hello")}
	want, _ := Encode([]Tensor{data}, nil)
	data.Data, data.Stream = nil, func(w io.Writer) error {
		for _, c := range "hello" {
			if _, err := fmt.Fprintf(w, "%c", c); err != nil {
				return err
			}
		}
		return nil
	}
	if got, err := Encode([]Tensor{data}, nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("streamed: %q, %v, want %q", got, err, want)
	}
}

func TestView(t *testing.T) {
	v := []int64{1, -2, 3}
	b := Bytes(v)
	if len(b) != 24 || b[8] != 0xfe || b[15] != 0xff {
		t.Errorf("bytes of %v are %v", v, b)
	}
	View[int64](b)[0] = 9
	if v[0] != 9 {
		t.Error("an aligned view is a copy")
	}
	for at := range 8 { // at any alignment
		raw := make([]byte, 32)
		copy(raw[at:], b)
		if got := View[int64](raw[at : at+24]); !slices.Equal(got, v) {
			t.Errorf("at offset %d: %v, want %v", at, got, v)
		}
	}
	if View[float32](nil) != nil || len(Bytes[float32](nil)) != 0 {
		t.Error("nothing is not nothing")
	}
}

// FuzzDecode: nothing panics, tensors lie inside the file and make up all of its data, and what is read is written and read
// again as it was.
func FuzzDecode(f *testing.F) {
	b, err := Encode([]Tensor{{Name: "a", DType: "F32", Shape: []int{1, 2}, Data: make([]byte, 8)}, {Name: "b", DType: "I8", Shape: []int{0}}}, map[string]string{"k": "v"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		ts, meta, err := Decode(b)
		if err != nil {
			return
		}
		total := 8 + int(binary.LittleEndian.Uint64(b))
		for _, x := range ts {
			total += len(x.Data)
		}
		if total != len(b) {
			t.Fatalf("%d bytes are accounted for, of %d", total, len(b))
		}
		enc, err := Encode(ts, meta)
		if err != nil {
			t.Fatal(err)
		}
		again, meta2, err := Decode(enc)
		if err != nil || len(meta) != len(meta2) || len(ts) != len(again) {
			t.Fatalf("read again: %v, %v, %v", again, meta2, err)
		}
		for i := range ts {
			if !reflect.DeepEqual(again[i].Shape, ts[i].Shape) || again[i].Name != ts[i].Name || !bytes.Equal(again[i].Data, ts[i].Data) {
				t.Fatalf("%+v, then %+v", ts[i], again[i])
			}
		}
	})
}

// TestOpen: a file that is read piece by piece gives what Decode gives, and refuses what Decode refuses.
func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	ts := []Tensor{{Name: "b", DType: "I8", Shape: []int{3}, Data: []byte{1, 2, 3}}, {Name: "a", DType: "F32", Shape: []int{1}, Data: []byte{0, 0, 128, 63}}}
	if err := WriteFile(path, ts, map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Tensors) != 2 || f.Tensors[0].Name != "a" || f.Tensors[1].Data != nil || f.Metadata["k"] != "v" {
		t.Errorf("%+v", f.Tensors)
	}
	for _, want := range ts {
		if got, err := io.ReadAll(f.Section(want.Name)); err != nil || !bytes.Equal(got, want.Data) {
			t.Errorf("%s is %v, %v", want.Name, got, err)
		}
	}
	if f.Section("c").Size() != 0 {
		t.Error("a tensor that is not there has bytes")
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := os.WriteFile(path, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, want := Decode(whole[:n])
		if _, err := Open(path); err == nil || err.Error() != want.Error() {
			t.Fatalf("of %d bytes: %v, want %v", n, err, want)
		}
	}
}

// FuzzOpen: what Open takes of a file, and gives piece by piece, is what Decode does.
func FuzzOpen(f *testing.F) {
	b, err := Encode([]Tensor{{Name: "a", DType: "F32", Shape: []int{1, 2}, Data: make([]byte, 8)}, {Name: "b", DType: "I8", Shape: []int{0}}}, map[string]string{"k": "v"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add(file(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[-1,1]}}`, 0))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0})
	path := filepath.Join(f.TempDir(), "x")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		want, meta, wrong := Decode(b)
		got, err := Open(path)
		if (err == nil) != (wrong == nil) {
			t.Fatalf("Open says %v, Decode says %v", err, wrong)
		}
		if err != nil {
			return
		}
		defer got.Close()
		if !maps.Equal(got.Metadata, meta) || len(got.Tensors) != len(want) {
			t.Fatalf("%v %v, decoded %v %v", got.Metadata, got.Tensors, meta, want)
		}
		for i, w := range want {
			g := got.Tensors[i]
			data, err := io.ReadAll(got.Section(w.Name))
			if err != nil || g.Name != w.Name || g.DType != w.DType || !slices.Equal(g.Shape, w.Shape) || !bytes.Equal(data, w.Data) {
				t.Fatalf("%v %q %v, decoded %v", g, data, err, w)
			}
		}
	})
}

// TestMap: a file that is mapped has what one that is read has, and nothing of a damaged one.
func TestMap(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	want := []Tensor{{Name: "a", DType: "F32", Shape: []int{2}, Data: []byte("12345678")}, {Name: "b", DType: "U8", Shape: []int{0}, Data: []byte{}}}
	if err := WriteFile(path, want, map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	got, meta, release, err := Map(path)
	if err != nil || len(got) != 2 || string(got[0].Data) != "12345678" || meta["k"] != "v" {
		t.Fatalf("%+v, %v, %v", got, meta, err)
	}
	release()
	for _, bad := range []string{"", "1234567", "\x02\x00\x00\x00\x00\x00\x00\x00{"} {
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, wantErr := ReadFile(path)
		if _, _, _, err := Map(path); err == nil || wantErr == nil || err.Error() != wantErr.Error() {
			t.Errorf("%q: %v, want %v", bad, err, wantErr)
		}
	}
	if _, _, _, err := Map(filepath.Join(dir, "no")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
