package idx

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
)

// maxRow bounds the elements of a row, and so what a header can make a reader allocate.
const maxRow = 1 << 24

// params are the parameters of a read.
type params struct {
	Classes []string `json:"classes"`
	Flatten bool     `json:"flatten"`
	Input   string   `json:"input"`
	MaxRows int      `json:"max_rows"`
}

// element is a type of elements.
type element struct {
	name  string
	size  int
	whole bool
	get   func([]byte) float64
}

var elements = map[byte]element{
	0x08: {"uint8", 1, true, func(b []byte) float64 { return float64(b[0]) }},
	0x09: {"int8", 1, true, func(b []byte) float64 { return float64(int8(b[0])) }},
	0x0b: {"int16", 2, true, func(b []byte) float64 { return float64(int16(binary.BigEndian.Uint16(b))) }},
	0x0c: {"int32", 4, true, func(b []byte) float64 { return float64(int32(binary.BigEndian.Uint32(b))) }},
	0x0d: {"float32", 4, false, func(b []byte) float64 { return float64(math.Float32frombits(binary.BigEndian.Uint32(b))) }},
	0x0e: {"float64", 8, false, func(b []byte) float64 { return math.Float64frombits(binary.BigEndian.Uint64(b)) }},
}

// array is a file that is being read.
type array struct {
	r     *shard.Reader
	elem  element
	rows  int
	shape []int // of a row
	row   []byte
	done  int
}

func bad(attr, summary, format string, args ...any) error {
	return shard.Fail("bad-idx", attr, summary, format, args...)
}

// open reads the header of a file.
func open(in executor.JobInput, attr string) (*array, error) {
	r, err := shard.Open(in, attr)
	if err != nil {
		return nil, err
	}
	a := &array{r: r}
	if err := a.header(attr); err != nil {
		r.Close()
		return nil, err
	}
	return a, nil
}

func (a *array) header(attr string) error {
	var head [4]byte
	if err := a.full(head[:]); err != nil {
		return a.short(attr, err, "its header")
	}
	elem, ok := elements[head[2]]
	if head[0] != 0 || head[1] != 0 || !ok {
		return bad(attr, "Not an idx file", "%s begins with % x; idx files begin with 00 00, a type (08 uint8, 09 int8, 0b int16, 0c int32, 0d float32, 0e float64) and the number of dimensions.", a.r.Name, head)
	}
	a.elem = elem
	if head[3] < 1 || head[3] > 8 {
		return bad(attr, "Impossible idx header", "The header of %s says %d dimensions; 1 to 8 are possible.", a.r.Name, head[3])
	}
	dims := make([]byte, 4*int(head[3]))
	if err := a.full(dims); err != nil {
		return a.short(attr, err, "its header")
	}
	a.rows = int(binary.BigEndian.Uint32(dims))
	width := 1
	for k := 4; k < len(dims); k += 4 {
		d := int(binary.BigEndian.Uint32(dims[k:]))
		if d < 1 || d > maxRow/width {
			return bad(attr, "Impossible idx header", "The header of %s gives dimension %d the size %d; a row must have at least 1 element and at most %d.", a.r.Name, k/4, d, maxRow)
		}
		width *= d
		a.shape = append(a.shape, d)
	}
	if a.rows == 0 {
		return shard.Fail("empty-file", attr, "No rows", "%s has no rows.", a.r.Name)
	}
	a.row = make([]byte, width*elem.size)
	return nil
}

// full reads all of b. In a gzip file that was cut off, it is the unpacking that fails.
func (a *array) full(b []byte) error {
	_, err := io.ReadFull(a.r, b)
	return err
}

// short is the error of a file that ends too early.
func (a *array) short(attr string, err error, where string) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return bad(attr, "Truncated idx file", "%s ends in %s. Fetch the file again.", a.r.Name, where)
	}
	return a.r.Unreadable(err)
}

// next reads a row, which stays until the next one.
func (a *array) next(attr string) ([]byte, error) {
	if err := a.full(a.row); err != nil {
		return nil, a.short(attr, err, fmt.Sprintf("row %d; its header says %d rows", a.done, a.rows))
	}
	a.done++
	return a.row, nil
}

// end reports that there is more than the header says.
func (a *array) end(attr string) error {
	if a.done < a.rows {
		return nil
	}
	if _, err := a.r.ReadByte(); err == io.EOF {
		return nil
	} else if err != nil {
		return a.r.Unreadable(err)
	}
	return bad(attr, "Impossible idx header", "%s goes on after the %d rows that its header says. Fetch the file again.", a.r.Name, a.rows)
}

