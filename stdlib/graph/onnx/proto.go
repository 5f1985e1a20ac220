package onnx

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"mbuild.dev/mbuild/stdlib/graph"
)

// The messages of onnx.proto (github.com/onnx/onnx) that an export needs, written field by field: a handful of messages does
// not need generated code. Fields are written in order of their numbers, so equal models give equal bytes.

// Element types of TensorProto.
const (
	typeFloat    = 1
	typeUint8    = 2
	typeInt8     = 3
	typeInt32    = 6
	typeInt64    = 7
	typeFloat16  = 10
	typeBFloat16 = 16
)

var types = map[graph.DType]int64{
	graph.F32: typeFloat, graph.F16: typeFloat16, graph.BF16: typeBFloat16, graph.I8: typeInt8, graph.I32: typeInt32, graph.I64: typeInt64,
}

// message is a protobuf message under construction.
type message []byte

func (m message) varint(field int, v int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, protowire.Number(field), protowire.VarintType), uint64(v))
}

func (m message) bytes(field int, v []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, protowire.Number(field), protowire.BytesType), v)
}

func (m message) text(field int, v string) message { return m.bytes(field, []byte(v)) }

func (m message) float(field int, v float32) message {
	return protowire.AppendFixed32(protowire.AppendTag(m, protowire.Number(field), protowire.Fixed32Type), math.Float32bits(v))
}

// tensor is a TensorProto with raw data.
func tensor(name string, typ int64, shape []int, raw []byte) message {
	var m message
	for _, d := range shape {
		m = m.varint(1, int64(d))
	}
	return m.varint(2, typ).text(8, name).bytes(9, raw)
}

// attr is an AttributeProto with an int64, float32 or string value, or a list of int.
func attr(name string, v any) message {
	m := message{}.text(1, name)
	switch t := v.(type) {
	case float32:
		return m.float(2, t).varint(20, 1)
	case int64:
		return m.varint(3, t).varint(20, 2)
	case string:
		return m.text(4, t).varint(20, 3)
	case []int:
		for _, v := range t {
			m = m.varint(8, int64(v))
		}
		return m.varint(20, 7)
	}
	panic("onnx: attribute of unknown type")
}

// valueInfo is a ValueInfoProto of a tensor whose first dimension is the batch; names are those of the others that may have any size.
func valueInfo(name string, elem int64, shape []int, names map[int]string) message {
	dims := message{}.bytes(1, message{}.text(2, "batch"))
	for axis, d := range shape {
		if n := names[axis]; n != "" {
			dims = dims.bytes(1, message{}.text(2, n))
		} else {
			dims = dims.bytes(1, message{}.varint(1, int64(d)))
		}
	}
	typ := message{}.bytes(1, message{}.varint(1, elem).bytes(2, dims))
	return message{}.text(1, name).bytes(2, typ)
}
