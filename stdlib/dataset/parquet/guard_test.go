package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	thriftlib "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// wrap makes a file of what stands between its magic numbers, and a footer.
func wrap(body, footer []byte) []byte {
	b := append([]byte("PAR1"), body...)
	b = append(b, footer...)
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(footer))), "PAR1"...)
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := thriftlib.Marshal(new(thriftlib.CompactProtocol), v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// oneColumn is a file of one column "x", which must be there, in one page.
func oneColumn(t testing.TB, typ format.Type, codec format.CompressionCodec, h format.PageHeader, body []byte) []byte {
	t.Helper()
	h.CompressedPageSize = int32(len(body))
	pages := append(marshal(t, &h), body...)
	m := format.ColumnMetaData{Type: typ, Encoding: thriftlib.Slice[format.Encoding]{format.Plain}, PathInSchema: thriftlib.Slice[string]{"x"}, Codec: codec, NumValues: 8,
		TotalCompressedSize: int64(len(pages)), TotalUncompressedSize: int64(len(pages)), DataPageOffset: 4}
	footer := format.FileMetaData{Version: 1, NumRows: 8,
		Schema:    thriftlib.Slice[format.SchemaElement]{{Name: "root", NumChildren: null(int32(1))}, {Name: "x", Type: null(typ), RepetitionType: null(format.Required)}},
		RowGroups: thriftlib.Slice[format.RowGroup]{{Columns: thriftlib.Slice[format.ColumnChunk]{{MetaData: m}}, NumRows: 8, TotalByteSize: int64(len(pages))}}}
	return wrap(pages, marshal(t, &footer))
}

func null[T any](v T) thriftlib.Null[T] { return thriftlib.Null[T]{V: v, Valid: true} }

func dataPage(enc format.Encoding, values, unpacked int32) format.PageHeader {
	return format.PageHeader{Type: format.DataPage, UncompressedPageSize: unpacked,
		DataPageHeader: null(format.DataPageHeader{NumValues: values, Encoding: enc, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE})}
}

func uvarints(vs ...uint64) (b []byte) {
	for _, v := range vs {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// zip is so many zeros, packed.
func zip(t testing.TB, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestHostile: files of some bytes that say they hold much are refused with little memory, and say why; the same file without the lie
// is read.
func TestHostile(t *testing.T) {
	eight := bytes.Repeat([]byte{1, 0, 0, 0}, 8)
	if r, err := build(t, "features = [\"x\"]\n", oneColumn(t, format.Int32, format.Uncompressed, dataPage(format.Plain, 8, 32), eight)); err != nil || r.Metrics["rows"] != 8 {
		t.Fatalf("the file without a lie: %v", err)
	}
	deltas := append(uvarints(128, 4, 8, 2, 0), 0, 0, 0, 0)
	if r, err := build(t, "features = [\"x\"]\n", oneColumn(t, format.Int32, format.Uncompressed, dataPage(format.DeltaBinaryPacked, 8, 9), deltas)); err != nil || r.Metrics["rows"] != 8 {
		t.Fatalf("differences without a lie: %v", err)
	}
	deep := thriftlib.Slice[format.SchemaElement]{}
	for range 100_000 {
		deep = append(deep, format.SchemaElement{Name: "x", NumChildren: null(int32(1))})
	}
	bomb := bytes.Repeat([]byte{0x1c}, 1<<20) // a structure in a structure in a structure
	prefixes := append(uvarints(128, 4, 8, 2*(1<<26), 0), 0, 0, 0, 0)
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"entries", "its metadata has more than 1048576 entries", wrap(nil, append([]byte{0x15, 2, 0x19, 0xfc}, uvarints(1<<31-1)...))},
		{"entries that are not there", "its metadata is cut off", wrap(nil, append([]byte{0x15, 2, 0x19, 0xfc}, uvarints(1<<20)...))},
		{"text", "its metadata is cut off", wrap(nil, append([]byte{0x15, 2, 0x48}, uvarints(1<<31-1)...))},
		{"nested", "nested too deep", wrap(nil, bomb)},
		{"deep", "more than 64 deep", wrap(nil, marshal(t, &format.FileMetaData{Schema: deep}))},
		{"footer", "its footer has 4294967295 bytes", []byte("PAR1....\xff\xff\xff\xffPAR1")},
		{"values", "a page says that it has 2147483647 values", oneColumn(t, format.Int32, format.Uncompressed, dataPage(format.RLEDictionary, 1<<31-1, 32), eight)},
		{"unpacked", "2147483647 when unpacked", oneColumn(t, format.Int32, format.Zstd, dataPage(format.Plain, 8, 1<<31-1), eight)},
		{"run", "more values inside than its header says", oneColumn(t, format.Int32, format.Uncompressed, dataPage(format.RLEDictionary, 8, 6), append([]byte{1}, append(uvarints(1<<31), 1)...))},
		{"runs", "more values inside", oneColumn(t, format.Int32, format.Uncompressed, dataPage(format.RLEDictionary, 8, 6), append([]byte{1}, bytes.Repeat(append(uvarints(1<<24), 1), 1000)...))},
		{"differences", "more values inside", oneColumn(t, format.Int32, format.Uncompressed, dataPage(format.DeltaBinaryPacked, 8, 9), append(uvarints(128, 4, 1<<31-1, 2, 0), 0, 0, 0, 0))},
		{"prefixes", "more values inside", oneColumn(t, format.ByteArray, format.Uncompressed, dataPage(format.DeltaByteArray, 8, 20), append(prefixes, deltas...))},
		{"brotli", "a page cannot be unpacked", oneColumn(t, format.Int32, format.Brotli, dataPage(format.Plain, 8, 32), eight)},
		{"zstd", "a page cannot be unpacked", oneColumn(t, format.Int32, format.Zstd, dataPage(format.Plain, 8, 32), eight)},
		{"gzip bomb", "there are more than the 32 bytes that its header says", oneColumn(t, format.Int32, format.Gzip, dataPage(format.Plain, 8, 32), zip(t, 1<<24))},
		{"snappy", "it says 4294967295 bytes inside, and 32 outside", oneColumn(t, format.Int32, format.Snappy, dataPage(format.Plain, 8, 32), uvarints(1<<32-1))},
		{"lz4", "LZ4_RAW is a compression that is not read", oneColumn(t, format.Int32, format.Lz4Raw, dataPage(format.Plain, 8, 32), []byte{0xff, 0xff, 0xff})},
		{"lzo", "LZO is a compression that is not read", oneColumn(t, format.Int32, format.LZO, dataPage(format.Plain, 8, 32), eight)},
	} {
		attrs := "features = [\"x\"]\n"
		if c.name == "prefixes" {
			attrs = "text = [\"x\"]\n"
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := build(t, attrs, c.file)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Parquet file not readable: a.parquet: ") {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 64<<20 {
			t.Errorf("%s: a file of %d bytes took %d MB", c.name, len(c.file), taken>>20)
		}
	}
}

// TestDelta holds the numbers of the differences against what they were made of: widths from 0 to 64, across miniblocks.
func TestDelta(t *testing.T) {
	var want []int64
	b := uvarints(64, 2, 100, 2*5) // 2 miniblocks of 32 a block; the first number is 5
	value := int64(5)
	want = append(want, value)
	for _, widths := range [][2]byte{{0, 3}, {33, 64}} {
		b = append(b, 3) // the least difference is -2
		b = append(b, widths[0], widths[1])
		for _, w := range widths {
			packed := make([]byte, int(w)*4)
			for i := range 32 {
				v := uint64(i*2654435761) & (1<<w - 1)
				for k := range int(w) {
					packed[(i*int(w)+k)/8] |= byte(v>>k&1) << ((i*int(w) + k) % 8)
				}
				value += int64(v) - 2
				want = append(want, value)
			}
			b = append(b, packed...)
		}
	}
	var got []int64
	if err := (&delta{b: b, most: 100}).each(func(v int64) error { got = append(got, v); return nil }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want[:100]) {
		t.Errorf("%v\n%v", got, want[:100])
	}
	for n := range b[:8+4*36] {
		if err := (&delta{b: b[:n], most: 100}).each(func(int64) error { return nil }); err == nil {
			t.Errorf("cut off after %d bytes, nothing is wrong", n)
		}
	}
}

// TestCompressions: the guard lets pass what the library writes, in each compression and version of pages, with and without nulls.
func TestCompressions(t *testing.T) {
	type row struct {
		X float64 `parquet:"x"`
		O *int64  `parquet:"o,optional"`
		S string  `parquet:"s,dict"`
		D int64   `parquet:"d,delta"`
		L string  `parquet:"l,delta"`
	}
	for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Brotli, &parquet.Zstd} {
		for version := 1; version <= 2; version++ {
			var out bytes.Buffer
			w := parquet.NewGenericWriter[row](&out, parquet.Compression(codec), parquet.DataPageVersion(version), parquet.PageBufferSize(4096))
			for i := range int64(5000) {
				r := row{X: float64(i) / 3, S: fmt.Sprint(i % 7), D: i * i, L: strings.Repeat("ab", int(i%9))}
				if i%5 != 0 {
					r.O = &i
				}
				if _, err := w.Write([]row{r}); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			r, err := build(t, "features = [\"x\", \"o\", \"d\"]\ntext = [\"s\", \"l\"]\nmissing = \"skip\"\n", out.Bytes())
			if err != nil {
				t.Errorf("%v, version %d: %v", codec, version, err)
				continue
			}
			d := r.Read(t, "train")
			if d.Rows != 4000 || d.Features[3*3999+2] != 4999*4999 || texts(d, "l")[3999] != strings.Repeat("ab", 4999%9) || texts(d, "s")[3999] != "1" {
				t.Errorf("%v, version %d: %d rows, the last %v", codec, version, d.Rows, d.Features[3*3999:])
			}
		}
	}
}
