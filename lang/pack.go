package lang

import (
	"encoding/binary"
	"errors"
	"math"

	"mbuild.dev/mbuild/lang/value"
)

// packer writes the file of an evaluated spec: numbers as varints, strings with their length in front, values with a tag.
type packer struct{ b []byte }

func (p *packer) uint(n int)    { p.b = binary.AppendUvarint(p.b, uint64(n)) }
func (p *packer) text(s string) { p.uint(len(s)); p.b = append(p.b, s...) }
func (p *packer) texts(l []string) {
	p.uint(len(l))
	for _, s := range l {
		p.text(s)
	}
}

// The tags of values.
const (
	tagNil = iota
	tagFalse
	tagTrue
	tagInt
	tagUint
	tagFloat
	tagString
	tagList
	tagMap
	tagRef
)

// errSecret says that a value may not be written to disk.
var errSecret = errors.New("a sensitive value is not kept")

func (p *packer) value(v any) error {
	switch t := v.(type) {
	case nil:
		p.b = append(p.b, tagNil)
	case bool:
		p.b = append(p.b, tagFalse)
		if t {
			p.b[len(p.b)-1] = tagTrue
		}
	case int64:
		p.b = binary.AppendVarint(append(p.b, tagInt), t)
	case uint64:
		p.b = binary.AppendUvarint(append(p.b, tagUint), t)
	case float64:
		p.b = binary.LittleEndian.AppendUint64(append(p.b, tagFloat), math.Float64bits(t))
	case string:
		p.b = append(p.b, tagString)
		p.text(t)
	case value.Ref:
		p.b = append(p.b, tagRef)
		p.text(t.To)
		p.text(t.Type)
	case []any:
		p.b = append(p.b, tagList)
		p.uint(len(t))
		for _, e := range t {
			if err := p.value(e); err != nil {
				return err
			}
		}
	case map[string]any:
		p.b = append(p.b, tagMap)
		p.uint(len(t))
		for _, k := range keys(t) {
			p.text(k)
			if err := p.value(t[k]); err != nil {
				return err
			}
		}
	default:
		return errSecret
	}
	return nil
}

// unpacker reads what a packer wrote. Strings are parts of the file: nothing is copied. The file's checksum has been verified,
// so what does not fit is a fault of the program; it sets bad and reads zero values.
type unpacker struct {
	s   string
	bad bool
}

func (u *unpacker) varint() uint64 {
	var x uint64
	for i := 0; i < len(u.s) && i < binary.MaxVarintLen64; i++ {
		c := u.s[i]
		x |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			u.s = u.s[i+1:]
			return x
		}
	}
	u.bad, u.s = true, ""
	return 0
}

func (u *unpacker) uint() int {
	x := u.varint()
	if x > math.MaxInt32 {
		u.bad, u.s = true, ""
		return 0
	}
	return int(x)
}

func (u *unpacker) text() string {
	n := u.uint()
	if n > len(u.s) {
		u.bad, u.s = true, ""
		return ""
	}
	s := u.s[:n]
	u.s = u.s[n:]
	return s
}

func (u *unpacker) texts() []string {
	n := u.count()
	var l []string
	for range n {
		l = append(l, u.text())
	}
	return l
}

// count is a number of things that take at least one byte each.
func (u *unpacker) count() int {
	n := u.uint()
	if n > len(u.s) {
		u.bad = true
		return 0
	}
	return n
}

func (u *unpacker) byte() byte {
	if u.s == "" {
		u.bad = true
		return 0
	}
	c := u.s[0]
	u.s = u.s[1:]
	return c
}

func (u *unpacker) value() any {
	switch u.byte() {
	case tagFalse:
		return false
	case tagTrue:
		return true
	case tagInt:
		n := u.varint()
		x := int64(n >> 1)
		if n&1 != 0 {
			x = ^x
		}
		return x
	case tagUint:
		return u.varint()
	case tagFloat:
		if len(u.s) < 8 {
			u.bad = true
			return nil
		}
		f := math.Float64frombits(binary.LittleEndian.Uint64([]byte(u.s[:8])))
		u.s = u.s[8:]
		return f
	case tagString:
		return u.text()
	case tagRef:
		to := u.text()
		return value.Ref{To: to, Type: u.text()}
	case tagList:
		n := u.count()
		l := make([]any, n)
		for i := range l {
			l[i] = u.value()
		}
		return l
	case tagMap:
		n := u.count()
		m := make(map[string]any, n)
		for range n {
			k := u.text()
			m[k] = u.value()
		}
		return m
	}
	return nil
}
