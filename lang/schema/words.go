package schema

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/agext/levenshtein"

	"mbuild.dev/mbuild/lang/value"
)

// distance is the edit distance, in which two letters that changed places count once.
func distance(a, b string) int {
	d := levenshtein.Distance(a, b, nil)
	if d == 2 && len(a) == len(b) {
		for i := 0; i+1 < len(a); i++ {
			if a[:i]+a[i+1:i+2]+a[i:i+1]+a[i+2:] == b {
				return 1
			}
		}
	}
	return d
}

// Describe says in words what a type allows: "a whole number > 0", "one of \"relu\", \"gelu\"".
func Describe(t *Type) string {
	switch t.Op {
	case Any:
		return "any value"
	case Bool:
		return "true or false"
	case Int, Number:
		s := "a number"
		if t.Op == Int {
			s = "a whole number"
		}
		if t.Enum != nil {
			return "one of " + Words(enumStrings(t))
		}
		return s + bounds(t)
	case String:
		if t.Enum != nil {
			return "one of " + Words(enumStrings(t))
		}
		return "a string"
	case List:
		if n, _ := t.Elem.Nested(); n {
			return "blocks"
		}
		return "a list, each element " + Describe(t.Elem)
	case Map:
		return "a map, each value " + Describe(t.Elem)
	case Struct:
		return "a block"
	case Ref:
		return article(strings.Join(t.RefTypes, " or a "))
	case Union:
		if t.Tag != "" {
			return "a block, one of " + Words(t.Tags())
		}
		alts := make([]string, len(t.Alts))
		for i, a := range t.Alts {
			alts[i] = Describe(a)
		}
		return strings.Join(alts, " or ")
	}
	return "a value"
}

func bounds(t *Type) string {
	var parts []string
	if t.Min != nil {
		parts = append(parts, bound(t.Min, ">"))
	}
	if t.Max != nil {
		parts = append(parts, bound(t.Max, "<"))
	}
	if len(parts) == 0 {
		return ""
	}
	return " " + strings.Join(parts, " and ")
}

func bound(b *Bound, op string) string {
	if !b.Exclusive {
		op += "="
	}
	format := byte('g')
	if b.Value == math.Trunc(b.Value) && math.Abs(b.Value) < 1e15 {
		format = 'f'
	}
	return op + " " + strconv.FormatFloat(b.Value, format, -1, 64)
}

// DescribeValue says in words what a value is: "the string \"x\"", "a list of 3".
func DescribeValue(v any) string {
	switch t := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(t)
	case []any:
		return fmt.Sprintf("a list of %d", len(t))
	case map[string]any:
		return "a block or object"
	case value.Ref:
		return "a reference to " + t.To
	case string:
		return "the string " + Show(v)
	case value.Secret:
		return "a sensitive value"
	}
	return "the number " + Show(v)
}

// Show prints a value for a message, shortened when long.
func Show(v any) string {
	b, err := value.Canonical(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(b) > 80 {
		return strings.ToValidUTF8(string(b[:77]), "") + "..."
	}
	return string(b)
}

// Words prints names as a list of quoted words: "a", "b" and "c".
func Words(names []string) string {
	q := make([]string, len(names))
	for i, n := range names {
		q[i] = strconv.Quote(n)
	}
	switch len(q) {
	case 0:
		return "none"
	case 1:
		return q[0]
	}
	return strings.Join(q[:len(q)-1], ", ") + " and " + q[len(q)-1]
}

func article(noun string) string {
	if noun != "" && strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}
