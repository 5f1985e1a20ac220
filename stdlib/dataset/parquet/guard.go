package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// The guard goes over a file before the library does, which trusts what it reads: a header of twenty bytes may say that two billion
// values follow, and five bytes inside a page that one of them is repeated as often. What is refused here would take memory without
// bound; whether the rest of a file is sound, the library finds out. It costs unpacking the pages of the chosen columns twice.

const (
	maxFooter  = 64 << 20
	maxHeader  = 1 << 24 // of a page: two values, least and greatest, are in it
	maxPage    = 1 << 28 // bytes of a page, unpacked
	maxValues  = 1 << 24 // values of a page
	maxColumns = 1 << 16 // columns and groups of columns in the schema
	maxDepth   = 64      // of the schema
)

// checkFooter looks at the end of a file.
func checkFooter(f io.ReaderAt, size int64) error {
	var tail [8]byte
	if size < 12 {
		return fmt.Errorf("it has %d bytes", size)
	}
	if _, err := f.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if string(tail[4:]) != "PAR1" {
		return nil // the library says what it is
	}
	if n > size-12 || n > maxFooter {
		return fmt.Errorf("its footer has %d bytes, in a file of %d; %d are the most", n, size, maxFooter)
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, size-8-n); err != nil {
		return err
	}
	t := &thrift{b: b}
	return t.structure(func(id int16, typ byte) (bool, error) {
		if id != 2 || typ != thriftList {
			return false, nil
		}
		return true, t.schema()
	})
}

// schema goes over the list of the schema's elements, each of which says how many of those after it are its children.
func (t *thrift) schema() error {
	var open []int64 // children that are still to come, by depth
	columns := 0
	return t.list(func() error {
		children := int64(0)
		err := t.structure(func(id int16, typ byte) (ok bool, err error) {
			if id == 5 && typ == thriftI32 {
				children, err = t.integer()
				return true, err
			}
			return false, nil
		})
		for len(open) > 0 && open[len(open)-1] == 0 {
			open = open[:len(open)-1]
		}
		if len(open) > 0 {
			open[len(open)-1]--
		}
		if children > 0 {
			open = append(open, children)
		}
		if columns++; err == nil && (columns > maxColumns || len(open) > maxDepth) {
			err = fmt.Errorf("its schema has more than %d columns, or is more than %d deep", maxColumns, maxDepth)
		}
		return err
	})
}

// chunk is the pages of a column in a row group, as they are to be checked.
type chunk struct {
	f        io.ReaderAt
	codec    format.CompressionCodec
	optional bool
	body     []byte // of a page, unpacked
	raw      []byte // of a page, as it is
}

// check goes over the pages between two places in the file.
func (c *chunk) check(at, end int64) error {
	for at < end {
		h, n, err := c.header(at, end)
		if err != nil {
			return err
		}
		at += n
		size := int64(h.CompressedPageSize)
		if size > end-at {
			return fmt.Errorf("a page of %d bytes goes beyond its column", size)
		}
		if err := c.page(h, at); err != nil {
			return err
		}
		at += size
	}
	return nil
}

// header reads the header of a page, and says how long it is.
func (c *chunk) header(at, end int64) (*format.PageHeader, int64, error) {
	for window := int64(1 << 12); ; window *= 16 {
		n := min(window, end-at)
		b := make([]byte, n)
		if _, err := c.f.ReadAt(b, at); err != nil {
			return nil, 0, err
		}
		t := &thrift{b: b}
		err := t.structure(nil)
		if errors.Is(err, errThrift) && n < end-at && window < maxHeader {
			continue
		}
		if err != nil {
			return nil, 0, fmt.Errorf("header of a page: %w", err)
		}
		used := n - int64(len(t.b))
		h, err := decodeHeader(b[:used])
		return h, used, err
	}
}

// counts says how many values a page has, how they are encoded, and how many bytes of levels stand before them, not packed.
func counts(h *format.PageHeader) (values int32, enc format.Encoding, levels int64) {
	switch {
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		v := h.DataPageHeaderV2.V
		return v.NumValues, v.Encoding, int64(v.RepetitionLevelsByteLength) + int64(v.DefinitionLevelsByteLength)
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		return h.DataPageHeader.V.NumValues, h.DataPageHeader.V.Encoding, 0
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		return h.DictionaryPageHeader.V.NumValues, format.Plain, 0
	}
	return 0, format.Plain, 0
}

