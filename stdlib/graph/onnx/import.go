package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/artifact/bundle"
	"mbuild.dev/mbuild/stdlib/graph"
)

// ImportOptions are what a file may leave open.
type ImportOptions struct {
	Length int // of dimensions that the file leaves open, beside the batch; 0 where it leaves none open

	// External are the files with the data of tensors that are kept outside, by the location that the file gives: a path relative to it.
	External map[string]string

	Note func(text string) // is told what the model does otherwise than the file; may be nil
}

// Import reads an ONNX file as a model: those that Export writes, and encoders, decoders, convolutional and other networks as PyTorch
// and TensorFlow export them, quantised by ONNX Runtime too (matchquant.go). An operator is one of a table (matchers), or has inputs that are all known.
//
// The graph of operators is gone through once, with a batch of assumed size. A value is one of three things: known elements, of
// constants and shapes, which fold.go computes on; the result of a layer; or a part of what several operators are together (lazy), a
// mean on its way to a layer norm, scores on their way to attention. Inputs of whole numbers are known, too, as random samples: a
// mask may go through any operators on its way to attention, and there its effect on the samples says which mask it is. All that with
// batches of two sizes, which must give one graph.
//
// Images have their channels last in the model, whatever the file has: an input that goes into a convolution is turned.
// What is not understood is an error that names the operator.
func Import(b []byte, o ImportOptions) (*bundle.Model, error) {
	f, err := parseFile(b, o.External)
	if err != nil {
		return nil, err
	}
	sizes, err := f.batches()
	if err != nil {
		return nil, err
	}
	var first *bundle.Model
	noted := map[string]bool{}
	for _, size := range sizes {
		m, err := (&importer{file: f, o: o, batch: size, noted: noted}).run()
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = m
			continue
		}
		x, _ := first.Graph.Encode()
		if y, _ := m.Graph.Encode(); string(x) != string(y) {
			return nil, errors.New("the file computes something else for a batch of another size: rows are not independent of each other")
		}
	}
	return first, nil
}

// batches are the sizes of batches to go through the file with: the one that the file is for, or two.
func (f *file) batches() ([]int, error) {
	if f.given() == 0 {
		return nil, errors.New("the file has no inputs")
	}
	fixed := -1
	for _, in := range f.inputs {
		if f.inits[in.name] != nil {
			continue
		}
		switch {
		case len(in.dims) < 2:
			return nil, fmt.Errorf("the input %q has %d dimensions; a batch of vectors has 2", in.name, len(in.dims))
		case in.dims[0] >= 0 && fixed >= 0 && in.dims[0] != fixed:
			return nil, fmt.Errorf("the inputs are for batches of %d and of %d rows", fixed, in.dims[0])
		case in.dims[0] >= 0:
			fixed = in.dims[0]
		}
	}
	switch {
	case fixed > 64 || fixed == 0:
		return nil, fmt.Errorf("the file is for batches of %d rows; write it for any number of them", fixed)
	case fixed > 0:
		return []int{fixed}, nil
	}
	return []int{2, 3}, nil
}

// given counts the inputs that are not initializers.
func (f *file) given() int {
	n := 0
	for _, in := range f.inputs {
		if f.inits[in.name] == nil {
			n++
		}
	}
	return n
}

// importer goes through a file.
type importer struct {
	file   *file
	o      ImportOptions
	batch  int
	values map[string]*value
	uses   map[string]int
	g      *graph.Graph
	params map[string]bundle.Params
	names  map[string]bool
	pads   map[string][]int // numbers that inputs of whole numbers are compared with
	tables map[string]string
	turned map[string]string // values that are a transposed initializer, to it
	masks  map[string]*array // samples of masks: inputs, and INPUT/PAD of padding
	node   *node
	noted  map[string]bool
	codes  map[string]bool   // embeddings of quantised tables, whose scale comes later
	cut    map[string]*value // columns of dense layers, by layer and columns
}

