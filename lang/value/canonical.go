package value

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// Canonical returns the canonical JSON of a value: RFC 8785 (no white space, keys sorted by UTF-16 code units, shortest
// number text, minimal escapes), with two differences: whole numbers up to 64 bits are written exactly, and null members of
// maps are left out. Equal normal forms give equal bytes. v is brought to normal form first.
func Canonical(v any) ([]byte, error) { return appendValue(nil, v, 0) }

// Append is Canonical behind what b holds already.
func Append(b []byte, v any) ([]byte, error) { return appendValue(b, v, 0) }

// Compare orders strings as the keys of canonical JSON are: by UTF-16 code units.
func Compare(a, b string) int { return compareUTF16(a, b) }

func appendValue(b []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, ErrDepth
	}
	switch t := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, t), nil
	case int64:
		return strconv.AppendInt(b, t, 10), nil
	case uint64:
		return strconv.AppendUint(b, t, 10), nil
	case float64:
		return appendFloat(b, t)
	case string:
		return appendString(b, t)
	case Ref:
		return appendValue(b, map[string]any{"$ref": t.To, "type": t.Type}, depth)
	case Secret:
		return appendSecret(b, t)
	case []any:
		var err error
		b = append(b, '[')
		for i, e := range t {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendValue(b, e, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case map[string]any:
		return appendMap(b, t, depth)
	}
	n, err := norm(v, depth)
	if err != nil {
		return nil, err
	}
	return appendValue(b, n, depth)
}

// secretRounds makes guessing what a digest of a secret hides slow: about 10 ms a guess.
const secretRounds = 50_000

// appendSecret writes the digest of a secret: PBKDF2 (RFC 8018) with HMAC-SHA-256 over its canonical JSON.
func appendSecret(b []byte, s Secret) ([]byte, error) {
	clear, err := Canonical(s.Value)
	if err != nil {
		return nil, err
	}
	sum, ok := secrets.Load(string(clear))
	if !ok {
		key, err := pbkdf2.Key(sha256.New, string(clear), []byte("mbuild/secret/v1"), secretRounds, 16)
		if err != nil {
			return nil, err
		}
		sum = hex.EncodeToString(key)
		secrets.Store(string(clear), sum)
	}
	return append(b, `{"$secret":"`+sum.(string)+`"}`...), nil
}

// secrets remembers digests of secrets: each is slow, and needed for every key.
var secrets sync.Map

func appendMap(b []byte, m map[string]any, depth int) ([]byte, error) {
	keys := make([]string, 0, len(m))
	for k, v := range m {
		if v != nil {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, compareUTF16)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendString(b, k); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendValue(b, m[k], depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// compareUTF16 orders strings by UTF-16 code units, which differs from byte order only above U+FFFF.
func compareUTF16(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] >= 0xEE || b[i] >= 0xEE { // lead bytes of U+E000 and above: the two orders may differ from here
			return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
		}
		if a[i] != b[i] {
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}

func appendString(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, ErrUTF8
	}
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= 0x20:
			b = append(b, c)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c == '\r':
			b = append(b, `\r`...)
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(b, '"'), nil
}

// appendFloat writes a number as ECMAScript's Number::toString does (RFC 8785, section 3.2.2.3), after bringing it to
// normal form.
func appendFloat(b []byte, f float64) ([]byte, error) {
	n, err := fromFloat(f)
	if err != nil {
		return nil, err
	}
	switch t := n.(type) {
	case int64:
		return strconv.AppendInt(b, t, 10), nil
	case uint64:
		return strconv.AppendUint(b, t, 10), nil
	}
	abs := math.Abs(f)
	if abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64), nil
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	mant, exp, _ := strings.Cut(text, "e")
	sign, digits := exp[:1], strings.TrimLeft(exp[1:], "0")
	return append(append(append(append(b, mant...), 'e'), sign...), digits...), nil
}

// Decode reads JSON to normal form. Objects of exactly the members "$ref" and "type", both strings, become a Ref. Duplicate
// members and anything after the value are errors.
func Decode(b []byte) (any, error) {
	if !utf8.Valid(b) {
		return nil, ErrUTF8
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	v, err := decode(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("more than one JSON value")
	}
	return v, nil
}

func decode(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, ErrDepth
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case json.Number:
		return decodeNumber(string(t))
	case json.Delim:
		if t == '[' {
			return decodeList(dec, depth)
		}
		return decodeMap(dec, depth)
	}
	return tok, nil
}

func decodeNumber(text string) (any, error) {
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if exp, err := strconv.Atoi(text[i+1:]); err != nil || exp > 400 || exp < -400 {
			return nil, fmt.Errorf("number %s is beyond the range of a float64", text)
		}
	}
	f, _, err := big.ParseFloat(text, 10, 512, big.ToNearestEven)
	if err != nil {
		return nil, err
	}
	return Number(f)
}

func decodeList(dec *json.Decoder, depth int) (any, error) {
	list := []any{}
	for dec.More() {
		v, err := decode(dec, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := dec.Token()
	return list, err
}

func decodeMap(dec *json.Decoder, depth int) (any, error) {
	m := map[string]any{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		k := key.(string)
		if _, dup := m[k]; dup {
			return nil, fmt.Errorf("member %q twice", k)
		}
		if m[k], err = decode(dec, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	to, ok1 := m["$ref"].(string)
	typ, ok2 := m["type"].(string)
	if ok1 && ok2 && len(m) == 2 {
		return Ref{To: to, Type: typ}, nil
	}
	for k, v := range m {
		if v == nil {
			delete(m, k)
		}
	}
	return m, nil
}