// plainDictionary is the encoding that older writers name for dictionaries and for pages that point into them.
const plainDictionary = format.Encoding(2)

// page looks into a page.
func (c *chunk) page(h *format.PageHeader, at int64) error {
	values, enc, levels := counts(h)
	if values < 0 || values > maxValues || h.UncompressedPageSize < 0 || h.UncompressedPageSize > maxPage || h.CompressedPageSize < 0 || h.CompressedPageSize > maxPage {
		return fmt.Errorf("a page says that it has %d values, and %d bytes, %d when unpacked; %d values and %d bytes are the most. Write it with smaller pages", values, h.CompressedPageSize, h.UncompressedPageSize, maxValues, maxPage)
	}
	if h.Type == format.DictionaryPage {
		enc = h.DictionaryPageHeader.V.Encoding
		if enc == plainDictionary {
			enc = format.Plain
		}
	}
	if c.raw = grow(c.raw, int(h.CompressedPageSize)); len(c.raw) > 0 {
		if _, err := c.f.ReadAt(c.raw, at); err != nil {
			return err
		}
	}
	if levels < 0 || levels > int64(len(c.raw)) {
		return fmt.Errorf("a page of %d bytes says that its levels have %d", len(c.raw), levels)
	}
	packed := h.Type != format.DataPageV2 || !h.DataPageHeaderV2.V.IsCompressed.Valid || h.DataPageHeaderV2.V.IsCompressed.V
	body := c.raw[levels:]
	if packed && c.codec != format.Uncompressed {
		if err := c.unpack(body, int(h.UncompressedPageSize)); err != nil {
			return fmt.Errorf("a page cannot be unpacked: %w", err)
		}
		body = c.body
	}
	switch {
	case h.Type == format.DataPageV2 && c.optional:
		if err := runs(c.raw[:levels], 1, values); err != nil {
			return err
		}
	case h.Type == format.DataPage && c.optional:
		if len(body) < 4 || int64(binary.LittleEndian.Uint32(body)) > int64(len(body)-4) {
			return errors.New("the levels of a page are cut off")
		}
		n := 4 + int(binary.LittleEndian.Uint32(body))
		if h.DataPageHeader.V.DefinitionLevelEncoding == format.RLE {
			if err := runs(body[4:n], 1, values); err != nil {
				return err
			}
		}
		body = body[n:]
	}
	return expand(enc, body, values)
}

// grow gives a slice a length; what was in it is lost.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// unpack unpacks a page into body, which may have so many bytes.
func (c *chunk) unpack(b []byte, most int) error {
	var r io.Reader
	switch c.codec {
	case format.Snappy:
		if n, err := snappy.DecodedLen(b); err != nil || n > most {
			return fmt.Errorf("it says %d bytes inside, and %d outside", n, most)
		}
		return c.fill(most, func() (int, error) { out, err := snappy.Decode(c.body, b); return len(out), err })
	case format.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return err
		}
		r = z
	case format.Zstd:
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage))
		if err != nil {
			return err
		}
		defer z.Close()
		r = z
	case format.Brotli:
		r = brotli.NewReader(bytes.NewReader(b))
	default:
		// Lz4Raw among them: where a page unpacks to less than three times its size, the library (v0.32.0) gives out other bytes.
		return fmt.Errorf("%v is a compression that is not read; write it with Snappy, gzip, Zstandard or Brotli", c.codec)
	}
	return c.fill(most, func() (int, error) {
		n, err := io.ReadFull(r, c.body)
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if extra, _ := io.CopyN(io.Discard, r, 1); extra > 0 {
			return n, fmt.Errorf("there are more than the %d bytes that its header says", most)
		}
		return n, nil
	})
}

// fill has body filled by f, which says with how many bytes.
func (c *chunk) fill(most int, f func() (int, error)) error {
	c.body = grow(c.body, most)
	n, err := f()
	if err == nil {
		c.body = c.body[:n]
	}
	return err
}

