package lang

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
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

// local is the address as the block's own module writes it.
func (a Addr) local() Addr { a.Module = ""; return a }

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

// ParseAddr reads what String wrote. Spaces, other quotes and leading zeros are not taken: an address is written in one way.
func ParseAddr(s string) (Addr, error) {
	var names, keys []string
	for rest := s; ; {
		name, key, after, err := cutStep(rest)
		if err != nil {
			return Addr{}, fmt.Errorf("%q is no address: %w", s, err)
		}
		names, keys = append(names, name), append(keys, key)
		if after == "" {
			break
		}
		rest = after[1:]
	}
	n := len(names) - 3
	if n < 0 || n%2 != 0 || keys[n] != "" || keys[n+1] != "" {
		return Addr{}, fmt.Errorf("%q is no address: want family.type.name, for example train.supervised.base, with a key such as [\"a\"] or [0] under for_each or count", s)
	}
	a := Addr{Family: names[n], Type: names[n+1], Name: names[n+2], Key: keys[n+2]}
	for i := 0; i < n; i += 2 {
		if names[i] != "module" || keys[i] != "" {
			return Addr{}, fmt.Errorf("%q is no address: before family.type.name may stand module.NAME only", s)
		}
	}
	if n > 0 {
		a.Module = strings.TrimSuffix(s, "."+Addr{Family: a.Family, Type: a.Type, Name: a.Name}.String()+a.Key)
	}
	return a, nil
}

var errKey = errors.New(`a key is a quoted string or a number: ["a"] or [0]`)

// cutStep takes `name` or `name[key]` off the front of an address; after is empty or begins with a dot.
func cutStep(s string) (name, key, after string, err error) {
	i := strings.IndexAny(s, ".[")
	if i < 0 {
		i = len(s)
	}
	name, after = s[:i], s[i:]
	if !hclsyntax.ValidIdentifier(name) {
		return "", "", "", fmt.Errorf("%q is no name", name)
	}
	if !strings.HasPrefix(after, "[") {
		return name, "", after, nil
	}
	inner, err := strconv.QuotedPrefix(after[1:])
	if err == nil {
		if text, _ := strconv.Unquote(inner); strconv.Quote(text) != inner {
			return "", "", "", errKey
		}
	} else {
		inner, _, _ = strings.Cut(after[1:], "]")
		if n, err := strconv.Atoi(inner); err != nil || n < 0 || strconv.Itoa(n) != inner {
			return "", "", "", errKey
		}
	}
	key, after = "["+inner+"]", after[1+len(inner):]
	after, ok := strings.CutPrefix(after, "]")
	if !ok || after != "" && after[0] != '.' {
		return "", "", "", errKey
	}
	return name, key, after, nil
}

// unquoteKey is the text of a for_each key, or the number of a count.
func unquoteKey(k string) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(k, "["), "]")
	if s, err := strconv.Unquote(inner); err == nil {
		return s
	}
	return inner
}
