// Package shard is what the kinds of the family dataset share that read many files: each file is parsed by an action of its own
// into a shard, and one action joins the shards into a dataset. So a new file parses only itself.
//
//	read[i]   file                      -> shard    parameters: how to read
//	join      all shards (and a table)  -> data     parameters: splits, classes, what to do about leaks
//
// A shard is a dataset with the one split "all", whose classes are in order of appearance; text columns that only the join needs
// (a group) are in it too. Both steps stream: memory holds a few words a row, never the rows.
//
// It does not know formats. The nouns: Writer (a shard being made, row by row), Row, Join (shards to dataset), Spec and Lower
// (the actions). The invariant: the bytes of a dataset depend on rows and parameters alone, not on how rows lie in shards, but
// for their order.
package shard

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// Fail is the error of a run that the user can do something about.
func Fail(code, attr, summary, format string, args ...any) error {
	return &executor.Failure{Code: code, Attr: attr, Summary: summary, Detail: fmt.Sprintf(format, args...)}
}

// maxClasses bounds the classes of a label; more than that is no label.
const maxClasses = 1_000_000

// Row is one row to be added. What the shard has no place for must be empty.
type Row struct {
	Features []byte     // of the input, as stored: F32 little-endian, or U8
	Texts    []string   // by text column, in the order of the manifest
	Tokens   [][]string // by token column, in the order of the manifest
	Class    string
	Number   float32
	Tags     []string // one for each token of the label's column
	Source   int64
}

// Writer makes a shard. Rows go to a file for each tensor; what is in memory is the label and number of each row.
type Writer struct {
	m       *dataset.Manifest
	scratch string
	spills  map[string]*spill
	order   []*spill
	classes map[string]int32
	width   int
	rows    int
	only    []string // classes there may be; nil for any
	place   func(tag int) string
}

// spill is a tensor that is being written.
type spill struct {
	file *os.File
	w    *bufio.Writer
	size int64 // bytes
	name string
	item string // element type
	each []int  // shape of a row, where it is more than one element
}

// NewWriter begins a shard of the inputs, columns and label of m, in a directory for files that are gone afterwards.
func NewWriter(scratch string, m *dataset.Manifest) (*Writer, error) {
	w := &Writer{m: &dataset.Manifest{Inputs: m.Inputs, Columns: m.Columns}, scratch: scratch, spills: map[string]*spill{}, classes: map[string]int32{}}
	if m.Label != nil {
		l := *m.Label
		w.m.Label = &l
	}
	for _, in := range m.Inputs {
		item := "F32"
		if in.DType != "" {
			item = in.DType
		}
		w.begin(in.Name, item, in.Shape)
	}
	for _, c := range m.Columns {
		t := dataset.TextTensor(c.Name)
		w.begin(t, "U8", nil)
		w.begin(t+dataset.EndsSuffix, "I64", nil)
		if c.Kind == "tokens" {
			w.begin(t+dataset.RowsSuffix, "I64", nil)
		}
	}
	w.begin(dataset.RowTensor, "I64", nil)
	switch {
	case m.Label == nil:
	case m.Label.Kind == "number":
		w.begin(dataset.LabelTensor, "F32", nil)
	default:
		w.begin(dataset.LabelTensor, "I32", nil)
	}
	for i, s := range w.order {
		f, err := os.Create(filepath.Join(scratch, fmt.Sprintf("spill%d", i)))
		if err != nil {
			w.Close()
			return nil, err
		}
		s.file, s.w = f, bufio.NewWriterSize(f, 64<<10)
	}
	return w, nil
}

// Only refuses rows of other classes than these, unless they are nil. place is where the row to be added is in its file, or the token of
// a tag in it.
func (w *Writer) Only(classes []string, place func(tag int) string) { w.only, w.place = classes, place }

func (w *Writer) begin(name, item string, each []int) {
	s := &spill{name: name, item: item, each: each}
	if each != nil {
		w.width = s.itemSize()
		for _, d := range each {
			w.width *= d
		}
	}
	w.spills[name] = s
	w.order = append(w.order, s)
}

