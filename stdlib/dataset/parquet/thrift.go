package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"

	thriftlib "github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// The library makes room for what a length or a count in Thrift's compact protocol says before it looks whether that much is there. A
// thrift goes over the bytes first, and holds every length and count against what follows.

// maxNesting is how deep structures may lie in one another; Parquet's lie 6 deep.
const maxNesting = 16

// maxStructs bounds the structures in lists of a footer: each takes some hundred bytes of memory. A file of 1,000 columns and 200 row
// groups has 600,000 or so.
const maxStructs = 1 << 20

// The types of the compact protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

var errThrift = errors.New("its metadata is cut off")

// thrift is a place in bytes.
type thrift struct {
	b       []byte
	nesting int
	structs int
}

func (t *thrift) uvarint() (uint64, error) {
	v, n := binary.Uvarint(t.b)
	if n <= 0 {
		return 0, errThrift
	}
	t.b = t.b[n:]
	return v, nil
}

func (t *thrift) byte() (byte, error) {
	if len(t.b) == 0 {
		return 0, errThrift
	}
	v := t.b[0]
	t.b = t.b[1:]
	return v, nil
}

func (t *thrift) skip(n uint64) error {
	if n > uint64(len(t.b)) {
		return errThrift
	}
	t.b = t.b[n:]
	return nil
}

// structure goes over a structure. field is called at each of its fields, and reports whether it has gone over the value.
func (t *thrift) structure(field func(id int16, typ byte) (bool, error)) error {
	if t.nesting++; t.nesting > maxNesting {
		return errors.New("its metadata is nested too deep")
	}
	defer func() { t.nesting-- }()
	id := int16(0)
	for {
		head, err := t.byte()
		if err != nil || head == 0 {
			return err
		}
		if delta := head >> 4; delta != 0 {
			id += int16(delta)
		} else if id, err = t.id(); err != nil {
			return err
		}
		done, err := false, error(nil)
		if field != nil {
			done, err = field(id, head&15)
		}
		if err == nil && !done {
			err = t.value(head&15, false)
		}
		if err != nil {
			return err
		}
	}
}

func (t *thrift) id() (int16, error) {
	v, err := t.integer()
	return int16(v), err
}

// integer is a number of any size.
func (t *thrift) integer() (int64, error) {
	v, err := t.uvarint()
	return int64(v>>1) ^ -int64(v&1), err
}

// value goes over a value; those of truth are in the type, but for elements of lists.
func (t *thrift) value(typ byte, element bool) error {
	switch typ {
	case thriftTrue, thriftFalse:
		if element {
			return t.skip(1)
		}
		return nil
	case thriftByte:
		return t.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := t.uvarint()
		return err
	case thriftDouble:
		return t.skip(8)
	case thriftBinary:
		n, err := t.uvarint()
		if err != nil {
			return err
		}
		return t.skip(n)
	case thriftList, thriftSet:
		return t.list(nil)
	case thriftMap:
		return t.pairs()
	case thriftStruct:
		return t.structure(nil)
	}
	return fmt.Errorf("its metadata has a value of type %d", typ)
}

// list goes over a list; field is that of its structures.
func (t *thrift) list(element func() error) error {
	head, err := t.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = t.uvarint(); err != nil {
			return err
		}
	}
	least := uint64(1) // byte of an element
	if head&15 == thriftStruct {
		least = 3
		if t.structs += int(min(n, maxStructs+1)); t.structs > maxStructs {
			return fmt.Errorf("its metadata has more than %d entries", maxStructs)
		}
	}
	if n > uint64(len(t.b))/least {
		return errThrift
	}
	for range n {
		if element != nil && head&15 == thriftStruct {
			err = element()
		} else {
			err = t.value(head&15, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *thrift) pairs() error {
	n, err := t.uvarint()
	if err != nil || n == 0 {
		return err
	}
	types, err := t.byte()
	if err != nil {
		return err
	}
	if n > uint64(len(t.b))/2 {
		return errThrift
	}
	for range n {
		for _, typ := range []byte{types >> 4, types & 15} {
			if err := t.value(typ, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// decodeHeader decodes the header of a page, over which a thrift has gone.
func decodeHeader(b []byte) (*format.PageHeader, error) {
	h := new(format.PageHeader)
	return h, thriftlib.Unmarshal(new(thriftlib.CompactProtocol), b, h)
}
