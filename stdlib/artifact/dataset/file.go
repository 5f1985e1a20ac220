package dataset

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// field is a tensor that the file of a split has; a dimension of -1 may be anything.
type field struct {
	name, dtype string
	shape       []int
}

// fields are the tensors of a split of so many rows, in the order of the manifest.
func (m *Manifest) fields(rows int) []field {
	var out []field
	for _, in := range m.Inputs {
		dtype := in.DType
		if in.Sequence != "" {
			continue
		}
		if dtype == "" {
			dtype = "F32"
		}
		out = append(out, field{in.Name, dtype, append([]int{rows}, in.Shape...)})
	}
	for i := range m.Sequences {
		s := &m.Sequences[i]
		for _, part := range m.Parts(s) {
			out = append(out, field{SequenceTensor(s.Name, part), "I32", []int{-1}})
		}
		out = append(out, field{SequenceTensor(s.Name, "ends"), "I64", []int{rows}})
		if s.RowBytes {
			out = append(out, field{SequenceTensor(s.Name, "bytes"), "I32", []int{rows}})
		}
	}
	for _, c := range m.Columns {
		name := TextTensor(c.Name)
		out = append(out, field{name, "U8", []int{-1}})
		if c.Kind == "tokens" {
			out = append(out, field{name + EndsSuffix, "I64", []int{-1}}, field{name + RowsSuffix, "I64", []int{rows}})
		} else {
			out = append(out, field{name + EndsSuffix, "I64", []int{rows}})
		}
	}
	out = append(out, field{rowName, "I64", []int{rows}})
	switch {
	case m.Label == nil:
	case m.Label.Kind == "class":
		out = append(out, field{labelName, "I32", []int{rows}})
	case m.Label.Kind == "tags":
		out = append(out, field{labelName, "I32", []int{-1}})
	default:
		out = append(out, field{labelName, "F32", []int{rows}})
	}
	return out
}

// The names of tensors in the file of a split that are no input.
const (
	RowTensor   = rowName
	LabelTensor = labelName
	EndsSuffix  = "/ends"
	RowsSuffix  = "/rows"
)

// TextTensor is the name of the tensor with the bytes of a text column.
func TextTensor(column string) string { return "text/" + column }

// Create writes a dataset into an existing directory. tensors gives those of the file of each split, which may stream: what the
// manifest says, no more and no less.
func Create(dir string, m *Manifest, tensors func(split string) []safetensors.Tensor) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("writing a dataset: %w", err)
	}
	enc, err := json.Marshal(m)
	if err != nil {
		return err
	}
	v, err := value.Decode(enc)
	if err != nil {
		return err
	}
	if enc, err = value.Canonical(v); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, manifestFile), enc, 0o644); err != nil {
		return err
	}
	for _, s := range m.Splits {
		ts := tensors(s.Name)
		if err := m.match(s.Rows, ts); err != nil {
			return fmt.Errorf("writing a dataset: split %q is not what its manifest says: %w", s.Name, err)
		}
		if err := safetensors.WriteFile(filepath.Join(dir, s.Name+suffix), ts, nil); err != nil {
			return fmt.Errorf("split %q: %w", s.Name, err)
		}
	}
	return nil
}

// Write writes a dataset into an existing directory. splits holds the data of each split of the manifest.
func Write(dir string, m *Manifest, splits map[string]*Data) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("writing a dataset: %w", err)
	}
	if len(splits) != len(m.Splits) {
		return fmt.Errorf("writing a dataset: %d splits, but its manifest has %d", len(splits), len(m.Splits))
	}
	for _, s := range m.Splits {
		if d := splits[s.Name]; d == nil || d.Rows != s.Rows {
			return fmt.Errorf("writing a dataset: split %q is not what its manifest says", s.Name)
		}
	}
	return Create(dir, m, func(split string) []safetensors.Tensor { return m.tensors(splits[split]) })
}

