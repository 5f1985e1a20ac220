package npz

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// array is an array that is being read, row by row.
type array struct {
	*header
	name string
	r    io.Reader
	zip  io.Closer
	file *os.File // of Fortran order: the array, unpacked
	row  []byte
	done int

	block []byte // of Fortran order: some rows, in C order
	first int    // row where the block begins
	count int    // rows in the block
}

// open finds an array in an archive.
func open(z *zip.Reader, name, scratch string) (*array, error) {
	var entry *zip.File
	var have []string
	for _, f := range z.File {
		n := strings.TrimSuffix(f.Name, ".npy")
		have = append(have, n)
		if n != name {
			continue
		}
		if entry != nil {
			return nil, fmt.Errorf("two arrays are called %q", name)
		}
		entry = f
	}
	if entry == nil {
		return nil, &noArray{name, have}
	}
	r, err := entry.Open()
	if err != nil {
		return nil, fmt.Errorf("array %q: %w", name, err)
	}
	a := &array{name: name, r: bufio.NewReaderSize(r, 1<<18), zip: r}
	if a.header, err = readHeader(a.r); err == nil {
		a.row = make([]byte, a.width*a.size)
		if a.fortran && len(a.shape) > 0 {
			err = a.unpack(filepath.Join(scratch, "fortran"))
		}
	}
	if err != nil {
		a.close()
		return nil, fmt.Errorf("array %q: %w", name, err)
	}
	return a, nil
}

// noArray says that an archive has no such array.
type noArray struct {
	name string
	have []string
}

func (e *noArray) Error() string { return fmt.Sprintf("there is no array %q", e.name) }

func (a *array) close() {
	a.zip.Close()
	if a.file != nil {
		a.file.Close()
		os.Remove(a.file.Name())
	}
}

// unpack writes an array in Fortran order to a file, so that its rows can be gathered.
func (a *array) unpack(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	a.file = f
	rowBytes := int64(len(a.row))
	if a.rows > 0 && rowBytes > math.MaxInt64/int64(a.rows) {
		return errShort
	}
	want := int64(a.rows) * rowBytes
	n, err := io.CopyN(f, a.r, want)
	if err != nil && n < want {
		return short(err)
	}
	return nil
}

// blockBytes is about how much of an array in Fortran order is in memory at once.
const blockBytes = 16 << 20

// fill gathers the next rows of an array in Fortran order: element j of a row stands at j * rows + row, where j counts the
// dimensions of the row from the first on.
func (a *array) fill() error {
	a.first = a.done
	a.count = min(max(1, blockBytes/len(a.row)), a.rows-a.first)
	if n := a.count * len(a.row); cap(a.block) < n {
		a.block = make([]byte, n)
	}
	column := make([]byte, a.count*a.size)
	for j := range a.width {
		if _, err := a.file.ReadAt(column, (int64(j)*int64(a.rows)+int64(a.first))*int64(a.size)); err != nil {
			return short(err)
		}
		at := a.cPlace(j) * a.size
		for i := range a.count {
			copy(a.block[i*len(a.row)+at:], column[i*a.size:(i+1)*a.size])
		}
	}
	return nil
}

// cPlace is where the j-th element of a row in Fortran order stands in C order.
func (a *array) cPlace(j int) int {
	place, stride := 0, a.width
	for _, d := range a.shape {
		stride /= d
		place += j % d * stride
		j /= d
	}
	return place
}

// next is the bytes of the next row, until the one after it.
func (a *array) next() ([]byte, error) {
	if a.file != nil {
		if a.done == a.first+a.count {
			if err := a.fill(); err != nil {
				return nil, err
			}
		}
		i := a.done - a.first
		a.done++
		return a.block[i*len(a.row) : (i+1)*len(a.row)], nil
	}
	if _, err := io.ReadFull(a.r, a.row); err != nil {
		return nil, short(err)
	}
	a.done++
	return a.row, nil
}

// number is an element as a number.
func (h *header) number(b []byte) float64 {
	switch {
	case h.kind == 'b':
		if b[0] != 0 {
			return 1
		}
		return 0
	case h.kind == 'f':
		switch h.size {
		case 2:
			return half(h.order.Uint16(b))
		case 4:
			return float64(math.Float32frombits(h.order.Uint32(b)))
		}
		return math.Float64frombits(h.order.Uint64(b))
	}
	v, signed := h.whole(b)
	if signed {
		return float64(int64(v))
	}
	return float64(v)
}

// whole is an element of whole numbers, as 64 bits.
func (h *header) whole(b []byte) (v uint64, signed bool) {
	signed = h.kind == 'i'
	switch h.size {
	case 1:
		v = uint64(b[0])
		if signed {
			v = uint64(int8(b[0]))
		}
	case 2:
		v = uint64(h.order.Uint16(b))
		if signed {
			v = uint64(int16(v))
		}
	case 4:
		v = uint64(h.order.Uint32(b))
		if signed {
			v = uint64(int32(v))
		}
	default:
		v = h.order.Uint64(b)
	}
	return v, signed
}

// half is a 16-bit floating point number (IEEE 754 binary16).
func half(v uint16) float64 {
	sign, exp, frac := 1-2*float64(v>>15), int(v>>10&31), float64(v&1023)
	switch exp {
	case 0:
		return sign * math.Ldexp(frac, -24)
	case 31:
		if frac != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}

// text is an element of text, without the zeros that fill it up.
func (h *header) text(b []byte) (string, error) {
	var out []byte
	if h.kind == 'S' {
		out = b
	} else {
		for k := 0; k < len(b); k += 4 {
			r := rune(h.order.Uint32(b[k:]))
			if !utf8.ValidRune(r) {
				return "", fmt.Errorf("%#x is no character", uint32(r))
			}
			out = utf8.AppendRune(out, r)
		}
	}
	s := strings.TrimRight(string(out), "\x00")
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%q is not UTF-8", s)
	}
	return s, nil
}

// floats appends the elements of a row as float32; the index of the first that is not finite is an error.
func (h *header) floats(out, row []byte) (b []byte, wrong int) {
	for k := 0; k < len(row); k += h.size {
		v := h.number(row[k:])
		if math.IsNaN(v) || math.Abs(v) > math.MaxFloat32 {
			return out, k / h.size
		}
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(v)))
	}
	return out, -1
}
