package schema

import (
	"fmt"
	"strconv"
	"strings"
)

// WriteCUE writes the fields of a struct as CUE, each with its comment.
func WriteCUE(b *strings.Builder, t *Type, indent string) {
	for _, f := range t.Fields {
		if f.Type.Doc != "" {
			for _, line := range strings.Split(strings.TrimSpace(f.Type.Doc), "\n") {
				b.WriteString(strings.TrimRight(indent+"// "+line, " ") + "\n")
			}
		}
		mark := "?"
		if f.Required {
			mark = "!"
		} else if f.Default != nil && f.Type.Op != Struct {
			mark = ""
		}
		text := typeCUE(f.Type, indent)
		if mark == "" {
			text = withDefault(f.Type, text, f.Default)
		}
		fmt.Fprintf(b, "%s%s%s: %s\n", indent, f.Name, mark, text)
	}
}

// withDefault adds a default to a type's text. An arm that admits the default already is no second one.
func withDefault(t *Type, text string, d any) string {
	if l, ok := d.([]any); ok && len(l) == 0 && t.Op == List && t.MinItems == 0 {
		return text
	}
	return text + " | *" + Show(d)
}

func typeCUE(t *Type, indent string) string {
	switch t.Op {
	case Bool:
		return enumCUE(t, "bool")
	case Int:
		return enumCUE(t, "int"+boundsCUE(t))
	case Number:
		return enumCUE(t, "number"+boundsCUE(t))
	case String:
		s := "string"
		if t.Pattern != "" {
			s += " & =~" + strconv.Quote(t.Pattern)
		}
		return enumCUE(t, s)
	case List:
		elem := typeCUE(t.Elem, indent)
		return "[" + strings.Repeat(elem+", ", t.MinItems) + "..." + elem + "]"
	case Map:
		return "{[string]: " + typeCUE(t.Elem, indent) + "}"
	case Ref:
		alts := make([]string, len(t.RefTypes))
		for i, r := range t.RefTypes {
			alts[i] = strconv.Quote(r)
		}
		return `{"$ref"!: string, type!: ` + strings.Join(alts, " | ") + `, ...}`
	case Struct:
		var b strings.Builder
		b.WriteString("{\n")
		WriteCUE(&b, t, indent+"\t")
		return b.String() + indent + "}"
	case Union:
		alts := make([]string, len(t.Alts))
		for i, a := range t.Alts {
			alts[i] = typeCUE(a, indent)
		}
		return strings.Join(alts, " | ")
	}
	return "_"
}

func boundsCUE(t *Type) string {
	s := ""
	if t.Min != nil {
		s += " & " + strings.ReplaceAll(bound(t.Min, ">"), " ", "")
	}
	if t.Max != nil {
		s += " & " + strings.ReplaceAll(bound(t.Max, "<"), " ", "")
	}
	return s
}

func enumCUE(t *Type, base string) string {
	if t.Enum == nil {
		return base
	}
	alts := make([]string, len(t.Enum))
	for i, v := range t.Enum {
		alts[i] = Show(v)
	}
	return strings.Join(alts, " | ")
}