// value is what an operator gives; its shape has the batch in front.
type value struct {
	name  string
	shape []int
	elem  int64
	known *array
	probe bool   // known for the samples alone
	raw   string // the input that it is

	layer string // a layer, or an input of floats
	perm  []int  // axis k is axis perm[k] of what the layer gives; nil where all are in order
	flat  []int  // what was flattened channels first, as the layer has it
	wide  bool   // axes of size 1 are added to what the layer gives

	lazy   *lazy
	shared bool     // others take it, or what it is a view of, too
	also   []*value // what the operator gives beside it
}

// lazy is a part of a layer.
type lazy struct {
	op    string
	a, b  *value
	k     float64
	base  float64 // of a rotation
	bias  []*array
	kept  *array
	heads int
	axes  [][]run // of a view, and where its features begin
	call  *node   // the operator of an integer product
	from  int
}

// unsupported is an operator that is not read.
func (m *importer) unsupported(why string) error {
	if why != "" {
		why = ": " + why
	}
	return fmt.Errorf("%v of operator set %d is not read here%s. Read are %s, in the forms in which mbuild, PyTorch and TensorFlow write layers, and what can be computed from shapes and constants", m.node, m.file.opset, why, schema.Words(slices.Sorted(maps.Keys(matchers))))
}

func (m *importer) run() (*bundle.Model, error) {
	m.values, m.uses, m.g, m.params = map[string]*value{}, map[string]int{}, &graph.Graph{}, map[string]bundle.Params{}
	m.names, m.pads, m.tables, m.turned, m.masks = map[string]bool{}, map[string][]int{}, map[string]string{}, map[string]string{}, map[string]*array{}
	m.cut, m.codes = map[string]*value{}, map[string]bool{}
	for _, n := range m.file.nodes {
		for _, in := range n.in {
			m.uses[in]++
		}
	}
	for _, out := range m.file.outputs {
		m.uses[out.name] += 2 // what is given out stays as it is
	}
	for name, t := range m.file.inits {
		m.values[name] = &value{name: name, shape: t.shape, elem: t.elem, known: t}
	}
	m.findPads()
	if err := m.inputs(); err != nil {
		return nil, err
	}
	for _, n := range m.file.nodes {
		if err := m.operator(n); err != nil {
			return nil, err
		}
	}
	return m.model()
}

// findPads finds the constants that inputs are compared with: padding.
func (m *importer) findPads() {
	constants := maps.Clone(m.file.inits)
	for _, n := range m.file.nodes {
		if a := n.attrs["value"]; n.op == "Constant" && a != nil && a.t != nil && len(n.out) > 0 {
			constants[n.out[0]] = a.t
		}
		if n.op != "Equal" || len(n.in) != 2 {
			continue
		}
		for k := range 2 {
			if c := constants[n.in[k]]; c != nil && c.size() == 1 && !c.floats() {
				m.pads[n.in[1-k]] = append(m.pads[n.in[1-k]], int(c.i[0]))
			}
		}
	}
}

var importedTypes = map[int64]graph.DType{typeFloat: graph.F32, typeInt64: graph.I64, typeInt32: graph.I32}

