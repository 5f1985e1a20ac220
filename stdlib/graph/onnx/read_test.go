package onnx

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// fields is a protobuf message taken apart: by number, a uint64 for a varint and []byte for the rest, in order.
type fields map[protowire.Number][]any

func parse(t *testing.T, b []byte) fields {
	t.Helper()
	f := fields{}
	last := protowire.Number(0)
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num < last {
			t.Fatalf("field %d after %d: %v", num, last, protowire.ParseError(n))
		}
		last, b = num, b[n:]
		var v any
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			v, n = protowire.ConsumeBytes(b)
		case protowire.Fixed32Type:
			v, n = protowire.ConsumeFixed32(b)
		default:
			t.Fatalf("field %d has wire type %d", num, typ)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		f[num] = append(f[num], v)
		b = b[n:]
	}
	return f
}

func (f fields) texts(num protowire.Number) []string {
	var out []string
	for _, v := range f[num] {
		out = append(out, string(v.([]byte)))
	}
	return out
}

func (f fields) messages(t *testing.T, num protowire.Number) []fields {
	t.Helper()
	var out []fields
	for _, v := range f[num] {
		out = append(out, parse(t, v.([]byte)))
	}
	return out
}
