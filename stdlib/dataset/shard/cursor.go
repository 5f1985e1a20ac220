package shard

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// bufferSize is what a cursor reads at once.
const bufferSize = 64 << 10

// fixed goes through a tensor with as many bytes for each row.
type fixed struct {
	r   *bufio.Reader
	row []byte
}

func openFixed(f *safetensors.File, tensor string, width int) *fixed {
	body := f.Section(tensor)
	if int64(width) > body.Size() {
		width = 0 // there are no rows, whatever the manifest says of their width
	}
	return &fixed{bufio.NewReaderSize(body, bufferSize), make([]byte, width)}
}

// next is the bytes of the next row, until the one after it.
func (c *fixed) next() ([]byte, error) {
	_, err := io.ReadFull(c.r, c.row)
	return c.row, err
}

func (c *fixed) int64() (int64, error) {
	b, err := c.next()
	if err == nil && len(b) < 8 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return 0, err
	}
	return int64(binary.LittleEndian.Uint64(b)), nil
}

// cell is a row of a text column: the bytes of its strings, and where each ends among them.
type cell struct {
	bytes []byte
	ends  []int64
}

// column goes through a text column.
type column struct {
	name string
	body *bufio.Reader
	left int64
	ends *fixed
	rows *fixed // of tokens only
	at   int64  // bytes read
	toks int64  // strings read
	cell cell
}

func openColumn(f *safetensors.File, c dataset.Column) *column {
	name := dataset.TextTensor(c.Name)
	body := f.Section(name)
	out := &column{name: c.Name, body: bufio.NewReaderSize(body, bufferSize), left: body.Size(), ends: openFixed(f, name+dataset.EndsSuffix, 8)}
	if c.Kind == "tokens" {
		out.rows = openFixed(f, name+dataset.RowsSuffix, 8)
	}
	return out
}

// next is the next row, until the one after it.
func (c *column) next() (*cell, error) {
	n := int64(1)
	if c.rows != nil {
		end, err := c.rows.int64()
		if err != nil {
			return nil, err
		}
		if n = end - c.toks; n < 0 {
			return nil, fmt.Errorf("column %q: its rows do not rise", c.name)
		}
	}
	c.cell.ends = c.cell.ends[:0]
	start := c.at
	for range n {
		end, err := c.ends.int64()
		if err != nil {
			return nil, err
		}
		if end < c.at || end-c.at > c.left {
			return nil, fmt.Errorf("column %q: its ends do not rise, or lie outside", c.name)
		}
		c.left -= end - c.at
		c.at = end
		c.cell.ends = append(c.cell.ends, end-start)
	}
	c.toks += n
	size := int(c.at - start)
	if cap(c.cell.bytes) < size {
		c.cell.bytes = make([]byte, size, size+size/2)
	}
	c.cell.bytes = c.cell.bytes[:size]
	_, err := io.ReadFull(c.body, c.cell.bytes)
	return &c.cell, err
}