// inputs declares the inputs of the graph, and samples those of whole numbers.
func (m *importer) inputs() error {
	images := map[string]bool{}
	for _, n := range slices.Backward(m.file.nodes) {
		quantised := strings.HasSuffix(n.op, "quantizeLinear") || strings.HasSuffix(n.op, "QuantizeLinear")
		if len(n.in) > 0 && (channelsFirst[n.op] || quantised && len(n.out) > 0 && images[n.out[0]]) {
			images[n.in[0]] = true
		}
	}
	r := rand.New(rand.NewPCG(7, uint64(m.batch)))
	for _, in := range m.file.inputs {
		if m.file.inits[in.name] != nil {
			continue
		}
		dtype, ok := importedTypes[in.elem]
		if !ok {
			return fmt.Errorf("the input %q is of type %d of ONNX; inputs are float, int32 or int64", in.name, in.elem)
		}
		name, err := m.fresh(in.name)
		if err != nil {
			return err
		}
		v := &value{name: in.name, shape: []int{m.batch}, elem: in.elem}
		for k, d := range in.dims[1:] {
			if d < 0 {
				if d = m.o.Length; d == 0 {
					return fmt.Errorf("the input %q has a dimension of any size, %q: set length", in.name, in.names[k+1])
				}
			}
			v.shape = append(v.shape, d)
		}
		if !small(v.shape) || v.elements() == 0 {
			return fmt.Errorf("the input %q has shape %v", in.name, v.shape)
		}
		decl := graph.Input{Name: name, Shape: slices.Clone(v.shape[1:]), DType: dtype, Scale: 1}
		switch {
		case dtype != graph.F32:
			v.known, v.probe, v.raw = m.sample(name, m.pads[in.name], v.shape, in.elem, r), true, name
			if len(v.shape) == 2 && len(m.pads[in.name]) == 0 {
				m.masks[name] = v.known
			}
		case images[in.name] && len(v.shape) > 2:
			v.layer, v.perm = name, toFirst(len(v.shape)-1)
			decl.Shape = append(slices.Clone(v.shape[2:]), v.shape[1])
		default:
			v.layer = name
		}
		m.g.Inputs = append(m.g.Inputs, decl)
		m.values[in.name] = v
	}
	return nil
}

// sample draws elements: of a mask zeros and ones, a one in front; of tokens 3 and what is taken for padding, 3 in front.
func (m *importer) sample(name string, pads []int, shape []int, elem int64, r *rand.Rand) *array {
	a, choices := newArray(elem, shape...), []int{1, 0}
	if len(pads) > 0 {
		token := 3
		for slices.Contains(pads, token) {
			token++
		}
		choices = append([]int{token}, pads...)
	}
	row := a.size() / shape[0]
	for range 100 {
		hidden := 0
		for k := range a.size() {
			choice := 0
			if k%row > 0 {
				choice = r.IntN(len(choices))
			}
			hidden += min(choice, 1)
			a.set(k, float64(choices[choice]))
		}
		// a sample tells masks apart: it hides something, and is none that another input has
		other := func(b *array) bool { return slices.Equal(a.i, b.i) }
		if hidden > 0 && !slices.ContainsFunc(slices.Collect(maps.Values(m.masks)), other) {
			break
		}
	}
	for _, pad := range pads {
		mask := newArray(typeInt64, shape...)
		for k := range a.size() {
			mask.set(k, truth(a.at(k) != float64(pad)))
		}
		m.masks[fmt.Sprintf("%s/%d", name, pad)] = mask
	}
	return a
}

func (v *value) elements() int { return graph.Size(v.shape) }

// fresh makes a name of a layer of one of ONNX, which may have any characters.
func (m *importer) fresh(name string) (string, error) {
	var b strings.Builder
	for _, c := range strings.Trim(name, "/.") {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			b.WriteRune(c)
		} else {
			b.WriteByte('_')
		}
		if b.Len() > 150 {
			break
		}
	}
	s := b.String()
	if !graph.CheckName(s) {
		s = "n" + s
	}
	for k, base := 2, s; m.names[s]; k++ {
		s = fmt.Sprintf("%s_%d", base, k)
		if k > maxNodes {
			return "", errors.New("too many names that are alike")
		}
	}
	m.names[s] = true
	return s, nil
}

// optional are the operators that inputs may be left out of.
var optional = map[string]bool{"Clip": true, "Slice": true, "Squeeze": true, "Unsqueeze": true, "ReduceSum": true, "ReduceMean": true, "ReduceMax": true, "ReduceMin": true, "ReduceProd": true, "ReduceL2": true,
	"Trilu": true, "Resize": true, "Dropout": true, "LSTM": true, "DequantizeLinear": true, "QuantizeLinear": true, "MatMulInteger": true, "ConvInteger": true, "GRU": true, "Conv": true, "Gemm": true}