// errExpand says that a page makes more of its bytes than its header says.
var errExpand = errors.New("a page has more values inside than its header says")

// runs goes over levels or indices of so many bits: runs of one value, and groups of eight values (the RLE and bit-packing hybrid of
// the format). The last group may be filled up, and writers fill up to 64 values.
func runs(b []byte, bits uint, values int32) error {
	left := int64(values) + 64
	for len(b) > 0 {
		head, n := binary.Uvarint(b)
		if n <= 0 {
			return errors.New("the runs of a page are cut off")
		}
		b = b[n:]
		count, size := head>>1, uint64(bits+7)/8
		if count > maxValues {
			return errExpand
		}
		if head&1 == 1 {
			size = count * uint64(bits)
			count *= 8
		}
		if left -= int64(count); left < 0 {
			return errExpand
		}
		b = b[min(size, uint64(len(b))):] // what is cut off, the library sees
	}
	return nil
}

// expand looks how much the values of a page become.
func expand(enc format.Encoding, b []byte, values int32) error {
	switch enc {
	case format.RLEDictionary, plainDictionary:
		if len(b) == 0 {
			return nil
		}
		return runs(b[1:], uint(b[0]&63), values)
	case format.RLE: // truth values
		if len(b) < 4 {
			return nil
		}
		return runs(b[4:], 1, values)
	case format.DeltaBinaryPacked:
		return (&delta{b: b, most: int64(values)}).each(func(int64) error { return nil })
	case format.DeltaLengthByteArray:
		return lengths(b, values, 1)
	case format.DeltaByteArray:
		return lengths(b, values, 2) // what each takes of the one before, then what it has of its own
	}
	return nil
}

// lengths goes over some lists of lengths of texts, and adds them up.
func lengths(b []byte, values int32, lists int) error {
	total, d := int64(0), &delta{b: b, most: int64(values)}
	for range lists {
		err := d.each(func(n int64) error {
			if total += n; n < 0 || total > maxPage {
				return errExpand
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// delta goes over numbers in the encoding DELTA_BINARY_PACKED: a header, then blocks of miniblocks of differences.
type delta struct {
	b    []byte
	most int64 // numbers
}

var errDelta = errors.New("the differences of a page are cut off, or damaged")

func (d *delta) uvarint() (uint64, error) {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		return 0, errDelta
	}
	d.b = d.b[n:]
	return v, nil
}

func (d *delta) each(f func(int64) error) error {
	var head [4]uint64
	for i := range head {
		var err error
		if head[i], err = d.uvarint(); err != nil {
			return err
		}
	}
	block, minis, total := head[0], head[1], head[2]
	if total > uint64(d.most) {
		return errExpand
	}
	if block == 0 || block > 1<<16 || minis == 0 || minis > block || block/minis%8 != 0 {
		return errDelta
	}
	if total == 0 {
		return nil
	}
	value := int64(head[3]>>1) ^ -int64(head[3]&1)
	if err := f(value); err != nil {
		return err
	}
	for total--; total > 0; {
		least, err := d.uvarint()
		if err != nil || uint64(len(d.b)) < minis {
			return errDelta
		}
		low, widths := int64(least>>1)^-int64(least&1), d.b[:minis]
		d.b = d.b[minis:]
		for _, width := range widths {
			if total == 0 {
				break // the rest has no bytes
			}
			n := block / minis
			size := min(uint64(width)*n/8, uint64(len(d.b))) // the last may be cut off behind its numbers
			if width > 64 || (min(n, total)*uint64(width)+7)/8 > size {
				return errDelta
			}
			for i := range min(n, total) {
				value += low + int64(bitsAt(d.b, i*uint64(width), uint(width)))
				if err := f(value); err != nil {
					return err
				}
			}
			d.b, total = d.b[size:], total-min(n, total)
		}
	}
	return nil
}

// bitsAt is a number of some bits, up to 64, that begins at a bit, the lowest first.
func bitsAt(b []byte, at uint64, width uint) uint64 {
	var v uint64
	for got := uint(0); got < width; {
		bit := uint(at & 7)
		take := min(8-bit, width-got)
		v |= uint64(b[at>>3]>>bit) & (1<<take - 1) << got
		at, got = at+uint64(take), got+take
	}
	return v
}
