package learn

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/graph"
)

// source is where the inputs of a graph come from: for each the dataset's input that it takes. A graph takes the inputs of its own
// names; a graph of one input also takes the only one there is, or the token ids of the only sequence.
type source struct {
	graph   *graph.Graph
	inputs  []*dataset.Input // by input of the graph; nil for the features of data that was made by hand
	free    bool             // sequences may be padded to less than the graph's length
	allowed map[string][]int // by sequence: to these
	infos   map[string]*graph.Info
}

// newSource binds a graph to data. What does not fit is a *Misfit.
func newSource(g *graph.Graph, d *dataset.Data) (*source, error) {
	s := &source{graph: g}
	if d.Of == nil || len(d.Of.Sequences) == 0 {
		in := &g.Inputs[0]
		if len(g.Inputs) != 1 || graph.Size(in.Shape) != d.Width {
			return nil, misfit("data", "the model's input %q has shape %s, and the dataset gives %d numbers a row. Change the shape of the input, or what the dataset makes of a row", in.Name, graph.ShapeText(in.Shape), d.Width)
		}
		s.inputs = []*dataset.Input{nil}
		return s, s.whole(d)
	}
	lengths := map[string]int{}
	for i := range g.Inputs {
		in, err := s.find(&g.Inputs[i], d.Of)
		if err != nil {
			return nil, err
		}
		s.inputs = append(s.inputs, in)
		if in.Shape[0] != g.Inputs[i].Shape[0] {
			lengths[g.Inputs[i].Name] = in.Shape[0]
		}
	}
	if len(lengths) > 0 {
		if _, _, err := g.AtLengths(lengths); err != nil {
			name := slices.Sorted(maps.Keys(lengths))[0]
			return nil, misfit("data", "the model's input %q has another length than the dataset's, %d, and the model is for that alone: %v", name, lengths[name], err)
		}
	}
	if err := s.check(d.Of); err != nil {
		return nil, err
	}
	return s, s.measure(d.Of)
}

// find is the dataset's input that an input of the graph takes.
func (s *source) find(in *graph.Input, m *dataset.Manifest) (*dataset.Input, error) {
	var names []string
	var ids *dataset.Input
	for i := range m.Inputs {
		have := &m.Inputs[i]
		names = append(names, have.Name)
		if have.Name == in.Name {
			return have, s.fits(in, have)
		}
		if have.Part == dataset.PartIDs {
			ids = have
		}
	}
	if len(s.graph.Inputs) == 1 && len(m.Sequences) == 1 {
		return ids, s.fits(in, ids)
	}
	hint := ""
	if near := schema.Nearest(in.Name, names); near != "" {
		hint = "; did you mean " + strconv.Quote(near) + "?"
	}
	return nil, misfit("data", "the model's input %q is no input of the dataset, which has %s%s", in.Name, list(names), hint)
}

func (s *source) fits(in *graph.Input, have *dataset.Input) error {
	switch {
	case len(in.Shape) != 1 || in.DType == graph.F32 && have.Part != dataset.PartMask:
		return misfit("data", "the model's input %q is %s%s, and the dataset has whole numbers, one for each position: give it shape = [%d] and dtype = \"int32\"", in.Name, in.DType, graph.ShapeText(in.Shape), have.Shape[0])
	case have.Shape[0] > in.Shape[0]:
		return misfit("data", "the model's input %q takes sequences of up to %d positions, and the dataset's %q has up to %d. Lower max_length of the dataset, or raise the shape of the input", in.Name, in.Shape[0], have.Name, have.Shape[0])
	}
	return nil
}

// check holds vocabularies and padding against the sequences.
func (s *source) check(m *dataset.Manifest) error {
	rows := s.graph.Vocabulary()
	for i, in := range s.inputs {
		name := s.graph.Inputs[i].Name
		q := m.Sequence(in.Sequence)
		if n := rows[name]; in.Part == dataset.PartIDs && n > 0 && n < q.VocabSize {
			return misfit("data", "the tokenizer of the dataset's sequence %q has %d tokens, and the model's input %q goes to an embedding of %d rows. Take the tokenizer that belongs to the model, or a vocabulary of %d", q.Name, q.VocabSize, name, n, q.VocabSize)
		} else if in.Part == dataset.PartTypes && n == 1 {
			return misfit("data", "the model has 1 type of tokens, and the dataset's input %q has 2", in.Name)
		}
		for k := range s.graph.Layers {
			l := &s.graph.Layers[k]
			if l.Op == "padding_mask" && l.Inputs[0] == name && in.Part == dataset.PartIDs && l.Int("pad") != q.PadID {
				return misfit("data", "the layer %q takes %d for padding, and the tokenizer of the dataset pads with %d: set pad = %d in the layer, or in the module (std/…) that it is of", l.Name, l.Int("pad"), q.PadID, q.PadID)
			}
		}
	}
	return nil
}