// two are the operators that take at least two inputs.
var two = map[string]bool{"MatMul": true, "Add": true, "Sub": true, "Mul": true, "Div": true, "Pow": true, "Gather": true, "GatherElements": true, "Gemm": true, "Conv": true, "Expand": true, "Reshape": true, "Where": true}

// operator does one operator.
func (m *importer) operator(n *node) error {
	m.node = n
	in := make([]*value, len(n.in))
	known, probe := true, false
	arrays := make([]*array, len(n.in))
	for k, name := range n.in {
		if name == "" {
			continue
		}
		if in[k] = m.values[name]; in[k] == nil {
			return fmt.Errorf("%v takes %q, which nothing gives", n, name)
		}
		arrays[k] = in[k].known
		known, probe = known && in[k].known != nil, probe || in[k].probe
	}
	if n.op != "Constant" && (len(in) == 0 || in[0] == nil) || two[n.op] && (len(in) < 2 || in[1] == nil) || !optional[n.op] && slices.Contains(in, nil) {
		return fmt.Errorf("%v lacks an input", n)
	}
	if len(n.out) == 0 {
		return fmt.Errorf("%v gives nothing", n)
	}
	put := func(v *value) error {
		c := *v
		c.name, c.also = n.out[0], nil
		if c.name == "" && len(n.out) > 1 { // the first output of a recurrent layer may be left out
			c.name = n.out[1]
		}
		c.shared = c.shared || v.name != c.name && m.uses[v.name] > 1
		m.values[c.name] = &c
		for k, a := range v.also {
			if k+1 < len(n.out) {
				c := *a
				c.name = n.out[k+1]
				m.values[c.name] = &c
			}
		}
		return nil
	}
	switch {
	case n.domain != "" && n.domain != "ai.onnx":
		return m.unsupported("it is of the domain " + n.domain)
	case n.op == "Shape":
		a, _ := foldShape(n, []*array{{shape: in[0].shape}})
		return put(&value{shape: a.shape, elem: typeInt64, known: a})
	case known && (n.op == "QuantizeLinear" || n.op == "DequantizeLinear") && in[0].known.floats(): // of a constant: left out, as of other values
		if n.op == "QuantizeLinear" {
			m.noteQuantized()
		}
		return put(&value{shape: in[0].shape, elem: in[0].elem, known: in[0].known, probe: in[0].probe})
	case (n.op == "Gather" || n.op == "GatherElements") && known && !in[0].probe && !in[0].known.floats() && in[0].known.uniform(): // whatever it is that is taken
		a, _, err := fold(n, arrays)
		if err != nil {
			return err
		}
		return put(&value{shape: a.shape, elem: a.elem, known: a})
	case n.op == "Gather" && known && !in[0].probe && in[1].probe && (in[0].known.floats() || in[0].elem == typeInt8 || in[0].elem == typeUint8):
		v, err := m.rows(in)
		if err != nil {
			return err
		}
		return put(v)
	case known:
		if n.op == "Transpose" && !probe && len(in[0].shape) == 2 && n.in[0] != "" {
			m.turned[n.out[0]] = n.in[0]
		}
		a, ok, err := fold(n, arrays)
		if err != nil {
			return err
		}
		if ok {
			v := &value{shape: a.shape, elem: a.elem, known: a, probe: probe}
			if n.op == "Identity" || n.op == "Cast" && !floating(a.elem) && a.elem != typeBool || n.op == "Reshape" && slices.Equal(a.shape, in[0].shape) {
				v.raw = in[0].raw
			}
			return put(v)
		}
		if !probe {
			return m.unsupported("")
		}
	}
	match := matchers[n.op]
	if match == nil {
		return m.unsupported("")
	}
	v, ok, err := m.inside(n, in)
	if !ok {
		v, err = match(m, n, in)
	}
	if err != nil {
		return err
	}
	if v == nil {
		return m.unsupported("")
	}
	return put(v)
}

