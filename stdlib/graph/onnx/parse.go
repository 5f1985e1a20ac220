package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"mbuild.dev/mbuild/lang/schema"
)

// What is read of a file: the messages of onnx.proto, as far as Import needs them. Field numbers are those of the file's schema.

// The bounds of what a file may ask for.
const (
	maxNodes  = 200_000
	maxFolded = 1 << 26 // elements of one constant that is computed
	maxRank   = 8
)

type file struct {
	opset   int64
	nodes   []*node
	inits   map[string]*array
	inputs  []valueDecl
	outputs []valueDecl

	external map[string]string // ImportOptions.External
}

type node struct {
	op, domain, name string
	in, out          []string
	attrs            map[string]*attribute
}

func (n *node) String() string {
	if n.name != "" {
		return fmt.Sprintf("the operator %s %q", n.op, n.name)
	}
	if len(n.out) > 0 {
		return fmt.Sprintf("the operator %s of %q", n.op, n.out[0])
	}
	return "an operator " + n.op
}

type attribute struct {
	f    float32
	i    int64
	s    string
	t    *array
	ints []int64
}

func (n *node) int(name string, dflt int64) int64 {
	if a := n.attrs[name]; a != nil {
		return a.i
	}
	return dflt
}

func (n *node) float(name string, dflt float64) float64 {
	if a := n.attrs[name]; a != nil {
		return float64(a.f)
	}
	return dflt
}

func (n *node) text(name, dflt string) string {
	if a := n.attrs[name]; a != nil {
		return a.s
	}
	return dflt
}

func (n *node) ints(name string) []int {
	a := n.attrs[name]
	if a == nil {
		return nil
	}
	out := make([]int, len(a.ints))
	for i, v := range a.ints {
		out[i] = int(v)
	}
	return out
}

// valueDecl is an input or output: its type, and its dimensions, below 0 where the file leaves them open; then name says how it is called.
type valueDecl struct {
	name  string
	elem  int64
	dims  []int
	names []string
}

// eachField goes through the fields of a message.
func eachField(b []byte, f func(num protowire.Number, v uint64, data []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var v uint64
		var data []byte
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			data, n = protowire.ConsumeBytes(b)
		case protowire.Fixed32Type:
			var w uint32
			w, n = protowire.ConsumeFixed32(b)
			v = uint64(w)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := f(num, v, data); err != nil {
			return err
		}
	}
	return nil
}

// packed appends the whole numbers of a repeated field, packed or not.
func packed(list []int64, v uint64, data []byte) ([]int64, error) {
	if data == nil {
		return append(list, int64(v)), nil
	}
	for len(data) > 0 {
		v, n := protowire.ConsumeVarint(data)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		list, data = append(list, int64(v)), data[n:]
	}
	return list, nil
}

