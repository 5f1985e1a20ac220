package npz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// maxHeader bounds the header of an array; NumPy's own reader takes 10,000 bytes.
const maxHeader = 1 << 16

// maxRow bounds the elements of a row, and so what a header can make a reader allocate.
const maxRow = 1 << 24

// header is what the header of an array says.
type header struct {
	kind    byte // f, i, u, b, U, S
	size    int  // bytes of an element
	order   binary.ByteOrder
	fortran bool
	rows    int
	shape   []int // of a row
	width   int   // elements of a row
}

var magic = "\x93NUMPY"

// readHeader reads the beginning of an array.
func readHeader(r io.Reader) (*header, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, short(err)
	}
	if string(head[:6]) != magic {
		return nil, fmt.Errorf("it begins with % x, and arrays begin with 93 NUMPY", head[:6])
	}
	var length [4]byte
	n := 2
	switch head[6] {
	case 1:
	case 2, 3:
		n = 4
	default:
		return nil, fmt.Errorf("it is of version %d of the format; 1 to 3 are known", head[6])
	}
	if _, err := io.ReadFull(r, length[:n]); err != nil {
		return nil, short(err)
	}
	size := binary.LittleEndian.Uint32(length[:])
	if size > maxHeader {
		return nil, fmt.Errorf("its header has %d bytes; %d are the most", size, maxHeader)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, short(err)
	}
	return parse(string(text))
}

// errShort says that an array ends too early.
var errShort = errors.New("it is cut off")

func short(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return errShort
	}
	return err
}

var (
	descrRE = regexp.MustCompile(`^([<>|=])([fiubUS])([0-9]{1,9})$`)
	entryRE = regexp.MustCompile(`^\s*'(\w+)'\s*:\s*('[^'\\]*'|\([0-9,\s]*\)|True|False|\[)\s*,?`)
)

// parse reads the header's text, a dictionary of Python.
func parse(text string) (*header, error) {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") || !strings.HasSuffix(text, "}") {
		return nil, errors.New("its header is no dictionary")
	}
	found := map[string]string{}
	for rest := strings.TrimSpace(text[1 : len(text)-1]); rest != ""; {
		m := entryRE.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("its header is not as NumPy writes it, at %.40q", rest)
		}
		if m[2] == "[" {
			return nil, errors.New("its elements are structures; save each field as an array of its own")
		}
		if _, twice := found[m[1]]; twice {
			return nil, fmt.Errorf("its header has %q twice", m[1])
		}
		found[m[1]] = m[2]
		rest = strings.TrimSpace(rest[len(m[0]):])
	}
	for _, k := range []string{"descr", "fortran_order", "shape"} {
		if found[k] == "" {
			return nil, fmt.Errorf("its header has no %q", k)
		}
	}
	h := &header{fortran: found["fortran_order"] == "True"}
	if err := h.descr(strings.Trim(found["descr"], "'")); err != nil {
		return nil, err
	}
	return h, h.dims(found["shape"])
}

// sizes are the bytes that numbers may have, by kind.
var sizes = map[byte]string{'f': "2 4 8", 'i': "1 2 4 8", 'u': "1 2 4 8", 'b': "1"}

func (h *header) descr(d string) error {
	if d == "|O" || d == "O" {
		return errors.New("its elements are Python objects, which would have to be unpickled; save it with a type of numbers or text")
	}
	m := descrRE.FindStringSubmatch(d)
	if m == nil {
		return fmt.Errorf("its elements are of type %q; f2, f4, f8, i1 to i8, u1 to u8, bool and, for labels, U and S can be read", d)
	}
	h.kind, h.order = m[2][0], binary.LittleEndian
	if m[1] == ">" {
		h.order = binary.BigEndian
	}
	h.size, _ = strconv.Atoi(m[3])
	if allowed, ok := sizes[h.kind]; ok && !strings.Contains(" "+allowed+" ", " "+m[3]+" ") {
		return fmt.Errorf("its elements are of type %q; %c has sizes %s", d, h.kind, allowed)
	}
	if h.kind == 'U' {
		h.size *= 4
	}
	if h.size > maxRow || h.size < 1 {
		return fmt.Errorf("its elements are of type %q: %d bytes each", d, h.size)
	}
	return nil
}

func (h *header) dims(text string) error {
	h.width = 1
	var dims []int
	for _, f := range strings.Split(strings.Trim(text, "()"), ",") {
		if f = strings.TrimSpace(f); f == "" {
			continue
		}
		d, err := strconv.Atoi(f)
		if err != nil {
			return fmt.Errorf("its shape is %s", text)
		}
		dims = append(dims, d)
	}
	if len(dims) == 0 {
		return errors.New("it is a single number, without a dimension for rows")
	}
	h.rows, h.shape = dims[0], dims[1:]
	for _, d := range h.shape {
		if d < 1 || d > maxRow/h.width {
			return fmt.Errorf("its shape is %s; a row must have at least 1 element and at most %d", text, maxRow)
		}
		h.width *= d
	}
	if h.width > maxRow/h.size*4 {
		return fmt.Errorf("its shape is %s; a row would have more than %d bytes", text, 4*maxRow)
	}
	return nil
}