// rows is an embedding: rows of a table by an input.
func (m *importer) rows(in []*value) (*value, error) {
	table := in[0].known
	codes := !table.floats()
	if codes { // quantised; the scale of its columns comes after it
		t := newArray(typeFloat, table.shape...)
		for k := range t.f {
			t.f[k] = float32(table.i[k])
		}
		table = t
	}
	if p := m.counts(in[1].known); in[1].raw == "" && p > 0 && len(table.shape) == 2 && m.node.int("axis", 0) == 0 && table.shape[0] >= p+in[1].shape[1] {
		length, units := in[1].shape[1], table.shape[1]
		m.note("positions are counted from the first token on, of padding too, where the file does not count it: padding must come last")
		return &value{shape: []int{m.batch, length, units}, elem: typeFloat, lazy: &lazy{op: "positions", kept: &array{elem: typeFloat, shape: []int{length, units}, f: table.f[p*units : (p+length)*units]}}}, nil
	}
	if in[1].raw == "" || len(table.shape) != 2 || m.node.int("axis", 0) != 0 || len(in[1].shape) != 2 {
		return nil, m.unsupported("the rows of a table are taken by numbers that are computed from inputs")
	}
	v, err := m.emit("embedding", []string{in[1].raw}, map[string]any{"vocabulary": int64(table.shape[0]), "units": int64(table.shape[1])}, append(slices.Clone(in[1].shape), table.shape[1]), bundle.Params{"weight": table.tensor()})
	if err == nil {
		m.tables[m.node.in[0]] = v.layer
		m.codes[v.layer] = codes
	}
	return v, err
}

// counts is where positions begin that are counted along a mask, and are one less where it hides, as in RoBERTa; 0 where samples are
// something else.
func (m *importer) counts(a *array) int {
	if len(a.shape) != 2 || a.floats() {
		return 0
	}
	for _, name := range sortedNames(m.masks) {
		mask := m.masks[name]
		if !slices.Equal(mask.shape, a.shape) {
			continue
		}
		pad, fits := a.at(0)-1, true
		for row := range a.shape[0] {
			seen := 0.0
			for j := range a.shape[1] {
				k := row*a.shape[1] + j
				seen += mask.at(k)
				fits = fits && a.at(k) == pad+seen*mask.at(k)
			}
		}
		if fits && pad >= 0 {
			return int(pad) + 1
		}
	}
	return 0
}

// note says something that whoever reads the file should know, once.
func (m *importer) note(text string) {
	if m.o.Note != nil && !m.noted[text] {
		m.noted[text] = true
		m.o.Note(text)
	}
}

// emit adds a layer that is called after the operator's output.
func (m *importer) emit(op string, inputs []string, attrs map[string]any, shape []int, params bundle.Params) (*value, error) {
	name, err := m.fresh(cmp.Or(m.node.out...))
	if err != nil {
		return nil, err
	}
	m.g.Layers = append(m.g.Layers, graph.Layer{Name: name, Op: op, Inputs: inputs, Attrs: attrs})
	if params != nil {
		m.params[name] = params
	}
	return &value{name: m.node.out[0], shape: shape, elem: typeFloat, layer: name}, nil
}

// own is the layer that gives a value to this operator alone, which may then be made part of it; nil for another.
func (m *importer) own(v *value) *graph.Layer {
	if v.layer == "" || v.wide || v.shared || m.uses[v.name] != 1 {
		return nil
	}
	l := m.g.Layer(v.layer)
	if l == nil || m.taken(v.layer) {
		return nil
	}
	return l
}

// taken reports whether a layer is taken by another already.
func (m *importer) taken(name string) bool {
	return slices.ContainsFunc(m.g.Layers, func(l graph.Layer) bool { return slices.Contains(l.Inputs, name) })
}

