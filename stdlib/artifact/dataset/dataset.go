// Package dataset reads and writes datasets: a directory with a manifest and one safetensors file for each split, columns as
// tensors, so that a split maps into memory.
//
//	dataset.json           the manifest: inputs, label, splits
//	<split>.safetensors    one tensor for each input ([rows, shape...] F32), "label" ([rows] I32 class index, or F32), and
//	                       "row" ([rows] I64, the row of the source, from 0)
//
// A dataset that is not split has the one split "all", which stands for every split that a consumer asks for.
//
// It does not know where rows come from. The nouns: Manifest (Input, Label, Split), Data (one split in memory), Fractions (how
// rows are dealt out). The invariant: a manifest that was read is sound, and the data of a split is what its manifest says.
// Equal datasets give equal bytes.
package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mbuild.dev/mbuild/lang/value"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// MediaType is the media type of a dataset.
const MediaType = "application/vnd.mbuild.dataset.v1"

// The names in a dataset's directory, and of tensors that are no input.
const (
	manifestFile = "dataset.json"
	suffix       = ".safetensors"
	rowName      = "row"
	labelName    = "label"
)

// maxWidth bounds the numbers in a row.
const maxWidth = 1 << 40

// All is the name of the only split of a dataset that is not split.
const All = "all"

// Manifest says what a dataset holds.
type Manifest struct {
	Inputs []Input `json:"inputs"`
	Label  *Label  `json:"label,omitempty"`
	Splits []Split `json:"splits"`
}

// Input is one tensor that models take.
type Input struct {
	Name    string   `json:"name"`
	Shape   []int    `json:"shape"`
	Columns []string `json:"columns,omitempty"`
}

// Label is what models are to predict.
type Label struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"` // class or number
	Classes []string `json:"classes,omitempty"`
}

// Split is one part of the rows.
type Split struct {
	Name string `json:"name"`
	Rows int    `json:"rows"`
}

// Data is one split in memory.
type Data struct {
	Rows     int
	Features []float32             // [rows, width], of the only input
	Stream   func(io.Writer) error // writes the features instead, for what should not be in memory
	Width    int
	Classes  []int32   // [rows], when the label is a class
	Numbers  []float32 // [rows], when the label is a number
	Source   []int64   // [rows]
}

// ErrNoSplit says that a dataset does not have the split that was asked for.
type ErrNoSplit struct {
	Split string
	Have  []string
}

func (e *ErrNoSplit) Error() string {
	return fmt.Sprintf("the dataset has no split %q; it has %v", e.Split, e.Have)
}

// Write writes a dataset into an existing directory. splits holds the data of each split of the manifest.
func Write(dir string, m *Manifest, splits map[string]*Data) error {
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
	if len(splits) != len(m.Splits) {
		return fmt.Errorf("writing a dataset: %d splits, but its manifest has %d", len(splits), len(m.Splits))
	}
	for _, s := range m.Splits {
		d := splits[s.Name]
		if d == nil || d.Rows != s.Rows {
			return fmt.Errorf("writing a dataset: split %q is not what its manifest says", s.Name)
		}
		if err := safetensors.WriteFile(filepath.Join(dir, s.Name+suffix), m.tensors(d), nil); err != nil {
			return fmt.Errorf("split %q: %w", s.Name, err)
		}
	}
	return nil
}

// tensors are what the file of a split holds.
func (m *Manifest) tensors(d *Data) []safetensors.Tensor {
	in := m.Inputs[0]
	ts := []safetensors.Tensor{
		{Name: in.Name, DType: "F32", Shape: append([]int{d.Rows}, in.Shape...), Data: safetensors.Bytes(d.Features), Stream: d.Stream},
		{Name: rowName, DType: "I64", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Source)},
	}
	switch {
	case m.Label != nil && m.Label.Kind == "class":
		ts = append(ts, safetensors.Tensor{Name: labelName, DType: "I32", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Classes)})
	case m.Label != nil:
		ts = append(ts, safetensors.Tensor{Name: labelName, DType: "F32", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Numbers)})
	}
	return ts
}

