// Package value is the normal form of everything a spec says, and its one encoding: canonical JSON.
//
// A value in normal form is
//
//	nil | bool | int64 | uint64 | float64 | string | Ref | Secret | []any | map[string]any
//
// with one number for one quantity: whole numbers are int64, those above its range uint64, and everything else is the
// nearest float64. So 1, 1.0 and 1e0 of either syntax are one value and give one key. Null in a map means absent.
//
// It knows nothing of syntax, schemas or blocks. Read next: canonical.go for the encoding.
package value

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"unicode/utf8"
)

// Ref is a reference to an output of a block: {"$ref": To, "type": Type} in canonical JSON.
type Ref struct {
	To   string // block address, ".", name of the output: "train.supervised.base.model"
	Type string // "graph", "model", "data", …
}

// Secret is a value that came from a sensitive variable. It is never encoded in clear: canonical JSON holds a salted digest,
// {"$secret": "…"}, so that keys change with it and do not tell it. Whoever needs the clear value calls Reveal.
type Secret struct {
	Value any // in normal form, without secrets inside
}

// String hides the value.
func (Secret) String() string { return "(sensitive)" }

// GoString hides the value.
func (Secret) GoString() string { return "value.Secret{…}" }

// MarshalJSON writes what canonical JSON has: the digest.
func (s Secret) MarshalJSON() ([]byte, error) { return appendSecret(nil, s) }

// Reveal returns v with the clear values of all secrets in it.
func Reveal(v any) any {
	switch t := v.(type) {
	case Secret:
		return t.Value
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			out[i] = Reveal(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, e := range t {
			out[k] = Reveal(e)
		}
		return out
	}
	return v
}

// Secrets lists the clear texts of all secrets in v: what must not be seen in logs.
func Secrets(v any) []string {
	switch t := v.(type) {
	case Secret:
		return texts(t.Value)
	case []any:
		var out []string
		for _, e := range t {
			out = append(out, Secrets(e)...)
		}
		return out
	case map[string]any:
		var out []string
		for _, e := range t {
			out = append(out, Secrets(e)...)
		}
		return out
	}
	return nil
}

func texts(v any) []string {
	switch t := v.(type) {
	case string:
		return []string{t}
	case []any:
		var out []string
		for _, e := range t {
			out = append(out, texts(e)...)
		}
		return out
	case map[string]any:
		var out []string
		for _, e := range t {
			out = append(out, texts(e)...)
		}
		return out
	case nil, bool:
		return nil
	}
	return []string{fmt.Sprint(v)}
}

// maxDepth bounds nesting, so that hostile input cannot exhaust the stack.
const maxDepth = 1000

// The reasons for which something has no normal form.
var (
	ErrNotFinite = errors.New("NaN and infinity are no values (is something divided by zero?)")
	ErrUTF8      = errors.New("string is not valid UTF-8")
	ErrDepth     = errors.New("nested more than 1000 levels deep")
)

// Norm brings v to normal form. It takes what encoding/json and Go code give: all integer and float types, *big.Float, and
// lists and maps of those.
func Norm(v any) (any, error) { return norm(v, 0) }

func norm(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, ErrDepth
	}
	switch t := v.(type) {
	case nil, bool, int64, Ref, Secret:
		return v, nil
	case int:
		return int64(t), nil
	case int32:
		return int64(t), nil
	case uint64:
		if t <= math.MaxInt64 {
			return int64(t), nil
		}
		return t, nil
	case float64:
		return fromFloat(t)
	case float32:
		return fromFloat(float64(t))
	case *big.Float:
		return Number(t)
	case string:
		if !utf8.ValidString(t) {
			return nil, ErrUTF8
		}
		return t, nil
	case []any:
		out := make([]any, len(t))
		for i, e := range t {
			n, err := norm(e, depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = n
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, e := range t {
			if !utf8.ValidString(k) {
				return nil, ErrUTF8
			}
			n, err := norm(e, depth+1)
			if err != nil {
				return nil, err
			}
			if n != nil {
				out[k] = n
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("a %T has no normal form", v)
}

func fromFloat(f float64) (any, error) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return nil, ErrNotFinite
	case f != math.Trunc(f):
		return f, nil
	case f >= -1<<63 && f < 1<<63:
		return int64(f), nil
	case f >= 0 && f < 1<<64:
		return uint64(f), nil
	}
	return f, nil
}

// Number is the normal form of an arbitrary-precision number: exact when it is a whole number of 64 bits, else the nearest
// float64. Numbers beyond float64's range are an error.
func Number(f *big.Float) (any, error) {
	if f.IsInf() {
		return nil, ErrNotFinite
	}
	if f.IsInt() {
		if i, acc := f.Int64(); acc == big.Exact {
			return i, nil
		}
		if u, acc := f.Uint64(); acc == big.Exact {
			return u, nil
		}
	}
	x, _ := f.Float64()
	if math.IsInf(x, 0) {
		return nil, fmt.Errorf("number %s is beyond the range of a float64", f.Text('g', 10))
	}
	return fromFloat(x)
}