// rename calls a layer after the operator that it now ends with.
func (m *importer) rename(l *graph.Layer) (string, error) {
	old := l.Name
	name, err := m.fresh(m.node.out[0])
	if err != nil {
		return "", err
	}
	if p := m.params[old]; p != nil {
		m.params[name] = p
		delete(m.params, old)
	}
	for table, layer := range m.tables {
		if layer == old {
			m.tables[table] = name
		}
	}
	l.Name = name
	return name, nil
}

// real makes a layer of a value that is part of one.
func (m *importer) real(v *value) (*value, error) {
	switch {
	case v.layer != "" && v.wide:
		inner, first := v.shape[1:], len(v.shape) > 3
		if first {
			inner = append(slices.Clone(v.shape[2:]), v.shape[1])
		}
		out, err := m.emit("reshape", []string{v.layer}, map[string]any{"shape": whole64(inner)}, v.shape, nil)
		if err == nil && first {
			out.perm = toFirst(len(inner))
		}
		return m.remember(v, out, err)
	case v.known != nil && v.probe:
		for name, mask := range m.masks {
			if strings.Contains(name, "/") && slices.Equal(mask.shape, v.shape) && floating(v.elem) && slices.EqualFunc(mask.i, v.known.f, func(a int64, b float32) bool { return float32(a) == b }) {
				layer, err := m.maskLayer(name)
				return &value{name: v.name, shape: v.shape, elem: v.elem, layer: layer}, err
			}
		}
		return nil, m.unsupported(fmt.Sprintf("%q is made of inputs of whole numbers", v.name))
	case v.layer != "":
		return v, nil
	case v.lazy == nil:
		return nil, m.unsupported(fmt.Sprintf("%q is made of constants", v.name))
	}
	l := v.lazy
	switch l.op {
	case "scaled":
		a, err := m.real(l.a)
		if err != nil {
			return nil, err
		}
		out, err := m.emit("scale", []string{a.layer}, map[string]any{"factor": number(l.k)}, v.shape, nil)
		if err == nil {
			out.perm, out.flat = a.perm, a.flat
		}
		return m.remember(v, out, err)
	case "product":
		a, b, err := m.pair(l.a, l.b)
		if err != nil {
			return nil, err
		}
		out, err := m.emit("multiply", []string{a.layer, b.layer}, nil, v.shape, nil)
		if err == nil {
			out.perm, out.flat = a.perm, a.flat
		}
		return m.remember(v, out, err)
	case "view":
		out, err := m.materialized(v)
		return m.remember(v, out, err)
	case "mixed":
		out, err := m.attention(v)
		return m.remember(v, out, err)
	case "cube":
		a, err := m.real(l.a)
		if err != nil {
			return nil, err
		}
		square, err := m.emit("multiply", []string{a.layer, a.layer}, nil, v.shape, nil)
		if err != nil {
			return nil, err
		}
		out, err := m.emit("multiply", []string{square.layer, a.layer}, nil, v.shape, nil)
		if err == nil {
			out.perm, out.flat = a.perm, a.flat
		}
		return m.remember(v, out, err)
	case "along": // no rotation, but a constant beside features
		a, err := m.real(l.a)
		if err != nil {
			return nil, err
		}
		return m.affine(a, l.kept, true)
	case "summasked":
		return m.lastOf(v)
	}
	return nil, m.unsupported(fmt.Sprintf("%q is a part of a layer, %s, and stands by itself", v.name, l.op))
}

// remember keeps the layer of a value for others who take it.
func (m *importer) remember(v, out *value, err error) (*value, error) {
	if err != nil {
		return nil, err
	}
	name, shared := v.name, v.shared || out.shared
	*v = *out
	v.name, v.shared = name, shared
	return v, nil
}

// plain is a value whose axes are in order.
func (m *importer) plain(v *value) (*value, error) {
	v, err := m.real(v)
	if err != nil {
		return nil, err
	}
	if v.perm != nil || v.flat != nil {
		return nil, m.unsupported(fmt.Sprintf("%q has its channels first", v.name))
	}
	return v, nil
}

