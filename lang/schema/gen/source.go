package gen

import (
	"bytes"
	"fmt"
	"go/format"
	"sort"
	"strconv"

	"mbuild.dev/mbuild/lang/schema"
)

var opNames = map[schema.Op]string{schema.Any: "Any", schema.Bool: "Bool", schema.Int: "Int", schema.Number: "Number", schema.String: "String",
	schema.List: "List", schema.Map: "Map", schema.Struct: "Struct", schema.Ref: "Ref", schema.Union: "Union"}

// Source writes the Go file that holds a table as the variable Schema of a package.
func Source(pkg string, k *schema.Kind) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// Code generated from schema.cue by lang/schema/gen. DO NOT EDIT.\n\npackage %s\n\nimport \"mbuild.dev/mbuild/lang/schema\"\n\n", pkg)
	fmt.Fprintf(&b, "// Schema is the table of %s.%s.\nvar Schema = &schema.Kind{Family: %q, Type: %q, Version: %d, Doc: %q, Struct: ", k.Family, k.Type, k.Family, k.Type, k.Version, k.Doc)
	writeType(&b, k.Struct)
	b.WriteString("}\n")
	return format.Source(b.Bytes())
}

func writeType(b *bytes.Buffer, t *schema.Type) {
	fmt.Fprintf(b, "&schema.Type{Op: schema.%s", opNames[t.Op])
	if t.Doc != "" {
		fmt.Fprintf(b, ", Doc: %q", t.Doc)
	}
	if t.Min != nil {
		fmt.Fprintf(b, ", Min: &schema.Bound{Value: %s, Exclusive: %t}", goFloat(t.Min.Value), t.Min.Exclusive)
	}
	if t.Max != nil {
		fmt.Fprintf(b, ", Max: &schema.Bound{Value: %s, Exclusive: %t}", goFloat(t.Max.Value), t.Max.Exclusive)
	}
	if t.Pattern != "" {
		fmt.Fprintf(b, ", Pattern: %q", t.Pattern)
	}
	if t.Enum != nil {
		fmt.Fprintf(b, ", Enum: %s", goValue(t.Enum))
	}
	if t.RefTypes != nil {
		fmt.Fprintf(b, ", RefTypes: %#v", t.RefTypes)
	}
	if t.MinItems > 0 {
		fmt.Fprintf(b, ", MinItems: %d", t.MinItems)
	}
	if t.Labels != nil {
		fmt.Fprintf(b, ", Labels: %#v", t.Labels)
	}
	if t.Tag != "" {
		fmt.Fprintf(b, ", Tag: %q", t.Tag)
	}
	if t.Sensitive {
		b.WriteString(", Sensitive: true")
	}
	if t.Elem != nil {
		b.WriteString(", Elem: ")
		writeType(b, t.Elem)
	}
	if t.Fields != nil {
		b.WriteString(", Fields: []schema.Field{\n")
		for _, f := range t.Fields {
			writeField(b, f)
		}
		b.WriteString("}")
	}
	if t.Alts != nil {
		b.WriteString(", Alts: []*schema.Type{\n")
		for _, a := range t.Alts {
			writeType(b, a)
			b.WriteString(",\n")
		}
		b.WriteString("}")
	}
	b.WriteString("}")
}

func writeField(b *bytes.Buffer, f schema.Field) {
	fmt.Fprintf(b, "{Name: %q", f.Name)
	if f.Required {
		b.WriteString(", Required: true")
	}
	if f.Default != nil {
		fmt.Fprintf(b, ", Default: %s", goValue(f.Default))
	}
	if f.Was != "" {
		fmt.Fprintf(b, ", Was: %q", f.Was)
	}
	b.WriteString(", Type: ")
	writeType(b, f.Type)
	b.WriteString("},\n")
}

// goValue writes a value in normal form as a Go expression of type any.
func goValue(v any) string {
	switch t := v.(type) {
	case int64:
		return "int64(" + strconv.FormatInt(t, 10) + ")"
	case float64:
		return "float64(" + goFloat(t) + ")"
	case string:
		return strconv.Quote(t)
	case bool:
		return strconv.FormatBool(t)
	case []any:
		s := "[]any{"
		for _, e := range t {
			s += goValue(e) + ", "
		}
		return s + "}"
	case map[string]any:
		keys := make([]string, 0, len(t))
		for k := range t {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		s := "map[string]any{"
		for _, k := range keys {
			s += strconv.Quote(k) + ": " + goValue(t[k]) + ", "
		}
		return s + "}"
	}
	return "nil"
}

func goFloat(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
