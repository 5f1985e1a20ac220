package parquet

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// column goes through the values of a column, page by page.
type column struct {
	index    int // among the leaves
	kind     parquet.Kind
	unsigned bool
	text     bool
	what     string // the type, for errors
	optional bool

	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buf    [256]parquet.Value
	rest   []parquet.Value
}

// newColumn refuses columns whose values are not one number or text a row.
func newColumn(c *parquet.Column) (*column, error) {
	switch {
	case c.Repeated():
		return nil, errors.New("is a list; a row has one value in a column. Unpack it before")
	case !c.Leaf():
		return nil, fmt.Errorf("is nested (it has %d columns in it); a row has one value in a column. Flatten it before", len(c.Columns()))
	}
	t := c.Type()
	out := &column{index: c.Index(), kind: t.Kind(), what: t.String(), optional: c.Optional()}
	var logical format.LogicalTypeValue
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	switch l := logical.(type) {
	case *format.DecimalType, *format.DateType, *format.TimeType, *format.TimestampType, *format.BsonType:
		return nil, fmt.Errorf("is %s, whose bits alone mean nothing. Convert it before to an integer, a double or text", out.what)
	case *format.IntType:
		out.unsigned = !l.IsSigned
	}
	switch out.kind {
	case parquet.ByteArray:
		out.text = true
	case parquet.FixedLenByteArray, parquet.Int96:
		return nil, fmt.Errorf("is %s; booleans, integers, float, double and text can be read. Convert it before", out.what)
	}
	return out, nil
}

// check looks at the pages of a chunk before the library does.
func (c *column) check(f io.ReaderAt, size int64, m *format.ColumnMetaData) error {
	at := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		at = m.DictionaryPageOffset
	}
	if at < 0 || m.TotalCompressedSize < 0 || at > size || m.TotalCompressedSize > size-at {
		return fmt.Errorf("its pages lie at bytes %d to %d, in a file of %d", at, at+m.TotalCompressedSize, size)
	}
	pages := &chunk{f: f, codec: m.Codec, optional: c.optional}
	return pages.check(at, at+m.TotalCompressedSize)
}

func (c *column) begin(chunk parquet.ColumnChunk) {
	c.pages, c.rest, c.values = chunk.Pages(), nil, nil
}

func (c *column) end() {
	if c.page != nil {
		parquet.Release(c.page)
		c.page = nil
	}
	if c.pages != nil {
		c.pages.Close()
		c.pages = nil
	}
}

// next is the next value, until the one after it.
func (c *column) next() (parquet.Value, error) {
	for len(c.rest) == 0 {
		if c.values == nil {
			if c.page != nil {
				parquet.Release(c.page)
				c.page = nil
			}
			page, err := c.pages.ReadPage()
			if err == io.EOF {
				return parquet.Value{}, io.ErrUnexpectedEOF
			}
			if err != nil {
				return parquet.Value{}, err
			}
			c.page, c.values = page, page.Values()
		}
		n, err := c.values.ReadValues(c.buf[:])
		c.rest = c.buf[:n]
		if err == io.EOF {
			c.values = nil
		} else if err != nil {
			return parquet.Value{}, err
		}
	}
	v := c.rest[0]
	c.rest = c.rest[1:]
	return v, nil
}

// number is a value as a number.
func (c *column) number(v parquet.Value) float64 {
	switch c.kind {
	case parquet.Boolean:
		if v.Boolean() {
			return 1
		}
		return 0
	case parquet.Int32:
		if c.unsigned {
			return float64(v.Uint32())
		}
		return float64(v.Int32())
	case parquet.Int64:
		if c.unsigned {
			return float64(v.Uint64())
		}
		return float64(v.Int64())
	case parquet.Float:
		return float64(v.Float())
	}
	return v.Double()
}

// string is a value as text: the name of a class, or of a group.
func (c *column) string(v parquet.Value) string {
	switch c.kind {
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean())
	case parquet.Int32, parquet.Int64:
		if c.unsigned && c.kind == parquet.Int32 {
			return strconv.FormatUint(uint64(v.Uint32()), 10)
		}
		if c.unsigned {
			return strconv.FormatUint(v.Uint64(), 10)
		}
		if c.kind == parquet.Int32 {
			return strconv.FormatInt(int64(v.Int32()), 10)
		}
		return strconv.FormatInt(v.Int64(), 10)
	case parquet.Float:
		return strconv.FormatFloat(float64(v.Float()), 'g', -1, 32)
	case parquet.Double:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64)
	}
	return string(v.ByteArray())
}