// check reports a manifest that no dataset can have.
func (m *Manifest) check() error {
	if len(m.Inputs) != 1 {
		return fmt.Errorf("dataset.json lists %d inputs; a dataset of this version has one", len(m.Inputs))
	}
	in := m.Inputs[0]
	if in.Name == "" || in.Name == rowName || in.Name == labelName {
		return fmt.Errorf("dataset.json: an input cannot be called %q", in.Name)
	}
	width := 1
	for _, d := range in.Shape {
		if d < 1 || d > maxWidth/width {
			return fmt.Errorf("dataset.json: input %q has shape %v; each dimension must be at least 1, and all together at most 2^40", in.Name, in.Shape)
		}
		width *= d
	}
	if len(in.Shape) == 0 {
		return fmt.Errorf("dataset.json: input %q has no dimension but the rows", in.Name)
	}
	if l := m.Label; l != nil && l.Kind != "number" && (l.Kind != "class" || len(l.Classes) == 0) {
		return fmt.Errorf("dataset.json: label %q is neither a number nor a class with names", l.Name)
	}
	if len(m.Splits) == 0 {
		return errors.New("dataset.json lists no splits")
	}
	for i, s := range m.Splits {
		switch {
		case !isName(s.Name) || s.Rows < 0:
			return fmt.Errorf("dataset.json: split %q of %d rows", s.Name, s.Rows)
		case s.Name == All && len(m.Splits) > 1:
			return fmt.Errorf("dataset.json: split %q is not the only one", All)
		case slices.ContainsFunc(m.Splits[:i], func(o Split) bool { return o.Name == s.Name }):
			return fmt.Errorf("dataset.json: split %q comes twice", s.Name)
		}
	}
	return nil
}

// isName reports whether s may name a split, which is part of a file's name: letters, digits and underscores.
func isName(s string) bool {
	return s != "" && len(s) < 200 && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_')
	})
}

// ReadManifest reads the manifest of a dataset and checks it.
func ReadManifest(dir string) (*Manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, err
	}
	m := new(Manifest)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("dataset.json: %w", err)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return m, nil
}

// Has reports whether a split can be read.
func (m *Manifest) Has(split string) bool {
	return slices.ContainsFunc(m.Splits, func(s Split) bool { return s.Name == split || s.Name == All })
}

// Read reads one split, which is the one called All where there is no other; *ErrNoSplit when there is none of that name. What
// it returns is as the manifest says: as many rows, and classes that have names.
func Read(dir string, m *Manifest, split string) (*Data, error) {
	i := slices.IndexFunc(m.Splits, func(s Split) bool { return s.Name == split || s.Name == All })
	if i < 0 {
		e := &ErrNoSplit{Split: split}
		for _, s := range m.Splits {
			e.Have = append(e.Have, s.Name)
		}
		return nil, e
	}
	s := m.Splits[i]
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

// data makes a split of the tensors in its file.
func (m *Manifest) data(rows int, ts []safetensors.Tensor) (*Data, error) {
	d := &Data{Rows: rows, Width: 1}
	for _, n := range m.Inputs[0].Shape {
		d.Width *= n
	}
	want := m.tensors(d)
	if len(ts) != len(want) {
		return nil, fmt.Errorf("its file has %d tensors, not %d", len(ts), len(want))
	}
	for _, w := range want {
		i := slices.IndexFunc(ts, func(t safetensors.Tensor) bool { return t.Name == w.Name })
		if i < 0 || ts[i].DType != w.DType || !slices.Equal(ts[i].Shape, w.Shape) {
			return nil, fmt.Errorf("its file has no tensor %q of %s%v, as its manifest says", w.Name, w.DType, w.Shape)
		}
		switch b := ts[i].Data; {
		case w.Name == rowName:
			d.Source = safetensors.View[int64](b)
		case w.Name != labelName:
			d.Features = safetensors.View[float32](b)
		case w.DType == "I32":
			d.Classes = safetensors.View[int32](b)
		default:
			d.Numbers = safetensors.View[float32](b)
		}
	}
	for i, c := range d.Classes {
		if c < 0 || int(c) >= len(m.Label.Classes) {
			return nil, fmt.Errorf("row %d is of class %d; there are %d", i, c, len(m.Label.Classes))
		}
	}
	return d, nil
}