// pair is two values whose axes are in the same order.
func (m *importer) pair(a, b *value) (*value, *value, error) {
	a, err := m.real(a)
	if err != nil {
		return nil, nil, err
	}
	if b, err = m.real(b); err != nil {
		return nil, nil, err
	}
	for _, p := range [][2]**value{{&a, &b}, {&b, &a}} {
		if x, y := *p[0], *p[1]; x.perm != nil && y.perm == nil && len(x.shape) == len(y.shape) {
			if turned, err := m.first(y); err == nil {
				*p[1] = turned
			}
		}
	}
	if !slices.Equal(a.perm, b.perm) || !slices.Equal(a.flat, b.flat) || len(a.shape) != len(b.shape) {
		return nil, nil, m.unsupported(fmt.Sprintf("%q and %q have their axes in different orders", a.name, b.name))
	}
	return a, b, nil
}

func whole64(v []int) []any {
	out := make([]any, len(v))
	for k, x := range v {
		out[k] = int64(x)
	}
	return out
}

// number is a number in normal form.
func number(v float64) any {
	if v == float64(int64(v)) && v > -1e15 && v < 1e15 {
		return int64(v)
	}
	return v
}

// nameOutputs calls the layers that give the outputs as the file calls these, where an operator behind them that does nothing has the name.
func (m *importer) nameOutputs() {
	for k, out := range m.file.outputs {
		old := m.g.Outputs[k]
		if !graph.CheckName(out.name) || m.names[out.name] {
			continue
		}
		m.names[out.name] = true
		for i := range m.g.Layers {
			l := &m.g.Layers[i]
			if l.Name == old {
				l.Name = out.name
			}
			l.Inputs = slices.Clone(l.Inputs)
			for j, in := range l.Inputs {
				if in == old {
					l.Inputs[j] = out.name
				}
			}
			if l.Text("embedding", "") == old {
				l.Attrs["embedding"] = out.name
			}
		}
		if p := m.params[old]; p != nil {
			m.params[out.name] = p
			delete(m.params, old)
		}
		m.g.Outputs[k] = out.name
	}
}

// model is what was read, without layers that lead to no output.
func (m *importer) model() (*bundle.Model, error) {
	for _, out := range m.file.outputs {
		v := m.values[out.name]
		if v == nil {
			return nil, fmt.Errorf("the output %q is given by nothing", out.name)
		}
		m.node = &node{op: "output", out: []string{out.name}}
		v, err := m.plain(v)
		if err != nil {
			return nil, fmt.Errorf("the output %q: %w", out.name, err)
		}
		if m.g.Layer(v.layer) == nil || slices.Contains(m.g.Outputs, v.layer) { // an input, or another output, passed on
			if v, err = m.emit("activation", []string{v.layer}, map[string]any{"function": "linear"}, v.shape, nil); err != nil {
				return nil, err
			}
		}
		m.g.Outputs = append(m.g.Outputs, v.layer)
	}
	m.nameOutputs()
	if len(m.g.Outputs) == 0 {
		return nil, errors.New("the file has no outputs")
	}
	needed := map[string]bool{}
	for _, o := range m.g.Outputs {
		needed[o] = true
	}
	for k := len(m.g.Layers) - 1; k >= 0; k-- {
		l := &m.g.Layers[k]
		if !needed[l.Name] {
			delete(m.params, l.Name)
			m.g.Layers = slices.Delete(m.g.Layers, k, k+1)
			continue
		}
		for _, in := range l.Inputs {
			needed[in] = true
		}
		if e := l.Text("embedding", ""); e != "" {
			needed[e] = true
		}
	}
	m.g.Inputs = slices.DeleteFunc(m.g.Inputs, func(in graph.Input) bool { return !m.taken(in.Name) })
	info, err := graph.Infer(m.g)
	if err != nil {
		return nil, err
	}
	out := &bundle.Model{Graph: m.g, Info: info, Params: m.params}
	return out, out.Check()
}