// measure finds whether the graph may be computed at all lengths that batches are padded to, and what its shapes are then. Each
// mixture of lengths is a computation of its own: where several sequences make too many, some lengths are left out, evenly.
func (s *source) measure(m *dataset.Manifest) error {
	s.infos, s.allowed = map[string]*graph.Info{}, map[string][]int{}
	each := maxCombinations
	for each > 1 && combinations(each, len(m.Sequences)) > maxCombinations {
		each--
	}
	combos := []map[string]int{{}}
	for i := range m.Sequences {
		q := &m.Sequences[i]
		s.allowed[q.Name] = thin(q.Lengths, each)
		var next []map[string]int
		for _, c := range combos {
			for _, n := range s.allowed[q.Name] {
				one := maps.Clone(c)
				one[q.Name] = n
				next = append(next, one)
			}
		}
		combos = next
	}
	for _, c := range combos {
		_, info, err := s.graph.AtLengths(s.byInput(c))
		if err != nil {
			return nil // one length fits all
		}
		s.infos[key(c)] = info
	}
	s.free = true
	return nil
}

// maxCombinations bounds the mixtures of lengths that a computation is made for.
const maxCombinations = 64

// combinations is how many ways there are to take one of b for each of n.
func combinations(b, n int) int {
	p := 1
	for range n {
		p *= b
	}
	return p
}

// thin leaves at most n of rising lengths, evenly, the last among them.
func thin(lengths []int, n int) []int {
	if len(lengths) <= n {
		return lengths
	}
	out := make([]int, n)
	for i := range out {
		out[i] = lengths[(i+1)*len(lengths)/n-1]
	}
	return out
}

// byInput are lengths by input of the graph, of lengths by sequence.
func (s *source) byInput(lengths map[string]int) map[string]int {
	out := map[string]int{}
	for i, in := range s.inputs {
		if n, ok := lengths[in.Sequence]; ok {
			out[s.graph.Inputs[i].Name] = n
		}
	}
	return out
}

func key(lengths map[string]int) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(lengths)) {
		b.WriteString(name + "=" + strconv.Itoa(lengths[name]) + " ")
	}
	return b.String()
}

// lengths are what the sequences of some rows are padded to, by sequence; nil of data without sequences.
func (s *source) lengths(d *dataset.Data, rows []int) map[string]int {
	if s.inputs[0] == nil {
		return nil
	}
	out := map[string]int{}
	for i := range d.Of.Sequences {
		q := &d.Of.Sequences[i]
		if s.free {
			at, _ := slices.BinarySearch(s.allowed[q.Name], q.Padded(d, rows))
			out[q.Name] = s.allowed[q.Name][at]
		}
	}
	if !s.free {
		for i, in := range s.inputs {
			out[in.Sequence] = s.graph.Inputs[i].Shape[0]
		}
	}
	return out
}

// info is what is inferred of the graph at some lengths.
func (s *source) info(full *graph.Info, lengths map[string]int) *graph.Info {
	if info := s.infos[key(lengths)]; info != nil {
		return info
	}
	return full
}

// put places the inputs of some rows, in the order of the graph.
func (s *source) put(a *arguments, d *dataset.Data, rows []int, lengths map[string]int) {
	if s.inputs[0] == nil {
		in := &s.graph.Inputs[0]
		shape := append([]int{len(rows)}, in.Shape...)
		switch in.DType {
		case graph.I32:
			gather(place[int32](a, shape...), d, rows)
		case graph.I64:
			gather(place[int64](a, shape...), d, rows)
		default:
			gather(place[float32](a, shape...), d, rows)
		}
		return
	}
	for i, in := range s.inputs {
		n := lengths[in.Sequence]
		v := d.Of.Pad(d, in, rows, n)
		switch s.graph.Inputs[i].DType {
		case graph.I64:
			convert(place[int64](a, len(rows), n), v)
		case graph.F32:
			convert(place[float32](a, len(rows), n), v)
		default:
			put(a, v, len(rows), n)
		}
	}
}

// convert copies numbers to another type, which holds them.
func convert[T, S float32 | int32 | int64](into []T, v []S) {
	for i, x := range v {
		into[i] = T(x)
	}
}

// whole checks features that an input takes as whole numbers: a backend would cut fractions off, and take another row of an
// embedding than one that is not there.
func (s *source) whole(d *dataset.Data) error {
	in := s.graph.Inputs[0]
	if in.DType == graph.F32 {
		return nil
	}
	most := float64(math.MaxInt32)
	if n := s.graph.Vocabulary()[in.Name]; n > 0 {
		most = float64(n - 1)
	}
	for i, v := range d.Features {
		if v := float64(v); v != math.Trunc(v) || v < 0 || v > most {
			return misfit("data", "the model's input %q takes whole numbers from 0 to %.0f, and value %d of row %d of the data is %v", in.Name, most, i%d.Width, i/d.Width, v)
		}
	}
	return nil
}

// gather copies the features of rows, which the type holds.
func gather[T float32 | int32 | int64](into []T, d *dataset.Data, rows []int) {
	w := d.Width
	for i, r := range rows {
		from, to := d.Features[r*w:(r+1)*w], into[i*w:(i+1)*w]
		if same, ok := any(to).([]float32); ok {
			copy(same, from)
		} else {
			convert(to, from)
		}
	}
}