// read makes a shard of a file of rows and one of labels.
func read(_ context.Context, job *executor.Job) error {
	var p params
	if err := job.Bind(&p); err != nil {
		return err
	}
	images, err := open(job.Inputs["images"], "images")
	if err != nil {
		return err
	}
	defer images.r.Close()
	m := &dataset.Manifest{Inputs: []dataset.Input{{Name: p.Input, Shape: shapeOf(images.shape, p.Flatten)}}}
	if images.elem.name == "uint8" {
		m.Inputs[0].DType = "U8"
	}
	var labels *array
	if job.Has("labels") {
		if labels, err = openLabels(job.Inputs["labels"], images, m); err != nil {
			return err
		}
		defer labels.r.Close()
	}
	w, err := shard.NewWriter(job.Scratch, m)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := p.copy(w, m, images, labels); err != nil {
		return err
	}
	job.Metrics["rows"] = float64(w.Rows())
	return w.Finish(job.Out("data"))
}

// openLabels opens the labels, of which there must be one for each row.
func openLabels(in executor.JobInput, images *array, m *dataset.Manifest) (*array, error) {
	labels, err := open(in, "labels")
	if err != nil {
		return nil, err
	}
	m.Label = &dataset.Label{Name: "label", Kind: "class"}
	if !labels.elem.whole {
		m.Label.Kind = "number"
	}
	switch {
	case len(labels.row) != labels.elem.size:
		err = bad("labels", "Labels of the wrong shape", "%s has rows of shape %v; labels are one number a row. Is it the file of images?", in.Display, labels.shape)
	case labels.rows != images.rows:
		err = bad("labels", "Counts differ", "%s has %d rows, and %s has %d labels. They belong to different data, or one is not complete.", images.r.Name, images.rows, in.Display, labels.rows)
	}
	if err != nil {
		labels.r.Close()
		return nil, err
	}
	return labels, nil
}

// shapeOf is the shape of the input: images have their channels last.
func shapeOf(shape []int, flatten bool) []int {
	if flatten || len(shape) < 2 {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return []int{n}
	}
	if len(shape) == 2 {
		return append(slices.Clone(shape), 1)
	}
	return shape
}

// copy goes through the rows.
func (p *params) copy(w *shard.Writer, m *dataset.Manifest, images, labels *array) error {
	n := images.rows
	if p.MaxRows > 0 {
		n = min(n, p.MaxRows)
	}
	var row shard.Row
	var floats []byte
	for i := range n {
		b, err := images.next("images")
		if err != nil {
			return err
		}
		row.Source = int64(i)
		if row.Features = b; m.Inputs[0].DType == "" {
			if floats, err = images.floats(floats[:0], b); err != nil {
				return err
			}
			row.Features = floats
		}
		if labels != nil {
			if err := p.label(&row, labels); err != nil {
				return err
			}
		}
		if err := w.Add(&row); err != nil {
			return err
		}
	}
	if labels != nil {
		if err := labels.end("labels"); err != nil {
			return err
		}
	}
	return images.end("images")
}

// floats appends the elements of a row as float32.
func (a *array) floats(out, b []byte) ([]byte, error) {
	for k := 0; k < len(b); k += a.elem.size {
		v := a.elem.get(b[k:])
		if math.IsNaN(v) || math.Abs(v) > math.MaxFloat32 {
			return nil, shard.Fail("not-finite", "images", "Element is not a finite number", "%s, row %d, element %d is %v. Remove the row, or put in a number.", a.r.Name, a.done-1, k/a.elem.size, v)
		}
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(v)))
	}
	return out, nil
}

// label reads the label of a row.
func (p *params) label(row *shard.Row, labels *array) error {
	b, err := labels.next("labels")
	if err != nil {
		return err
	}
	v := labels.elem.get(b)
	switch {
	case !labels.elem.whole && (math.IsNaN(v) || math.Abs(v) > math.MaxFloat32):
		return shard.Fail("not-finite", "labels", "Element is not a finite number", "%s, row %d, is %v.", labels.r.Name, row.Source, v)
	case !labels.elem.whole:
		row.Number = float32(v)
	case p.Classes == nil:
		row.Class = strconv.Itoa(int(v))
	case v < 0 || int(v) >= len(p.Classes):
		return shard.Fail("unknown-class", "classes", "Unknown class", "%s, row %d, is class %v, and classes names %d, from 0 on. Name all classes.", labels.r.Name, row.Source, v, len(p.Classes))
	default:
		row.Class = p.Classes[int(v)]
	}
	return nil
}
