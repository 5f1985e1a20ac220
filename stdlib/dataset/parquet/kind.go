// Package parquet is the kind `dataset parquet`: flat columns of Parquet files.
//
// It does not know the format, which is github.com/parquet-go/parquet-go's: it says which columns can be rows of a dataset, goes
// through the pages of those that are asked for and no others, and turns a panic over a damaged file into an error.
package parquet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"

	"mbuild.dev/mbuild/executor"
	"mbuild.dev/mbuild/planner"
	"mbuild.dev/mbuild/stdlib/dataset/shard"
)

// Kind is dataset.parquet.
var Kind = shard.Kind(planner.Kind{Type: "parquet", Version: 1, Schema: Schema}, read, shard.LowerColumns)

// params are the parameters of a read.
type params struct {
	shard.Columns
	MaxRows int      `json:"max_rows"`
	Classes []string `json:"classes"`
}

// reader is a read at work.
type reader struct {
	params
	file    string // how to call it
	names   []string
	columns []*column // of names
	skipped int
	row     int64  // that is read
	broken  int    // texts that were no UTF-8
	first   string // of them
}

// read makes a shard of a file.
func read(ctx context.Context, job *executor.Job) error {
	in := job.Inputs["file"]
	r := &reader{file: in.Display}
	if err := job.Bind(&r.params); err != nil {
		return err
	}
	f, err := os.Open(in.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	w, err := shard.NewWriter(job.Scratch, r.Manifest())
	if err != nil {
		return err
	}
	defer w.Close()
	w.Only(r.Classes, func(int) string { return fmt.Sprintf("%s, row %d", r.file, r.row) })
	if err := r.guard(func() error { return r.copy(ctx, f, info.Size(), w) }); err != nil {
		return err
	}
	if r.broken > 0 {
		fmt.Fprintf(job.Log, "warning: %s: %d texts are not UTF-8, the first in column %s; what is damaged in them became U+FFFD\n", r.file, r.broken, r.first)
	}
	if r.skipped > 0 {
		fmt.Fprintf(job.Log, "warning: %s: %d rows with nulls are left out\n", r.file, r.skipped)
	}
	if w.Rows() == 0 {
		return shard.Fail("empty-file", "files", "No rows", "%s has no rows.", r.file)
	}
	job.Metrics["rows"], job.Metrics["skipped"] = float64(w.Rows()), float64(r.skipped)
	return w.Finish(job.Out("data"))
}

// guard calls f, and makes an error of a panic: the library meets some damaged files so.
func (r *reader) guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.damaged(fmt.Errorf("%v", p))
		}
	}()
	err = f()
	var known *executor.Failure
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	return r.damaged(err)
}

func (r *reader) damaged(err error) error {
	return shard.Fail("bad-parquet", "files", "Parquet file not readable", "%s: %v. The file is damaged, cut off, encrypted, or no Parquet file.", r.file, err)
}

func (r *reader) copy(ctx context.Context, f *os.File, size int64, w *shard.Writer) error {
	if err := checkFooter(f, size); err != nil {
		return err
	}
	file, err := parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	if err := r.choose(file); err != nil {
		return err
	}
	row := int64(0)
	for i, group := range file.RowGroups() {
		chunks := group.ColumnChunks()
		for k, c := range r.columns {
			meta := file.Metadata().RowGroups[i].Columns
			if c.index >= len(chunks) || c.index >= len(meta) {
				return fmt.Errorf("a row group has %d columns", len(chunks))
			}
			if err := c.check(f, size, &meta[c.index].MetaData); err != nil {
				return fmt.Errorf("column %q: %w", r.names[k], err)
			}
			c.begin(chunks[c.index])
		}
		err := r.group(ctx, group.NumRows(), &row, w)
		for _, c := range r.columns {
			c.end()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// choose finds the columns, and refuses those that cannot be rows.
func (r *reader) choose(file *parquet.File) error {
	var have []string
	for _, c := range file.Root().Columns() {
		have = append(have, c.Name())
	}
	for _, name := range r.All() {
		c := file.Root().Column(name)
		if c == nil {
			return r.Unknown(r.file, name, have)
		}
		col, err := newColumn(c)
		if err == nil {
			err = r.fits(name, col)
		}
		if err != nil {
			return shard.Fail("bad-column", r.Attr(name), "Column of the wrong type", "%s: column %q %v.", r.file, name, err)
		}
		r.names, r.columns = append(r.names, name), append(r.columns, col)
	}
	return nil
}

// fits holds the type of a column against what is made of it.
func (r *reader) fits(name string, c *column) error {
	numeric := slices.Contains(r.Features, name) || name == r.Label && r.LabelKind == "number"
	switch {
	case numeric && c.text:
		return errors.New("is text, and numbers are expected")
	case slices.Contains(r.Text, name) && !c.text:
		return fmt.Errorf("is %s, and text is expected", c.what)
	}
	return nil
}

// group goes through the rows of a row group.
func (r *reader) group(ctx context.Context, n int64, at *int64, w *shard.Writer) error {
	var row shard.Row
	values := make([]parquet.Value, len(r.columns))
	for range n {
		if r.MaxRows > 0 && w.Rows() == r.MaxRows {
			return nil
		}
		if *at%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		null := -1
		for i, c := range r.columns {
			v, err := c.next()
			if err != nil {
				return fmt.Errorf("column %q, row %d: %w", r.names[i], *at, err)
			}
			if values[i] = v; v.IsNull() && null < 0 {
				null = i
			}
		}
		row.Source, r.row = *at, *at
		*at++
		if null >= 0 {
			if r.Missing != "skip" {
				return shard.ErrMissing(fmt.Sprintf("%s, row %d", r.file, row.Source), r.names[null], r.Attr(r.names[null]))
			}
			r.skipped++
			continue
		}
		if err := r.fill(&row, values); err != nil {
			return err
		}
		if err := w.Add(&row); err != nil {
			return err
		}
	}
	return nil
}

// fill makes a row of its values.
func (r *reader) fill(row *shard.Row, values []parquet.Value) error {
	row.Features, row.Texts = row.Features[:0], row.Texts[:0]
	at := func() string { return fmt.Sprintf("%s, row %d", r.file, row.Source) }
	for i, name := range r.names {
		c, v := r.columns[i], values[i]
		switch {
		case slices.Contains(r.Features, name):
			if err := r.Number(row, c.number(v), at(), name); err != nil {
				return err
			}
		case slices.Contains(r.Text, name) || name == r.Group:
			row.Texts = append(row.Texts, r.clean(name, row.Source, c.string(v)))
		}
		switch {
		case name != r.Label:
		case r.LabelKind == "class":
			row.Class = r.clean(name, row.Source, c.string(v))
		default:
			if err := r.NumberLabel(row, c.number(v), at()); err != nil {
				return err
			}
		}
	}
	return nil
}

// clean makes valid UTF-8 of a text, which is counted.
func (r *reader) clean(column string, row int64, s string) string {
	s, broken := shard.Clean(s)
	if broken {
		if r.broken == 0 {
			r.first = fmt.Sprintf("%q, row %d", column, row)
		}
		r.broken++
	}
	return s
}