// tensors are what the file of a split holds.
func (m *Manifest) tensors(d *Data) []safetensors.Tensor {
	var ts []safetensors.Tensor
	put := func(f field, data []byte) {
		ts = append(ts, safetensors.Tensor{Name: f.name, DType: f.dtype, Shape: f.shape, Data: data})
	}
	fields := m.fields(d.Rows)
	for _, in := range m.Inputs {
		if in.Sequence != "" {
			continue
		}
		put(fields[0], nil)
		if t := &ts[0]; d.Stream != nil {
			t.Stream = d.Stream
		} else {
			t.Data = in.encode(d.Features)
		}
		fields = fields[1:]
	}
	for i := range m.Sequences {
		s := &m.Sequences[i]
		t := d.Tokens[s.Name]
		if t == nil {
			t = &Tokens{}
		}
		for _, part := range m.Parts(s) {
			v := map[string][]int32{PartIDs: t.IDs, PartTypes: t.Types, PartWords: t.Words}[part]
			fields[0].shape = []int{len(v)}
			if t.Stream != nil {
				fields[0].shape = []int{t.total()}
			}
			put(fields[0], safetensors.Bytes(v))
			if t.Stream != nil {
				ts[len(ts)-1].Stream = func(w io.Writer) error { return t.Stream(part, w) }
			}
			fields = fields[1:]
		}
		put(fields[0], safetensors.Bytes(t.Ends))
		fields = fields[1:]
		if s.RowBytes {
			fields[0].shape = []int{len(t.Bytes)}
			put(fields[0], safetensors.Bytes(t.Bytes))
			fields = fields[1:]
		}
	}
	for _, c := range m.Columns {
		t := d.Texts[c.Name]
		if t == nil {
			t = &Texts{}
		}
		fields[0].shape, fields[1].shape = []int{len(t.Bytes)}, []int{len(t.Ends)}
		put(fields[0], t.Bytes)
		put(fields[1], safetensors.Bytes(t.Ends))
		fields = fields[2:]
		if c.Kind == "tokens" {
			put(fields[0], safetensors.Bytes(t.Rows))
			fields = fields[1:]
		}
	}
	put(fields[0], safetensors.Bytes(d.Source))
	if m.Label != nil {
		if f := fields[1]; f.dtype == "F32" {
			put(f, safetensors.Bytes(d.Numbers))
		} else {
			if f.shape[0] < 0 {
				f.shape = []int{len(d.Classes)}
			}
			put(f, safetensors.Bytes(d.Classes))
		}
	}
	return ts
}

// encode brings features into the form in which they are stored.
func (in *Input) encode(features []float32) []byte {
	if in.DType != "U8" {
		return safetensors.Bytes(features)
	}
	out := make([]byte, len(features))
	for i, v := range features {
		out[i] = byte(v)
	}
	return out
}

// decode undoes encode.
func (in *Input) decode(b []byte) []float32 {
	if in.DType != "U8" {
		return safetensors.View[float32](b)
	}
	out := make([]float32, len(b))
	for i, v := range b {
		out[i] = float32(v)
	}
	return out
}

// match reports tensors that are not those of the manifest.
func (m *Manifest) match(rows int, ts []safetensors.Tensor) error {
	want := m.fields(rows)
	if len(ts) != len(want) {
		return fmt.Errorf("its file has %d tensors, not %d", len(ts), len(want))
	}
	for _, w := range want {
		i := slices.IndexFunc(ts, func(t safetensors.Tensor) bool { return t.Name == w.name })
		if i < 0 || ts[i].DType != w.dtype || !slices.EqualFunc(ts[i].Shape, w.shape, func(a, b int) bool { return a == b || b < 0 }) {
			return fmt.Errorf("its file has no tensor %q of %s%v, as its manifest says", w.name, w.dtype, w.shape)
		}
	}
	return nil
}

// find is the split to read for a name: that one, or the one called All where there is no other.
func (m *Manifest) find(split string) (Split, error) {
	i := slices.IndexFunc(m.Splits, func(s Split) bool { return s.Name == split || s.Name == All })
	if i < 0 {
		e := &ErrNoSplit{Split: split}
		for _, s := range m.Splits {
			e.Have = append(e.Have, s.Name)
		}
		return Split{}, e
	}
	return m.Splits[i], nil
}

