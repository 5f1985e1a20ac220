package lang

import (
	"fmt"
	"strconv"
	"strings"
)

// Addr is the address of a block: module.enc["a"].pass.quantize.int8["x"]. It is comparable.
type Addr struct {
	Module             string // "module.enc" for a block inside a module, "" in the root
	Family, Type, Name string
	Key                string // `["x"]` under for_each, `[0]` under count, else ""
}

// String is the address as users write it.
func (a Addr) String() string {
	s := a.Family + "." + a.Type + "." + a.Name + a.Key
	if a.Module != "" {
		s = a.Module + "." + s
	}
	return s
}

// Base is the address without its key: the block as declared.
func (a Addr) Base() Addr { a.Key = ""; return a }

// Compare orders addresses: by their parts, and keys of count by number.
func (a Addr) Compare(b Addr) int {
	for _, c := range [...]int{strings.Compare(a.Module, b.Module), strings.Compare(a.Family, b.Family),
		strings.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name)} {
		if c != 0 {
			return c
		}
	}
	na, errA := strconv.Atoi(strings.Trim(a.Key, "[]"))
	nb, errB := strconv.Atoi(strings.Trim(b.Key, "[]"))
	if errA == nil && errB == nil {
		return na - nb
	}
	return strings.Compare(a.Key, b.Key)
}

// StringKey is the Key of a for_each instance.
func StringKey(k string) string { return "[" + strconv.Quote(k) + "]" }

// IndexKey is the Key of a count instance.
func IndexKey(i int) string { return "[" + strconv.Itoa(i) + "]" }

// ParseAddr reads what String wrote.
func ParseAddr(s string) (Addr, error) {
	a := Addr{}
	rest := s
	if i := strings.IndexByte(rest, '['); i >= 0 {
		if !strings.HasSuffix(rest, "]") {
			return Addr{}, fmt.Errorf("%q is no address: want family.type.name, with a key such as [\"a\"] or [0] under for_each or count", s)
		}
		rest, a.Key = rest[:i], rest[i:]
		inner := a.Key[1 : len(a.Key)-1]
		if _, err := strconv.Unquote(inner); err != nil {
			if _, err := strconv.Atoi(inner); err != nil {
				return Addr{}, fmt.Errorf("%q is no address: the key must be a quoted string or a number", s)
			}
		}
	}
	parts := strings.Split(rest, ".")
	if len(parts) > 3 {
		a.Module = strings.Join(parts[:len(parts)-3], ".")
		parts = parts[len(parts)-3:]
	}
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return Addr{}, fmt.Errorf("%q is no address: want family.type.name, for example train.supervised.base", s)
	}
	a.Family, a.Type, a.Name = parts[0], parts[1], parts[2]
	return a, nil
}
