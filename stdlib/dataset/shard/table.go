package shard

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"mbuild.dev/mbuild/lang/schema"
	"mbuild.dev/mbuild/stdlib/artifact/dataset"
)

// Columns says what becomes of the columns of a file whose rows have names for their values.
type Columns struct {
	Features  []string          `json:"features"` // numbers, which make the input together
	Text      []string          `json:"text"`
	Label     string            `json:"label"`
	LabelKind string            `json:"label_kind"` // class or number
	Group     string            `json:"group"`      // kept for the join, beside those of text
	Rename    map[string]string `json:"rename"`
	Input     string            `json:"input"`
	Missing   string            `json:"missing"` // error, skip
}

// Manifest is that of a shard of such rows.
func (c *Columns) Manifest() *dataset.Manifest {
	m := &dataset.Manifest{}
	if len(c.Features) > 0 {
		m.Inputs = []dataset.Input{{Name: c.Input, Shape: []int{len(c.Features)}, Columns: c.renamed(c.Features)}}
	}
	for _, n := range c.TextColumns() {
		m.Columns = append(m.Columns, dataset.Column{Name: c.name(n), Kind: "text"})
	}
	if c.Label != "" {
		m.Label = &dataset.Label{Name: c.name(c.Label), Kind: c.LabelKind}
	}
	return m
}

// TextColumns are those that a shard keeps as text.
func (c *Columns) TextColumns() []string {
	if c.Group == "" || slices.Contains(c.Text, c.Group) {
		return c.Text
	}
	return append(slices.Clone(c.Text), c.Group)
}

func (c *Columns) name(column string) string {
	if to, ok := c.Rename[column]; ok {
		return to
	}
	return column
}

func (c *Columns) renamed(columns []string) []string {
	out := make([]string, len(columns))
	for i, n := range columns {
		out[i] = c.name(n)
	}
	return out
}

// All are the columns that a file must have.
func (c *Columns) All() []string {
	out := append(slices.Clone(c.Features), c.TextColumns()...)
	if c.Label != "" && !slices.Contains(out, c.Label) {
		out = append(out, c.Label)
	}
	return out
}

// Attr is the attribute that names a column.
func (c *Columns) Attr(column string) string {
	switch {
	case slices.Contains(c.Features, column):
		return "features"
	case slices.Contains(c.Text, column):
		return "text"
	case column == c.Label:
		return "label"
	}
	return "split.group"
}

// Unknown is the error of a column that a file does not have.
func (c *Columns) Unknown(file, column string, have []string) error {
	s := ""
	if near := schema.Nearest(column, have); near != "" {
		s = fmt.Sprintf("Did you mean %q? ", near)
	}
	more := ""
	if len(have) > 20 {
		have, more = have[:20], fmt.Sprintf(", and %d more", len(have)-20)
	}
	return Fail("unknown-column", c.Attr(column), "Unknown column", "%s has no column %q. %sIt has %s%s.", file, column, s, schema.Words(have), more)
}

// Number appends a number to a row's features, at a place that errors name.
func (c *Columns) Number(r *Row, v float64, at, column string) error {
	if err := finite(v, at, column, c.Attr(column)); err != nil {
		return err
	}
	r.Features = binary.LittleEndian.AppendUint32(r.Features, math.Float32bits(float32(v)))
	return nil
}

// NumberLabel sets the label of a row that is a number.
func (c *Columns) NumberLabel(r *Row, v float64, at string) error {
	r.Number = float32(v)
	return finite(v, at, c.Label, "label")
}

func finite(v float64, at, column, attr string) error {
	if math.IsNaN(v) || math.Abs(v) > math.MaxFloat32 {
		return Fail("not-finite", attr, "Value is not a finite number", "%s: %q is %v. Remove the row, or put in a number.", at, column, v)
	}
	return nil
}

// ErrMissing is the error of a value that is not there.
func ErrMissing(at, column, attr string) error {
	return Fail("missing-value", attr, "Missing value", "%s: %q is missing or null. Remove the row, fill in a value, or set missing = \"skip\" to leave such rows out.", at, column)
}

// Clean makes valid UTF-8 of text: a damaged byte becomes U+FFFD. It reports whether there was one.
func Clean(s string) (string, bool) {
	v := strings.ToValidUTF8(s, "\ufffd")
	return v, v != s
}
