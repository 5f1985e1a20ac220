package shard

import (
	"encoding/binary"
	"fmt"
	"io"

	"mbuild.dev/mbuild/stdlib/artifact/dataset"
	"mbuild.dev/mbuild/stdlib/artifact/safetensors"
)

// splitWriter writes the rows of one split, a tensor at a time: each goes through all shards once more.
type splitWriter struct {
	*joiner
	split uint8
	rows  int
}

// tensors are those of the file of the split.
func (w *splitWriter) tensors() []safetensors.Tensor {
	var ts []safetensors.Tensor
	for _, in := range w.m.Inputs {
		dtype := "F32"
		if in.DType != "" {
			dtype = in.DType
		}
		ts = append(ts, safetensors.Tensor{Name: in.Name, DType: dtype, Shape: append([]int{w.rows}, in.Shape...), Stream: w.streamFixed(in.Name, width(&in))})
	}
	for k, c := range w.m.Columns {
		name := dataset.TextTensor(c.Name)
		size, strings := w.total(w.bytes[k]), w.total(w.tokens[k])
		ts = append(ts,
			safetensors.Tensor{Name: name, DType: "U8", Shape: []int{size}, Stream: w.streamText(k, false)},
			safetensors.Tensor{Name: name + dataset.EndsSuffix, DType: "I64", Shape: []int{strings}, Stream: w.streamText(k, true)})
		if c.Kind == "tokens" {
			ts = append(ts, safetensors.Tensor{Name: name + dataset.RowsSuffix, DType: "I64", Shape: []int{w.rows}, Stream: w.streamCounts(w.tokens[k])})
		}
	}
	ts = append(ts, safetensors.Tensor{Name: dataset.RowTensor, DType: "I64", Shape: []int{w.rows}, Stream: w.streamSource})
	if l := w.m.Label; l != nil {
		t := safetensors.Tensor{Name: dataset.LabelTensor, DType: "I32", Shape: []int{w.rows}, Stream: w.streamClass}
		switch l.Kind {
		case "number":
			t.DType, t.Stream = "F32", w.streamFixed(dataset.LabelTensor, 4)
		case "tags":
			k := w.tagged()
			t.Shape, t.Stream = []int{w.total(w.joiner.tokens[k])}, w.streamTags(w.joiner.tokens[k])
		}
		ts = append(ts, t)
	}
	return ts
}

// tagged is the column, of those passed on, that the label tags.
func (w *splitWriter) tagged() int {
	for k, c := range w.m.Columns {
		if c.Name == w.m.Label.Of {
			return k
		}
	}
	panic("shard: the tagged column is not passed on") // Lower does not drop it
}

func (w *splitWriter) total(sizes []int64) int {
	n := int64(0)
	for r, s := range w.of {
		if s == w.split {
			n += sizes[r]
		}
	}
	return int(n)
}

// each opens the shards that have rows of the split, one after the other, and calls f for each.
func (w *splitWriter) each(f func(i int, p *part, file *safetensors.File) error) error {
	for i, p := range w.parts {
		any := false
		for r := range p.rows {
			any = any || w.of[p.first+r] == w.split
		}
		if !any {
			continue
		}
		file, _, err := dataset.Open(p.dir, p.m, dataset.All)
		if err != nil {
			return err
		}
		err = f(i, p, file)
		file.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (w *splitWriter) streamFixed(tensor string, width int) func(io.Writer) error {
	return func(out io.Writer) error {
		return w.each(func(_ int, p *part, file *safetensors.File) error {
			c := openFixed(file, tensor, width)
			for r := range p.rows {
				if w.of[p.first+r] != w.split {
					if _, err := c.r.Discard(width); err != nil {
						return err
					}
					continue
				}
				b, err := c.next()
				if err != nil {
					return err
				}
				if _, err := out.Write(b); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// streamText writes the bytes of a column, or where its strings end.
func (w *splitWriter) streamText(k int, ends bool) func(io.Writer) error {
	return func(out io.Writer) error {
		base := int64(0)
		var buf []byte
		return w.each(func(_ int, p *part, file *safetensors.File) error {
			c := openColumn(file, w.m.Columns[k])
			for r := range p.rows {
				v, err := c.next()
				if err != nil {
					return err
				}
				if w.of[p.first+r] != w.split {
					continue
				}
				buf = append(buf[:0], v.bytes...)
				if ends {
					buf = buf[:0]
					for _, e := range v.ends {
						buf = binary.LittleEndian.AppendUint64(buf, uint64(base+e))
					}
					base += int64(len(v.bytes))
				}
				if _, err := out.Write(buf); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func (w *splitWriter) streamCounts(sizes []int64) func(io.Writer) error {
	return func(out io.Writer) error {
		sum := int64(0)
		return w.words(out, func(r int) int64 { sum += sizes[r]; return sum })
	}
}

func (w *splitWriter) streamSource(out io.Writer) error {
	return w.words(out, func(r int) int64 { return w.source[r] })
}

// words writes a number of 8 bytes for each row of the split.
func (w *splitWriter) words(out io.Writer, f func(row int) int64) error {
	var b [8]byte
	for r, s := range w.of {
		if s != w.split {
			continue
		}
		binary.LittleEndian.PutUint64(b[:], uint64(f(r)))
		if _, err := out.Write(b[:]); err != nil {
			return err
		}
	}
	return nil
}

func (w *splitWriter) streamClass(out io.Writer) error {
	var b [4]byte
	for r, s := range w.of {
		if s != w.split {
			continue
		}
		binary.LittleEndian.PutUint32(b[:], uint32(w.class[r]))
		if _, err := out.Write(b[:]); err != nil {
			return err
		}
	}
	return nil
}

func (w *splitWriter) streamTags(tokens []int64) func(io.Writer) error {
	return func(out io.Writer) error {
		var b [4]byte
		return w.each(func(i int, p *part, file *safetensors.File) error {
			c := openFixed(file, dataset.LabelTensor, 4)
			for r := range p.rows {
				for range tokens[p.first+r] {
					tag, err := c.next()
					if err != nil {
						return err
					}
					k := binary.LittleEndian.Uint32(tag)
					if int(k) >= len(w.remap[i]) {
						return fmt.Errorf("a tag of class %d; there are %d", k, len(w.remap[i]))
					}
					if w.of[p.first+r] != w.split {
						continue
					}
					binary.LittleEndian.PutUint32(b[:], uint32(w.remap[i][k]))
					if _, err := out.Write(b[:]); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
}
