package npz

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
)

// params are the parameters of a read.
type params struct {
	Features  string   `json:"features"`
	Label     string   `json:"label"`
	LabelKind string   `json:"label_kind"`
	Classes   []string `json:"classes"`
	Flatten   bool     `json:"flatten"`
	Input     string   `json:"input"`
	MaxRows   int      `json:"max_rows"`
}

// reader is a read at work.
type reader struct {
	params
	file   string // how to call it
	x, y   *array // y is nil without a label
	m      *dataset.Manifest
	floats []byte
}

// read makes a shard of an archive.
func read(ctx context.Context, job *executor.Job) error {
	in := job.Inputs["file"]
	r := &reader{file: in.Display}
	if err := job.Bind(&r.params); err != nil {
		return err
	}
	z, err := zip.OpenReader(in.Path)
	if err != nil {
		return shard.Fail("bad-npz", "files", "Not an npz file", "%s: %v. An npz file is a zip archive of arrays. Save or fetch it again.", r.file, err)
	}
	defer z.Close()
	if r.x, err = open(&z.Reader, r.Features, job.Scratch); err != nil {
		return r.failed("features", err)
	}
	defer r.x.close()
	if r.Label != "" {
		if r.y, err = open(&z.Reader, r.Label, job.Scratch); err != nil {
			return r.failed("label", err)
		}
		defer r.y.close()
	}
	if err := r.manifest(); err != nil {
		return err
	}
	w, err := shard.NewWriter(job.Scratch, r.m)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := r.copy(ctx, w); err != nil {
		return err
	}
	job.Metrics["rows"] = float64(w.Rows())
	return w.Finish(job.Out("data"))
}

// failed makes a failure of what is wrong with an array.
func (r *reader) failed(attr string, err error) error {
	var none *noArray
	if errors.As(err, &none) {
		s := ""
		if near := schema.Nearest(none.name, none.have); near != "" {
			s = fmt.Sprintf("Did you mean %q? ", near)
		}
		return shard.Fail("unknown-column", attr, "Unknown array", "%s has no array %q. %sIt has %s.", r.file, none.name, s, schema.Words(none.have))
	}
	return shard.Fail("bad-npz", attr, "Array not readable", "%s: %v.", r.file, err)
}

// manifest holds the arrays against each other, and says what the shard will be.
func (r *reader) manifest() error {
	x := r.x
	if x.kind == 'U' || x.kind == 'S' {
		return shard.Fail("bad-npz", "features", "Array of text", "%s: %q is an array of text; features are numbers.", r.file, x.name)
	}
	shape := x.shape
	if len(shape) == 0 || r.Flatten {
		shape = []int{x.width}
	}
	r.m = &dataset.Manifest{Inputs: []dataset.Input{{Name: r.Input, Shape: shape}}}
	if x.kind == 'b' || x.kind == 'u' && x.size == 1 {
		r.m.Inputs[0].DType = "U8"
	}
	if x.rows == 0 {
		return shard.Fail("empty-file", "files", "No rows", "%s: %q has no rows.", r.file, x.name)
	}
	if r.y == nil {
		return nil
	}
	y := r.y
	switch {
	case y.width != 1:
		return shard.Fail("bad-npz", "label", "Label of the wrong shape", "%s: %q has rows of shape %v; a label is one value a row.", r.file, y.name, y.shape)
	case y.rows != x.rows:
		return shard.Fail("bad-npz", "label", "Counts differ", "%s: %q has %d rows, and %q has %d.", r.file, x.name, x.rows, y.name, y.rows)
	}
	kind := r.LabelKind
	if kind == "" {
		kind = "class"
		if y.kind == 'f' {
			kind = "number"
		}
	}
	if kind == "number" && (y.kind == 'U' || y.kind == 'S') {
		return shard.Fail("not-a-number", "label_kind", "Label is text", "%s: %q is an array of text, and label_kind is \"number\".", r.file, y.name)
	}
	r.m.Label = &dataset.Label{Name: r.Label, Kind: kind}
	return nil
}

// copy goes through the rows.
func (r *reader) copy(ctx context.Context, w *shard.Writer) error {
	n := r.x.rows
	if r.MaxRows > 0 {
		n = min(n, r.MaxRows)
	}
	var row shard.Row
	for i := range n {
		if err := ctx.Err(); i%4096 == 0 && err != nil {
			return err
		}
		b, err := r.x.next()
		if err != nil {
			return r.rowFailed("features", r.x, i, err)
		}
		row.Source, row.Features = int64(i), b
		switch {
		case r.x.kind == 'b':
			for k, v := range b {
				b[k] = min(v, 1)
			}
		case r.m.Inputs[0].DType == "":
			wrong := 0
			if r.floats, wrong = r.x.floats(r.floats[:0], b); wrong >= 0 {
				return shard.Fail("not-finite", "features", "Element is not a finite number", "%s: %q, row %d, element %d is %v. Remove the row, or put in a number.", r.file, r.x.name, i, wrong, r.x.number(b[wrong*r.x.size:]))
			}
			row.Features = r.floats
		}
		if err := r.label(&row, i); err != nil {
			return err
		}
		if err := w.Add(&row); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) rowFailed(attr string, a *array, i int, err error) error {
	return shard.Fail("bad-npz", attr, "Array not readable", "%s: %q, row %d of %d: %v.", r.file, a.name, i, a.rows, err)
}

// label reads the label of a row.
func (r *reader) label(row *shard.Row, i int) error {
	y := r.y
	if y == nil {
		return nil
	}
	b, err := y.next()
	if err != nil {
		return r.rowFailed("label", y, i, err)
	}
	if r.m.Label.Kind == "number" {
		v := y.number(b)
		row.Number = float32(v)
		if math.IsNaN(v) || math.Abs(v) > math.MaxFloat32 {
			return shard.Fail("not-finite", "label", "Element is not a finite number", "%s: %q, row %d is %v. Remove the row, or put in a number.", r.file, y.name, i, v)
		}
		return nil
	}
	row.Class, err = r.class(b, i)
	return err
}

// class is the name of a class.
func (r *reader) class(b []byte, i int) (string, error) {
	y := r.y
	switch y.kind {
	case 'U', 'S':
		s, err := y.text(b)
		if err != nil {
			return "", r.rowFailed("label", y, i, err)
		}
		return s, nil
	case 'f':
		return strconv.FormatFloat(y.number(b), 'g', -1, 64), nil
	}
	v, signed := y.whole(b)
	if r.Classes == nil {
		if signed {
			return strconv.FormatInt(int64(v), 10), nil
		}
		return strconv.FormatUint(v, 10), nil
	}
	if v >= uint64(len(r.Classes)) {
		return "", shard.Fail("unknown-class", "classes", "Unknown class", "%s: %q, row %d is class %d, and classes names %d, from 0 on. Name all classes.", r.file, y.name, i, int64(v), len(r.Classes))
	}
	return r.Classes[v], nil
}