// Open opens the file of one split for reading piece by piece; *ErrNoSplit when there is none of that name. Its tensors are those
// that the manifest says. What they hold is not looked at.
func Open(dir string, m *Manifest, split string) (*safetensors.File, int, error) {
	s, err := m.find(split)
	if err != nil {
		return nil, 0, err
	}
	f, err := safetensors.Open(filepath.Join(dir, s.Name+suffix))
	if err != nil {
		return nil, 0, err
	}
	if err := m.match(s.Rows, f.Tensors); err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("split %q: %w", s.Name, err)
	}
	return f, s.Rows, nil
}

// Read reads one split, which is the one called All where there is no other; *ErrNoSplit when there is none of that name. What
// it returns is as the manifest says: as many rows, and classes that have names.
func Read(dir string, m *Manifest, split string) (*Data, error) {
	s, err := m.find(split)
	if err != nil {
		return nil, err
	}
	ts, _, err := safetensors.ReadFile(filepath.Join(dir, s.Name+suffix))
	if err != nil {
		return nil, err
	}
	d, err := m.data(s.Rows, ts)
	if err != nil {
		return nil, fmt.Errorf("split %q: %w", s.Name, err)
	}
	return d, nil
}

// Map is Read of a file that is mapped into memory, where that can be, for data that is gone through once: what it returns may not be
// written, and is gone after release.
func Map(dir string, m *Manifest, split string) (d *Data, release func(), err error) {
	s, err := m.find(split)
	if err != nil {
		return nil, nil, err
	}
	ts, _, release, err := safetensors.Map(filepath.Join(dir, s.Name+suffix))
	if err != nil {
		return nil, nil, err
	}
	if d, err = m.data(s.Rows, ts); err != nil {
		release()
		return nil, nil, fmt.Errorf("split %q: %w", s.Name, err)
	}
	return d, release, nil
}

// data makes a split of the tensors in its file.
func (m *Manifest) data(rows int, ts []safetensors.Tensor) (*Data, error) {
	if err := m.match(rows, ts); err != nil {
		return nil, err
	}
	raw := map[string][]byte{}
	for _, t := range ts {
		raw[t.Name] = t.Data
	}
	d := &Data{Of: m, Rows: rows, Source: safetensors.View[int64](raw[rowName])}
	for i := range m.Sequences {
		s := &m.Sequences[i]
		t, err := m.readTokens(s, rows, raw)
		if err != nil {
			return nil, fmt.Errorf("sequence %q: %w", s.Name, err)
		}
		if d.Tokens == nil {
			d.Tokens = map[string]*Tokens{}
		}
		d.Tokens[s.Name] = t
	}
	for _, in := range m.Inputs {
		if in.Sequence != "" {
			continue
		}
		d.Width = 1
		for _, n := range in.Shape {
			d.Width *= n
		}
		d.Features = in.decode(raw[in.Name])
	}
	for _, c := range m.Columns {
		name := TextTensor(c.Name)
		t := &Texts{Bytes: raw[name], Ends: safetensors.View[int64](raw[name+EndsSuffix])}
		if c.Kind == "tokens" {
			t.Rows = safetensors.View[int64](raw[name+RowsSuffix])
		}
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		if d.Texts == nil {
			d.Texts = map[string]*Texts{}
		}
		d.Texts[c.Name] = t
	}
	if m.Label == nil {
		return d, nil
	}
	if m.Label.Kind == "number" {
		d.Numbers = safetensors.View[float32](raw[labelName])
		return d, nil
	}
	d.Classes = safetensors.View[int32](raw[labelName])
	tagged := m.tagged()
	if m.Label.Kind == "tags" {
		n := 0
		if tagged != nil {
			n = len(d.Tokens[m.Label.Of].IDs)
		} else {
			n = len(d.Texts[m.Label.Of].Ends)
		}
		if len(d.Classes) != n {
			return nil, fmt.Errorf("there are %d tags for %d tokens of %q", len(d.Classes), n, m.Label.Of)
		}
	}
	for i, c := range d.Classes {
		if c == NoLabel && tagged != nil {
			continue
		}
		if c < 0 || int(c) >= len(m.Label.Classes) {
			return nil, fmt.Errorf("row %d is of class %d; there are %d", i, c, len(m.Label.Classes))
		}
	}
	return d, nil
}