func (s *spill) itemSize() int {
	return map[string]int{"U8": 1, "F32": 4, "I32": 4, "I64": 8}[s.item]
}

// Rows is how many rows there are so far.
func (w *Writer) Rows() int { return w.rows }

// Close lets go of the files.
func (w *Writer) Close() {
	for _, s := range w.order {
		if s.file != nil {
			s.file.Close()
			os.Remove(s.file.Name())
		}
	}
}

func (s *spill) bytes(b []byte) error {
	n, err := s.w.Write(b)
	s.size += int64(n)
	return err
}

func (s *spill) text(v string) error {
	n, err := s.w.WriteString(v)
	s.size += int64(n)
	return err
}

func (s *spill) int64(v int64) error {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(v))
	return s.bytes(b[:])
}

func (s *spill) uint32(v uint32) error {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	return s.bytes(b[:])
}

// Add adds a row.
func (w *Writer) Add(r *Row) error {
	if len(r.Features) != w.width {
		return fmt.Errorf("a row of %d bytes where %d are due", len(r.Features), w.width)
	}
	if w.width > 0 {
		if err := w.spills[w.m.Inputs[0].Name].bytes(r.Features); err != nil {
			return err
		}
	}
	texts, tokens := r.Texts, r.Tokens
	for _, c := range w.m.Columns {
		name := dataset.TextTensor(c.Name)
		var values []string
		if c.Kind == "tokens" {
			values, tokens = tokens[0], tokens[1:]
		} else {
			values, texts = texts[:1], texts[1:]
		}
		body, ends := w.spills[name], w.spills[name+dataset.EndsSuffix]
		for _, v := range values {
			if err := body.text(v); err != nil {
				return err
			}
			if err := ends.int64(body.size); err != nil {
				return err
			}
		}
		if c.Kind == "tokens" {
			if err := w.spills[name+dataset.RowsSuffix].int64(ends.size / 8); err != nil {
				return err
			}
		}
	}
	if err := w.label(r); err != nil {
		return err
	}
	w.rows++
	return w.spills[dataset.RowTensor].int64(r.Source)
}

// label adds the label of a row.
func (w *Writer) label(r *Row) error {
	l := w.m.Label
	if l == nil {
		return nil
	}
	s := w.spills[dataset.LabelTensor]
	if l.Kind == "number" {
		return s.uint32(math.Float32bits(r.Number))
	}
	tags := r.Tags
	if l.Kind == "class" {
		tags = []string{r.Class}
	}
	for i, t := range tags {
		c, ok := w.classes[t]
		if !ok {
			if w.only != nil && !slices.Contains(w.only, t) {
				return unknownClass(w.place(i), t, w.only)
			}
			if c = int32(len(w.classes)); c == maxClasses {
				return Fail("too-many-classes", "label", "Too many classes", "The label %q has more than %d different values. Set label_kind to \"number\", or choose another label.", l.Name, maxClasses)
			}
			w.classes[t] = c
			l.Classes = append(l.Classes, t)
		}
		if err := s.uint32(uint32(c)); err != nil {
			return err
		}
	}
	return nil
}

// Finish writes the shard into a directory. There must be a row.
func (w *Writer) Finish(dir string) error {
	for _, s := range w.spills {
		if err := s.w.Flush(); err != nil {
			return err
		}
	}
	w.m.Splits = []dataset.Split{{Name: dataset.All, Rows: w.rows}}
	return dataset.Create(dir, w.m, func(string) []safetensors.Tensor {
		var ts []safetensors.Tensor
		for _, s := range w.order {
			shape := []int{int(s.size) / s.itemSize()}
			if s.each != nil {
				shape = append([]int{w.rows}, s.each...)
			}
			ts = append(ts, safetensors.Tensor{Name: s.name, DType: s.item, Shape: shape, Stream: s.stream})
		}
		return ts
	})
}

func (s *spill) stream(w io.Writer) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, s.file)
	return err
}
