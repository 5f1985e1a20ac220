// Package dataset reads and writes datasets: a directory with a manifest and one safetensors file for each split, columns as
// tensors, so that a split maps into memory.
//
//	dataset.json           the manifest: inputs, label, splits
//	<split>.safetensors    one tensor for each input ([rows, shape...] F32), "label" ([rows] I32 class index, or F32), and
//	                       "row" ([rows] I64, the row of the source, from 0)
//
// A dataset that is not split has the one split "all", which stands for every split that a consumer asks for.
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

// MediaType is the media type of a dataset.
const MediaType = "application/vnd.mbuild.dataset.v1"

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
	if err := os.WriteFile(filepath.Join(dir, "dataset.json"), enc, 0o644); err != nil {
		return err
	}
	in := m.Inputs[0]
	for name, d := range splits {
		ts := []safetensors.Tensor{
			{Name: in.Name, DType: "F32", Shape: append([]int{d.Rows}, in.Shape...), Data: safetensors.Bytes(d.Features), Stream: d.Stream},
			{Name: "row", DType: "I64", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Source)},
		}
		switch {
		case m.Label != nil && m.Label.Kind == "class":
			ts = append(ts, safetensors.Tensor{Name: "label", DType: "I32", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Classes)})
		case m.Label != nil:
			ts = append(ts, safetensors.Tensor{Name: "label", DType: "F32", Shape: []int{d.Rows}, Data: safetensors.Bytes(d.Numbers)})
		}
		if err := safetensors.WriteFile(filepath.Join(dir, name+".safetensors"), ts, nil); err != nil {
			return err
		}
	}
	return nil
}

// ReadManifest reads the manifest of a dataset.
func ReadManifest(dir string) (*Manifest, error) {
	b, err := os.ReadFile(filepath.Join(dir, "dataset.json"))
	if err != nil {
		return nil, err
	}
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("dataset.json: %w", err)
	}
	if len(m.Inputs) == 0 || len(m.Splits) == 0 {
		return nil, fmt.Errorf("dataset.json lists no inputs or no splits")
	}
	return m, nil
}

// Has reports whether a split can be read.
func (m *Manifest) Has(split string) bool {
	return slices.ContainsFunc(m.Splits, func(s Split) bool { return s.Name == split || s.Name == All })
}

// Read reads one split; *ErrNoSplit when there is none of that name.
func Read(dir string, m *Manifest, split string) (*Data, error) {
	name := split
	if len(m.Splits) == 1 && m.Splits[0].Name == All {
		name = All
	}
	i := slices.IndexFunc(m.Splits, func(s Split) bool { return s.Name == name })
	if i < 0 {
		e := &ErrNoSplit{Split: split}
		for _, s := range m.Splits {
			e.Have = append(e.Have, s.Name)
		}
		return nil, e
	}
	ts, _, err := safetensors.ReadFile(filepath.Join(dir, name+".safetensors"))
	if err != nil {
		return nil, err
	}
	d := &Data{Rows: m.Splits[i].Rows, Width: 1}
	for _, n := range m.Inputs[0].Shape {
		d.Width *= n
	}
	for _, t := range ts {
		switch {
		case t.Name == m.Inputs[0].Name:
			d.Features = safetensors.View[float32](t.Data)
		case t.Name == "row":
			d.Source = safetensors.View[int64](t.Data)
		case t.Name == "label" && t.DType == "I32":
			d.Classes = safetensors.View[int32](t.Data)
		case t.Name == "label":
			d.Numbers = safetensors.View[float32](t.Data)
		}
	}
	if len(d.Features) != d.Rows*d.Width || len(d.Source) != d.Rows {
		return nil, fmt.Errorf("split %q does not have the %d rows that its manifest says", name, d.Rows)
	}
	return d, nil
}