func parseFile(b []byte, external map[string]string) (*file, error) {
	f := &file{inits: map[string]*array{}, external: external}
	var graph []byte
	err := eachField(b, func(num protowire.Number, _ uint64, data []byte) error {
		switch num {
		case 7:
			graph = data
		case 8:
			domain, version := "", int64(0)
			if err := eachField(data, func(num protowire.Number, v uint64, data []byte) error {
				switch num {
				case 1:
					domain = string(data)
				case 2:
					version = int64(v)
				}
				return nil
			}); err != nil {
				return err
			}
			if domain == "" || domain == "ai.onnx" {
				f.opset = version
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("not an ONNX file: %w", err)
	case graph == nil:
		return nil, errors.New("not an ONNX file: it has no graph")
	case f.opset < 9:
		return nil, fmt.Errorf("the file is of operator set %d; from 9 on they are read", f.opset)
	}
	return f, eachField(graph, f.graphField)
}

func (f *file) graphField(num protowire.Number, _ uint64, data []byte) error {
	switch num {
	case 1:
		n, err := f.parseNode(data)
		if err != nil {
			return err
		}
		if f.nodes = append(f.nodes, n); len(f.nodes) > maxNodes {
			return fmt.Errorf("the file has more than %d operators", maxNodes)
		}
	case 5:
		name, t, err := f.parseTensor(data)
		if err != nil {
			return err
		}
		f.inits[name] = t
	case 11, 12:
		d, err := parseDecl(data)
		if err != nil {
			return err
		}
		if num == 11 {
			f.inputs = append(f.inputs, d)
		} else {
			f.outputs = append(f.outputs, d)
		}
	case 15:
		return errors.New("the file has sparse initializers, which are not read")
	}
	return nil
}

func (f *file) parseNode(b []byte) (*node, error) {
	n := &node{attrs: map[string]*attribute{}}
	return n, eachField(b, func(num protowire.Number, _ uint64, data []byte) error {
		switch num {
		case 1:
			n.in = append(n.in, string(data))
		case 2:
			n.out = append(n.out, string(data))
		case 3:
			n.name = string(data)
		case 4:
			n.op = string(data)
		case 5:
			name, a, err := f.parseAttr(data)
			if err != nil {
				return err
			}
			n.attrs[name] = a
		case 7:
			n.domain = string(data)
		}
		return nil
	})
}

func (f *file) parseAttr(b []byte) (name string, a *attribute, err error) {
	a = &attribute{}
	return name, a, eachField(b, func(num protowire.Number, v uint64, data []byte) (err error) {
		switch num {
		case 1:
			name = string(data)
		case 2:
			a.f = math.Float32frombits(uint32(v))
		case 3:
			a.i = int64(v)
		case 4:
			a.s = string(data)
		case 5:
			_, a.t, err = f.parseTensor(data)
		case 8:
			a.ints, err = packed(a.ints, v, data)
		}
		return err
	})
}

func parseDecl(b []byte) (d valueDecl, err error) {
	dim := func(b []byte) error {
		v, name := -1, ""
		err := eachField(b, func(num protowire.Number, n uint64, data []byte) error {
			switch num {
			case 1:
				if n > 1<<40 {
					return fmt.Errorf("a dimension of %d", n)
				}
				v = int(n)
			case 2:
				name = string(data)
			}
			return nil
		})
		d.dims, d.names = append(d.dims, v), append(d.names, name)
		return err
	}
	shape := func(num protowire.Number, v uint64, data []byte) error {
		switch num {
		case 1:
			d.elem = int64(v)
		case 2:
			return eachField(data, func(num protowire.Number, _ uint64, data []byte) error {
				if num == 1 {
					return dim(data)
				}
				return nil
			})
		}
		return nil
	}
	err = eachField(b, func(num protowire.Number, _ uint64, data []byte) error {
		switch num {
		case 1:
			d.name = string(data)
		case 2:
			return eachField(data, func(num protowire.Number, _ uint64, data []byte) error {
				if num == 1 {
					return eachField(data, shape)
				}
				return nil
			})
		}
		return nil
	})
	return d, err
}

// parseTensor reads a TensorProto. Floats of all widths become float32, whole numbers and truth values int64.
func (f *file) parseTensor(b []byte) (name string, a *array, err error) {
	var dims, whole []int64
	var typ int64
	var raw []byte
	var floats []float32
	a = &array{}
	external, at := false, map[string]string{}
	err = eachField(b, func(num protowire.Number, v uint64, data []byte) (err error) {
		switch num {
		case 1:
			dims, err = packed(dims, v, data)
		case 2:
			typ = int64(v)
		case 4:
			if data == nil {
				floats = append(floats, math.Float32frombits(uint32(v)))
			}
			for ; len(data) >= 4; data = data[4:] {
				floats = append(floats, math.Float32frombits(binary.LittleEndian.Uint32(data)))
			}
		case 5, 7:
			whole, err = packed(whole, v, data)
		case 8:
			name = string(data)
		case 9:
			raw = data
		case 10:
			for ; len(data) >= 8; data = data[8:] {
				floats = append(floats, float32(math.Float64frombits(binary.LittleEndian.Uint64(data))))
			}
		case 13:
			key, value := "", ""
			err = eachField(data, func(num protowire.Number, _ uint64, data []byte) error {
				switch num {
				case 1:
					key = string(data)
				case 2:
					value = string(data)
				}
				return nil
			})
			at[key] = value
		case 14:
			external = v == 1
		}
		return err
	})
	if err != nil {
		return "", nil, err
	}
	n := 1
	for _, d := range dims {
		if d < 0 || d > maxFolded || len(dims) > maxRank || n > 1<<32/max(int(d), 1) {
			return "", nil, fmt.Errorf("the tensor %q has shape %v", name, dims)
		}
		a.shape = append(a.shape, int(d))
		n *= int(d)
	}
	width := map[int64]int{typeFloat: 4, typeDouble: 8, typeFloat16: 2, typeBFloat16: 2, typeInt64: 8, typeInt32: 4, typeInt8: 1, typeUint8: 1, typeBool: 1}[typ]
	if external && width > 0 {
		if raw, err = f.externalData(at, n*width); err != nil {
			return "", nil, fmt.Errorf("the tensor %q: %w", name, err)
		}
	}
	switch {
	case width == 0:
		return "", nil, fmt.Errorf("the tensor %q is of type %d of ONNX, which is not read", name, typ)
	case raw != nil && len(raw) != n*width, raw == nil && n != len(floats)+len(whole):
		return "", nil, fmt.Errorf("the tensor %q of shape %v has not as many elements", name, dims)
	}
	a.elem = typ
	a.take(n, raw, floats, whole)
	return name, a, nil
}

// externalData reads the data of a tensor that is kept in another file (ExternalDataInfo of onnx.proto): location, a path relative to the
// model's and in its directory, offset, 0 by default, and length.
func (f *file) externalData(at map[string]string, size int) ([]byte, error) {
	location := at["location"]
	if !filepath.IsLocal(location) || strings.Contains(location, "\\") {
		return nil, fmt.Errorf("its data is in %q; a file of data must be in the directory of the model, or below it", location)
	}
	name, ok := f.external[path.Clean(location)]
	if !ok {
		have := "none is given"
		if len(f.external) > 0 {
			have = "given are " + schema.Words(slices.Sorted(maps.Keys(f.external)))
		}
		return nil, &MissingData{Location: location, have: have}
	}
	number := func(key string, dflt int64) (int64, error) {
		if at[key] == "" {
			return dflt, nil
		}
		v, err := strconv.ParseInt(at[key], 10, 64)
		if err != nil || v < 0 {
			return 0, fmt.Errorf("its %s in %s is %q", key, location, at[key])
		}
		return v, nil
	}
	offset, err := number("offset", 0)
	if err != nil {
		return nil, err
	}
	length, err := number("length", int64(size))
	if err != nil {
		return nil, err
	}
	if length != int64(size) {
		return nil, fmt.Errorf("it has %d bytes in %s, and needs %d", length, location, size)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if offset > info.Size()-length {
		return nil, fmt.Errorf("its data is at bytes %d to %d of %s, which has %d", offset, offset+length, location, info.Size())
	}
	raw := make([]byte, size)
	_, err = file.ReadAt(raw, offset)
	return raw, err
}

// MissingData is the error of a tensor whose data is in a file that was not given.
type MissingData struct {
	Location string // as the model names it
	have     string
}

func (e *MissingData) Error() string {
	return fmt.Sprintf("its data is in %q, a file beside the model that was not given: %s", e.Location, e.have)
}
