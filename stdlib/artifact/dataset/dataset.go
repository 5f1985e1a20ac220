// Package dataset reads and writes datasets: a directory with a manifest and one safetensors file for each split, columns as
// tensors, so that a split maps into memory.
//
//	dataset.json           the manifest: inputs, columns, label, splits
//	<split>.safetensors    one tensor for each input ([rows, shape...] F32, or U8 where it says so), "label" ([rows] I32 class
//	                       index, or F32; of tags [tokens] I32), and "row" ([rows] I64, the row of the source, from 0)
//	  of a text column c   "text/c" (U8, UTF-8 of all rows) and "text/c/ends" ([rows] I64, where each row's text ends)
//	  of a token column c  "text/c" (U8, of all tokens), "text/c/ends" ([tokens] I64) and "text/c/rows" ([rows] I64, the number
//	                       of tokens up to the end of each row)
//	  of a sequence s      "sequence/s/ids" (I32, of all tokens), "sequence/s/ends" ([rows] I64, the number of tokens up to the end
//	                       of each row), "sequence/s/types" and "sequence/s/words" (I32, of all tokens) where they are needed
//
// Inputs that are parts of a sequence are not stored as such: consumers make them, padded, with Pad.
//
// A dataset that is not split has the one split "all", which stands for every split that a consumer asks for.
//
// It does not know where rows come from. The nouns: Manifest (Input, Sequence, Column, Label, Split), Data (one split in memory), Open (one
// split on disk), Fractions (how rows are dealt out), Statistics. The invariant: a manifest that was read is sound, and the data
// of a split is what its manifest says. Equal datasets give equal bytes.
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
	"unicode/utf8"
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
	Inputs    []Input    `json:"inputs"`
	Sequences []Sequence `json:"sequences,omitempty"`
	Columns   []Column   `json:"columns,omitempty"`
	Label     *Label     `json:"label,omitempty"`
	Splits    []Split    `json:"splits"`
}

// Input is one tensor that models take.
type Input struct {
	Name    string   `json:"name"`
	Shape   []int    `json:"shape"`
	Columns []string `json:"columns,omitempty"`
	DType   string   `json:"dtype,omitempty"` // how it is stored: F32 when empty, or U8; I32 of a sequence

	// Of inputs that are part of a sequence. Shape is then [MaxLength]: the longest that a batch may be.
	Sequence string `json:"sequence,omitempty"`
	Part     string `json:"part,omitempty"` // PartIDs, PartMask, PartTypes
}

// Column is text that is no input yet: something downstream makes numbers of it.
type Column struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // text: a string a row; tokens: a list of strings a row
}

// Label is what models are to predict.
type Label struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"` // class, number, or tags: a class for each token
	Classes []string `json:"classes,omitempty"`
	Of      string   `json:"of,omitempty"`     // of tags: the sequence, or else the column, whose tokens they tag
	Scheme  string   `json:"scheme,omitempty"` // of tags: how they mark where an entity begins (iob1, iob2, bioes), or none
}

// Split is one part of the rows.
type Split struct {
	Name string `json:"name"`
	Rows int    `json:"rows"`
}

// Data is one split in memory.
type Data struct {
	Of       *Manifest // what it is a split of; nil of what was not read
	Rows     int
	Features []float32             // [rows, width], of the only input
	Stream   func(io.Writer) error // writes the features instead, as they are stored, for what should not be in memory
	Width    int
	Classes  []int32   // [rows], when the label is a class; [tokens], when it is tags; of a sequence NoLabel where there is none
	Numbers  []float32 // [rows], when the label is a number
	Source   []int64   // [rows]
	Texts    map[string]*Texts
	Tokens   map[string]*Tokens // by sequence
}

// ErrNoSplit says that a dataset does not have the split that was asked for.
type ErrNoSplit struct {
	Split string
	Have  []string
}

func (e *ErrNoSplit) Error() string {
	return fmt.Sprintf("the dataset has no split %q; it has %v", e.Split, e.Have)
}

// check reports a manifest that no dataset can have.
func (m *Manifest) check() error {
	numbers := 0
	for _, in := range m.Inputs {
		if in.Sequence == "" {
			numbers++
		}
	}
	if numbers > 1 || len(m.Inputs) == 0 && len(m.Columns) == 0 || numbers > 0 && len(m.Sequences) > 0 {
		return fmt.Errorf("dataset.json lists %d inputs of numbers, %d sequences and %d columns of text; a dataset of this version has one input, or sequences, or text, or text beside one of these", numbers, len(m.Sequences), len(m.Columns))
	}
	for _, in := range m.Inputs {
		if err := in.check(); err != nil {
			return fmt.Errorf("dataset.json: %w", err)
		}
	}
	if err := m.checkSequences(); err != nil {
		return fmt.Errorf("dataset.json: %w", err)
	}
	seen := map[string]bool{}
	for _, in := range m.Inputs {
		if in.Sequence != "" && seen[in.Name] {
			return fmt.Errorf("dataset.json: two inputs are called %q", in.Name)
		}
		seen[in.Name] = in.Sequence != ""
	}
	for _, c := range m.Columns {
		if c.Name == "" || !utf8.ValidString(c.Name) || c.Kind != "text" && c.Kind != "tokens" {
			return fmt.Errorf("dataset.json: column %q of kind %q", c.Name, c.Kind)
		}
	}
	for _, f := range m.fields(0) {
		if seen[f.name] {
			return fmt.Errorf("dataset.json: two columns need a tensor %q", f.name)
		}
		seen[f.name] = true
	}
	if err := m.checkLabel(); err != nil {
		return fmt.Errorf("dataset.json: %w", err)
	}
	return m.checkSplits()
}

func (in *Input) check() error {
	if in.Name == "" || in.Name == rowName || in.Name == labelName {
		return fmt.Errorf("an input cannot be called %q", in.Name)
	}
	if in.DType != "" && in.DType != "U8" && in.Sequence == "" {
		return fmt.Errorf("input %q is stored as %q; known are U8 and, where nothing is said, F32", in.Name, in.DType)
	}
	width := 1
	for _, d := range in.Shape {
		if d < 1 || d > maxWidth/width {
			return fmt.Errorf("input %q has shape %v; each dimension must be at least 1, and all together at most 2^40", in.Name, in.Shape)
		}
		width *= d
	}
	if len(in.Shape) == 0 {
		return fmt.Errorf("input %q has no dimension but the rows", in.Name)
	}
	return nil
}

func (m *Manifest) checkLabel() error {
	l := m.Label
	switch {
	case l == nil || l.Kind == "number":
		return nil
	case l.Kind != "class" && l.Kind != "tags" || len(l.Classes) == 0:
		return fmt.Errorf("label %q is neither a number nor a class with names", l.Name)
	case l.Kind == "tags" && m.tagged() == nil && !slices.Contains(m.Columns, Column{l.Of, "tokens"}):
		return fmt.Errorf("label %q tags the tokens of %q, which is no sequence and no column of tokens", l.Name, l.Of)
	}
	return nil
}

func (m *Manifest) checkSplits() error {
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
